"""Mistakes of a Python program: one line that names the argument, before anything is trained."""

import logging
from typing import Any

import keras
import pytest
from task_data import names, settings, splits, template

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    ManyToManyEncoderDecoder,
    ManyToOne,
    PredictionOptions,
    Run,
    SeqzooError,
    Splits,
    keras_model,
)
from seqzoo.tasks.runs.temperature import remark
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.startup import _is_news
from seqzoo.tasks.training.callbacks import listed_callbacks
from seqzoo.tasks.training.trainer import train


def _train(**given: Any) -> None:
    train(
        given.pop("template", template()),
        given.pop("splits", splits()),
        given.pop("settings", settings()),
        given.pop("folder", "never-made"),
        **given,
    )


@pytest.mark.parametrize(
    "make, field",
    [
        (lambda: _train(template="many-to-one"), "template"),
        (lambda: _train(splits=splits().train), "splits"),
        (lambda: _train(settings={"epochs": 1}), "settings"),
        (lambda: _train(folder=None), "folder"),
        (
            lambda: _train(template=ManyToManyEncoderDecoder("series", "characters", cell="gru-d")),
            "cell",
        ),
        (lambda: _train(strategy=2), "strategy"),
        (lambda: _train(source="x"), "source"),
        (lambda: _train(source={"a": object()}), "source"),
        (lambda: listed_callbacks(keras.callbacks.Callback), "callbacks"),
        (lambda: listed_callbacks("EarlyStopping"), "callbacks"),
        (lambda: Splits([("a", "b")]), "train"),  # pyright: ignore[reportArgumentType]
        (lambda: Examples("abc", ["a", "b", "c"]), "inputs"),
        (lambda: Examples(5), "inputs"),
        (lambda: Run.open(None), "folder"),  # pyright: ignore[reportArgumentType]
        (lambda: PredictionOptions(top=0), "top"),
        (lambda: ManyToOne("words", cell="gruu"), "cell"),
        (lambda: ManyToOne("words", units=3.5), "units"),  # pyright: ignore[reportArgumentType]
        (lambda: ManyToOne("words", cell_options=[1]), "cell_options"),  # pyright: ignore[reportArgumentType]
        (lambda: TrainingSettings(learning_rate=None), "learning_rate"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_an_invalid_argument_is_named(make, field, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeqzooError) as caught:
        make()
    assert caught.value.field == field and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_one_callback_is_a_list_of_one() -> None:
    one = keras.callbacks.Callback()
    assert listed_callbacks(one) == listed_callbacks([one]) == listed_callbacks((one,)) == [one]
    assert listed_callbacks(None) == []
    with pytest.raises(SeqzooError, match=r"make an instance: EarlyStopping\(\.\.\.\)"):
        listed_callbacks([keras.callbacks.EarlyStopping])


def test_a_keras_model_refuses_what_it_cannot_use() -> None:
    examples = names(8, 1)
    with seqzoo.cells.portable():
        model = keras_model(template(), examples, settings())
    assert model.classes is not None
    assert model.predict([]).shape == (0, len(model.classes))
    for name in ("class_weight", "sample_weight"):
        with pytest.raises(SeqzooError, match=f"`{name}` is for `seqzoo.tasks.train`"):
            weights: dict[str, Any] = {name: {"A": 2.0}}
            model.fit(examples.inputs, examples.targets, **weights)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"callbacks": keras.callbacks.Callback}, "callbacks"),
        ({"validation_data": ()}, "validation_data"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": "2"}, "epochs"),
        ({"initial_epoch": -1}, "initial_epoch"),
    ]
    for given, field in wrong:
        with pytest.raises(SeqzooError) as caught:
            model.fit(examples.inputs, examples.targets, verbose=0, **given)
        assert caught.value.field == field
    with pytest.raises(SeqzooError, match="`decoding` must be `Decoding`, got {'method': 'beam'}"):
        model.predict(examples.inputs, decoding={"method": "beam"})
    for given in ((None,) * 5 + (16,), (None,) * 5 + ("auto",)):
        with pytest.raises(SeqzooError, match="`steps_per_execution` must be 1, because"):
            model.compile("adam", *given)
    with pytest.raises(SeqzooError, match="`steps_per_execution` must be 1, because"):
        model.compile("adam", steps_per_execution=2)


def test_only_warnings_of_our_own_retracing_are_hidden() -> None:
    text = "5 out of the last 8 calls to <function f> triggered tf.function retracing."
    record = logging.LogRecord("tensorflow", logging.WARNING, "", 0, text, None, None)
    other = logging.LogRecord("tensorflow", logging.WARNING, "", 0, "slow", None, None)

    def called_by(module: str, about: logging.LogRecord) -> bool:
        space: dict[str, Any] = {"__name__": module, "ask": _is_news}
        exec("def call(record): return ask(record)", space)
        return space["call"](about)

    assert not called_by("seqzoo.tasks.runs.predictor", record)
    assert called_by("mine", record) and called_by("seqzoo.tasks.runs.predictor", other)


def test_a_temperature_at_the_limit_is_reported() -> None:
    assert remark(1.5) == remark(20.0) == ""
    assert "0.05, is at the limit of the search range (0.05 to 1,000)" in remark(0.05)
    assert "say nothing about the classes" in remark(1000.0)
