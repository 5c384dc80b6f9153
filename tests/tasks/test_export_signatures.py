"""Steps, states and generation of exported SavedModels, asked where there is TensorFlow alone."""

import pathlib
from typing import Any

import numpy as np
import pytest
from export_cases import cases, make_run

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.base import AnswerOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.export.parts import step_of

CASES = cases()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, clean_tensorflow: Any) -> Any:
    """Exports a case once; returns its run and what asks a signature of the SavedModel."""
    made: dict[str, Any] = {}

    def one(name: str) -> Any:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            chosen, examples, _ = CASES[name]
            run = make_run(folder / "run", chosen, examples)
            run.export(folder / "saved", check=False)

            def ask(signature: str, **given: Any) -> dict[str, np.ndarray]:
                return clean_tensorflow.answers(folder / "saved", given, signature)

            made[name] = run, ask
        return made[name]

    return one


def _next(found: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("next_"): own for name, own in found.items() if "next_" in name}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["series", "steps"])
def test_steps_and_chunks_end_where_the_whole_ends(name: str, asked: Any) -> None:
    run, ask = asked(name)
    (values,) = [own for own in CASES[name][2] if len(own) == 7][:1]
    values = values[None].astype(np.float32)
    whole = ask("serving_default", values=values, lengths=np.array([7], np.int32))
    states = ask("initial_state", batch=np.int32(1))
    assert sorted(states)[0] == "layer_1_state_1" and not any(own.any() for own in states.values())
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


def test_a_model_that_reads_both_ways_has_no_step_and_says_so(tmp_path: pathlib.Path) -> None:
    chosen, examples, _ = CASES["characters"]
    run = make_run(tmp_path / "run", chosen, examples)
    with pytest.raises(SeqzooError, match="no `step`, because it reads its input in both directio"):
        step_of(run.task, run.model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["language", pytest.param("translation", marks=pytest.mark.exhaustive)]
)
def test_generation_takes_its_choices_as_arguments(name: str, asked: Any) -> None:
    run, ask = asked(name)
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
        options = AnswerOptions(1, Decoding(**choices), choices.pop("seed", None))
        answers = run.predict(text.tolist(), options)
        return [(own.label, own.probability) for own in answers]

    def check(found: dict[str, Any], answers: list[tuple[str, float]]) -> None:
        assert [own.decode() for own in found["text"]] == [label for label, _ in answers]
        probabilities = [probability for _, probability in answers]
        np.testing.assert_allclose(np.exp(found["log_probability"]), probabilities, rtol=1e-3)

    check(ask("generate", text=text, **plain), expected(maximum_length=6))
    shorter = {**plain, "maximum_length": np.int32(3)}
    check(ask("generate", text=text, **shorter), expected(maximum_length=3))
    for width in (2, 5):
        found = ask("generate", text=text, **{**plain, "beam": np.int32(width)})
        check(found, expected(method="beam", beam_width=width, maximum_length=6))
    # One token to draw from is greedy, at whatever temperature.
    drawn = {**plain, "temperature": np.float32(1.5), "top_k": np.int32(1)}
    check(ask("generate", text=text, **drawn), expected(maximum_length=6))
    drawn = {**drawn, "top_k": np.int32(0), "seed": np.int32(3)}
    once, again = (ask("generate", text=text, **drawn) for _ in range(2))
    assert once["text"].tolist() == again["text"].tolist()
    other = [ask("generate", text=text, **{**drawn, "seed": np.int32(own)}) for own in (4, 5)]
    assert any(own["text"].tolist() != once["text"].tolist() for own in other)
