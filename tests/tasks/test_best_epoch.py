"""Which epoch is the best: by the loss, by a metric whose ties the loss breaks, by BLEU or chrF."""

import pathlib
from typing import Any

import pytest
import tensorflow as tf
from task_data import names, settings, template

import seqzoo.cells
from seqzoo.tasks import Examples, ManyToManyAligned, ManyToManyEncoderDecoder, SeqzooError, Splits
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.epochs import Epochs
from seqzoo.tasks.training.trainer import train


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop, which costs no compilation."""
    with seqzoo.cells.portable():
        yield


TEXTS = Examples(["ab", "ba", "abab"] * 2, ["a b.", "b a.", "a b a b."] * 2)
SMALL: dict[str, Any] = {"units": 6, "embedding": 4, "minimum_count": 1, "cell": "gru"}


def _epochs(choices: Any, examples: Examples, **given: Any) -> Epochs:
    task = choices.adapt(examples)
    data = task.data(examples)
    strategy = tf.distribute.get_strategy()
    return Epochs(task, settings(**given), Padding([9], [9]), data, data, strategy, examples)


def _row(loss: float, name: str, metric: float) -> dict[str, Any]:
    return {"validation_loss": loss, f"validation_{name}": metric}


def test_generated_texts_are_chosen_by_the_loss() -> None:
    rows = [_row(*pair) for pair in [(2.0, "exact_match", 0.0), (1.0, "exact_match", 0.0)]]
    rows += [_row(1.5, "exact_match", 0.1)]
    writes = ManyToManyEncoderDecoder(target="words", **SMALL)
    assert max(rows, key=_epochs(writes, TEXTS).rank)["validation_loss"] == 1.0
    by_metric = _epochs(writes, TEXTS, best_by="metric")
    assert max(rows, key=by_metric.rank)["validation_loss"] == 1.5


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_loss_breaks_ties_of_the_metric(value: float) -> None:
    tagged = Examples(["a b", "b a"], [["B-X", "O"], ["O", "B-X"]])
    tagger = _epochs(ManyToManyAligned(input="words", target="tags", **SMALL), tagged)
    rows = [_row(loss, "entity_f1", value) for loss in (0.3, 0.1, 0.2)]
    assert max(rows, key=tagger.rank) is rows[1]
    assert max([*rows, _row(9.0, "entity_f1", value + 0.1)], key=tagger.rank)["validation_loss"] > 1
    classes = _epochs(template(), names(12, 1))
    rows = [_row(loss, "accuracy", value) for loss in (0.3, 0.1, 0.2)]
    assert max(rows, key=classes.rank) is rows[1]


def test_smaller_errors_are_better() -> None:
    values = Examples(["a", "b"], [1.0, 2.0])
    rows = [_row(0.1, "mae", 0.5), _row(0.2, "mae", 0.4)]
    assert max(rows, key=_epochs(template(target="value"), values).rank) is rows[1]
    assert max(rows, key=_epochs(template(target="value"), values, best_by="loss").rank) is rows[0]


def test_without_validation_the_last_epochs_are_averaged() -> None:
    epochs = _epochs(template(), names(12, 1), average="best", average_best=2)
    epochs.validation = None
    epochs.rows = [{"epoch": k, "loss": loss} for k, loss in enumerate([1.9, 0.7, 0.9], 1)]
    assert epochs.summary() == "Kept the average weights of the last epochs: 2, 3 (of 3)."


@pytest.mark.slow
@pytest.mark.exhaustive  # test_training.py ends a training run by its patience each time
def test_patience_counts_epochs_without_a_lower_loss(tmp_path: pathlib.Path) -> None:
    long = Examples(TEXTS.inputs, [f"{text} {text} {text}" for text in TEXTS.targets])
    chosen = settings(epochs=4, patience=1, batch_size=6, learning_rate=0.002, schedule="constant")
    writes = ManyToManyEncoderDecoder(target="words", **SMALL)
    run = train(writes, Splits(long, long), chosen, tmp_path / "run")
    assert [row["validation_exact_match"] for row in run.history] == [0.0] * 4
    losses = [row["validation_loss"] for row in run.history]
    assert losses == sorted(losses, reverse=True)
    assert run.evaluate(long)["loss"] == pytest.approx(losses[-1], rel=1e-4)


@pytest.mark.slow
@pytest.mark.exhaustive  # one of the longest
@pytest.mark.parametrize("by, figure", [("bleu", "bleu_4"), ("chrf", "chrf")])
def test_the_kept_model_has_the_best_score(tmp_path: pathlib.Path, by: Any, figure: str) -> None:
    writes = ManyToManyEncoderDecoder(target="words", **SMALL)
    chosen = settings(epochs=6, best_by=by, batch_size=3, learning_rate=0.05)
    run = train(writes, Splits(TEXTS, TEXTS), chosen, tmp_path / "run")
    scores = [row[f"validation_{by}"] for row in run.history]
    assert max(scores) > min(scores)
    assert Run.open(run.folder).evaluate(TEXTS)[figure] == pytest.approx(max(scores))


def test_only_texts_have_bleu(tmp_path: pathlib.Path) -> None:
    data = Splits(names(12, 1), names(12, 2))
    with pytest.raises(SeqzooError, match="`best_by` must be one of loss, metric for this"):
        train(template(), data, settings(best_by="bleu"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(SeqzooError, match="best_by"):
        settings(best_by="luck")
