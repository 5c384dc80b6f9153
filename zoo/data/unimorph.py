"""Files of inflected forms, as UniMorph and the SIGMORPHON shared tasks publish them:

    lemma TAB form TAB features        absetzen    setzten ab    V;PST;1;PL
    lemma TAB features TAB form        absetzen    pos=V,tense=PST,per=1,num=PL    setzten ab

The second order is that of 2016, and is recognised by the position of the features. There is no
header line. An input is the lemma, a space and the features, which are separated by semicolons.

A fourth column, the segmentation of the form ("walk|ed", or "-" for none), as in the segmented
files of UniMorph 4.0 (Batsuren et al. 2022), is ignored. The features of such files may also be
separated by vertical bars ("V|PST").
"""

import itertools
import pathlib
import re
from collections.abc import Iterator, Sequence

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.formats import LEMMA_COLUMNS
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

ORDER_OF_2016 = ("lemma", "features", "form")
"""The columns of a file in the order of the SIGMORPHON 2016 shared task."""

PROBED = 1000
"""Number of lines from whose fields the order of the columns is inferred."""

SEVERAL_FEATURES = re.compile(r"[^\s;=]+(;[^\s;=]+)+|[^\s;,=]+=[^\s;=]*")
"""Several features, "V;PST", or features with names, "pos=V,tense=PST"."""

SEGMENTATION_IGNORED = "The fourth column, the segmentation of the forms, is ignored."


def read(path: pathlib.Path, request: Request) -> Records:
    """The non-empty lines of a file, which may lack the form unless it is needed.

    Raises:
        SeqzooError: it cannot be read or is empty, another column is requested, or the order of the
            columns is ambiguous.
    """
    refuse_columns(path, request)
    file = TextFile(path, strict=request.strict)
    lines = itertools.islice(file.newline_delimited(), PROBED)
    rows = [line.split("\t") for line in lines]
    order = _order(path, rows, request.source.columns)
    columns = {INPUT: "lemma, features", TARGET: "form"}
    columns = {role: columns[role] for role in request.roles}
    notes = (SEGMENTATION_IGNORED,) if any(map(_is_segmented, rows)) else ()
    records = _records(file, request, order)
    return Records(str(path), records, columns=columns, names=order, notes=notes)


def _order(
    path: pathlib.Path, rows: Sequence[list[str]], given: Sequence[str] | None
) -> tuple[str, ...]:
    """The order of the columns: the given one, or the one that fits more lines, judged by the field
    that has several features.

    Raises:
        SeqzooError: both orders fit the same number of lines, at least one.
    """
    if given:
        return tuple(given)
    rows = [row for row in rows if len(row) == len(LEMMA_COLUMNS) or _is_segmented(row)]
    counts = [sum(bool(SEVERAL_FEATURES.match(row[at].strip())) for row in rows) for at in (1, 2)]
    if counts[0] == counts[1] > 0:
        raise SeqzooError(
            f"The order of the columns of {path} is ambiguous: fields 2 and 3 each look like "
            f"features in {counts[0]:,} line{'s' * (counts[0] > 1)}; "
            f"set it with --columns {','.join(LEMMA_COLUMNS)}.",
            field="columns",
        )
    return ORDER_OF_2016 if counts[0] > counts[1] else LEMMA_COLUMNS


def _records(file: TextFile, request: Request, order: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(file.newline_delimited(), 1):
        if not line.strip():
            continue
        fields = line.split("\t")
        segmented = _is_segmented(fields)
        if segmented:
            fields.pop()
        if TARGET not in request.roles and len(fields) == 2:
            fields.insert(order.index("form"), "")
        error = "" if request.strict else undecoded(line)
        if not error:
            error = _fault(fields, order, needs_form=TARGET in request.roles)
        if error:
            yield Record(number, {}, error)
        else:
            lemma, form, features = (fields[order.index(name)] for name in LEMMA_COLUMNS)
            features = features.strip()
            if "=" in features:
                features = features.replace(",", ";")
            if segmented:
                features = features.replace("|", ";")
            yield Record(number, {INPUT: f"{lemma} {features}", TARGET: form})


def _is_segmented(fields: Sequence[str]) -> bool:
    """Whether a line has a fourth field that segments its form: morphs separated by vertical bars;
    the form or the lemma itself, if it is a single morph; or nothing or "-", if it is unknown."""
    if len(fields) != len(LEMMA_COLUMNS) + 1:
        return False
    *others, segmentation = (field.strip() for field in fields)
    several = "|" in segmentation and all(segmentation.split("|"))
    return several or segmentation in ("", "-", *others)


def _fault(fields: list[str], order: Sequence[str], *, needs_form: bool) -> str:
    """What is wrong with the fields of a line; empty if nothing is."""
    if len(fields) == len(LEMMA_COLUMNS) + 1:
        return (
            f"has {fields[-1]!r} as its fourth field, expected the segmentation of the form, such "
            "as 'walk|ed'"
        )
    if len(fields) != len(LEMMA_COLUMNS):
        count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        listed = ", ".join(order)
        return f"has {count} separated by tabs, expected {len(LEMMA_COLUMNS)} ({listed})"
    lemma, form, features = (fields[order.index(name)].strip() for name in LEMMA_COLUMNS)
    if not lemma or not features or (needs_form and not form):
        name = "lemma" if not lemma else "features" if not features else "form"
        return f"has no {name}"
    if " " in features:
        return f"has features {features!r} that contain a space, expected names separated by ';'"
    return ""
