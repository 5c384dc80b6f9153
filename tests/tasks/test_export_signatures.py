"""Steps, states and generation of exported SavedModels, in a process that only has TensorFlow."""

import pathlib
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from export_cases import cases, make_run

import seqzoo.cells
from seqzoo.tasks import Examples, ManyToOne, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.export.checking import raw_tensors
from seqzoo.tasks.export.parts import parts_of, step_of
from seqzoo.tasks.export.signatures import signatures_of
from seqzoo.tasks.inspection.attention import attention_map
from seqzoo.tasks.inspection.subject import subject

CASES = cases()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, clean_tensorflow: Any) -> Any:
    """Exports a case once; returns its run and what calls a signature of the SavedModel."""
    made: dict[str, Any] = {}

    def one(name: str) -> Any:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            chosen, examples, _ = CASES[name]
            keras.utils.set_random_seed(0)  # some random weights describe each image by no word
            run = make_run(folder / "run", chosen, examples)
            explained = ("explain",) if name == "images" else ()
            run.export(folder / "saved", check=False, signatures=explained)

            def ask(signature: str, **given: Any) -> dict[str, np.ndarray]:
                return clean_tensorflow.answers(folder / "saved", given, signature)

            made[name] = run, ask
        return made[name]

    return one


def _run_and_ways(name: str, folder: pathlib.Path, further: tuple[str, ...] = ()) -> tuple:
    """A run, and what calls a signature of it in this process."""
    chosen, examples, _ = CASES[name]
    run = make_run(folder / "run", chosen, examples)
    with seqzoo.cells.portable():
        ways = signatures_of(run.task, run.model, PredictionOptions(), further)

    def ask(signature: str, **given: Any) -> dict[str, np.ndarray]:
        with seqzoo.cells.portable():
            found = ways[signature][0](**{key: tf.constant(value) for key, value in given.items()})
        return {key: value.numpy() for key, value in found.items()}

    return run, ask


@pytest.mark.parametrize("name", ["names", pytest.param("images", marks=pytest.mark.slow)])
def test_the_score_of_a_text_is_that_of_decoding(name: str, tmp_path: pathlib.Path) -> None:
    run, ask = _run_and_ways(name, tmp_path)
    inputs = CASES[name][2]
    raw = raw_tensors(run.task, inputs)
    short = PredictionOptions(1, Decoding(maximum_length=5))
    answers = run.predict(inputs, short)
    found = ask("score", **raw, output=np.array([answer.label for answer in answers], object))
    probabilities = [answer.probability for answer in answers]
    np.testing.assert_allclose(np.exp(found["log_probability"]), probabilities, rtol=1e-4)
    # Words, and the end.
    assert found["tokens"].tolist() == [len(answer.label.split()) + 1 for answer in answers]
    other = ask("score", **raw, output=np.array(["one"] * len(inputs), object))
    assert (other["log_probability"] < 0).all() and (other["tokens"] == 2).all()


@pytest.mark.slow
def test_an_explanation_is_the_attention_of_each_token(tmp_path: pathlib.Path) -> None:
    run, ask = _run_and_ways("translation", tmp_path, ("explain",))
    text = CASES["translation"][2][1]
    found = ask("explain", text=np.array([text, "a"], object))
    expected = attention_map(subject(run, text))
    (length, _), source = found["lengths"], len(expected.source)
    tokens = [token.decode().strip() for token in found["tokens"][0][:length]]
    assert tokens == list(expected.tokens[:length])
    assert [token.decode() for token in found["source"][0]] == list(expected.source)
    np.testing.assert_allclose(
        found["attention"][0, :length, :source], expected.weights[:length], atol=1e-5
    )
    assert not found["attention"][0, length:].any()
    (answer,) = run.predict([text])
    assert found["text"][0].decode() == answer.label


@pytest.mark.slow
def test_an_explanation_of_an_image_is_a_grid(exported: Any) -> None:
    run, ask = exported("images")
    images = CASES["images"][2]
    found = ask("explain", **raw_tensors(run.task, images))
    index = int(found["lengths"].argmax())
    length = found["lengths"][index]
    assert length
    expected = attention_map(subject(run, images[index]))
    assert found["attention"].shape[2:] == expected.grid
    weights = found["attention"][index, :length].reshape(length, -1)
    np.testing.assert_allclose(weights, expected.weights[:length], atol=1e-5)


def test_signatures_that_a_model_cannot_have_are_refused(tmp_path: pathlib.Path) -> None:
    run, _ = _run_and_ways("spelling", tmp_path)

    def refused(message: str, **choices: Any) -> None:
        with pytest.raises(SeqzooError, match=message):
            run.export(tmp_path / "out", **choices)

    refused("`explain` shows attention, which this model does not have", signatures=["explain"])
    refused("is for models that read complete sequences", signatures=["serving_compiled"])
    refused("got 'explian'; did you mean 'explain'", signatures=["explian"])
    refused("signature of a saved-model; onnx has none", signatures=["explain"], format="onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.slow
def test_a_compiled_signature_is_compared_with_the_model(tmp_path: pathlib.Path) -> None:
    chosen, examples, inputs = CASES["rows"]
    run = make_run(tmp_path / "run", chosen, examples)
    report = run.export(tmp_path / "out", examples=inputs, signatures=["serving_compiled"])
    assert report["difference"] < 1e-5


def _next(found: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("next_"): value for name, value in found.items() if "next_" in name}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["series", "steps"])
def test_steps_and_chunks_end_in_the_states_of_the_whole(name: str, exported: Any) -> None:
    run, ask = exported(name)
    (values,) = [item for item in CASES[name][2] if len(item) == 7][:1]
    values = values[None].astype(np.float32)
    whole = ask("serving_default", values=values, lengths=np.array([7], np.int32))
    states = ask("initial_state", batch=np.int32(1))
    assert sorted(states)[0] == "layer_1_state_1" and not any(
        item.any() for item in states.values()
    )
    for step in range(3):
        found = ask("step", values=values[:, step], **states)
        states = _next(found)
    for start, stop in ((3, 4), (4, 7)):
        found = ask("chunk", values=values[:, start:stop], **states)
        states = _next(found)
    if name == "series":
        np.testing.assert_allclose(found["value"], whole["value"], rtol=1e-4)
    else:
        np.testing.assert_allclose(found["predictions"], whole["values"][:, 4:], rtol=1e-4)


def test_a_bidirectional_model_has_no_step_and_says_so(tmp_path: pathlib.Path) -> None:
    chosen, examples, _ = CASES["characters"]
    run = make_run(tmp_path / "run", chosen, examples)
    with pytest.raises(SeqzooError, match="no `step`, because it reads its input in both directio"):
        step_of(run.task, run.model)
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(SeqzooError, match="this one has none, because it reads .* in int8"):
        run.export(tmp_path / "out", format="litert", precision="full-int8")
    assert not (tmp_path / "out").exists()


def test_permuted_pixels_have_no_step_and_no_session(tmp_path: pathlib.Path) -> None:
    chosen = ManyToOne("pixels", cell="vanilla", units=4, permutation_seed=3)
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 2)).astype(np.uint8)
    run = make_run(tmp_path / "run", chosen, Examples(images, [*"xyxy"]))
    assert list(parts_of(run.task, run.model)) == ["serving"]
    with pytest.raises(SeqzooError, match="no `step`, because .* in a permuted order; run it"):
        step_of(run.task, run.model)
    with pytest.raises(SeqzooError, match="part by part, because .* in a permuted order"):
        run.session()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("maximum_length", np.int32(0), "`maximum_length` must be at least 1, got"),
        ("temperature", np.float32("nan"), "`temperature` must be 0 or from 1e-6 to 1e6, got"),
        ("temperature", np.float32(1e-30), "`temperature` must be 0 or from 1e-6 to 1e6, got"),
        ("top_k", np.int32(-1), "`top_k` must be at least 0, got"),
        ("top_p", np.float32(1.5), "`top_p` must be from 0 to 1, got"),
        ("beam", np.int32(-2), "`beam` must be at least 0, got"),
    ],
)
def test_options_of_generation_that_are_out_of_range_are_refused(
    option: str, value: Any, message: str, tmp_path: pathlib.Path
) -> None:
    _, ask = _run_and_ways("names", tmp_path)
    valid = {
        "maximum_length": np.int32(2),
        "temperature": np.float32(0),
        "top_k": np.int32(0),
        "top_p": np.float32(0),
        "beam": np.int32(0),
        "seed": np.int32(-1),
    }
    classes = np.array(["a"], object)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        ask("generate", classes=classes, **{**valid, option: value})
    assert ask("generate", classes=classes, **valid)["text"].shape == (1,)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["language", pytest.param("translation", marks=pytest.mark.exhaustive)]
)
def test_generation_takes_its_options_as_arguments(name: str, exported: Any) -> None:
    run, ask = exported(name)
    text = np.array(["the dogs", "Ün"], object)
    plain = {
        "maximum_length": np.int32(6),
        "temperature": np.float32(0),
        "top_k": np.int32(0),
        "top_p": np.float32(0),
        "beam": np.int32(0),
        "seed": np.int32(-1),
    }

    def expected(**choices: Any) -> list[tuple[str, float]]:
        options = PredictionOptions(1, Decoding(**choices), choices.pop("seed", None))
        answers = run.predict(text.tolist(), options)
        return [(answer.label, answer.probability) for answer in answers]

    def check(found: dict[str, Any], answers: list[tuple[str, float]]) -> None:
        assert [answer.decode() for answer in found["text"]] == [label for label, _ in answers]
        probabilities = [probability for _, probability in answers]
        np.testing.assert_allclose(np.exp(found["log_probability"]), probabilities, rtol=1e-3)

    check(ask("generate", text=text, **plain), expected(maximum_length=6))
    shorter = {**plain, "maximum_length": np.int32(3)}
    check(ask("generate", text=text, **shorter), expected(maximum_length=3))
    for width in (2, 5):
        found = ask("generate", text=text, **{**plain, "beam": np.int32(width)})
        check(found, expected(method="beam", beam_width=width, maximum_length=6))
    # Drawing from a single token is greedy at any temperature.
    drawn = {**plain, "temperature": np.float32(1.5), "top_k": np.int32(1)}
    check(ask("generate", text=text, **drawn), expected(maximum_length=6))
    drawn = {**drawn, "top_k": np.int32(0), "seed": np.int32(3)}
    once, again = (ask("generate", text=text, **drawn) for _ in range(2))
    assert once["text"].tolist() == again["text"].tolist()
    other = [ask("generate", text=text, **{**drawn, "seed": np.int32(answer)}) for answer in (4, 5)]
    assert any(answer["text"].tolist() != once["text"].tolist() for answer in other)
