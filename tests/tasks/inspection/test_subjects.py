"""Answers of every template, explained: completeness, occlusion, gradients and attention."""

import dataclasses
import pathlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tagging_data import MAKERS, tagger
from task_data import names, series, template

import seqzoo.cells
from seqzoo.tasks import (
    Decoding,
    Examples,
    Forecast,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    OneToMany,
)
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.column_names import target_names
from seqzoo.tasks.data.history import History
from seqzoo.tasks.data.timed_series import TimedSeries
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection import attribution, report, sections
from seqzoo.tasks.inspection.attention import attention_map, attention_of
from seqzoo.tasks.inspection.attribution import integrated_gradients, occlusion
from seqzoo.tasks.inspection.gradients import gradient_flow
from seqzoo.tasks.inspection.jacobians import jacobian_flow
from seqzoo.tasks.inspection.sections import labels_of, layers_of, step_of
from seqzoo.tasks.inspection.subject import MAX_STEPS, Subject, subject
from seqzoo.tasks.inspection.tables import crf_transitions, embedding_of, neighbours


class _Run:
    """The part of a run that an inspection needs, with a model that has not been trained."""

    folder = "runs/small"
    source = None

    def __init__(self, template, examples: Examples):
        tf.keras.utils.set_random_seed(0)
        self.template = template
        self.task = template.adapt(examples)
        self.model = self.task.build("float32")
        random = np.random.default_rng(0)
        for weight in self.model.trainable_variables:
            if "embedding" in weight.path or "kernel" in weight.path:
                weight.assign(random.normal(0, 0.4, weight.shape))


def _history(seed: int) -> History:
    """120 days of a noisy week."""
    days = np.arange(120)
    noise = np.random.default_rng(seed).normal(0, 0.3, 120)
    dates = np.datetime64("2024-01-01") + days.astype("timedelta64[D]")
    return History(dates, np.sin(days * 2 * np.pi / 7) + noise, name=f"series {seed}")


_words = Examples(["one two", "two three", "one three three"] * 3, ["ab", "ba", "abb"] * 3)
_images = Examples(
    list(np.random.default_rng(4).integers(0, 256, (6, 8, 8, 1), np.uint8)), ["ab", "ba", "b"] * 2
)
SMALL: Any = {"units": 6, "embedding": 5, "minimum_count": 1}

RUNS = {
    "class": lambda: (template(ngrams=3, ngram_buckets=50, bag=True), names(30, 1)),
    "value": lambda: (
        ManyToOne(input="series", target="value", units=6),
        Examples(series(9, 1), np.arange(9.0)),
    ),
    "tags": lambda: (tagger(characters=4, crf=True), MAKERS["words"](20, 1)),
    "next": lambda: (
        ManyToManyAligned(input="characters", target="next", **SMALL),
        Examples(["abcab", "bacab", "abab"]),
    ),
    "forecast": lambda: (
        ManyToManyAligned(input="series", target="next", units=6),
        Examples(series(9, 1)),
    ),
    "text": lambda: (
        ManyToManyEncoderDecoder(input="words", cell="lstm", **SMALL),
        _words,
    ),
    "symbols": lambda: (
        ManyToManyUnaligned(input="series", units=6, minimum_count=1),
        Examples(series(9, 1), ["ab", "a", "b"] * 3),
    ),
    "caption": lambda: (OneToMany(input="image", filters=(4, 6), **SMALL), _images),
    "horizon": lambda: (
        Forecast(units=6, look_back=24, horizon=6, segment=4, calendar=True),
        Examples([_history(seed) for seed in range(2)]),
    ),
    "joined": lambda: (
        ManyToOne(
            input="words",
            further_inputs={"body": "words", "age": "number", "region": "category"},
            join="compare",
            join_units=6,
            **SMALL,
        ),
        Examples(
            [
                {"title": "one two", "body": "two three", "age": 1.0, "region": "north"},
                {"title": "three", "body": "one three", "age": 3.0, "region": "south"},
            ]
            * 4,
            ["a", "b"] * 4,
        ),
    ),
    "beside": lambda: (
        ManyToManyEncoderDecoder(
            input="words",
            cell="lstm",
            further_inputs={"body": "characters", "region": "category"},
            **SMALL,
        ),
        Examples(
            [
                {"title": "one two", "body": "abc", "region": "north"},
                {"title": "three", "body": "cb", "region": "south"},
            ]
            * 4,
            ["ab", "ba"] * 4,
        ),
    ),
}
INPUTS = {
    "class": "abdx",
    "text": "two one",
    "next": "abca",
    "tags": ["abes", "cdt", "ar"],
    "joined": {"title": "two one", "body": "one three two", "age": 4.0, "region": "north"},
    "beside": {"title": "two one", "body": "cab", "region": "north"},
}
SEVERAL = {"joined": (2, 3, 1, 1), "beside": (2, 3, 1)}
"""Numbers of steps of the inputs of models with several."""


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    """A small model of each kind with one input."""
    found = {}
    with seqzoo.cells.portable():
        for name, make in RUNS.items():
            run = _Run(*make())
            value = INPUTS.get(name)
            if value is None:
                value = (make()[1].inputs)[0]
            answer = {"text": "ab", "caption": "ba"}.get(name)
            found[name] = subject(run, value, answer)
    return found


@pytest.mark.quick_for("class", "tags", rest="exhaustive")
@pytest.mark.parametrize("name", RUNS)
def test_integrated_gradients_add_up(subjects, name) -> None:
    case = subjects[name]
    found = integrated_gradients(case)
    steps = {"horizon": 24}.get(name, case.inputs["values"].shape[1])
    if name in SEVERAL:
        assert tuple(len(part.labels) for part in case.parts) == SEVERAL[name]
        steps = sum(SEVERAL[name])
    assert found.values.shape == ((8, 8) if name == "caption" else (steps,))
    expected = case.score(case.scores(case.inputs), None)
    assert found.score == pytest.approx(float(expected[0]), abs=1e-5)
    assert np.abs(found.values).max() > 1e-4
    limit = 0.01 if name == "caption" else 1e-4
    assert abs(found.convergence_delta) <= limit * abs(found.score - found.baseline) + 2e-6


def test_a_symbol_is_scored_at_the_step_where_it_is_read(subjects) -> None:
    case = subjects["symbols"]
    task, inputs = case.run.task, case.inputs
    logits = task.outputs(case.model, inputs)
    expected = tf.nn.log_softmax(logits)[0].numpy()
    tokens = ["", "?", *task.transcripts.vocabulary.tokens]
    assert "".join(case.steps) == case.answer != ""
    for step, name, score in zip(case.of_inputs, case.steps, case.scores(inputs)[0], strict=True):
        assert float(score) == pytest.approx(expected[step, tokens.index(name)], abs=1e-5)
    with pytest.raises(SeqzooError, match="aligned with the input"):
        subject(case.run, series(1, 1)[0], "ab")


def test_occlusion_is_the_cost_of_removing_a_step(subjects) -> None:
    # Of numbers, a step whose vector is zero is one that can be given.
    case = subjects["value"]
    found = occlusion(case)
    values = case.inputs["values"].numpy()
    for step in range(values.shape[1]):
        without = values.copy()
        without[:, step] = 0
        score = case.scores({**case.inputs, "values": tf.constant(without)})[0, 0]
        assert found.values[step] == pytest.approx(found.score - float(score), abs=1e-5)


def test_occlusion_covers_regions_of_an_image(subjects) -> None:
    case = subjects["caption"]
    found = occlusion(case, step=0)
    black = case.inputs["values"].numpy().copy()
    black[:, :, 4:, :4] = 0
    score = case.scores({**case.inputs, "values": tf.constant(black)})[0, 0]
    np.testing.assert_allclose(found.values[4:, :4], found.score - float(score), atol=1e-5)


def test_occlusion_of_a_further_input_is_the_cost_of_removing_it(subjects) -> None:
    case = subjects["joined"]
    found = occlusion(case)
    for part, name in ((case.parts[2], "values_2"), (case.parts[3], None)):
        if name is None:  # a category has an embedding
            layer = case.model.get_layer("encoder_3").get_layer("embedding")
            table, inputs = layer.embeddings.numpy(), case.inputs
            layer.embeddings.assign(np.zeros_like(table))
        else:
            inputs = {**case.inputs, name: tf.zeros_like(case.inputs[name])}
        score = float(case.scores(inputs)[0, 0])
        assert found.values[part.steps] == pytest.approx(found.score - score, abs=1e-5)
    layer.embeddings.assign(table)


def test_each_of_two_compared_inputs_gets_its_own_attribution(subjects) -> None:
    # The encoder is shared, so exchanging the inputs exchanges them, unless a dense layer tells
    # them apart; those of |u - v| and u v are equal in both orders.
    case = subjects["joined"]
    kernel = case.model.get_layer("joined").kernel
    kept, units = kernel.numpy(), 6
    symmetric = kept.copy()
    symmetric[units : 2 * units] = symmetric[:units]
    kernel.assign(symmetric)
    value = INPUTS["joined"]
    exchanged = {**value, "title": value["body"], "body": value["title"]}
    first, second = (integrated_gradients(subject(case.run, v, "a"), 0) for v in (value, exchanged))
    kernel.assign(kept)
    np.testing.assert_allclose(first.values[:2], second.values[3:5], atol=1e-5)
    np.testing.assert_allclose(first.values[2:5], second.values[:3], atol=1e-5)
    assert np.abs(first.values[:5]).min() > 1e-6


def test_two_compared_inputs_that_are_equal_share_their_attribution(subjects) -> None:
    run, value = subjects["joined"].run, INPUTS["joined"]
    values = integrated_gradients(subject(run, {**value, "body": value["title"]}, "a"), 0).values
    assert np.abs(values[:2]).min() > 1e-6 and np.abs(values[2:4]).min() > 1e-6


def test_layers_are_labelled_by_what_they_read(subjects) -> None:
    def labels(name: str) -> list[tuple[str, ...]]:
        case = subjects[name]
        return [labels_of(case, layer) for layer in layers_of(case.trace())]

    assert labels("joined") == [("two", "one"), ("one", "three", "two")]
    equally_long = {**INPUTS["joined"], "body": "one three"}
    case = subject(subjects["joined"].run, equally_long)
    read = {layer.name: labels_of(case, layer) for layer in layers_of(case.trace())}
    assert read["encoder layer 1"] == ("two", "one")
    assert read["encoder layer 1, call 2"] == ("one", "three")
    read = labels("beside")
    assert read.count(("two", "one")) == 2 and read.count(("c", "a", "b")) == 2
    case = subjects["horizon"]
    assert labels("horizon") == [case.labels[::4]]
    assert case.labels[-1] < case.steps[0]  # dates
    forecast = case.run.task.points(case.model, case.inputs)[0, :, 0]
    np.testing.assert_allclose(case.scores(case.inputs)[0], forecast)


def test_a_reference_is_the_step_of_a_layer_that_reads_it(subjects) -> None:
    def steps(name: str, reference: int) -> list[int | None]:
        case = subjects[name]
        return [step_of(case, layer, reference) for layer in layers_of(case.trace())]

    assert [steps("horizon", label) for label in (0, 3, 4, 23)] == [[0], [0], [1], [5]]
    assert steps("joined", 1) == [1, None] and steps("class", 2) == [2]
    assert steps("beside", 1).count(1) == 2  # the decoder and the further input have the middle
    with pytest.raises(SeqzooError, match="`reference` is for models with a recurrent layer that"):
        report.inspect(subjects["caption"].run, [_images.inputs[0]], ["states"], reference=0)


def test_segments_that_begin_before_the_look_back_are_referred_to_by_their_steps() -> None:
    with seqzoo.cells.portable():
        run = _Run(Forecast(units=6, look_back=13, horizon=4, segment=4), Examples([_history(0)]))
        _, (section,) = report.inspect(run, [_history(0)], ["states"], reference=1)
    found = section.data["similar"]
    assert found["step"] == 1
    (layer,) = layers_of((case := subject(run, _history(0))).trace())
    assert [step_of(case, layer, label) for label in range(13)] == [0, *np.repeat([1, 2, 3], 4)]


def test_a_forecast_is_attributed_to_the_look_back(subjects) -> None:
    case = subjects["horizon"]
    found = occlusion(case, 0)
    # Without the normalised value of a step, it has the window's level: its last value.
    values = case.inputs["values"].numpy()
    values[:, 5, 0] = values[:, 23, 0]
    score = float(case.scores({**case.inputs, "values": tf.constant(values)})[0, 0])
    assert found.values[5] == pytest.approx(found.score - score, abs=1e-5)


def test_a_step_of_a_forecast_is_that_of_the_horizon_of_one_target() -> None:
    dates = _history(0).dates
    values = np.random.default_rng(0).normal(size=(120, 2)) + [0, 5]
    template = Forecast(units=6, look_back=14, horizon=4, segment=2)
    with seqzoo.cells.portable():
        run: Any = _Run(template, Examples([History(dates, values)]))
        case = subject(run, History(dates, values), "target 2")
        run.source = {"target": 'sold,"size, kg"'}
        first, second = (subject(run, History(dates, values), name) for name in (None, "size, kg"))
        points = run.task.points(run.model, case.inputs)[0]
        (layer,) = layers_of(second.trace(3))
    for chosen, name, index in ((first, "sold", 0), (second, "size, kg", 1), (case, "target 2", 1)):
        assert len(chosen.steps) == 4 and all(step.endswith(f" {name}") for step in chosen.steps)
        np.testing.assert_allclose(chosen.scores(chosen.inputs)[0], points[:, index], rtol=1e-5)
        assert chosen.rows == (index,) * 4
    assert np.abs(layer.gradients[0]).max() > 0
    with pytest.raises(SeqzooError, match="`step` must be from 0 to 3"):
        first.step(4)
    with pytest.raises(SeqzooError, match=r"one of the targets of the model \(sold, size, kg\)"):
        subject(run, History(dates, values), "size")


def test_a_linear_part_is_attributed_to_the_look_back() -> None:
    with seqzoo.cells.portable():
        run = _Run(Forecast(units=6, look_back=14, horizon=7, linear=True), Examples([_history(0)]))
        run.model.linear.share.assign(1.0)
        run.model.linear.kernel.assign(np.eye(14)[:, 7:])  # the value of the week before
        case = subject(run, _history(0))
        gradients, removed = integrated_gradients(case, 2), occlusion(case, 2)
    for found in (gradients, removed):
        assert np.abs(found.values).argmax() == 9
        assert found.values.sum() == pytest.approx(found.score - found.baseline, abs=1e-5)
    assert abs(gradients.values[9]) > 0.1 > np.abs(np.delete(gradients.values, 9)).max()


def test_features_of_a_lemma_are_removed_everywhere() -> None:
    examples = Examples(["ab V;PST", "ba V;PRS"] * 4, ["abx", "bay"] * 4)
    with seqzoo.cells.portable():
        run = _Run(ManyToManyEncoderDecoder(input="lemma", target="characters", **SMALL), examples)
        case = subject(run, "ab V;PST", "abx")
        found = occlusion(case)
        table = run.model.encoder.feature_sum.embeddings
        before = table.numpy()
        step = case.labels.index(";PST")
        id_of = int(case.inputs["values"][0, step])
        without = before.copy()
        without[id_of] = 0
        table.assign(without)
        rows = run.model.encoder.embedding.embeddings
        vectors = rows.numpy()
        vectors[id_of] = 0
        rows.assign(vectors)
        score = float(case.score(case.scores(case.inputs), None)[0])
    assert found.values[step] == pytest.approx(found.score - score, abs=1e-5)


def test_copied_tokens_are_removed_by_occlusion_alone(monkeypatch) -> None:
    template = ManyToManyEncoderDecoder(input="characters", target="characters", copy=True, **SMALL)
    with seqzoo.cells.portable():
        case = subject(_Run(template, Examples(["abc", "cab"], ["abc", "cab"])), "abc", "abc")
        with pytest.raises(SeqzooError, match="cannot follow; use occlusion"):
            integrated_gradients(case)
        found = occlusion(case, 0)
        hidden, _ = attribution._score_scaled(case, np.zeros((1, 3), np.float32))
        monkeypatch.setattr(attribution, "copies", lambda subject: False)
        copied = occlusion(case, 0)
    assert found.score == copied.score
    # Without any input there is nothing to copy.
    assert found.baseline == pytest.approx(float(hidden[0, 0]), abs=1e-5)
    assert abs(found.baseline - copied.baseline) > 1e-3
    assert (np.abs(found.values - copied.values) > 1e-3).all()


def test_hiding_the_only_source_of_a_token_has_a_finite_effect() -> None:
    template = ManyToManyEncoderDecoder(input="words", target="words", copy=True, **SMALL)
    run = _Run(template, Examples(["one two", "two one"], ["one", "two"]))
    with seqzoo.cells.portable():
        found = occlusion(subject(run, "two nine", "nine"))
    assert np.isfinite(found.values).all() and found.values[1] > 10


def test_times_are_read_as_in_predictions() -> None:
    values = [TimedSeries(np.sin(np.arange(5.0))[:, None], np.arange(1.0, 6.0))] * 4
    template = ManyToManyAligned(input="series", target="next", cell="cfc", units=4)
    with seqzoo.cells.portable():
        case = subject(_Run(template, Examples(values)), values[0])
        found = integrated_gradients(case)
        batch = {**case.inputs, "rows": tf.range(1)}
        task = case.run.task
        following = task.infer(case.model, batch, PredictionOptions())["values"][0, 0]
    np.testing.assert_allclose(case.scores(case.inputs)[0, -1:], following, rtol=1e-5)
    (decoded,) = task.targets.unscaled(following)
    assert float(case.answer.split(", ")[-1]) == pytest.approx(decoded, abs=1e-3)
    assert found.values.shape == (5,)


def test_scores_are_named_by_what_they_are() -> None:
    examples = Examples(series(9, 1), np.arange(9.0))
    with seqzoo.cells.portable():
        cases: Any = (("squared", "standardised value"), ("poisson", "value before the exp"))
        for loss, name in cases:
            template = ManyToOne(input="series", target="value", units=6, loss=loss)
            case = subject(_Run(template, examples), examples.inputs[0])
            assert case.measure.startswith(name)


def test_word_vectors_are_part_of_the_input(tmp_path) -> None:
    (tmp_path / "v.txt").write_text("good 1 2 3\nbad -1 0 2\nfilm 0 1 0\nsuperb 1 2 2\n")
    template = ManyToOne("words", vectors=str(tmp_path / "v.txt"), **SMALL)
    examples = Examples(["good film", "bad film"] * 4, ["a", "b"] * 4)
    with seqzoo.cells.portable():
        run = _Run(template, examples)
        case = subject(run, "good superb")
        found = integrated_gradients(case)
        table = run.model.get_layer("vectors").vectors
        table.assign(0 * table)
        embedding = run.model.get_layer("embedding").embeddings
        embedding.assign(0 * embedding)
        nothing = float(case.score(case.scores(case.inputs), None)[0])
    assert found.baseline == pytest.approx(nothing, abs=1e-6)
    # Words that only have a pretrained vector have no neighbours.
    tokens, vectors = embedding_of(run)
    assert len(tokens) == len(vectors) and "superb" not in tokens


def test_neighbours_are_those_of_tokens_and_not_of_categories() -> None:
    inputs = [{"text": ("a", "b"), "section": name} for name in ("x", "y")] * 3
    template = tagger(characters=0).__class__(
        input="words", target="tags", further_inputs={"section": "category"}, **SMALL
    )
    with seqzoo.cells.portable():
        run = _Run(template, Examples(inputs, [("N", "V")] * 6))
    tokens, vectors = embedding_of(run)
    assert tokens == ["a", "b"] and vectors.shape == (2, 5)


@pytest.mark.parametrize("name", ["class", "joined"])
def test_compiled_loops_give_the_same_attribution(subjects, name, monkeypatch) -> None:
    unrolled = integrated_gradients(subjects[name], points=16)
    monkeypatch.setattr(attribution, "MAX_UNROLLED_STEPS", 0)
    compiled = integrated_gradients(subjects[name], points=16)
    np.testing.assert_allclose(compiled.values, unrolled.values, atol=1e-5)


def test_long_inputs_are_refused(subjects) -> None:
    with pytest.raises(SeqzooError, match=r"at most 2,000 steps, got 2,001"):
        subject(subjects["class"].run, "a" * (MAX_STEPS + 1))


@pytest.mark.parametrize("name", RUNS)
def test_gradients_flow_from_the_chosen_step(subjects, name) -> None:
    case = subjects[name]
    found = case.trace(0)
    assert found.loss == pytest.approx(-float(case.scores(case.inputs)[0, 0]), abs=1e-5)
    flows = [flow for flow in gradient_flow(found) if found[flow.name].inputs.shape[0] == 1]
    assert flows
    if name in ("next", "forecast"):  # nothing after the first step matters
        assert all(len(flow.norms) == 2 for flow in flows)


def test_the_flow_of_gradients_is_bounded_by_jacobians_beside_a_crf(subjects) -> None:
    traced = subjects["tags"].trace(2)
    flows = [flow for flow in gradient_flow(traced) if traced[flow.name].inputs.shape[0] == 1]
    assert any(flow.direct for flow in flows)
    for flow in flows:
        bound = jacobian_flow(traced[flow.name], flow.positions[0]).products
        assert (flow.carried <= 1.0001 * bound * flow.norms[0]).all()


def test_scores_are_those_of_the_model(subjects) -> None:
    case = subjects["class"]
    (answer,) = [
        dict(answer.alternatives)
        for answer in case.run.task.predictions(
            {
                "outputs": list(
                    case.run.task.infer(case.model, case.inputs, None)["outputs"].numpy()
                )
            },
            ["abdx"],
            type("Options", (), {"top": 3})(),
        )
    ]
    score = float(case.scores(case.inputs)[0, 0])
    assert answer[case.answer] == pytest.approx(np.exp(score), rel=1e-4)
    other = subject(case.run, "abdx", "B")
    assert answer["B"] == pytest.approx(np.exp(float(other.scores(other.inputs)[0, 0])), rel=1e-4)
    with pytest.raises(SeqzooError) as caught:
        subject(case.run, "abdx", "D")
    assert caught.value.field == "answer"


def test_labels_are_the_steps_of_the_input(subjects) -> None:
    assert subjects["class"].labels == ("a", "b", "d", "x")
    assert subjects["next"].labels == ("(start)", "a", "b", "c", "a")
    assert subjects["next"].steps[:4] == ("a", "b", "c", "a")
    assert subjects["tags"].labels == ("abes", "cdt", "ar")
    assert subjects["text"].steps == ("a", "b", "(end)")
    with pytest.raises(SeqzooError):
        subject(subjects["class"].run, "")
    with pytest.raises(SeqzooError) as caught:
        subjects["text"].step(3)
    assert caught.value.field == "step"


def test_labels_are_those_of_the_text_that_was_read() -> None:
    run = _Run(template(nfc=True, lowercase=True), names(8, 3))
    case = subject(run, "XE\u0301\u0130Y")  # a lower-case dotted capital I has two characters
    assert case.labels == ("x", "\u00e9", "i", "\u0307", "y")
    occlusion(case)


def test_answers_that_a_model_cannot_generate_are_refused(subjects) -> None:
    run = subjects["text"].run
    assert subject(run, "two one", "ba").steps == ("b", "a", "(end)")
    with pytest.raises(SeqzooError, match="`answer` must be a text that .* does not know 'z'"):
        subject(run, "two one", "azq")
    with pytest.raises(SeqzooError, match="`answer` must be at most 200 tokens long, got 300"):
        subject(run, "two one", "a" * 300)


def test_a_step_is_that_of_the_first_input(subjects) -> None:
    run = subjects["tags"].run
    cases = (subjects["tags"], subject(run, ["ar"]))
    (section,) = sections.attribution(sections.Inspection(run, cases, (), 1))
    answers = [item["answer"] for item in section.data["all"]]
    assert answers[0] == cases[0].steps[1] and answers[-1] == cases[1].steps[-1]


def test_an_answer_of_whitespace_is_visible_on_the_page(subjects) -> None:
    case = dataclasses.replace(subjects["class"], answer=" ", steps=(" ",))
    run: Any = SimpleNamespace(folder=pathlib.Path("small"), template=case.run.template)
    inspection = sections.Inspection(run, (case,), ())
    (section,) = sections.attribution(inspection)
    assert "<h3>␣</h3>" in section.text and section.data["all"][0]["answer"] == " "
    assert "<td><bdi>␣</bdi></td>" in report._about(inspection)[1]


def test_a_layer_that_is_not_finite_has_no_fixed_points() -> None:
    run = _Run(template(), names(8, 3))
    for weight in run.model.trainable_variables:
        if "recurrent" in weight.path:
            weight.assign(np.full(weight.shape, np.nan))
    case = subject(run, "abcdab")
    (section,) = sections.fixed_points(sections.Inspection(run, (case,), (case.trace(),), None))
    assert "not finite" in section.text and not section.figures


def test_samples_do_not_depend_on_their_batch(subjects) -> None:
    run = subjects["text"].run
    raw = run.task.features.raw(["two one"] * 12, [""] * 12)
    batch = run.task.features.tensors(*raw)
    options = PredictionOptions(1, Decoding(method="sample", temperature=3.0), 7)

    def sampled(chosen: slice, **more: Any) -> list:
        part = {name: value[chosen] for name, value in batch.items()}
        found = run.task.generate(run.model, {**part, **more}, options)
        pairs = zip(found.tokens[:, 0].numpy(), found.lengths[:, 0].numpy(), strict=True)
        return [item[:length].tolist() for item, length in pairs]

    with seqzoo.cells.portable():
        whole = sampled(slice(None))
        later = sampled(slice(4, 7), rows=tf.constant([4, 5, 6]))
    assert later == whole[4:7] and len(set(map(str, whole))) > 4


def test_attention_is_that_of_the_decoder_step_by_step(subjects) -> None:
    case = subjects["text"]
    found = attention_map(case)
    assert found.weights.shape == (3, 2) and found.tokens == case.steps
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-5)
    with seqzoo.cells.portable():
        memory, mask, states = case.model.encode(case.inputs)
        constants = case.model.decoder.look_at(memory, mask)
        known = [2, *case.run.task.texts.encode(["ab"], ["x"])[0][:2]]
        for token, expected in zip(known, found.weights, strict=True):
            _, states, weights = case.model.decoder.step(tf.constant([token]), states, constants)
            np.testing.assert_allclose(weights[0], expected, atol=1e-5)
    grid = attention_map(subjects["caption"])
    assert grid.grid is not None and grid.weights.shape[1] == np.prod(grid.grid)
    with pytest.raises(SeqzooError, match="attention"):
        attention_map(subjects["class"])


def test_an_empty_text_has_no_attention_figure(subjects, monkeypatch) -> None:
    case: Any = subjects["text"]
    found = attention_map(case)
    empty = dataclasses.replace(found, tokens=(), weights=found.weights[:0])
    maps = iter([found, empty])
    monkeypatch.setattr(sections, "attention_map", lambda _: next(maps))
    inspection = sections.Inspection(case.run, (case, case), (), None)
    (section,) = sections.attention(inspection)
    assert list(section.figures) == ["attention-1"] and section.data["maps"][1] == []


def test_attention_of_predictions_is_that_of_their_steps(subjects) -> None:
    run = subjects["text"].run
    first, second = attention_of(run, ["two one", "one"])
    case = subject(run, "two one")
    expected = attention_map(case)
    assert first.answer == expected.answer == case.answer
    assert first.source == ("two", "one") and (*first.tokens, "(end)") == expected.tokens
    np.testing.assert_allclose(first.weights, expected.weights[:-1], atol=1e-5)
    assert second.source == ("one",) and (second.weights == 1).all()


def test_neighbours_are_the_nearest_by_angle(subjects) -> None:
    run = subjects["class"].run
    tokens, vectors = embedding_of(run)
    found = neighbours(run, tokens[0], top=2)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[0]))
    assert [token for token, _ in found] == [tokens[k] for k in order if k][:2]
    with pytest.raises(SeqzooError):
        neighbours(run, "?!")


def test_transitions_are_those_that_the_crf_has_learned(subjects) -> None:
    run = subjects["tags"].run
    layer = run.model.get_layer("crf")
    found = crf_transitions(run)
    assert found.tags == tuple(run.task.tags.names)
    allowed = np.isfinite(found.scores)
    np.testing.assert_allclose(found.scores[allowed], np.asarray(layer.transitions)[allowed])
    outside, inside = found.tags.index("O"), found.tags.index("I-x")
    assert not allowed[outside, inside] and not np.isfinite(found.start[inside])


@pytest.mark.parametrize(
    "target, count, names",
    [
        (None, 1, ["target 1"]),
        ("size, kg", 1, ["size, kg"]),
        ("sold,returned", 2, ["sold", "returned"]),
        (None, 2, ["target 1", "target 2"]),
    ],
)
def test_targets_of_forecasts_have_the_names_of_their_columns(target, count, names) -> None:
    assert target_names(target, count) == names


def test_an_input_without_steps_is_named_by_its_value() -> None:
    captions = ["it barks", "it says meow"] * 3
    classes = _Run(OneToMany(input="class", **SMALL), Examples(["dog", "cat"] * 3, captions))
    assert subject(classes, "cat").all_labels == ("cat",)
    vectors: Any = list(np.eye(9)[:6])
    numbers = _Run(OneToMany(input="vector", **SMALL), Examples(vectors, captions))
    label = "0 0.5 0 0 0 0 0 0 ..."
    assert subject(numbers, np.eye(9)[1] / 2).all_labels == (label,)
