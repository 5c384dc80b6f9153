"""Where examples come from: an embedded or a tfds data set, or a file; plain data."""

import pathlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.kinds import inputs_of, targets_of
from seqzoo.tasks.settings import choose
from seqzoo.zoo.datasets import DATASETS

if TYPE_CHECKING:
    Kind = TargetKind = str
else:
    Kind, TargetKind = inputs_of(), targets_of()

Duplicates = Literal["drop", "keep"]

TFDS = "tfds:"
DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
PLAIN_TEXT = ".txt"
CONLL = (".conll", ".conllu", ".bio", ".iob", ".iob2")
ARRAYS = ".npz"
SUFFIXES = (*DELIMITERS, *JSON_LINES, PARQUET, PLAIN_TEXT, ARRAYS, *CONLL)


@dataclass(frozen=True)
class Source:
    """Describes examples, so that they can be opened again; plain data, so that a run can store it.

    Attributes:
        data: an embedded data set ("languages"), "tfds:NAME", a folder that tfds prepared or can
            read, or the path of a .csv, .tsv, .jsonl or .parquet file, or of an .npz file of
            arrays; for tags also .conll or .conllu, for the target "next" also .txt.
        kind: the type of the inputs; `input` of the template.
        target_kind: the type of the targets; `target` of the template.
        input: the column, array or feature of the inputs; None to guess it (not in tables).
        target: the column, array or feature of the targets; None to guess it (not in tables).
        columns: the names of a file's columns, if it has no line that names them.
        delimiter: the separator of a file's fields, if it differs from the one for its name.
        separator: the separator of several labels in one field.
        validation: the share to hold out for validation, or a separate file. A share has no effect
            on a tfds data set that has such a split.
        test: the same for testing.
        split_column: the column or array of a file that names the split of each example: "train",
            "val" or "test", or another one, to be evaluated by name. A missing split is held out
            by its share.
        duplicates: whether inputs that occur in several splits are dropped from those that are
            evaluated earlier, or kept.
        seed: random seed of the shares.
        data_dir: the folder of prepared tfds data sets.
        limit: maximum number of examples per split; None for all.
        whole: whether a plain text is a single sequence, whose end is held out, instead of one per
            line; for an .npz file, whether an array (time, features) is a single series; for a
            table, whether a column of numbers is a single series.
        sample_rate: sample rate of audio, per second; None for that of the first file.
        resample: whether to convert audio with other sample rates to this one.

    Raises:
        SeqzooError: a value is out of its range.
    """

    data: str
    kind: str
    target_kind: str = "class"
    input: str | None = None
    target: str | None = None
    columns: Sequence[str] | None = None
    delimiter: str | None = None
    separator: str = ","
    validation: float | str = 0.1
    test: float | str = 0.1
    split_column: str | None = None
    duplicates: Duplicates = "drop"
    seed: int = 0
    data_dir: str | None = None
    limit: int | None = None
    whole: bool = False
    sample_rate: int | None = None
    resample: bool = False

    def __post_init__(self) -> None:
        choose("kind", self.kind, Kind)
        choose("target_kind", self.target_kind, TargetKind)
        choose("duplicates", self.duplicates, Duplicates)
        if self.whole and self.target_kind != "next":
            raise SeqzooError(
                f"`whole` is for what is next, got target {self.target_kind!r}.", field="whole"
            )
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise SeqzooError(field="delimiter", expected="one character", got=self.delimiter)
        if not self.separator:
            raise SeqzooError(
                "`separator` must be at least one character, got none.", field="separator"
            )
        if self.limit is not None and self.limit < 1:
            raise SeqzooError(field="limit", expected="at least 1", got=self.limit)
        for name in ("validation", "test"):
            share = getattr(self, name)
            if not isinstance(share, str) and not 0 <= share < 1:
                raise SeqzooError(
                    field=name, expected="a file or a share of at least 0 and below 1", got=share
                )
        if sum(self.shares().values()) >= 1:
            raise SeqzooError(
                f"`validation` and `test` must leave something to train on, got {self.validation} "
                f"and {self.test}.",
                field="validation",
            )

    @property
    def suffix(self) -> str:
        """The extension of a file that says its format."""
        return suffix_of(self.data)

    def shares(self) -> dict[str, float]:
        """The shares held out for validation and testing; 0 if they have a file."""
        given = {"validation": self.validation, "test": self.test}
        return {name: 0.0 if isinstance(own, str) else own for name, own in given.items()}

    def to_config(self) -> dict[str, Any]:
        """All of it as JSON can hold it: `Source(**source.to_config())` equals `source`."""
        config = asdict(self)
        config["columns"] = None if self.columns is None else list(self.columns)
        return config

    @classmethod
    def of_run(cls, run: Any, data: str | None = None) -> "Source":
        """Where the examples of a run come from.

        Args:
            run: a `seqzoo.tasks.runs.run.Run`.
            data: for a run that does not know.

        Raises:
            SeqzooError: it does not know, because Python handed it its examples.
        """
        if not run.source and data is None:
            raise SeqzooError(
                f"{run.folder} was trained from Python and does not know where its data lie; name "
                "a file by --data, or go on in Python."
            )
        known = {"data": data, "kind": run.template.input, "target_kind": run.template.target}
        try:
            return cls(**(run.source or known))
        except TypeError as error:
            raise SeqzooError(f"The source in {run.folder} is damaged: {error}.") from error

    def is_file(self) -> bool:
        """Whether `data` names a file; if not, it is an embedded or a tfds data set.

        Raises:
            SeqzooError: it does not exist.
        """
        data = self.data
        if data in DATASETS or data.startswith(TFDS) or self.is_folder():
            return False
        if pathlib.Path(data).expanduser().exists():
            return True
        if suffix_of(data) in SUFFIXES or "/" in data:
            raise SeqzooError(f"There is no file {data}.")
        raise SeqzooError(
            f"`data` must be one of {', '.join(DATASETS)}, {TFDS}NAME or a file that ends in one "
            f"of {', '.join(SUFFIXES)}, got {data!r}{nearest(data, DATASETS)}",
            field="data",
        )

    def is_folder(self) -> bool:
        """Whether `data` names a folder, which tfds reads."""
        data = self.data
        return bool(data) and data not in DATASETS and pathlib.Path(data).expanduser().is_dir()

    def absolute(self) -> "Source":
        """The same source with paths that hold from any folder."""

        def resolved(path: Any) -> Any:
            return str(pathlib.Path(path).expanduser().resolve()) if isinstance(path, str) else path

        return replace(
            self,
            data=resolved(self.data) if self.is_file() or self.is_folder() else self.data,
            validation=resolved(self.validation),
            test=resolved(self.test),
            data_dir=resolved(self.data_dir),
        )


def suffix_of(path: str) -> str:
    """The extension of a file that says its format: that of "a.csv.gz" is ".csv"."""
    return pathlib.Path(path.lower().removesuffix(".gz")).suffix
