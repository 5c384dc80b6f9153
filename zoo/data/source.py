"""The source of examples: a built-in data set, a tfds data set, or a file."""

import glob
import os
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.errors import SeqzooError, check_regular, nearest
from seqzoo.tasks.fields import Count, Named, NotTyped, check
from seqzoo.tasks.kinds import (
    TimeValues,
    check_kinds,
    inputs_of,
    targets_of,
)
from seqzoo.zoo.data.formats import SUFFIXES, has_format, lacks_columns, may_be_delimited, suffix_of
from seqzoo.zoo.data.hugging_face import SPLIT_COLUMN, is_dataset
from seqzoo.zoo.data.remote import is_remote
from seqzoo.zoo.datasets import DATASETS

if TYPE_CHECKING:
    Kind = str
    TargetKind = str
else:
    Kind, TargetKind = inputs_of(), targets_of()

Duplicates = Literal["drop", "keep"]
Storage = Literal["auto", "memory", "disk"]

TFDS = "tfds:"
"""Prefix of the names of TensorFlow Datasets."""


SERIES = "series_column"

HISTORY = "history"
"""The kind of tables with dates."""

COVARIATES = ("past_columns", "known_columns", "static_columns")
"""Fields that name the columns of covariates."""

LISTS = (*COVARIATES, "split_at", "columns")
"""Fields that are lists."""

DATED = (
    *("date_column", "date_format", "timezone", "frequency", "decimal_comma", "series_column"),
    *LISTS[:-1],
)
"""Fields that apply only to tables with dates."""

UNDATED = (
    "input",
    "time_values",
    "separator",
    "resample",
    "sample_rate",
    "split_column",
    "weight_column",
    "duplicates",
    "storage",
)
"""Fields that do not apply to tables with dates."""

AUDIO = ("resample", "sample_rate")
"""Fields that apply only to audio."""


def kinds_of(template: Any) -> dict[str, Any]:
    """The fields of a source that repeat those of a template."""
    return {
        "kind": template.input,
        "target_kind": template.target,
        "further_inputs": dict(getattr(template, "further_inputs", {})),
    }


def check_fields(fields: Mapping[str, Any]) -> None:
    """Checks that keyword arguments are fields of a `Source`.

    Raises:
        SeqzooError: one is not.
    """
    known = list(Source.__dataclass_fields__)
    for name in fields:
        if name not in known:
            raise SeqzooError(
                f"A field of `Source` was expected, got {name!r}{nearest(name, known)}", field=name
            )


def input_columns(
    fields: Mapping[str, Any], kind: str | None, series_column: str | None = None
) -> dict[str, Any]:
    """Separates the columns of `input` and the static columns by their roles.

    "title,body" is an input and a further input of the same kind, '"size, kg"' a single column, and
    "x,y" the values of each step in a table with a row per step; static columns are further inputs
    unless the model forecasts.

    Args:
        fields: fields of a source, as given on the command line.
        kind: the kind of the input; None if it is not known.
        series_column: the column of series, if `fields` does not have it.
    """
    if kind in (None, HISTORY):
        return dict(fields)
    result, further = dict(fields), {}
    in_rows = kind == "series" and result.get(SERIES, series_column) is not None
    if isinstance(result.get("input"), str) and not in_rows:
        first, *others = split_names(result["input"])
        further = dict.fromkeys(others, kind)
        result["input"] = first
    further |= dict.fromkeys(result.pop("static_columns", None) or (), "static")
    if further:
        result["further_inputs"] = {**further, **(result.get("further_inputs") or {})}
    return result


ROLES = ("input", "target", "time_column", "split_column", "weight_column", "series_column")
"""Fields that name a column each."""


def check_roles(fields: Mapping[str, Any], more: Sequence[str] = ()) -> None:
    """Checks that no column has two roles, so that no input gives the target away.

    Args:
        fields: fields of a source.
        more: further columns.

    Raises:
        SeqzooError: a column has two roles.
    """
    used = [fields.get(role) for role in ROLES]
    used = [name for name in [*used, *(fields.get("further_inputs") or ()), *more] if name]
    for name in used:
        if used.count(name) > 1:
            raise SeqzooError(
                f"Each column can have only one role, but {name!r} has two.",
                field="target" if name == fields.get("target") else "input",
            )


@dataclass(frozen=True)
class Source:
    """Describes where examples come from and how to read them; a run stores it as JSON.

    Attributes:
        data: built-in data set, tfds:NAME, file, folder or glob. A folder is one that tfds or
            `save_to_disk` of Hugging Face's datasets wrote, or contains images, recordings or texts
            in CLASS or SPLIT/CLASS, or texts named LANGUAGE.SPLIT.txt. The formats .conll and
            .conllu are for tags, and .txt is for tags and the target "next". A glob, such as
            "parts/*.csv", matches several files. Files may be at gs:// and other addresses that
            TensorFlow can open.
        kind: input type, `template.input` in Python.
        target_kind: target type, `template.target` in Python.
        input: column, array or feature of the inputs; or, for input "series", a pattern of the
            columns of the steps, such as t*. If None, inferred from the data; required for tables,
            except with `check`.
        target: column, array or feature of the targets. If None, inferred from the data; required
            for tables, except with `check`.
        further_inputs: additional input columns of any `kind` that many-to-one takes, or of the
            kind "vector", "number", "category" or "static". They are the template's
            `further_inputs`; "static" is a number or a category, as in the training examples.
        time_column: column or array with the time of each step of a series, for time-aware cells.
            Times are numbers, or ISO 8601 dates and times, which become seconds.
        time_values: meaning of the time column: the time of each step ("timestamps"), or the time
            since the previous step ("elapsed").
        sentence_column: column that identifies the sentence of each word, in tagging tables with
            one word per row. It may be empty after the first row of a sentence.
        date_column: column with the dates of a table, for forecasts, or several columns with
            their parts, such as date,time or year,month,day,hour. Dates may be in any common
            format, and missing steps count as missing values; `target` names the columns to
            forecast, by default all other numeric columns.
        date_format: format of the dates, such as "%d/%m/%Y %H:%M"; or day/month/year or
            month/day/year for the order of their numbers. If None, inferred.
        timezone: time zone of local times, such as Europe/Berlin, where clocks go back or forward
            between steps, which must divide an hour. Times are converted to UTC, and those of
            forecasts back. If None, all days have 24 hours, or the dates have their own time zones.
        frequency: time between the steps of a table, such as hour, "15 minutes", "business day" or
            month. If None, inferred from the dates.
        decimal_comma: whether numbers in a table with dates have a decimal comma, as in 1.234,5. If
            None, they do if the delimiter is a semicolon, a number has a comma, and none is written
            like 1,234.5 or 1,234,567.
        series_column: column with the name of the series that each row belongs to. In commands, for
            forecasts, and for input "series" in a table with a row per step. None for a single
            series, or a series per row.
        past_columns: past covariates: numeric columns that are known only up to the last step.
        known_columns: future covariates: numeric columns that are also known for the steps to
            forecast.
        static_columns: static covariates: columns of numbers or names that describe a series as a
            whole. In commands, for templates other than forecast, further inputs of kind "static".
        split_at: dates to split at: the start of the test split; or of validation and test; or
            these and the end of the test split. For tables with dates; None to hold out
            `validation` and `test`.
        columns: column names, for a file without a header line; * stands for all other columns,
            which are then named 1, 2 and so on.
        delimiter: field delimiter, such as ; or tab. None for the one that the file's extension
            implies, or a first line such as sep=; names.
        separator: separator between the labels within a field.
        data_dir: data directory of TensorFlow Datasets.
        resample: resample audio that has a different sample rate.
        split_column: column or array with the split of each example. Splits are "train", "val",
            "test", or any other name, to be evaluated by that name; a missing split is held out of
            the training split.
        weight_column: column or array with the weight of each example in the training loss. Weights
            are non-negative numbers; only their ratios matter. Scores count each example once.
        duplicates: what to do with inputs that occur in more than one split. If each split is a
            file or named by `split_column`, "drop" keeps them only in the split scored last.
        limit: maximum number of examples per split. None for all.
        storage: where examples are kept: in "memory"; on "disk", encoded once and reused by later
            training runs, for tables of texts whose targets are classes or texts; or "auto",
            on disk for 64 MB of data or more.
        validation: validation file, or fraction of the examples to hold out for validation; of a
            table with dates, a fraction or a number of steps. A fraction does not apply to a tfds
            data set that has such a split.
        test: test file, or fraction of the examples to hold out for testing; of a table with dates,
            a fraction or a number of steps, at the end. A fraction does not apply to a tfds data
            set that has such a split.
        sample_rate: sample rate of audio, in Hz. None for that of the first file.
        whole: read the file as one long sequence, from whose end validation and test steps are held
            out, or each line as a sequence. In an .npz file, an array of shape (time,
            features) is one series; in a table, a column of numbers is one series.
        seed: random seed for the splits.
        fold: part of the training and validation examples that is held out as the test split, such
            as 2/5. None for the splits of the data.

    Raises:
        SeqzooError: a value is out of range, or does not fit the others.
    """

    data: str
    kind: Kind
    target_kind: TargetKind = "class"
    input: str | None = None
    target: str | None = None
    further_inputs: Annotated[Mapping[str, Any], Named("further-input")] = field(
        default_factory=dict
    )
    time_column: str | None = None
    time_values: TimeValues = "timestamps"
    sentence_column: str | None = None
    date_column: str | None = None
    date_format: str | None = None
    timezone: str | None = None
    frequency: str | None = None
    decimal_comma: Annotated[bool, Named(off="decimal-point")] | None = None
    series_column: str | None = None
    past_columns: Sequence[str] | None = None
    known_columns: Sequence[str] | None = None
    static_columns: Sequence[str] | None = None
    split_at: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    delimiter: str | None = None
    separator: str = ","
    data_dir: str | None = None
    resample: bool = False
    split_column: str | None = None
    weight_column: str | None = None
    duplicates: Duplicates = "drop"
    limit: Count | None = None
    storage: Storage = "auto"
    validation: float | str = 0.1
    test: float | str = 0.1
    sample_rate: int | None = None
    whole: Annotated[bool, Named(off="lines")] = False
    seed: Annotated[
        int, NotTyped("--seed is that of the training run, and must not move examples")
    ] = 0
    fold: Annotated[str | None, NotTyped("it is set by --folds")] = None

    def __post_init__(self) -> None:
        check(self)
        if self.kind != HISTORY and self.target_kind != "next":
            check_roles(vars(self))
        for name in LISTS:
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
            ):
                raise SeqzooError(field=name, expected="a list of names", got=value)
            object.__setattr__(self, name, None if value is None else list(value))
        if self.columns and self.columns.count("*") > 1:
            expected, got = "names of columns and at most one *", ",".join(self.columns)
            raise SeqzooError(field="columns", expected=expected, got=got)
        if self.whole and self.target_kind != "next":
            raise SeqzooError(
                f"`whole` is for the target 'next', got target {self.target_kind!r}.", field="whole"
            )
        check_kinds(self.further_inputs)
        taken = self.target_kind != "next" and self.kind != HISTORY
        if self.further_inputs and not taken:
            raise SeqzooError(
                "`further_inputs` are for all targets except 'next' and forecasts, got target "
                f"{self.target_kind!r}.",
                field="further_inputs",
            )
        if self.further_inputs and self.sentence_column is not None:
            raise SeqzooError(
                "`sentence_column` is for tables with a word per row, which have no "
                f"`further_inputs`, got {', '.join(self.further_inputs)}.",
                field="sentence_column",
            )
        if self.time_column is not None and self.kind != "series":
            raise SeqzooError(
                f"`time_column` is for input 'series', got input {self.kind!r}.",
                field="time_column",
            )
        if self.sentence_column is not None and (self.kind, self.target_kind) != ("words", "tags"):
            raise SeqzooError(
                "`sentence_column` is for input 'words' and target 'tags', got input "
                f"{self.kind!r} and target {self.target_kind!r}.",
                field="sentence_column",
            )
        self._check_dates()
        hears = "audio" in (self.kind, *self.further_inputs.values())
        for name in AUDIO:
            if getattr(self, name) and not hears:
                raise SeqzooError(
                    f"`{name}` is for input 'audio', got input {self.kind!r}.", field=name
                )
        if self.time_values != "timestamps" and self.time_column is None:
            raise SeqzooError(
                "`time_values` says what `time_column` means, which is not given.",
                field="time_values",
            )
        if self.fold is not None and (self.whole or self.kind == HISTORY):
            raise SeqzooError(
                "Folds are for independent examples; for one long sequence, the last steps are "
                "held out instead.",
                field="fold",
            )
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise SeqzooError(field="delimiter", expected="one character", got=self.delimiter)
        if not self.separator:
            raise SeqzooError(
                "`separator` must be at least one character, got none.", field="separator"
            )
        for name in ("validation", "test"):
            share = getattr(self, name)
            if self.kind == HISTORY and not isinstance(share, str) and share >= 1:
                if share % 1:
                    expected = "a fraction below 1 or a whole number of steps"
                    raise SeqzooError(field=name, expected=expected, got=share)
            elif not isinstance(share, str) and not 0 <= share < 1:
                raise SeqzooError(
                    field=name, expected="a file or a fraction, at least 0 and below 1", got=share
                )
        if sum(share for share in self.shares().values() if share < 1) >= 1:
            raise SeqzooError(
                f"`validation` and `test` must leave training examples, got {self.validation} "
                f"and {self.test}.",
                field="validation",
            )

    def _check_dates(self) -> None:
        """Checks that options of tables with dates are given only for such tables.

        Raises:
            SeqzooError: one is given for a kind that it does not apply to, or the frequency is not
                valid.
        """
        for name in DATED:
            if name == SERIES and self.kind == "series":
                continue
            if getattr(self, name) is not None and self.kind != HISTORY:
                raise SeqzooError(
                    f"`{name}` is for input {HISTORY!r} (forecast), got input {self.kind!r}.",
                    field=name,
                )
        for name in UNDATED:
            if self.kind == HISTORY and getattr(self, name) != getattr(type(self), name):
                raise SeqzooError(
                    f"`{name}` is not for forecasts from tables with dates; leave it out.",
                    field=name,
                )
        if self.timezone is not None:
            from seqzoo.zoo.data.time_zones import zone_of  # imports NumPy

            zone_of(self.timezone)
        if self.frequency is not None:
            from seqzoo.tasks.data.frequency import Frequency  # imports NumPy

            Frequency.parse(self.frequency)

    @property
    def has_steps_in_rows(self) -> bool:
        """Whether the data are a table whose rows are the steps of series."""
        return self.kind == "series" and self.series_column is not None

    @property
    def suffix(self) -> str:
        """The extension that determines the format of a file."""
        return suffix_of(self.data)

    def shares(self) -> dict[str, float]:
        """The fractions to hold out for validation and testing; 0 for a split that has a file."""
        given = {"validation": self.validation, "test": self.test}
        return {name: 0.0 if isinstance(value, str) else value for name, value in given.items()}

    def to_config(self) -> dict[str, Any]:
        """The fields as JSON values: `Source(**source.to_config())` equals `source`."""
        config = asdict(self)
        for name in LISTS:
            value = getattr(self, name)
            config[name] = None if value is None else list(value)
        return config

    @classmethod
    def of_run(cls, run: Any, data: str | None = None) -> "Source":
        """The source of a run's examples.

        Args:
            run: a `seqzoo.tasks.runs.run.Run`.
            data: the data to use if the run has no source.

        Raises:
            SeqzooError: it has no source, because its examples came from Python.
        """
        if not run.source and data is None:
            raise SeqzooError(
                f"{run.folder} was trained from Python, so the location of its data is unknown; "
                "name a file with --data, or continue in Python."
            )
        known = {"data": data, **kinds_of(run.template)}
        try:
            return cls(**(run.source or known))
        except TypeError as error:
            raise SeqzooError(f"The source in {run.folder} is damaged: {error}.") from error

    def of_other_data(self, data: str) -> "Source":
        """The same source with other data, without fields that belong to the data of this one:
        separate files for validation and testing, the splits of a folder, the storage, the limit
        and the fold, the columns if the other file has a format without them, and the delimiter if
        it has another extension."""
        dropped = [name for name in ("validation", "test") if isinstance(getattr(self, name), str)]
        dropped += ["storage", "limit", "fold"]
        if self.split_column == SPLIT_COLUMN and self.is_folder():  # other folders may have none
            dropped.append("split_column")
        if not may_be_delimited(data):
            dropped.append("columns")
        delimiter = self.delimiter_of(data)
        if self.target_kind != "tags" and not delimiter and lacks_columns(data):
            dropped += ["input", "target"]
        values = {name: getattr(type(self), name) for name in dropped}
        return replace(self, data=data, delimiter=delimiter, **values)

    def delimiter_of(self, data: str) -> str | None:
        """The delimiter of another file: that of this data, if the extension of the other file is
        the same or implies no format."""
        same = suffix_of(data) == suffix_of(self.data)
        return self.delimiter if same or not has_format(data) else None

    def is_file(self) -> bool:
        """Whether `data` names a file, or a folder that is read like one; if not, it is a built-in
        or a tfds data set.

        Raises:
            SeqzooError: it does not exist, or is a pipe or a device.
        """
        data = self.data
        if data in DATASETS or data.startswith(TFDS):
            return False
        from seqzoo.zoo.data import class_folders, several_files  # they import this module

        if is_remote(data):
            return True
        if self.is_folder():
            folder = pathlib.Path(data).expanduser()
            return is_dataset(folder) or class_folders.has_class_folders(folder)
        if several_files.is_pattern(data):
            several_files.files_of(data)
            return True
        path = pathlib.Path(data).expanduser()
        check_regular(path)
        if path.exists():
            return True
        if suffix_of(data) in SUFFIXES or "/" in data:
            raise SeqzooError(f"There is no file {data}.")
        raise SeqzooError(
            f"`data` must be one of {', '.join(DATASETS)}, {TFDS}NAME or a file that ends in one "
            f"of {', '.join(SUFFIXES)}, got {data!r}{nearest(data, DATASETS)}",
            field="data",
        )

    def is_folder(self) -> bool:
        """Whether `data` names a folder."""
        data = self.data
        return bool(data) and data not in DATASETS and pathlib.Path(data).expanduser().is_dir()

    def absolute(self) -> "Source":
        """The same source with absolute paths."""

        from seqzoo.zoo.data import several_files

        def resolved(path: Any) -> Any:
            # Links are not resolved: a link's own extension may determine the format.
            if not isinstance(path, str) or is_remote(path):
                return path
            expanded = os.path.expanduser(path)
            if several_files.is_pattern(path) and not os.path.isabs(expanded):
                # The current folder may have brackets in its name.
                return os.path.join(glob.escape(os.getcwd()), expanded)
            return os.path.abspath(expanded)

        return replace(
            self,
            data=resolved(self.data) if self.is_file() or self.is_folder() else self.data,
            validation=resolved(self.validation),
            test=resolved(self.test),
            data_dir=resolved(self.data_dir),
        )
