"""Columns of data frames and tables as lists, by duck typing, without importing their libraries."""

from collections.abc import Mapping
from typing import Any

from seqzoo.tasks.errors import SeqzooError, nearest

MISSING = ("NAType", "NaTType")
"""Types of pandas' missing values, besides None and NaN."""


def listed(values: Any) -> Any:
    """A column of pandas, Polars or pyarrow as a list, by position; other values unchanged."""
    for method in ("to_pylist", "to_list"):
        if hasattr(values, method):
            return getattr(values, method)()
    return values


def take_column(columns: Any, name: str, argument: str) -> Any:
    """Takes one column.

    Args:
        columns: a dict of columns, a data frame of pandas or Polars, or a pyarrow table.
        name: the name of the column.
        argument: the argument that named it, for messages.

    Returns: a list, or an array if the dict has one.

    Raises:
        SeqzooError: there are no columns, none or two of that name, the column is empty, or a
            value is missing (None, NaN or a missing value of pandas).
    """
    names = _names(columns)
    if name not in names:
        known = ", ".join(map(str, names))
        hint = nearest(str(name), map(str, names))
        raise SeqzooError(f"`{argument}` must name a column ({known}), got {name!r}{hint}")
    if names.count(name) > 1:
        raise SeqzooError(f"`{argument}` must name one column, but two are named {name!r}.")
    values = listed(columns[name])
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise SeqzooError(f"Column {name!r} must be a list of values, got {type(values).__name__}.")
    if not len(values):
        raise SeqzooError(f"Column {name!r} has no rows.")
    if getattr(values, "ndim", 1) == 1:  # tasks check the numbers in arrays of higher rank
        for index, value in enumerate(values):
            if _is_missing(value):
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


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in MISSING:
        return True
    return not hasattr(value, "__len__") and bool(value != value)  # NaN differs from itself
