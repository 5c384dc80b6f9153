"""The file formats that examples are read from; the name of a file determines its format.

A new format is a module with a function `read(path, request) -> Records` (see `records`) and a line
in `FORMATS`; training, `evaluate` and `predict` then read it.
"""

import pathlib
import pkgutil
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from seqzoo.tasks.errors import SeqzooError, check_regular
from seqzoo.zoo.data.hugging_face import is_dataset

if TYPE_CHECKING:
    from seqzoo.zoo.data.records import Records, Request
    from seqzoo.zoo.data.source import Source


class Format(NamedTuple):
    """A file format.

    Attributes:
        suffixes: extensions; each may be followed by .gz, except for .npz. Empty for
            formats that no extension determines.
        location: "module:function" of its reader.
        summary: a one-line description of a file's contents.
    """

    suffixes: tuple[str, ...]
    location: str
    summary: str


FORMATS = {
    "csv": Format(
        (".csv",), "seqzoo.zoo.data.delimited:read", "Comma-separated fields (RFC 4180)."
    ),
    "tsv": Format((".tsv", ".tab"), "seqzoo.zoo.data.delimited:read", "Tab-separated fields."),
    "json lines": Format(
        (".jsonl", ".ndjson"), "seqzoo.zoo.data.json_lines:read", "One JSON object per line."
    ),
    "parquet": Format((".parquet",), "seqzoo.zoo.data.parquet:read", "Columns of typed values."),
    "arrow": Format(
        (".arrow", ".feather"),
        "seqzoo.zoo.data.arrow:read",
        "Columns of typed values, or a folder written by Hugging Face's `datasets` library.",
    ),
    "text": Format(
        (".txt",),
        "seqzoo.zoo.data.text_lines:read",
        "One text per line, or the whole file as one text.",
    ),
    "npz": Format((".npz",), "seqzoo.zoo.data.npz:read", "NumPy arrays of numbers or text."),
    "conll": Format(
        (".conll", ".conllu", ".conllup", ".bio", ".iob", ".iob2"),
        "seqzoo.zoo.data.conll:read",
        "A word with its tag per line, an empty line between sentences.",
    ),
    "unimorph": Format(
        (),
        "seqzoo.zoo.data.unimorph:read",
        "Lemma, inflected form and features per line, for the input 'lemma'.",
    ),
    "class folders": Format(
        (),
        "seqzoo.zoo.data.class_folders:read",
        "Images, recordings or texts, with a folder per class.",
    ),
}
"""The formats by name."""

TABLES = ("csv", "tsv", "json lines", "parquet", "arrow")
"""Formats with named columns and a record per row."""

LEMMA_COLUMNS = ("lemma", "form", "features")
"""The columns of a file of inflected forms, in UniMorph's order."""

DELIMITED = ("csv", "tsv", "unimorph")
"""Formats whose lines are divided by a delimiter, with or without a header line."""

JOINED = (*TABLES, "text", "conll", "unimorph")
"""Formats whose files can be read together, as one."""

SUFFIXES = tuple(suffix for value in FORMATS.values() for suffix in value.suffixes)

TAGGED_SPLITS = (".train", ".testa", ".testb")
"""Extensions of splits of words with tags, which other texts may have, too."""

ADVICE = {
    (".mat",): "save its arrays with `numpy.savez`, in an .npz file (`scipy.io.loadmat` reads it)",
    (".npy", ".h5", ".hdf5", ".pkl", ".pickle", ".pt"): (
        "save its arrays with `numpy.savez`, in an .npz file"
    ),
    (".xls", ".xlsx", ".ods"): "save it as .csv or .tsv",
    (".orc", ".avro"): "save it as .parquet",
    (".json",): "rename it to .jsonl if it has one object per line, or write it so",
    (".ts", ".arff"): "save its series with `numpy.savez`, in an .npz file",
    (".fasta", ".fa"): "save it as a table with a column of names and one of sequences",
    (".tmx",): "save it as a table with a column per language",
    TAGGED_SPLITS: "rename it to .conll if it has one word per line",
    (".wav", ".flac", ".ogg", ".mp3"): "name a table with a column of paths to such files",
    (".png", ".jpg", ".jpeg", ".bmp", ".gif"): "name a table with a column of paths to such files",
    (".zip", ".tar", ".bz2", ".xz"): "unpack it",
}
"""Advice for files that cannot be read, by extension."""


def suffix_of(path: str) -> str:
    """The extension that determines a file's format: ".csv" for "a.csv.gz"."""
    return pathlib.Path(path.lower().removesuffix(".gz")).suffix


def reads_lemmas(source: "Source") -> bool:
    """Whether a source is read as lemmas with features: its columns are not named, or have the
    names of `LEMMA_COLUMNS`, in any order."""
    kind = getattr(source, "kind", None)  # a request for all columns of a table may have no kind
    ordered = sorted(source.columns or LEMMA_COLUMNS) == sorted(LEMMA_COLUMNS)
    return kind == "lemma" and source.input is None and ordered


def format_of(
    path: str, *, delimiter: str | None = None, tagged: bool = False, lemmas: bool = False
) -> str:
    """The name of a file's format in `FORMATS`.

    Args:
        path: the path of the file or the folder, or a pattern of files.
        delimiter: the delimiter of its fields, if one is given; tables may then have any extension.
        tagged: whether to read words with tags, so that a .txt file is CoNLL.
        lemmas: whether to read lemmas with features (see `reads_lemmas`), so that a .tsv or .txt
            file, or one with an unknown extension or none, is UniMorph.

    Raises:
        SeqzooError: its name has no extension, or that of a format that cannot be read.
    """
    from seqzoo.zoo.data import several_files

    if several_files.is_pattern(path):
        path = str(several_files.files_of(path)[0])
    if pathlib.Path(path).is_dir():
        return "arrow" if is_dataset(pathlib.Path(path)) else "class folders"
    suffix = suffix_of(path)
    result = _implied(path)
    needs_conversion = suffix not in TAGGED_SPLITS and any(suffix in endings for endings in ADVICE)
    if lemmas and not delimiter and not needs_conversion and result in (None, "tsv", "text"):
        return "unimorph"
    if delimiter and result in (None, "tsv", "text"):
        return "csv"
    if result == "text" and tagged:
        return "conll"
    if result is None:
        advice = next((text for endings, text in ADVICE.items() if suffix in endings), None)
        advice = f"; {advice}." if advice else " (or set its delimiter with --delimiter)."
        raise SeqzooError(f"{path} must end in one of {', '.join(SUFFIXES)}{advice}")
    return result


def has_format(path: str) -> bool:
    """Whether the extension of a file implies its format."""
    return _implied(path) is not None


def may_be_delimited(path: str) -> bool:
    """Whether a file may have a delimiter and columns without names, by its extension."""
    return _implied(path) in (None, "text", *DELIMITED)


def lacks_columns(path: str) -> bool:
    """Whether the data at a path are plain text, or in a folder per class."""
    from seqzoo.zoo.data.class_folders import has_class_folders

    folder = pathlib.Path(path)
    return has_class_folders(folder) if folder.is_dir() else _implied(path) == "text"


def _implied(path: str) -> str | None:
    """The name of the format that the extension of a file implies; None for other extensions."""
    suffix = suffix_of(path)
    return next((name for name, value in FORMATS.items() if suffix in value.suffixes), None)


def check_delimited(path: str, source: "Source") -> None:
    """Checks that column names and a delimiter are given only for a file that can use them.

    Args:
        path: the path of the file or the folder, or a pattern of files.
        source: the source, with the options.

    Raises:
        SeqzooError: an option would have no effect.
    """
    for field in ("columns", "delimiter"):
        if not getattr(source, field):
            continue
        name = format_of(path, delimiter=source.delimiter, lemmas=reads_lemmas(source))
        if name not in DELIMITED:
            raise SeqzooError(
                f"`{field}` is for .csv and .tsv files, got {path}; leave it out.", field=field
            )


def format_of_request(path: str, request: "Request") -> str:
    """The name of the format in which `read` reads a file."""
    source = request.source
    tagged = source.target_kind == "tags" and "target" in request.roles
    return format_of(path, delimiter=source.delimiter, tagged=tagged, lemmas=reads_lemmas(source))


def read(path: pathlib.Path, request: "Request") -> "Records":
    """Reads the records of a file, or of all files that match a pattern, with the reader of the
    format; rows of single words become sentences, rows of single steps series, and columns of steps
    the series of their rows.

    Raises:
        SeqzooError: it cannot be read, is a pipe and not text, lacks a column, or (if the request
            is strict) is malformed.
    """
    from seqzoo.zoo.data import several_files

    source, name = request.source, format_of_request(str(path), request)
    if name != "text":
        check_regular(path)
    if name in TABLES and "input" in request.roles:
        from seqzoo.zoo.data import wide_rows

        if wide_rows.is_wide(source) and request.name("input") == source.input:
            names = read(path, replace(request, roles=())).names
            if source.input not in names:
                steps = wide_rows.request_of(path, request, names)
                return wide_rows.joined_steps(read(path, steps), str(source.input))
    in_rows = "series_column" in request.roles and source.has_steps_in_rows
    if in_rows and name not in TABLES:
        raise SeqzooError(f"`series_column` is for tables, got {path}.", field="series_column")
    by_word = "sentence_column" in request.roles and source.sentence_column is not None
    if by_word and name not in TABLES:
        raise SeqzooError(f"`sentence_column` is for tables, got {path}.", field="sentence_column")
    read_format = pkgutil.resolve_name(FORMATS[name].location)
    if several_files.is_pattern(str(path)):
        if name not in JOINED:
            raise SeqzooError(
                f"A pattern must match files in one of the formats {', '.join(JOINED)}, got "
                f"{path}; name a single file.",
                field="data",
            )
        records = several_files.read(str(path), request, read_format)
    else:
        records = read_format(path, request)
    if in_rows:
        from seqzoo.zoo.data.series_rows import joined_series

        return joined_series(records, source.target_kind, strict=request.strict)
    if not by_word:
        if name in TABLES and "target" in request.roles:
            if (source.kind, source.target_kind) == ("words", "tags"):
                from seqzoo.zoo.data.spans import with_tags

                return with_tags(records, strict=request.strict)
        return records
    from seqzoo.zoo.data.word_rows import sentences

    return sentences(records, strict=request.strict)
