"""Files of inflected forms, as UniMorph and the SIGMORPHON shared tasks have them:

    lemma TAB form TAB features        absetzen    setzten ab    V;PST;1;PL

There is no line of column names. An input is the lemma, a space and the features.
"""

import pathlib
from collections.abc import Iterator

from seqzoo.zoo.data.records import (
    INPUT,
    TARGET,
    Record,
    Records,
    Request,
    TextFile,
    refuse_columns,
    undecoded,
)

COLUMNS = ("lemma", "form", "features")


def read(path: pathlib.Path, request: Request) -> Records:
    """The lines of a file that are not empty; where no forms are needed, they may be left out.

    Raises:
        SeqzooError: it cannot be read, is empty, or another column is needed.
    """
    refuse_columns(path, request)
    file = TextFile(path, strict=request.strict)
    columns = {INPUT: "lemma, features", TARGET: "form"}
    columns = {role: columns[role] for role in request.roles}
    return Records(str(path), _records(file, request), columns=columns, names=COLUMNS)


def _records(file: TextFile, request: Request) -> Iterator[Record]:
    for number, line in enumerate(file.fed_lines(), 1):
        if not line.strip():
            continue
        fields = line.split("\t")
        if TARGET not in request.roles and len(fields) == 2:
            fields.insert(1, "")
        error = "" if request.strict else undecoded(line)
        if not error:
            error = _fault(fields, needs_form=TARGET in request.roles)
        if error:
            yield Record(number, {}, error)
        else:
            lemma, form, features = fields
            yield Record(number, {INPUT: f"{lemma} {features.strip()}", TARGET: form})


def _fault(fields: list[str], *, needs_form: bool) -> str:
    """The fault of the fields of a line; empty if there is none."""
    if len(fields) != len(COLUMNS):
        count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        listed = ", ".join(COLUMNS)
        return f"has {count} separated by tabs, expected {len(COLUMNS)} ({listed})"
    lemma, form, features = (field.strip() for field in fields)
    if not lemma or not features or (needs_form and not form):
        name = "lemma" if not lemma else "features" if not features else "form"
        return f"has no {name}"
    if " " in features:
        return f"has features {features!r} that contain a space, expected names separated by ';'"
    return ""
