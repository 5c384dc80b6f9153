"""Texts that are shorter than their inputs, in the same order: CTC."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from task_data import settings

from seqzoo.tasks import (
    Decoding,
    Ensemble,
    Examples,
    ManyToManyAligned,
    ManyToManyUnaligned,
    PredictionOptions,
    Run,
    SeqzooError,
    Splits,
    train,
)
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.many_to_many_unaligned.ctc import BLANK, IMPOSSIBLE, best_alignment, ctc_losses
from seqzoo.tasks.many_to_many_unaligned.joint_search import joint_search
from seqzoo.tasks.many_to_many_unaligned.language import FusedLanguage
from seqzoo.tasks.many_to_many_unaligned.search import greedy_search, prefix_beam_search
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary
from seqzoo.tasks.training.trainer import describe

TIME, IDS = 5, 4
LENGTHS = np.array([5, 3, 4], np.int32)


@pytest.fixture(scope="module")
def logits() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (3, TIME, IDS)).astype(np.float32)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """The text that an alignment stands for, as the paper defines it."""
    return tuple(item for item, _ in itertools.groupby(path) if item != BLANK)


def sums_of(scores: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of each text: that of all of its alignments, one by one; scores (time, ids).

    Computed in float64, by nothing but the definition.
    """
    shares = np.exp(scores.astype(np.float64))
    shares /= shares.sum(1, keepdims=True)
    results: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(shares.shape[1]), repeat=len(shares)):
        text = collapsed(path)
        results[text] = results.get(text, 0.0) + float(np.prod(shares[range(len(path)), path]))
    return results


def padded(texts: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    width = max(len(text) for text in texts) + 1
    rows = [list(text) + [3] * (width - len(text)) for text in texts]  # not zero after the end
    return np.array(rows, np.int32), np.array([len(text) for text in texts], np.int32)


@pytest.mark.parametrize("texts", [[(1, 1, 2), (), (2, 3, 2, 1)], [(2,), (1, 1), (3, 3)]])
def test_the_loss_is_the_sum_over_all_alignments(logits, texts) -> None:
    targets, counts = padded(texts)
    noisy = logits.copy()
    for row, length in enumerate(LENGTHS):
        noisy[row, length:] = 50.0  # after the end: must not count
    with tf.GradientTape() as tape:
        given = tf.constant(noisy)
        tape.watch(given)
        losses = ctc_losses(given, LENGTHS, targets, counts)
    for row, text in enumerate(texts):
        exact = -np.log(sums_of(logits[row, : LENGTHS[row]])[text])
        np.testing.assert_allclose(losses[row], exact, rtol=1e-5, atol=1e-5)
    gradient = tape.gradient(losses, given).numpy()
    assert np.isfinite(gradient).all() and np.abs(gradient[0]).max() > 0.1
    assert not gradient[1, LENGTHS[1] :].any() and not gradient[2, LENGTHS[2] :].any()


def test_a_graph_holds_the_loss_in_one_version(logits) -> None:
    """TensorFlow would choose between two on a GPU, and the gradients there were not finite."""

    @tf.function
    def gradient(given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            losses = ctc_losses(given, LENGTHS, *padded([(1, 2), (2,), (3, 3)]))
        return tape.gradient(losses, given)

    graph = gradient.get_concrete_function(tf.TensorSpec(logits.shape)).graph.as_graph_def()
    inner = [node.op for function in graph.library.function for node in function.node_def]
    names = [op for op in [*(node.op for node in graph.node), *inner] if "CTC" in op]
    assert names == ["CTCLoss"]  # which only a CPU runs


def test_a_wide_beam_finds_all_texts_in_order(logits) -> None:
    """No prefix falls out of it, so what it ranks by are the probabilities of texts themselves."""
    known = tf.nn.log_softmax(logits)
    tokens, counts, scores = prefix_beam_search(known, LENGTHS, 400, 8)
    for row, length in enumerate(LENGTHS):
        exact = sorted(sums_of(logits[row, :length]).items(), key=lambda item: -item[1])[:8]
        results = [
            tuple(item[:count].tolist())
            for item, count in zip(tokens[row].numpy(), counts[row].numpy(), strict=True)
        ]
        assert results == [text for text, _ in exact]
        np.testing.assert_allclose(
            np.exp(scores[row]), [share for _, share in exact], rtol=1e-4, atol=1e-7
        )


def test_a_narrow_beam_ranks_no_text_twice_and_skips_banned_symbols(logits) -> None:
    known = tf.where(np.arange(IDS) == 2, IMPOSSIBLE, tf.nn.log_softmax(logits))
    tokens, counts, scores = prefix_beam_search(known, LENGTHS, 6, 6)
    for row in range(3):
        pairs = zip(tokens[row].numpy(), counts[row].numpy(), strict=True)
        texts = [tuple(item[:count].tolist()) for item, count in pairs]
        assert len(set(texts)) == 6 and not any(2 in text for text in texts)
        assert (np.diff(scores[row]) <= 0).all()
    one, two = np.log([0.6, 0.4]), np.log([0.5, 0.5])
    few, _, found = prefix_beam_search(tf.constant([[one, two]], tf.float32), [2], 4, 4)
    # Two steps of one symbol or the blank: only "" and "a".
    assert few[0, 0, 0] == 1 and np.isneginf(found[0, 2:]).all()
    np.testing.assert_allclose(np.exp(found[0, :2]), [0.7, 0.3], rtol=1e-5)


@pytest.mark.parametrize("width", [400, 3, None])
def test_the_text_of_several_models_has_the_highest_mean_log_probability(logits, width) -> None:
    others = np.random.default_rng(1).normal(0, 2, logits.shape).astype(np.float32)
    models = [logits, others, logits]
    known = [tf.nn.log_softmax(item) for item in models]
    count = 1 if width is None else 2
    tokens, counts, scores = joint_search(models, known, LENGTHS, width, count)
    for row, length in enumerate(LENGTHS):
        sums = [sums_of(item[row, :length]) for item in models]
        texts = set(sums[0])
        if width is None:
            paths = [item[row, :length].argmax(-1).tolist() for item in models]
            texts = {collapsed(path) for path in paths}
        elif width == 3:
            beams = [prefix_beam_search(item, LENGTHS, 3, 3) for item in known]
            texts = {
                tuple(found[row, k, : size[row, k]].numpy().tolist())
                for found, size, _ in beams
                for k in range(3)
            }
        mean = {text: np.mean([np.log(item[text]) for item in sums]) for text in texts}
        best = sorted(texts, key=lambda text: -mean[text])[:count]
        pairs = zip(tokens[row].numpy(), counts[row].numpy(), strict=True)
        assert [tuple(item[:size].tolist()) for item, size in pairs] == best
        np.testing.assert_allclose(scores[row], [mean[text] for text in best], rtol=1e-4)


def test_greedy_search_reads_the_best_alignment_with_its_steps() -> None:
    path = [[1, 1, 0, 1, 2, 2], [0, 3, 0, 0, 3, 3]]
    tokens, counts, starts, stops = greedy_search(tf.one_hot(path, IDS), np.array([6, 4], np.int32))
    assert tokens.numpy().tolist() == [[1, 1, 2], [3, 0, 0]] and counts.numpy().tolist() == [3, 1]
    assert starts.numpy().tolist() == [[0, 3, 4], [1, 0, 0]]
    assert stops.numpy().tolist() == [[2, 4, 6], [2, 0, 0]]


def test_symbols_are_positioned_by_their_best_alignment(logits) -> None:
    texts = [(1, 1, 2), (), (2, 3)]
    targets, counts = padded(texts)
    known = tf.nn.log_softmax(logits).numpy()
    starts, stops = best_alignment(tf.constant(known), LENGTHS, targets, counts)
    for row, text in enumerate(texts):
        length = LENGTHS[row]
        paths = [
            item for item in itertools.product(range(IDS), repeat=length) if collapsed(item) == text
        ]
        best = max(paths, key=lambda item: known[row, range(length), item].sum())
        runs, at = [], 0
        for symbol, group in itertools.groupby(best):
            size = len(list(group))
            runs += [] if symbol == BLANK else [(at, at + size)]
            at += size
        spans = list(zip(starts[row].numpy(), stops[row].numpy(), strict=True))
        assert spans[: len(text)] == runs and not np.any(spans[len(text) :])


def columns(count: int, seed: int) -> Examples:
    """Texts drawn as images of three rows: a letter is a bright row for some columns."""
    random = np.random.default_rng(seed)
    images, texts = [], []
    for _ in range(count):
        letters = random.integers(0, 3, random.integers(1, 5))
        image = [np.zeros(1)] * 0
        for letter in letters:
            lit, dark = random.integers(4, 6), random.integers(2, 4)
            image += [np.eye(3)[letter] * 255] * lit + [np.zeros(3)] * dark
        noise = random.integers(0, 40, (3, len(image)))
        images.append(np.maximum(np.stack(image, 1), noise).astype(np.uint8))
        texts.append("".join("abc"[item] for item in letters))
    return Examples(images, texts)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    chosen = ManyToManyUnaligned(units=16, bidirectional=False, minimum_count=1, columns_per_step=2)
    parts = Splits(columns(160, 1), columns(40, 2), columns(40, 3))
    return train(
        chosen,
        parts,
        settings(epochs=8, learning_rate=0.03),
        folder=tmp_path_factory.mktemp("run") / "run",
    )


@pytest.mark.slow
def test_runs_whose_symbols_have_other_ids_transcribe_together(run, tmp_path) -> None:
    chosen = ManyToManyUnaligned(cell="lstm", units=12, minimum_count=1, columns_per_step=2)
    held_out = columns(70, 3)
    turned = Examples(columns(90, 4).inputs, [text[::-1] for text in columns(90, 4).targets])
    turned.targets[0] = "c" * len(turned.targets[0])
    other = train(
        chosen,
        Splits(turned, columns(20, 2), None),
        settings(epochs=1, learning_rate=0.03),
        folder=tmp_path / "other",
    )
    symbols = [item.task.transcripts.vocabulary.tokens for item in (run, other)]
    assert symbols[0] != symbols[1] and sorted(symbols[0]) == sorted(symbols[1])
    options = PredictionOptions(3, Decoding("beam", count=3, beam_width=3))
    answers = Ensemble([run, other]).predict(held_out.inputs, options)
    alone = [item.predict(held_out.inputs, options) for item in (run, other)]
    for answer, one, two in zip(answers, *alone, strict=True):
        assert {text for text, _ in answer.alternatives} <= {
            text for text, _ in (*one.alternatives, *two.alternatives)
        }
        both = dict(one.alternatives).keys() & dict(two.alternatives).keys()
        for text, probability in answer.alternatives:
            if text in both:
                product = dict(one.alternatives)[text] * dict(two.alternatives)[text]
                assert probability == pytest.approx(product**0.5, rel=1e-3)
        assert "".join(symbol for symbol, *_ in answer.alignment) == answer.label
    twice = Ensemble([run, run])
    assert [item.label for item in twice.predict(held_out.inputs)] == [
        item.label for item in run.predict(held_out.inputs)
    ]
    metrics, wanted = twice.evaluate(held_out), run.evaluate(held_out)
    assert metrics["token_error"] == wanted["token_error"]
    assert metrics["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
    losses = [item.evaluate(held_out)["loss"] for item in (run, other)]
    assert Ensemble([run, other]).evaluate(held_out)["loss"] == pytest.approx(np.mean(losses))
    with pytest.raises(SeqzooError, match="`language_model` is for one run"):
        decoding = Decoding("beam", language_model="x", language_weight=1.0)
        twice.predict(held_out.inputs, PredictionOptions(1, decoding))


@pytest.mark.slow
def test_it_learns_the_positions_of_symbols_without_supervision(run) -> None:
    held_out = columns(40, 3)
    metrics = run.evaluate(held_out)
    assert metrics["token_error"] < 0.1 and metrics["character_error"] == metrics["token_error"]
    options = PredictionOptions(3, Decoding("beam", count=3, beam_width=8))
    for image, text, greedy, beam in zip(
        held_out.inputs,
        held_out.targets,
        run.predict(held_out.inputs),
        run.predict(held_out.inputs, options),
        strict=True,
    ):
        assert beam.probability >= greedy.probability - 1e-5
        assert len({label for label, _ in beam.alternatives}) == 3
        assert "".join(symbol for symbol, *_ in beam.alignment) == beam.label
        if greedy.label == text:
            rows = {"a": 0, "b": 1, "c": 2}
            # A reader in one direction knows a letter from its first columns on.
            for symbol, start, _ in greedy.alignment:
                assert image[rows[symbol], 2 * max(start - 1, 0) : 2 * start + 2].max() == 255


def test_an_input_is_read_as_it_arrives(run) -> None:
    (image,) = columns(1, 9).inputs
    image = image[:, : image.shape[1] // 2 * 2 - 1]
    assert image.shape[1] % 2  # the last step is half empty
    for options in (PredictionOptions(), PredictionOptions(2, Decoding("beam", count=2))):
        (whole,) = run.predict([image], options)
        session = run.session(options)
        for start in range(0, image.shape[1], 3):
            answer = session.feed(image[:, start : start + 3])
        assert answer.label == whole.label and answer.alignment == whole.alignment
        np.testing.assert_allclose(answer.probability, whole.probability, rtol=1e-4)


@pytest.mark.slow
def test_an_exported_model_predicts_texts_and_steps(
    run, language, tmp_path, clean_tensorflow
) -> None:
    """With all that it needs inside, the language model, too."""
    decoding = {"language_model": str(language.folder), "language_weight": 0.2}
    options = PredictionOptions(2, Decoding("beam", count=2, beam_width=4, **decoding))
    run.export(tmp_path / "out", options, check=False)
    held_out = columns(5, 4)
    images, lengths = run.task.features.raw(held_out.inputs, held_out.locations)
    served = clean_tensorflow.answers(tmp_path / "out", {"images": images, "lengths": lengths})
    for row, answer in enumerate(run.predict(held_out.inputs, options)):
        assert [item.decode() for item in served["texts"][row]] == [
            t for t, _ in answer.alternatives
        ]
        count = len(answer.alignment)
        assert list(
            zip(
                (item.decode() for item in served["symbols"][row][:count]),
                served["starts"][row][:count],
                served["stops"][row][:count],
                strict=True,
            )
        ) == list(answer.alignment)
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    states = loaded.signatures["initial_state"](batch=tf.constant(1))
    width, best = -(-lengths[0] // 2) * 2, []
    pairs = np.pad(images[0], ((0, 0), (0, 1)))[:, :width].T.reshape(-1, 6)
    for pair in pairs:
        result = loaded.signatures["step"](values=tf.constant(pair[None]), **states)
        states = {name: result[f"next_{name}"] for name in states}
        best.append(int(np.argmax(result["log_probabilities"][0])))
    (greedy,) = run.predict(held_out.inputs[:1])
    text = "".join(
        ["", "?", "", "", *run.task.transcripts.vocabulary.tokens[2:]][item]
        for item in collapsed(tuple(best))
    )
    assert text == greedy.label


def test_targets_that_no_alignment_fits_are_named() -> None:
    images = [np.zeros((3, 4), np.uint8)] * 3
    examples = Examples(images, ["abab", "aabb", "aaa"], lines=[2, 3, 4])
    task = ManyToManyUnaligned(minimum_count=1).adapt(examples)
    with pytest.raises(SeqzooError) as error:
        task.data(examples)
    assert error.value.location == "line 3"
    assert "(and so is 1 more): 4 symbols and a blank" in str(error.value)
    assert "need 6 steps, got 4" in str(error.value)
    assert len(task.data(examples.pick([0]))) == 1
    # Empty targets need no steps, and no blank before them.
    short = Examples([np.zeros((3, 1), np.uint8)] * 3, ["a", "", ""])
    assert len(ManyToManyUnaligned(minimum_count=1).adapt(short).data(short)) == 3


@pytest.mark.parametrize(
    "choices, message",
    [
        (Decoding("sample"), "`method` must be 'greedy' or 'beam' for many-to-many-unaligned"),
        (Decoding("beam", length_penalty=0.6), "`length_penalty` must be 0.0 for many-to-many-un"),
    ],
)
def test_options_of_written_texts_are_refused(run, choices, message) -> None:
    with pytest.raises(SeqzooError, match=message):
        run.predict(columns(1, 5).inputs, PredictionOptions(1, choices))


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((4, 9), np.uint8), "3 x any width, but example 0 has 4 x 9"),
        (np.zeros((3, 9)), "must be bytes"),
        (np.zeros((3, 0), np.uint8), "at least one step"),
    ],
)
def test_images_of_another_height_are_refused(run, image, message) -> None:
    with pytest.raises(SeqzooError, match=message):
        run.predict([image])


@pytest.fixture(scope="module")
def language(tmp_path_factory) -> Run:
    """A language model to which the next token is a "b" with 60%, whatever came before."""
    chosen = ManyToManyAligned("characters", "next", units=4, embedding=4, minimum_count=1)
    task = chosen.adapt(Examples(["ab", "c"]))
    folder = tmp_path_factory.mktemp("language") / "run"
    run = Run.create(folder, describe(chosen, task, settings(), {}, Padding([4], [])), task)
    model = task.build("float32")
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    # Its states are zeros whatever it read, so that the output's bias is what it says.
    model.decoder.output_layer.bias.assign(np.log([1e-6, 1e-6, 1e-6, 0.1, 0.2, 0.6, 0.1]))
    model.save(folder / "model.keras")
    return run


def test_a_language_model_contributes_to_the_ranking_of_texts(logits, language) -> None:
    """Against all texts, one by one: their probability times that of the language model."""
    tokens = language.task.texts.vocabulary.tokens  # START, END, a, b, c in this order
    assert tokens[2:] == ["a", "b", "c"]
    shares = np.array([0.2, 0.6, 0.1]) / np.sum([3e-6, 0.1, 0.2, 0.6, 0.1])
    end = 0.1 / np.sum([3e-6, 0.1, 0.2, 0.6, 0.1])
    known = tf.nn.log_softmax(logits)
    # Ids 1, 2 and 3 of the search are "a", "b" and "c".
    fused = FusedLanguage(language, Vocabulary(["b", "c"]), 0.7)
    fused.ids = np.array([1, 4, 5, 6], np.int32)
    found, counts, scores = prefix_beam_search(known, LENGTHS, 400, 5, fused)
    for row, length in enumerate(LENGTHS):
        exact = {
            text: np.log(share) + 0.7 * np.log(end * np.prod([shares[item - 1] for item in text]))
            for text, share in sums_of(logits[row, :length]).items()
        }
        best = sorted(exact, key=lambda item: -exact[item])[:5]
        pairs = zip(found[row].numpy(), counts[row].numpy(), strict=True)
        assert [tuple(item[:count].tolist()) for item, count in pairs] == best
        np.testing.assert_allclose(scores[row], [exact[item] for item in best], atol=1e-4)


@pytest.mark.slow
def test_a_language_model_of_other_texts_is_refused(run, language) -> None:
    image = columns(1, 5).inputs
    for folder, message in (
        (run.folder, "`language_model` must be the run of a language model"),
        ("nowhere", "is not a run folder"),
    ):
        choices = Decoding("beam", language_model=str(folder))
        with pytest.raises(SeqzooError, match=message):
            run.predict(image, PredictionOptions(1, choices))
    with pytest.raises(SeqzooError, match="is for the method 'beam', got 'greedy'"):
        Decoding(language_model=str(language.folder))
    choices = Decoding("beam", language_model=str(language.folder), language_weight=50.0)
    (plain,) = run.predict(image, PredictionOptions(1, Decoding("beam")))
    (answer,) = run.predict(image, PredictionOptions(1, choices))
    assert len(answer.label) < len(plain.label)  # each symbol costs it more than the image gives
