"""Examples from columns: dicts, data frames and tables make the same examples, and bad ones a
one-line error."""

import subprocess
import sys
from collections import deque
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seqzoo.tasks import Examples, ManyToOne, Splits, TrainingSettings, train
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs.run import check_list

TEXTS, LABELS = ["it was good", "so bad", "great"], ["yes", "no", "yes"]


class Column:
    """A column whose labels are not positions, as those of pandas may be."""

    def __init__(self, values: list):
        self.values = values
        self.shape = (len(values),)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, label: Any) -> Any:
        raise KeyError(label)

    def to_list(self) -> list:
        return self.values


class Frame:
    """A data frame of such columns."""

    def __init__(self, columns: dict[str, list]):
        self.columns = list(columns)
        self._held = columns

    def __getitem__(self, name: str) -> Column:
        return Column(self._held[name])


def _pandas(columns: dict[str, list]) -> Any:
    pandas = pytest.importorskip("pandas")
    count = len(next(iter(columns.values())))
    return pandas.DataFrame(columns, index=range(100, 100 + count)[::-1])


def _polars(columns: dict[str, list]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


MAKERS = {"dict": dict, "frame": Frame, "pyarrow": pa.table, "pandas": _pandas, "polars": _polars}


def test_a_sequence_without_slices_is_a_list() -> None:
    texts = ["hola", "bonjour"]
    assert Examples(deque(texts), deque(texts)) == Examples(texts, texts)
    for wrong in (set(texts), dict.fromkeys(texts).keys(), np.array("hola")):
        with pytest.raises(SeqzooError, match="`inputs` must be a list of inputs, got "):
            Examples(wrong)
        with pytest.raises(SeqzooError, match="`inputs` must be a list of inputs, got "):
            check_list(wrong)


@pytest.mark.parametrize("made", MAKERS)
def test_columns_become_inputs_and_targets_by_position(made) -> None:
    table = MAKERS[made](
        {"text": TEXTS, "label": LABELS, "n": [3, 1, 2], "s": [[1.0], [2.0], [3.0]]}
    )
    examples = Examples.from_columns(table, input="text", target="label")
    assert (examples.inputs, examples.targets) == (TEXTS, LABELS)
    assert examples.pick([2, 0]).inputs == ["great", "it was good"]
    assert Examples.from_columns(table, input="text").targets is None
    for inputs in ("label", ["text", "label"]):
        with pytest.raises(SeqzooError, match="only one role, but 'label' has two"):
            Examples.from_columns(table, input=inputs, target="label")
    assert Examples.from_columns(table, input="s", target="n").targets == [3, 1, 2]
    assert [list(item) for item in Examples.from_columns(table, input="s").inputs] == [
        [1],
        [2],
        [3],
    ]
    assert Examples(table["text"], table["label"]) == examples


def test_arrays_of_a_dict_stay_arrays() -> None:
    images = np.zeros((2, 3, 4))
    assert Examples.from_columns({"image": images}, input="image").inputs is images


BAD: dict[str, tuple[Any, str]] = {
    "no such column": (
        {"texts": TEXTS, "label": LABELS},
        "`input` must name a column (texts, label), got 'text'; did you mean 'texts'?",
    ),
    "no such target": (
        {"text": TEXTS, "labels": LABELS},
        "`target` must name a column (text, labels), got 'label'; did you mean 'labels'?",
    ),
    "unequal lengths": (
        {"text": TEXTS, "label": LABELS[:2]},
        "Columns must have the same length, but 'text' has length 3 and 'label' has length 2.",
    ),
    "None": (
        {"text": ["a", None], "label": LABELS[:2]},
        "example 1: 'text' is missing (None); fill it in or drop the row.",
    ),
    "NaN": (
        Frame({"text": ["a", "b"], "label": ["yes", float("nan")]}),
        "example 1: 'label' is missing (nan); fill it in or drop the row.",
    ),
    "NaN in an array": (
        {"text": ["a", "b"], "label": np.array([np.nan, 1])},
        "example 0: 'label' is missing (nan); fill it in or drop the row.",
    ),
    "no rows": (Frame({"text": [], "label": []}), "Column 'text' has no rows."),
    "a text": (
        {"text": "abc", "label": LABELS},
        "Column 'text' must be a list of values, got str.",
    ),
    "a list": (
        TEXTS,
        "`columns` must be a dict of columns, a data frame or a pyarrow table, got list.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_invalid_columns_are_reported_in_one_line(case) -> None:
    columns, message = BAD[case]
    with pytest.raises(SeqzooError) as caught:
        Examples.from_columns(columns, input="text", target="label")
    assert str(caught.value) == message


def test_missing_values_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    for missing in (pandas.NA, pandas.NaT, None, np.nan):
        frame = pandas.DataFrame({"text": pandas.Series(["a", missing], dtype=object)})
        with pytest.raises(SeqzooError, match="^example 1: 'text' is missing"):
            Examples.from_columns(frame, input="text")
    twice = pandas.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(SeqzooError, match="must name one column, but two are named 'text'"):
        Examples.from_columns(twice, input="text")


def test_lazy_frame_of_polars_must_be_collected() -> None:
    frame = pytest.importorskip("polars").LazyFrame({"text": TEXTS})
    with pytest.raises(SeqzooError, match=r"got LazyFrame; `collect\(\)` it first"):
        Examples.from_columns(frame, input="text")


@pytest.mark.slow
def test_trains_on_whole_numbers_as_classes_and_predicts_a_column(tmp_path) -> None:
    frame = Frame({"text": TEXTS * 4, "label": [1, 0, 1] * 4})
    examples = Examples.from_columns(frame, input="text", target="label")
    template = ManyToOne(input="words", cell="gru", units=3, embedding=2, minimum_count=1)
    run = train(template, Splits(train=examples), TrainingSettings(epochs=1), tmp_path / "run")
    answers = run.predict(frame["text"])
    assert [answer.label for answer in answers] == [a.label for a in run.predict(TEXTS * 4)]
    assert {answer.label for answer in answers} <= {"0", "1"}
    assert run.evaluate(examples)["examples"] == 12


def test_needs_no_tensorflow_and_no_data_frame_library() -> None:
    program = (
        "import sys; from seqzoo.tasks import Examples;"
        "Examples.from_columns({'a': ['x']}, input='a');"
        "print([n for n in ('tensorflow', 'pandas', 'polars', 'pyarrow') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
