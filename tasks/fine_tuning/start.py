"""Parts of a run that fine-tuning reuses: preprocessing, vocabularies, and the weights of
layers."""

import pathlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqzoo.tasks.base import Task, Template
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fine_tuning.layers import DECODER, FITTED, OUTPUTS, weights_by_layer
from seqzoo.tasks.fine_tuning.templates import check_matching
from seqzoo.tasks.kinds import TEXTS
from seqzoo.tasks.many_to_many_unaligned.template import ManyToManyUnaligned
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.joined import JoinedFeatures
from seqzoo.tasks.preprocessing.series import SeriesFeatures
from seqzoo.tasks.preprocessing.tagged_words import CHARACTERS, MODELS, WORD, TokenFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vectors import VectorFeatures
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary
from seqzoo.tasks.preprocessing.word_joiners import JOINER
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.targets.texts import END_TOKEN, START_TOKEN

TARGET = "target_vocabulary"
"""The name of the vocabulary of generated texts."""

SPECIAL_ROWS = ["\ud800padding", "\ud800unknown"]
"""Stand for the first two rows of a vocabulary's weights. No token is spelled like this, since
surrogates do not occur in text."""

OTHER_SERIES, ONLY_SERIES = "\ud800other", "\ud800only"
"""Stand for all series that were not in training, and for the series of a model of a single one."""

SERIES = "owners"
"""The layer of a forecaster that has a vector for each series."""

VOCABULARIES = {
    "embedding": WORD,
    "feature_sum": WORD,
    "vectors": WORD,
    "characters": CHARACTERS,
    f"{DECODER}embedding": TARGET,
    f"{DECODER}{OUTPUTS}": TARGET,
}
"""By layer, the vocabulary whose tokens have a row or column of its weights each. If the layer is
frozen, the vocabulary gains no tokens, since their weights would stay random."""


@dataclass(frozen=True)
class Start:
    """The run that fine-tuning starts from.

    Attributes:
        run: the run, which may be packed.
    """

    run: Run

    def adapt(
        self,
        template: Template,
        examples: Examples,
        frozen: Sequence[str] = (),
        note: Callable[[str], Any] = lambda _: None,
    ) -> Task:
        """Adapts a template to its training examples, with the preprocessing of the run.

        Labels are those of the examples. Vocabularies are those of the run, followed by tokens that
        occur only in the examples; nothing is added to subwords, to words with pretrained vectors,
        or if there are several inputs.

        Args:
            template: the template.
            examples: the training examples.
            frozen: the layers that are not trained.
            note: receives a sentence about each vocabulary that lacks tokens of the examples.

        Raises:
            SeqzooError: the template does not fit the run or the examples, or the weights of new
                labels would be frozen.
        """
        old = self.run.task
        check_matching(template, self.run.template)
        # Vectors and language models that the run used are stored in it.
        stored: dict[str, Any] = {
            name: None
            for name in ("vectors", "features_from")
            if getattr(template, name, None) is not None
        }
        if "vectors" in stored:
            stored["vectors_mode"] = "frozen"  # that of the template applies to the stored ones
        learned = replace(template, **stored)  # pyright: ignore[reportArgumentType]
        if isinstance(old.features, HistoryFeatures):
            for item, location in zip(examples.inputs, examples.locations, strict=True):
                old.features.check(item, location)
        task: Any = learned.adapt(examples)
        config, before = task.to_config(), old.to_config()
        if "features" in config and _alike(task.features, old.features):
            self._check_inputs(task.features)
            learned_features = config["features"]
            config["features"] = dict(old.features.to_config())
            if isinstance(task.features, HistoryFeatures):
                config["features"] |= _series(learned_features, config["features"])
            elif learned_features.get("joined"):
                config["features"]["joined"] = True  # words that can be copied have joiners
            if isinstance(task.features, TokenFeatures):
                config["features"].pop("joined", None)
            elif "texts" in before and WORD in old.vocabularies and TARGET not in old.vocabularies:
                # A language model: its words have joiners.
                if old.texts.joined:
                    config["features"]["joined"] = True
        if "texts" in config and "texts" in before:
            longest = max(config["texts"]["longest"], before["texts"]["longest"])
            config["texts"] = {**before["texts"], "longest": longest}
        same_target = template.target == self.run.template.target
        if same_target and "targets" in config and "names" not in config["targets"]:
            self._check_size("values per target", task.targets.size, old.targets.size)
            # The mean and scale of numbers, unless only one of the two losses standardises them.
            losses = [getattr(item.targets, "loss", None) for item in (task, old)]
            if len({loss is not None and loss.standardises for loss in losses}) == 1:
                # The baseline that predicts the training mean is that of the new examples.
                training_mean = config["targets"]["training_mean"]
                config["targets"] = {**before.get("targets", {}), "training_mean": training_mean}
        tied = _vocabularies(task)
        fixed = {tied[name] for name in frozen if name in tied}
        new_labels = [name for name in _labels(task) if name not in _labels(old)]
        if OUTPUTS in frozen and _labels(old) and new_labels:
            raise SeqzooError(
                f"The layer {OUTPUTS!r} cannot be frozen, since the examples have labels that the "
                f"run does not, such as {new_labels[0]!r}.",
                field="freeze",
            )
        if old.features.vectors is not None:
            fixed.add(WORD)
        if isinstance(old.features, JoinedFeatures):  # encoders are reused without changes
            fixed |= old.features.vocabularies.keys()
        new_vocabularies = task.vocabularies
        if config.get("features", {}).get("joined"):
            joined_vocabulary = TextFeatures.learn(learned, examples, joined=True).vocabulary
            new_vocabularies = {**new_vocabularies, WORD: joined_vocabulary}
        if getattr(template, "features_from", None) is not None:
            models = {
                name: vocabulary
                for name, vocabulary in old.vocabularies.items()
                if name.startswith(MODELS)
            }
            new_vocabularies, fixed = {**new_vocabularies, **models}, fixed | models.keys()
        vocabularies = {
            name: _extended(old.vocabularies[name], vocabulary, name in fixed)
            if name in old.vocabularies
            else vocabulary
            for name, vocabulary in new_vocabularies.items()
        }
        for name in sorted(fixed & old.vocabularies.keys() & new_vocabularies.keys()):
            if sentence := _lacking(name, vocabularies[name], new_vocabularies[name]):
                note(sentence)
        return template.restore(config, vocabularies)

    def _check_inputs(self, features: Any) -> None:
        """Checks that new inputs have as many numbers as those of the run.

        Raises:
            SeqzooError: they have more or fewer numbers.
        """
        old = self.run.task.features
        pairs = zip(*(getattr(item, "parts", [item]) for item in (features, old)), strict=True)
        for new, part in pairs:
            for kind, unit in ((SeriesFeatures, "step"), (VectorFeatures, "vector")):
                if isinstance(part, kind):
                    self._check_size(f"numbers per {unit}", len(new.mean), len(part.mean))

    def _check_size(self, what: str, new: int, old: int) -> None:
        if new != old:
            raise SeqzooError(
                f"The number of {what} must be {old}, as in {self.run.folder}, which training "
                f"starts from, got {new}; train on data with {old}, or from random weights."
            )

    def load(self) -> None:
        """Reads the weights of the run for `transfer`.

        Raises:
            SeqzooError: the run has no weights yet, or they are damaged.
        """
        _ = self.run.model

    def transfer(self, task: Any, model: Any) -> dict[str, Any]:
        """Copies the weights of the run's layers to the layers of a new model with the same names.

        The rows of tokens and labels are matched by name. A layer whose shape differs keeps its
        initial weights, and so do those that are fitted to the data after training.

        Args:
            task: the task of the new model.
            model: the new model.

        Returns:
            "run", the folder; "taken", "new" and "unused", the names of layers; "tokens" by
            vocabulary, and "labels": how many are "kept" and "new". JSON-serialisable.

        Raises:
            SeqzooError: no layer fits.
        """
        old = self.run.task
        before, after = weights_by_layer(self.run.model), weights_by_layer(model)
        rows, stored = _rows(task), _rows(old)
        taken = []
        for layer, weights in after.items():
            outputs = layer in (OUTPUTS, "crf") and task.template.target != old.template.target
            if (
                outputs
                or layer in FITTED
                or layer not in before
                or weights.keys() != before[layer].keys()
            ):
                continue
            pairs = [
                _filled(layer, weights[name], before[layer][name], rows, stored) for name in weights
            ]
            if all(pair is not None for pair in pairs):
                for weight, values in zip(weights.values(), pairs, strict=True):
                    weight.assign(values)
                taken.append(layer)
        if not set(taken) - {OUTPUTS}:
            raise SeqzooError(
                f"No layer of {self.run.folder} fits the new model: the run has "
                f"{', '.join(before)}, the new model has {', '.join(after)}; no layer has the same "
                "name and shape in both."
            )
        return {
            "run": str(pathlib.Path(self.run.folder).absolute()),
            "taken": taken,
            "new": [name for name in after if name not in taken and name not in FITTED],
            "unused": [name for name in before if name not in taken and name not in FITTED],
            "tokens": {
                name: _compared(vocabulary.tokens, old.vocabularies[name].tokens)
                for name, vocabulary in task.vocabularies.items()
                if name in old.vocabularies
            },
            "labels": _compared(_labels(task), _labels(old)),
        }


def sentences(report: dict[str, Any]) -> list[str]:
    """Sentences that report what `Start.transfer` reused."""
    text = f"From {report['run']}: {', '.join(report['taken'])}"
    for name, word in (("new", "new"), ("unused", "not used")):
        text += f"; {word}: {', '.join(report[name])}" if report[name] else ""
    results = [f"{text}."]
    for name, counts in {**report["tokens"], "labels": report["labels"]}.items():
        if counts["new"] or (name == "labels" and counts["kept"]):
            subject = "Labels" if name == "labels" else name.replace("_", " ").capitalize()
            results.append(
                f"{subject}: {counts['kept']:,} from the old run, {counts['new']:,} new."
            )
    return results


def _series(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The series of the new examples and their scales. Those of a named series that the run knows,
    of several, are those of the run."""
    scales = ("mean", "scale", "original_mean", "original_scale")
    result = {name: list(new[name]) for name in ("series", *scales) if name in new}
    known = {name: index for index, name in enumerate(old["series"])}
    for index, name in enumerate(result["series"]):
        if len(known) > 1 and name in known:
            for scale in scales:
                if scale in result:
                    result[scale][index] = old[scale][known[name]]
    return result


def _alike(features: Any, old: Any) -> bool:
    """Whether new features can take over the configuration of old ones."""
    texts = isinstance(features, TextFeatures) and isinstance(old, TextFeatures)
    return texts or type(features) is type(old)


def _extended(old: Vocabulary, new: Vocabulary, fixed: bool) -> Vocabulary:
    """An old vocabulary, followed by the tokens that occur only in a new one. The start and end
    tokens come first, because their ids are fixed."""
    known = set(old.tokens)
    markers = [token for token in new.tokens[:2] if token in (START_TOKEN, END_TOKEN)]
    first = [token for token in markers if token not in known]
    if old.scores is not None:
        scores = [score for score in (new.scores or [])[: len(first)]]
        return Vocabulary([*first, *old.tokens], [*scores, *old.scores])
    further = [] if fixed else [token for token in new.tokens[len(markers) :] if token not in known]
    return Vocabulary([*first, *old.tokens, *further])


def _lacking(name: str, kept: Vocabulary, new: Vocabulary) -> str:
    """A sentence about the tokens of the new examples that a vocabulary lacks; empty if there are
    none, and for subwords, which spell out any word."""
    known = set(kept.tokens)
    missing = [token for token in new.tokens if token not in known]
    if not missing or kept.scores is not None:
        return ""
    subject = name.replace("_", " ").capitalize()
    return (
        f"{subject} stays that of the old run. Tokens or categories of the new data that it lacks: "
        f"{len(missing):,}, such as {missing[0]!r}."
    )


def _rows(task: Any) -> dict[str, list[str]]:
    """The tokens or labels that the rows or columns of weights belong to, by layer; only layers
    that have a row or column per token or label."""

    def tokens(name: str) -> list[str]:
        return [*SPECIAL_ROWS, *task.vocabularies[name].tokens]

    results = {layer: tokens(name) for layer, name in _vocabularies(task).items()}
    if isinstance(task.features, HistoryFeatures):
        series = list(task.features.names)
        # The vector of a single series is for whatever series a model is trained on.
        results[SERIES] = [OTHER_SERIES, *(series if len(series) > 1 else [ONLY_SERIES])]
    if OUTPUTS not in results and (labels := _labels(task)):
        results[OUTPUTS] = results["crf"] = labels
    return results


def _vocabularies(task: Any) -> dict[str, str]:
    """`VOCABULARIES` of a task, with the layers that only some templates have."""
    named = dict(VOCABULARIES)
    if task.template.input == "class":
        named["first"] = WORD
    if task.template.target == "next" and task.template.input in TEXTS:
        named[OUTPUTS] = WORD
    elif isinstance(task.template, ManyToManyUnaligned):
        named[OUTPUTS] = TARGET
    return {layer: name for layer, name in named.items() if name in task.vocabularies}


def _labels(task: Any) -> list[str]:
    """The names of classes, labels or tags; none for other targets."""
    holder = getattr(task, "tags", None) or getattr(task, "targets", None)
    return list(getattr(holder, "names", ()))


def _filled(
    layer: str, weight: Any, old: Any, rows: dict[str, list[str]], stored: dict[str, list[str]]
) -> np.ndarray | None:
    """The values of a new weight, with the matching rows of an old one copied into it; None if the
    shapes do not fit, or no row does."""
    values, source = np.array(weight), np.asarray(old)
    axes = _named_axes(layer, weight.path, values.ndim) if layer in rows else ()
    indices: list[tuple[Any, Any]] = []
    for axis, (size, before) in enumerate(zip(values.shape, source.shape, strict=True)):
        if axis in axes and layer in stored:
            pairs = _pairs(rows[layer][:size], stored[layer][:before])
            if not len(pairs):
                return None
            indices.append((pairs[:, 0], pairs[:, 1]))
        elif size != before:
            return None
        else:
            indices.append((np.arange(size), np.arange(size)))
    values[np.ix_(*(new for new, _ in indices))] = source[np.ix_(*(item for _, item in indices))]
    return values


def _named_axes(layer: str, path: str, axes: int) -> tuple[int, ...]:
    """The axes of a weight along which there is an entry for each token or label."""
    if layer == "crf":
        return tuple(range(axes))
    if layer.endswith(OUTPUTS):
        return (axes - 1,)
    if layer == "characters":
        return (0,) if path.endswith("embeddings") else ()
    return (0,) if path.endswith(("embeddings", "vectors")) else ()


def _pairs(names: list[str], stored: list[str]) -> np.ndarray:
    """The indices, in each of two lists, of the names that occur in both, (names, 2)."""
    indices = {name: position for position, name in enumerate(stored)}
    for name, position in list(indices.items()):
        # Punctuation in a language model carries a joiner where there is no space; elsewhere it has
        # none.
        indices.setdefault(name.replace(JOINER, ""), position)
    results = [(position, indices[name]) for position, name in enumerate(names) if name in indices]
    return np.array(results, np.int64).reshape(-1, 2)


def _compared(names: Sequence[str], stored: Sequence[str]) -> dict[str, int]:
    kept = len(set(names) & set(stored))
    return {"kept": kept, "new": len(names) - kept}
