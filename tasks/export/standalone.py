"""An exported model from raw inputs to answers: Python's standard library, NumPy and the model's
runtime (onnxruntime or ai-edge-litert), nothing else.

    python predict.py "a text" "another one"
    python predict.py sound.wav numbers.npy

    from predict import Model
    model = Model("folder of the export")
    model.predict(["a text"])        # answers, a dictionary each
    model.run("step", **tensors)     # a part of the model, arrays by name
"""

import functools
import json
import math
import pathlib
import re
import sys
import unicodedata
import wave

import numpy as np

PADDING, UNKNOWN, SPECIAL = 0, 1, 2
"""Ids: of no token, of a token that training never saw; the first one of a vocabulary."""

SPACES = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Separators of Unicode (its classes Zs, Zl and Zp)."""

PIECE_SPACE = "\u2581"
"""What the subwords at the beginning of a word begin with."""

LONGEST_PIECE, UNKNOWN_COST = 16, 10.0
JOINT = "\b"
FORBIDDEN = -1e30


class Model:
    """An exported model.

    Args:
        folder: that holds model.json; that of this file by default.
        threads: number of threads of the runtime. More than one rarely helps: the products of a
            time step are small, and threads would wait for each other at every step.

    Attributes:
        about: all of model.json.
        names: of its parts.
    """

    def __init__(self, folder=None, threads=1):
        self.folder = pathlib.Path(folder or pathlib.Path(__file__).parent)
        self.about = json.loads((self.folder / "model.json").read_text(encoding="utf-8"))
        self.names = tuple(self.about["parts"])
        runtime = {"onnx": _OnnxPart, "litert": _LiteRTPart}[self.about["format"]]
        self._parts = {
            name: runtime(self.folder / part["file"], part, threads)
            for name, part in self.about["parts"].items()
        }
        self.input, self.answer = self.about["input"], self.about["answer"]
        tokens = self.input.get("vocabulary", [])
        self._ids = {token: SPECIAL + place for place, token in enumerate(tokens)}
        scores = self.input.get("scores") or [0.0] * len(tokens)
        self._scores = dict(zip(tokens, np.array(scores, np.float32), strict=True))
        letters = self.input.get("character_vocabulary") or []
        self._character_ids = {token: SPECIAL + place for place, token in enumerate(letters)}

    def run(self, name, **tensors):
        """Arrays by name -> the results of a part by name."""
        return self._parts[name](tensors)

    def initial_states(self, batch=1):
        """The states before the first step, zeros, by name."""
        part = self.about["parts"]["step"]
        return {
            own["name"]: np.zeros([batch, *own["shape"][1:]], own["dtype"])
            for own in part["inputs"]
            if own["name"] in part["states"]
        }

    def step(self, states, **inputs):
        """One step: states and inputs by name -> results by name, and new states."""
        found = self.run("step", **inputs, **states)
        return found, {name: found.pop(f"next_{name}") for name in states}

    def predict(self, inputs, decoding=None):
        """Answers to raw inputs: "label", "value", "probability" and "alternatives" each; of texts
        also "token_probabilities", the geometric mean over the tokens of each alternative.

        Args:
            inputs: texts, class names, or arrays, as the model was trained on.
            decoding: choices of how texts are generated, instead of those in model.json.
        """
        inputs = list(inputs)
        if not inputs:
            return []
        kind = self.answer["kind"]
        if kind == "texts":
            return self._generated(inputs, {**self.answer["decoding"], **(decoding or {})})
        if kind == "following":
            return [self._followed(own) for own in inputs]
        if kind == "transcripts":
            return self._transcribed(inputs, {**self.answer["decoding"], **(decoding or {})})
        answers = {"class": _class, "labels": _labels, "value": _value}
        answers |= {"steps": _steps, "tags": _tags}
        if kind not in answers:
            raise ValueError(
                f"predict.py has no answers of the kind {kind!r}; the numbers are in "
                'model.run("serving", **model.tensors(inputs))'
            )
        answer, tensors = answers[kind], self.tensors(inputs)
        found = self.run("serving", **tensors)
        lengths = tensors.get("lengths")
        return [
            answer(
                self.answer,
                {name: own[row] for name, own in found.items()},
                None if lengths is None else lengths[row],
            )
            for row in range(len(inputs))
        ]

    def tensors(self, inputs):
        """Raw inputs -> the arrays that "serving" or "encode" takes, by name."""
        about = self.input
        if about["kind"] == "arrays":
            return {about["name"]: np.stack([np.asarray(own, about["dtype"]) for own in inputs])}
        if about["kind"] == "sequences":
            rows = [np.asarray(own, np.float32) for own in inputs]
            rows = [row[:, None] if row.ndim < about["axes"] else row for row in rows]
            return {about["name"]: _padded(rows, np.float32), "lengths": _lengths(rows)}
        if about["kind"] == "columns":
            rows = [self._columns(own) for own in inputs]
            return {"values": _padded(rows, about["dtype"]), "lengths": _lengths(rows)}
        if about["kind"] == "classes":
            unknown = [own for own in inputs if own not in self._ids]
            if unknown:
                raise ValueError(f"this model knows {', '.join(self._ids)}, got {unknown[0]!r}")
            return {"classes": np.array([self._ids[own] for own in inputs], np.int32)}
        rows = [np.array(self.ids(own), np.int32) for own in inputs]
        if about["kind"] == "words and characters":
            rows = [row.reshape(-1, 1 + about["word_characters"]) for row in rows]
        return {"values": _padded(rows, np.int32), "lengths": _lengths(rows)}

    def _columns(self, image):
        """An image, (height, width[, channels]), as steps of one or more columns."""
        about = self.input
        rows = np.moveaxis(np.asarray(image, about["dtype"]), 1, 0)
        if rows.shape[1] != about["height"]:
            raise ValueError(f"images must be {about['height']} pixels high, got {rows.shape[1]}")
        missing = -len(rows) % about["columns"]
        rows = np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
        return rows.reshape(len(rows) // about["columns"], -1)

    def tokens(self, text):
        """The tokens of a text; a sentence given as a sequence of words is returned as it is."""
        about = self.input
        if not isinstance(text, str):
            text = " ".join(re.sub(r"\s", "\u00a0", word) for word in text)
        if about["kind"] in ("tokens", "words and characters"):
            if about["split"] == "characters":
                return list(text)
            spaces = SPACES.replace("\u00a0", "").replace("\u202f", "")
            spaces = spaces.replace("\u2000-\u200a", "\u2000-\u2006\u2008-\u200a")
            return _ascii_words(re.sub(f"[{spaces}]", " ", text))
        text = re.sub(f"[{about['removed']}]", "", text) if about["removed"] else text
        text = self._formed(text)
        text = text.lower() if about["lowercase"] else text
        split = {
            "characters": list,
            "words": _words,
            "joined words": _joined_words,
            "subwords": self._subwords,
        }[about["split"]]
        return split(text)[: about["maximum_length"]]

    def ids(self, text):
        """The ids of a text's tokens; with the characters of words, a row of ids per word."""
        about, tokens = self.input, self.tokens(text)
        if about["kind"] == "text":
            return [self._id(token) for token in tokens]
        rows = []
        for token in map(self._formed, tokens):
            word = self._id(token.lower() if about["lowercase"] else token)
            if about["kind"] == "tokens":
                rows.append(word)
                continue
            count = about["word_characters"]
            half = count // 2
            within = token[:half] + token[half:][-half:]
            ids = [self._character_ids.get(own, UNKNOWN) for own in within]
            rows.append([word, *ids, *[PADDING] * (count - len(ids))])
        return rows

    def _id(self, token):
        """The id of a token; with word vectors, that of its lowercase form if it has none."""
        if token in self._ids or not self.input.get("folded"):
            return self._ids.get(token, UNKNOWN)
        return self._ids.get(token.lower(), UNKNOWN)

    def _formed(self, text):
        return unicodedata.normalize("NFC", text) if self.input["nfc"] else text

    def _subwords(self, text):
        text = re.sub(rf"[\t\n\f\r\v{SPACES}{PIECE_SPACE}]+", " ", text)
        return [piece for word in _ascii_words(text) for piece in self._pieces(PIECE_SPACE + word)]

    def _pieces(self, word):
        """The most probable pieces of a word (Viterbi search)."""
        known = self._scores
        unknown = np.float32(min(self.input["scores"]) - UNKNOWN_COST)
        best, lengths = [np.float32(0)], []
        for end in range(1, len(word) + 1):
            totals = []
            for length in range(1, min(LONGEST_PIECE, end) + 1):
                score = known.get(word[end - length : end], np.float32(-np.inf))
                if length == 1 and word[end - 1] not in known:
                    score = unknown
                totals.append(best[end - length] + score)
            length = 1 + int(np.argmax(totals))
            best.append(totals[length - 1])
            lengths.append(length)
        pieces, end = [], len(word)
        while end > 0:
            pieces.insert(0, word[end - lengths[end - 1] : end])
            end -= lengths[end - 1]
        return pieces

    # Texts that the model generates.

    def _generated(self, texts, choices):
        if self.answer["goes_on"]:
            prompts = [self._read(text) for text in texts]
            starts = [start for start, _ in prompts]
            names = prompts[0][1]
            states = {name: np.concatenate([own[name] for _, own in prompts]) for name in names}
            constants = {}
        else:
            states = self.run("encode", **self.tensors(texts))
            constants = {
                name: states.pop(name) for name in ("memory", "keys", "mask") if name in states
            }
            starts = [self.answer["start"]] * len(texts)
        search = _Search(self, choices)
        if choices["method"] == "beam":
            found = [
                search.beam(_row(states, place), start, _row(constants, place))
                for place, start in enumerate(starts)
            ]
        else:
            drawn = [search.rows(states, starts, constants) for _ in range(choices["answers"])]
            found = list(zip(*drawn, strict=True))
        return [self._written(own, int(search.has_end)) for own in found]

    def _read(self, text):
        """The last token of a prompt, and the states after all tokens before it."""
        ids = [self.answer["start"], *self.ids(text)]
        states = self.initial_states()
        for token in ids[:-1]:
            _, states = self.step(states, tokens=np.array([token], np.int32))
        return ids[-1], states

    def _written(self, found, ends):
        """An answer of tokens and log-probability of each alternative; `ends` counts the tokens
        that end one."""
        each = [math.exp(logarithm / max(1, len(tokens) + ends)) for tokens, logarithm in found]
        ranked = [(self._joined(tokens), math.exp(logarithm)) for tokens, logarithm in found]
        label, probability = ranked[0]
        answer = {"label": label, "value": label, "probability": probability}
        return {**answer, "alternatives": ranked, "token_probabilities": each}

    def _joined(self, ids):
        """Ids of tokens -> the text."""
        about = self.answer
        tokens = [about["vocabulary"][own - SPECIAL] for own in ids if own >= SPECIAL]
        if about["join"] == "characters":
            return "".join(tokens)
        if about["join"] == "words":
            return _guessed_spaces(" ".join(tokens).strip(" \t\n\v\f\r"))
        if about["join"] == "subwords":
            text = "".join(tokens).replace(PIECE_SPACE, " ")
        else:
            text = "".join(f" {token}" for token in tokens)
            text = re.sub(f"{JOINT} {JOINT}?| {JOINT}", "", text).replace(JOINT, "")
        return text if about["goes_on"] else text.strip(" \t\n\v\f\r")

    # Texts decoded from the probabilities of each step.

    def _transcribed(self, inputs, choices):
        tensors = self.tensors(inputs)
        found = self.run("serving", **tensors)["log_probabilities"].astype(np.float64)
        return [
            self._written(_transcripts(logs[:length], self.answer["banned"], choices), 0)
            for logs, length in zip(found, tensors["lengths"], strict=True)
        ]

    # Continuations of sequences.

    def _followed(self, series):
        (tensors,) = [self.tensors([series])]
        values, states = tensors[self.input["name"]][0], self.initial_states()
        written = []
        for value in values:
            found, states = self.step(states, values=value[None])
        for _ in range(self.answer["horizon"]):
            (value,) = found.values()
            written.append(value[0])
            found, states = self.step(states, values=value)
        return _described_steps(np.stack(written))


class _OnnxPart:
    """A part that onnxruntime runs."""

    def __init__(self, path, about, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = {own["name"]: np.dtype(own["dtype"]) for own in about["inputs"]}
        self.outputs = [own.name for own in self.session.get_outputs()]

    def __call__(self, tensors):
        given = {name: np.asarray(own, self.inputs[name]) for name, own in tensors.items()}
        return dict(zip(self.outputs, self.session.run(self.outputs, given), strict=True))


class _LiteRTPart:
    """A part that LiteRT runs, one row at a time; with a fixed number of steps, inputs are
    padded."""

    def __init__(self, path, about, threads):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self.runner = self.interpreter.get_signature_runner()
        self.inputs = {own["name"]: own for own in about["inputs"]}
        self.steps = about.get("time")

    def __call__(self, tensors):
        count = len(next(iter(tensors.values())))
        found = [
            self._row({name: own[row : row + 1] for name, own in tensors.items()})
            for row in range(count)
        ]
        return {name: np.concatenate([own[name] for own in found]) for name in found[0]}

    def _row(self, tensors):
        given, time = {}, None
        for name, own in tensors.items():
            about = self.inputs[name]
            own = np.asarray(own, about["dtype"])
            if self.steps and len(about["shape"]) > 1 and about["shape"][1] is None:
                time = own.shape[1]
                if time > self.steps:
                    raise ValueError(
                        f"This model was exported for {self.steps} steps, but {name!r} has {time}."
                    )
                widths = [(0, 0), (0, self.steps - time)] + [(0, 0)] * (own.ndim - 2)
                own = np.pad(own, widths)
            given[name] = own
        found = self.runner(**given)
        if time is None:
            return found
        cut = self.steps
        return {
            name: own[:, :time] if own.ndim > 1 and own.shape[1] == cut else own
            for name, own in found.items()
        }


class _Search:
    """Greedy search, sampling and beam search."""

    def __init__(self, model, choices):
        about = model.answer
        self.model = model
        self.choices = choices
        self.limit = choices["maximum_length"]
        self.size = SPECIAL + len(about["vocabulary"])
        self.has_end = about["end"] is not None
        self.end = about["end"] if self.has_end else self.size
        self.bans = np.zeros(self.size + (not self.has_end), np.float32)
        self.bans[about["banned"]] = -np.inf
        self.bans[self.end] = 0.0 if self.has_end else -np.inf
        self.random = np.random.default_rng(choices.get("seed"))

    def propose(self, t, tokens, states, histories, constants):
        """Log-probabilities, the scores for the search, attention, and the new states."""
        tokens = np.where(np.asarray(tokens) < self.size, tokens, PADDING).astype(np.int32)
        found, states = self.model.step(states, tokens=tokens, **constants)
        logits = found["logits"]
        logs = free = self._logs(logits)
        penalty, size = self.choices["repetition_penalty"], self.choices["no_repeat_ngram"]
        if penalty != 1:
            lowered = np.where(logits > 0, logits / penalty, logits * penalty)
            seen = np.zeros(logits.shape, bool)
            for row, history in enumerate(histories):
                seen[row, history] = True
            free = self._logs(np.where(seen, lowered, logits))
        scores = free + self.bans
        if self.has_end and t < self.choices["minimum_length"]:
            scores[:, self.end] = -np.inf
        if size is not None:
            for row, history in enumerate(histories):
                last = history[len(history) - size + 1 :] if size > 1 else []
                for place in range(size - 1, len(history)):
                    if history[place - size + 1 : place] == last:
                        scores[row, history[place]] = -np.inf
        forced = np.isneginf(scores.max(1)) | (t >= self.limit)
        for row in np.flatnonzero(forced):
            scores[row] = -np.inf
            scores[row, self.end] = max(free[row, self.end], -1e4)
        return logs, scores, found.get("attention"), states

    def _logs(self, logits):
        logits = logits.astype(np.float32)
        shifted = logits - logits.max(1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        return logs if self.has_end else np.pad(logs, [(0, 0), (0, 1)])

    def rows(self, states, starts, constants):
        """The most probable token in each step, or one at random, of all inputs at once: tokens
        and log-probability of each."""
        tokens, totals = [[] for _ in starts], [0.0] * len(starts)
        previous, open_rows = list(starts), set(range(len(starts)))
        last = self.limit if self.has_end else self.limit - 1
        for t in range(last + 1):
            logs, scores, _, states = self.propose(t, previous, states, tokens, constants)
            for row in sorted(open_rows):
                if self.choices["method"] == "sample":
                    chosen = self._draw(scores[row])
                else:
                    chosen = int(np.argmax(scores[row]))
                totals[row] += float(logs[row, chosen])
                previous[row] = chosen
                if chosen == self.end:
                    open_rows.discard(row)
                else:
                    tokens[row].append(chosen)
            if not open_rows:
                break
        return list(zip(tokens, totals, strict=True))

    def _draw(self, scores):
        """A token at random, from the most probable ones."""
        choices = self.choices
        order = np.argsort(-scores, kind="stable")
        order = order[: choices["top_k"] or len(order)]
        ranked = scores[order].astype(np.float64) / choices["temperature"]
        weights = np.exp(ranked - ranked[0])
        weights /= weights.sum()
        if choices["top_p"] is not None:
            before = np.cumsum(weights) - weights
            weights = np.where(before < choices["top_p"], weights, 0)
            weights /= weights.sum()
        return int(self.random.choice(order, p=weights))

    def beam(self, states, start, constants):
        """The best answers of a beam search for one input: tokens and log-probabilities."""
        width, wanted = self.choices["beam_width"], self.choices["answers"]
        alpha, beta = self.choices["length_penalty"], self.choices["coverage_penalty"]
        source = constants["mask"].sum() if constants else None
        states = {name: np.repeat(own, width, 0) for name, own in states.items()}
        constants = {name: np.repeat(own, width, 0) for name, own in constants.items()}
        beams = [([], 0.0)] * width
        scores = np.array([0.0] + [-np.inf] * (width - 1), np.float32)
        previous, answers, ended, coverage = [start] * width, [], 0, np.zeros(1, np.float32)
        for t in range(self.limit + 1):
            histories = [tokens for tokens, _ in beams]
            logs, own, attention, states = self.propose(t, previous, states, histories, constants)
            whole = (scores[:, None] + own).reshape(-1)
            best = np.argsort(-whole, kind="stable")[: min(2, own.shape[1]) * width]
            if beta:
                coverage = coverage + attention
            following = []
            for rank, place in enumerate(best):
                row, token = divmod(int(place), own.shape[1])
                total = beams[row][1] + float(logs[row, token])
                if token != self.end:
                    following.append((whole[place], row, token, total))
                elif rank < width and whole[place] > -np.inf:
                    score = whole[place] / self._length(t, alpha)
                    if beta:
                        seen = coverage[row, :source]
                        tiny = np.finfo(np.float32).tiny
                        score += beta * np.log(np.clip(seen, tiny, 1)).sum()
                    answers.append((score, beams[row][0], total))
                    ended += 1
            answers = sorted(answers, key=lambda one: -one[0])[:wanted]
            following += [(-np.inf, 0, PADDING, 0.0)] * (width - len(following))
            following = following[:width]
            rows = [row for _, row, _, _ in following]
            states = {name: value[rows] for name, value in states.items()}
            coverage = coverage[rows] if beta else coverage
            beams = [(beams[row][0] + [token], total) for _, row, token, total in following]
            previous = [token for _, _, token, _ in following]
            scores = np.array([score for score, *_ in following], np.float32)
            reachable = scores[0] / self._length(self.limit, alpha)
            worst = answers[-1][0] if len(answers) == wanted else -np.inf
            if ended >= width or reachable <= worst:
                break
        return [(tokens, total) for _, tokens, total in answers]

    def _length(self, tokens, alpha):
        return ((5.0 + tokens + self.has_end) / 6.0) ** alpha if alpha else 1.0


def _transcripts(logs, banned, choices):
    """Symbols and log-probability of the most probable texts, from log-probabilities (time, ids),
    with the blank first."""
    allowed = logs.copy()
    allowed[:, banned] = -np.inf
    if choices["method"] == "greedy":
        path = allowed.argmax(1)
        before = np.concatenate([[PADDING], path[:-1]])
        texts = [tuple(path[(path != PADDING) & (path != before)].tolist())]
    else:
        texts = _prefixes(allowed, choices["beam_width"])[: choices["answers"]]
    return [(text, _likelihood(logs, text)) for text in texts]


def _prefixes(logs, width):
    """Prefix beam search: texts, the most probable first."""
    beams = {(): (0.0, -np.inf)}  # log-probabilities of alignments that end in a blank, and not
    for step in logs:
        following = {}

        def add(prefix, blank, symbol, following=following):
            old = following.get(prefix, (-np.inf, -np.inf))
            following[prefix] = (np.logaddexp(old[0], blank), np.logaddexp(old[1], symbol))

        best = np.argsort(-step, kind="stable")[: width + 1].tolist()
        symbols = {*best, *(prefix[-1] for prefix in beams if prefix)} - {PADDING}
        for prefix, (blank, symbol) in beams.items():
            whole = np.logaddexp(blank, symbol)
            again = symbol + step[prefix[-1]] if prefix else -np.inf
            add(prefix, whole + step[PADDING], again)
            for own in symbols:
                before = blank if prefix and own == prefix[-1] else whole
                add((*prefix, own), -np.inf, before + step[own])
        ranked = sorted(following.items(), key=lambda one: -np.logaddexp(*one[1]))
        beams = {prefix: own for prefix, own in ranked[:width] if np.logaddexp(*own) > -np.inf}
    return list(beams)


def _likelihood(logs, text):
    """The log-probability of a text, over all alignments."""
    ids = np.full(2 * len(text) + 1, PADDING)
    ids[1::2] = text
    jumps = np.zeros(len(ids), bool)
    jumps[2:] = (ids[2:] != PADDING) & (ids[2:] != ids[:-2])
    whole = np.full(len(ids), -np.inf)
    whole[0] = 0.0
    for step in logs:
        one = np.concatenate([[-np.inf], whole[:-1]])
        two = np.concatenate([[-np.inf] * 2, whole])[: len(ids)]
        over = np.where(jumps, two, -np.inf)
        whole = np.logaddexp(np.logaddexp(whole, one), over) + step[ids]
    return float(np.logaddexp.reduce(whole[-2:]))


def _row(arrays, place):
    return {name: own[place : place + 1] for name, own in arrays.items()}


def _class(about, found, length):
    ranked = np.argsort(-found["probabilities"], kind="stable")[: about["top"]]
    pairs = [(about["names"][own], float(found["probabilities"][own])) for own in ranked]
    name, probability = pairs[0]
    return {"label": name, "value": name, "probability": probability, "alternatives": pairs}


def _labels(about, found, length):
    pairs = zip(about["names"], map(float, found["probabilities"]), strict=True)
    pairs = sorted(pairs, key=lambda pair: -pair[1])
    value = [name for name, probability in pairs if probability >= about["threshold"]]
    return {"label": ", ".join(value), "value": value, "probability": None, "alternatives": pairs}


def _value(about, found, length):
    numbers = [float(own) for own in found["value"]]
    label = ", ".join(f"{own:.6g}" for own in numbers)
    value = numbers[0] if len(numbers) == 1 else numbers
    return {"label": label, "value": value, "probability": None, "alternatives": []}


def _steps(about, found, length):
    return _described_steps(found["predictions"][:length])


def _described_steps(rows):
    rows = [[float(own) for own in row] for row in rows]
    label = ", ".join(" ".join(f"{own:.6g}" for own in row) for row in rows)
    value = [row[0] if len(row) == 1 else row for row in rows]
    return {"label": label, "value": value, "probability": None, "alternatives": []}


def _tags(about, found, length):
    if "scores" in found:
        ids, logarithm = _best_tags(about["crf"], found["scores"][:length].astype(np.float64))
    else:
        each = found["probabilities"][:length]
        ids = each.argmax(1)
        logarithm = float(np.log(each.max(1).astype(np.float64)).sum())
    tags = [about["names"][own] for own in ids]
    probability = math.exp(logarithm)
    return {"label": " ".join(tags), "value": tags, "probability": probability, "alternatives": []}


def _best_tags(crf, scores):
    """Viterbi's path through a conditional random field, and its log-probability."""
    moves, start, end = (np.array(crf[name]) for name in ("transitions", "start", "end"))
    best = everything = start + scores[0]
    pointers = []
    for emission in scores[1:]:
        paths = best[:, None] + moves
        pointers.append(paths.argmax(0))
        best = paths.max(0) + emission
        sums = everything[:, None] + moves
        highest = sums.max(0)
        everything = highest + np.log(np.exp(sums - highest).sum(0)) + emission
    ids = [int((best + end).argmax())]
    for pointer in reversed(pointers):
        ids.insert(0, int(pointer[ids[0]]))
    ends = everything + end
    total = ends.max() + math.log(np.exp(ends - ends.max()).sum())
    return ids, float((best + end).max() - total)


def _lengths(rows):
    return np.array([len(row) for row in rows], np.int32)


def _padded(rows, dtype):
    """Rows of any length as one padded array of at least one step."""
    whole = np.zeros((len(rows), max(1, *map(len, rows)), *rows[0].shape[1:]), dtype)
    for place, row in zip(whole, rows, strict=True):
        place[: len(row)] = row
    return whole


def _ascii_words(text):
    return [word for word in re.split(r"[ \t\n\v\f\r]+", text) if word]


@functools.cache
def _ranges(kinds):
    """The characters of some kinds (L letters, M marks, N digits), for a regular expression."""
    ranges, first = [], None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] in kinds
        if inside and first is None:
            first = code
        elif not inside and first is not None:
            ranges.append(f"{re.escape(chr(first))}-{re.escape(chr(code - 1))}")
            first = None
    return "".join(ranges)


@functools.cache
def _pattern(text):
    text = text.replace("LETTERS", _ranges("LMN")) if "LETTERS" in text else text
    text = text.replace("UNMARKED", _ranges("LN")) if "UNMARKED" in text else text
    return re.compile(text.replace("SPACES", SPACES))


def _words(text):
    """Runs of letters, digits and inner apostrophes; every other character is a word of its own."""
    text = _pattern(r"([^LETTERS\t\n\f\r '’])").sub(r" \1 ", text)
    text = _pattern(r"(\A|[\t\n\f\rSPACES])(['’]+)").sub(r"\1\2 ", text)
    text = _pattern(r"(['’]+)(\Z|[\t\n\f\rSPACES])").sub(r" \1\2", text)
    return _ascii_words(_pattern("[SPACES]").sub(" ", text))


def _joined_words(text):
    """The same, with joints where there was no space."""
    text = text.replace(JOINT, "")
    text = _pattern("[\t-\r\x1c-\x1f\x85SPACES]+").sub(" ", text).strip(" \t\n\v\f\r")
    for pattern, replacement in (
        ("([^LETTERS '’])", rf"{JOINT}\1{JOINT}"),
        (f"(\\A|[ {JOINT}])(['’]+)", rf"\1\2{JOINT}"),
        (f"(['’]+)(\\Z|[ {JOINT}])", rf"{JOINT}\1\2"),
        (f"{JOINT}* {JOINT}*", " "),
        (f"\\A{JOINT}+|{JOINT}+\\Z", ""),
        (f"{JOINT}+", JOINT),
        (f"{JOINT}([LETTERS])", rf"{JOINT} \1"),
        (f"{JOINT}([^ ])", rf" {JOINT}\1"),
    ):
        text = _pattern(pattern).sub(replacement, text)
    return _ascii_words(text)


def _guessed_spaces(text):
    """Words joined by spaces -> the same with spaces as usual in text."""
    text = _pattern(r"([UNMARKED]) - ([UNMARKED])").sub(r"\1-\2", text)
    text = re.sub(r" ([,.;:!?…)\]}])", r"\1", text)
    return re.sub(r"([(\[{]) ", r"\1", text)


def _opened(about, argument):
    """An input from the command line: a text or a class, or a file of numbers (.npy) or sound
    (.wav)."""
    if about["kind"] not in ("arrays", "sequences", "columns"):
        return argument
    path = pathlib.Path(argument)
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix != ".wav" or "sample_rate" not in about:
        files = ".npy or .wav" if "sample_rate" in about else ".npy"
        raise ValueError(f"this model reads {files} files, got {argument!r}")
    with wave.open(str(path)) as file:
        rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
        samples = file.readframes(file.getnframes())
    if (rate, width) != (about["sample_rate"], 2):
        raise ValueError(
            f"this model reads sound with {about['sample_rate']} samples of 16 bits per second, "
            f"but {argument} has {rate} of {8 * width}"
        )
    return np.frombuffer(samples, "<i2").reshape(-1, channels).mean(1, dtype=np.float32) / 32768


def main(arguments):
    """Prints a prediction per line for the inputs of a command line."""
    model = Model()
    try:
        answers = model.predict([_opened(model.input, argument) for argument in arguments])
    except (OSError, ValueError, EOFError, wave.Error) as error:
        sys.exit(f"predict.py: {error}")
    for answer in answers:
        probability = answer["probability"]
        known = "" if probability is None else f"\t{probability:.4f}"
        print(f"{answer['label']}{known}")


if __name__ == "__main__":
    main(sys.argv[1:])
