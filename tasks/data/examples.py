"""Raw examples in memory, from lists, arrays, or columns of data frames and tables.

Columns are recognised by duck typing, without importing pandas, Polars or pyarrow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from seqzoo.tasks.errors import SeqzooError, check_instance, nearest, some_of
from seqzoo.tasks.kinds import TimeValues

MISSING = ("NAType", "NaTType")
"""Types of pandas' missing values, in addition to None and NaN."""


@dataclass(frozen=True)
class Examples:
    """One split of a data set.

    Attributes:
        inputs: for text ("characters", "words", "subwords") strings; for "rows" an array of shape
            (n, height, width) or (n, height, width, channels); for "columns" such arrays, all of
            the same height but of any width; for "series" arrays of shape (time, features) or
            (time,), or `TimedSeries` for time-aware cells; for "audio" float arrays of shape
            (samples,); for "image" arrays of uint8, (height, width) or (height, width, channels),
            or the bytes of image files; for "vector" arrays of shape (features,); for "class"
            strings. A pandas, Polars or pyarrow column becomes a list. For templates with further
            inputs, a dict of these for each example, or a dict of columns or a data frame.
        targets: for "class" strings; for "labels" sequences of strings; for "value" numbers of
            shape (n,) or (n, k); None if there are no targets.
        lines: where each example comes from, for messages: its line or row in a file (see
            `unit`), or its file if it has one of its own; None to count examples instead.
        weights: the weight of each example in the training loss, at least 0; None if all are
            equal. Metrics count each example once.
        unit: "line" or "row", counted from 1; "example", counted from 0; or "image", named
            by its file.

    Raises:
        SeqzooError: `inputs` is a single text, or is not a list.
    """

    inputs: Any
    targets: Any = None
    lines: Sequence[int | str] | None = None
    unit: str = "line"
    weights: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.inputs, Mapping) or _is_frame(self.inputs):
            object.__setattr__(self, "inputs", rows_of(self.inputs))
        # A pandas column is indexed by labels that need not be positions.
        if _is_frame(self.targets):  # several numbers per example
            object.__setattr__(self, "targets", self.targets.to_numpy())
        for name in ("inputs", "targets", "weights"):
            object.__setattr__(self, name, listed(getattr(self, name)))
        if isinstance(self.inputs, str | bytes) or not is_list(self.inputs):
            raise SeqzooError(field="inputs", expected="a list of inputs", got=self.inputs)

    @classmethod
    def from_columns(
        cls,
        columns: Any,
        *,
        input: str | Sequence[str],
        target: str | None = None,
        weight: str | None = None,
        time: str | None = None,
        time_values: TimeValues = "timestamps",
    ) -> "Examples":
        """Makes examples from columns, with one example per row.

        Args:
            columns: a dict of columns, a pandas or Polars data frame, or a pyarrow table.
            input: the name of the input column; or, for templates with further inputs, the names
                of several columns, in which values may be missing.
            target: the name of the target column; None if there are no targets.
            weight: the name of the column of weights; None if all weights are equal.
            time: the name of the column with the times of a series' steps, for time-aware cells;
                None if there is none.
            time_values: meaning of this column: the time of each step ("timestamps"), or the time
                since the previous step ("elapsed").

        Raises:
            SeqzooError: a column does not exist or has no rows, a value is missing, the columns
                have different lengths, or times do not fit their series.
        """
        if isinstance(input, int) or not input:
            raise SeqzooError(field="input", expected="the name of a column, or several", got=input)
        named = [name for name in (target, weight, time) if name is not None]
        named += [input] if isinstance(input, str) else input
        if twice := [name for name in named if named.count(name) > 1]:
            raise SeqzooError(f"Each column can have only one role, but {twice[0]!r} has two.")
        if isinstance(input, str):
            inputs = take_column(columns, input, "input")
        else:
            inputs = rows_of(
                {name: take_column(columns, name, "input", optional=True) for name in input}
            )
        others = {}
        for field, name in (("target", target), ("weight", weight), ("time", time)):
            if name is None:
                continue
            values = others[f"{field}s"] = take_column(columns, name, field)
            if len(inputs) != len(values):
                raise SeqzooError(
                    f"Columns must have the same length, but {input!r} has length "
                    f"{len(inputs):,} and {name!r} has length {len(values):,}."
                )
        if time is not None:
            from seqzoo.tasks.data.timed_series import timed_column  # imports NumPy

            inputs = timed_column(inputs, others.pop("times"), time_values)
        return cls(inputs, **others)

    def __len__(self) -> int:
        return len(self.inputs)

    def pick(self, chosen: Sequence[int]) -> "Examples":
        """Selects examples, in the order of `chosen`."""

        def of(values: Any) -> Any:
            if hasattr(values, "pick"):  # a column on disk
                return values.pick(chosen)
            if hasattr(values, "shape"):  # an array
                return values[list(chosen)]
            return None if values is None else [values[index] for index in chosen]

        names = ("inputs", "targets", "lines", "weights")
        return replace(self, **{name: of(getattr(self, name)) for name in names})

    def spread(self, count: int) -> list[int]:
        """Indices of at most `count` evenly spaced examples, since neighbours are often similar."""
        last = len(self) - 1
        count = min(len(self), count)
        return [round(last * step / max(count - 1, 1)) for step in range(count)]

    def location(self, index: int) -> str:
        """Names one example in a message: "line 18", or "example 17" (counted from 0)."""
        return f"example {index}" if self.lines is None else f"{self.unit} {self.lines[index]}"

    @property
    def locations(self) -> "Locations":
        """The name of each example."""
        return Locations(self)


class Locations(Sequence):
    """The names of examples in messages, made on demand.

    Args:
        examples: the examples.
        rows: the indices of these examples; None for all.
    """

    def __init__(self, examples: Examples, rows: range | None = None):
        self.examples = examples
        self.rows = range(len(examples)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Locations(self.examples, self.rows[index])
        return self.examples.location(self.rows[index])


@dataclass(frozen=True)
class Splits:
    """Examples for training, validation and testing.

    Attributes:
        train: the examples from which weights and vocabulary are learned.
        validation: the examples that determine the best epoch; without them the last epoch is kept.
        test: the examples that the trained model is evaluated on.
        name: name of the data set.
        description: one sentence about it.

    Raises:
        SeqzooError: a split is not `Examples`.
    """

    train: Examples
    validation: Examples | None = None
    test: Examples | None = None
    name: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        expected = "`Examples(inputs, targets)`"
        check_instance("train", self.train, Examples, expected)
        for name in ("validation", "test"):
            check_instance(name, getattr(self, name), (Examples, type(None)), expected)


def listed(values: Any) -> Any:
    """A pandas, Polars or pyarrow column as a list, by position, and so is a sequence without
    slices, such as a deque; other values unchanged."""
    for method in ("to_pylist", "to_list"):
        if hasattr(values, method):
            return getattr(values, method)()
    if is_list(values) and not isinstance(values, Mapping):
        try:
            values[:0]
        except (TypeError, LookupError, ValueError):
            return list(islice(values, len(values)))
    return values


def is_list(values: Any) -> bool:
    """Whether values have a length and can be indexed."""
    try:
        len(values)
    except TypeError:  # of a scalar, too, whose type has a length
        return False
    return hasattr(values, "__getitem__")


def rows_of(columns: Any) -> list[dict[str, Any]]:
    """Converts columns to rows, each a dictionary.

    Args:
        columns: a dict of columns, a pandas or Polars data frame, or a pyarrow table.

    Raises:
        SeqzooError: the columns have different lengths, or one is not a list of values.
    """
    names = _names(columns)
    taken = {name: take_column(columns, name, "inputs", optional=True) for name in names}
    lengths = {name: len(values) for name, values in taken.items()}
    if len(set(lengths.values())) > 1:
        shown = some_of([f"{name!r} has length {count:,}" for name, count in lengths.items()])
        raise SeqzooError(f"Columns must have the same length, but {shown}.")
    return [dict(zip(names, row, strict=True)) for row in zip(*taken.values(), strict=True)]


def _is_frame(values: Any) -> bool:
    """Whether inputs are a data frame or a table rather than one column or a list."""
    return hasattr(values, "columns") and hasattr(values, "__getitem__")


def take_column(columns: Any, name: str, argument: str, *, optional: bool = False) -> Any:
    """Takes one column.

    Args:
        columns: a dict of columns, a pandas or Polars data frame, or a pyarrow table.
        name: the name of the column.
        argument: the argument that named it, for messages.
        optional: whether values may be missing.

    Returns: a list, or an array if the dict has one.

    Raises:
        SeqzooError: there are no columns, none or several have that name, the column is empty, or
            a value is missing (None, NaN or pandas' missing value).
    """
    names = _names(columns)
    if name not in names:
        known = some_of(list(map(str, names)))
        hint = nearest(str(name), map(str, names))
        raise SeqzooError(f"`{argument}` must name a column ({known}), got {name!r}{hint}")
    if names.count(name) > 1:
        raise SeqzooError(f"`{argument}` must name one column, but two are named {name!r}.")
    values = listed(columns[name])
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise SeqzooError(f"Column {name!r} must be a list of values, got {type(values).__name__}.")
    if not len(values):
        raise SeqzooError(f"Column {name!r} has no rows.")
    # Arrays of higher rank contain numbers, which tasks check.
    if getattr(values, "ndim", 1) == 1 and not optional:
        for index, value in enumerate(values):
            if is_missing(value):
                raise SeqzooError(
                    f"example {index}: {name!r} is missing ({value}); fill it in or drop the row.",
                    location=f"example {index}",
                )
    return values


def _names(columns: Any) -> list:
    """The names of all columns, duplicates included."""
    if isinstance(columns, Mapping):
        return list(columns)
    if hasattr(columns, "collect") and not hasattr(columns, "__len__"):
        raise SeqzooError(
            f"`columns` must be a data frame, got {type(columns).__name__}; `collect()` it first."
        )
    # A pyarrow table's `columns` are the columns themselves.
    names = getattr(columns, "column_names", None)
    names = getattr(columns, "columns", None) if names is None else names
    if names is None or not hasattr(columns, "__getitem__"):
        raise SeqzooError(
            "`columns` must be a dict of columns, a data frame or a pyarrow table, got "
            f"{type(columns).__name__}."
        )
    return list(names)


def is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, or pandas' missing value."""
    if value is None or type(value).__name__ in MISSING:
        return True
    return not hasattr(value, "__len__") and bool(value != value)  # NaN differs from itself
