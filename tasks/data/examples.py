"""Raw examples in memory: what a data source hands to a task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from seqzoo.tasks.data.columns import listed, take_column
from seqzoo.tasks.errors import SeqzooError


@dataclass(frozen=True)
class Examples:
    """One split of a data set.

    Attributes:
        inputs: for text ("characters", "words", "subwords") strings; for "rows" an array of shape
            (n, height, width) or (n, height, width, channels); for "series" arrays of shape
            (time, features) or (time,); for "audio" float arrays of shape (samples,); for "image"
            arrays of uint8, (height, width) or (height, width, channels), or the bytes of image
            files; for "vector" arrays of shape (features,); for "class" strings. A column of
            pandas, Polars or pyarrow becomes a list.
        targets: for "class" strings; for "labels" sequences of strings; for "value" numbers of
            shape (n,) or (n, k); None where there is nothing to learn or to score.
        lines: where each example stands in its file, counted as `unit` says, for messages; or None.
        unit: "line" or "row", counted from 1, or "example", counted from 0.
    """

    inputs: Any
    targets: Any = None
    lines: Sequence[int] | None = None
    unit: str = "line"

    def __post_init__(self) -> None:
        # A column of pandas is indexed by labels that need not be positions.
        for name in ("inputs", "targets"):
            object.__setattr__(self, name, listed(getattr(self, name)))

    @classmethod
    def from_columns(cls, columns: Any, *, input: str, target: str | None = None) -> "Examples":
        """Examples whose inputs and targets are columns, one a row, in their order.

        Args:
            columns: a dict of columns, a data frame of pandas or Polars, or a pyarrow table.
            input: the name of the column of inputs.
            target: that of targets; None where there are none.

        Raises:
            SeqzooError: there is no such column, it has no rows, a value is missing, or the two
                differ in length.
        """
        inputs = take_column(columns, input, "input")
        if target is None:
            return cls(inputs)
        targets = take_column(columns, target, "target")
        if len(inputs) != len(targets):
            raise SeqzooError(
                f"Columns must be equally long, but {input!r} has {len(inputs):,} rows and "
                f"{target!r} {len(targets):,}."
            )
        return cls(inputs, targets)

    def __len__(self) -> int:
        return len(self.inputs)

    def pick(self, chosen: Sequence[int]) -> "Examples":
        """Some of the examples, in the order in which they are named."""

        def of(values: Any) -> Any:
            if hasattr(values, "shape"):  # an array
                return values[list(chosen)]
            return None if values is None else [values[index] for index in chosen]

        return replace(self, inputs=of(self.inputs), targets=of(self.targets), lines=of(self.lines))

    def spread(self, count: int) -> list[int]:
        """So many examples at most, from all over, since neighbours are often alike."""
        last = len(self) - 1
        count = min(len(self), count)
        return [round(last * step / max(count - 1, 1)) for step in range(count)]

    def place(self, index: int) -> str:
        """Names one example in a message: "line 18", or "example 17" (counted from 0)."""
        return f"example {index}" if self.lines is None else f"{self.unit} {self.lines[index]}"

    @property
    def places(self) -> list[str]:
        """The name of each example."""
        return [self.place(index) for index in range(len(self))]


@dataclass(frozen=True)
class Splits:
    """What is trained on, chosen by and scored on.

    Attributes:
        train: what the weights and the vocabulary are learnt from.
        validation: what chooses the best epoch; without it the last epoch is kept.
        test: what scores the finished model.
        name: of the data set.
        description: one sentence for people.
    """

    train: Examples
    validation: Examples | None = None
    test: Examples | None = None
    name: str = ""
    description: str = ""
