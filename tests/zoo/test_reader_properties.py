"""Any text in a table or a CoNLL file is read back as it was written."""

import csv
import gzip
import io
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from table_cases import read_table

from seqzoo.zoo.data.conll import CONLLU, read_conll

TRICKY = "\"',;|\t #\\\n\r\0\x0b\x0c\x1c\x85\u2028\u2029\ufeff\xa0é\u0301日😀"
few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    # `tmp_path` is shared by all draws, each of which rewrites its file.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
characters = st.one_of(
    st.sampled_from(TRICKY), st.sampled_from("ab1"), st.characters(exclude_categories=["Cs"])
)


def texts(without: str = "", **sizes: int) -> st.SearchStrategy[str]:
    """Any text, rich in what readers stumble over."""
    return st.text(characters.filter(lambda item: item not in without), max_size=8, **sizes)


def tables(field: st.SearchStrategy, *, min_rows: int = 2) -> st.SearchStrategy:
    """Names of columns, and rows of as many fields."""
    name = st.text("abcé日_", min_size=1, max_size=4)
    names = st.lists(name, min_size=min_rows, max_size=3, unique=True)
    return names.flatmap(
        lambda item: st.tuples(
            st.just(item),
            st.lists(
                st.lists(field, min_size=len(item), max_size=len(item)), min_size=1, max_size=4
            ),
        )
    )


def delimited(names: list, rows: list, **dialect: Any) -> tuple[str, list[int]]:
    """The text of a file, and the line that each row begins at."""
    file, lines = io.StringIO(newline=""), []
    writer = csv.writer(file, **dialect)
    writer.writerow(names)
    for row in rows:
        lines.append(1 + file.getvalue().count("\n"))
        writer.writerow(row)
    return file.getvalue(), lines


def save(path: pathlib.Path, text: str, packed: bool, mark: bool = False) -> None:
    data = text.encode("utf-8-sig" if mark else "utf-8")
    path.write_bytes(gzip.compress(data) if packed else data)


def check(path: pathlib.Path, names: list, rows: list, lines: list | None = None, **how) -> None:
    """The file contains these columns and rows."""
    table = read_table(path, **how)
    assert list(table.names) == names
    assert [[row[name] for name in names] for row in table.rows] == rows
    assert lines is None or table.lines == lines


@few
@given(
    tables(texts()),
    # Where a line feed ends the lines, Python 3.11 leaves a carriage return without quotes.
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
    st.sampled_from([",", ";", "|"]),
    st.booleans(),
    st.booleans(),
)
def test_csv(tmp_path, table, style, delimiter, packed, mark) -> None:
    end, quoting = style
    dialect = {"delimiter": delimiter, "quoting": quoting, "lineterminator": end}
    text, lines = delimited(*table, **dialect)
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    save(path, text, packed, mark)
    check(path, table[0], table[1], lines, delimiter=None if delimiter == "," else delimiter)


@few
@given(tables(texts(without="\t\n\r")), st.sampled_from(["\r\n", "\n"]), st.booleans())
def test_tsv(tmp_path, table, end, mark) -> None:
    names, rows = table
    text = "".join("\t".join(row) + end for row in [names, *rows])
    save(tmp_path / "t.tsv", text, packed=False, mark=mark)
    check(tmp_path / "t.tsv", names, rows, list(range(2, 2 + len(rows))))


@few
@given(tables(texts()))
def test_tsv_in_quotes(tmp_path, table) -> None:
    text, lines = delimited(*table, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n")
    save(tmp_path / "t.tsv", text, packed=False)
    check(tmp_path / "t.tsv", table[0], table[1], lines)


@few
@given(
    tables(
        st.one_of(texts(), st.integers(), st.booleans(), st.none(), st.lists(texts())), min_rows=1
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_json_lines(tmp_path, table, ascii_only, packed, mark) -> None:
    names, rows = table
    records = [dict(zip(names, row, strict=True)) for row in rows]
    text = "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)
    path = tmp_path / ("t.jsonl.gz" if packed else "t.jsonl")
    save(path, text, packed, mark)
    check(path, names, rows, list(range(1, 1 + len(rows))))


@few
@given(tables(st.one_of(texts(), st.none()), min_rows=1), st.integers(0, 2), st.booleans())
def test_parquet(tmp_path, table, group, dictionary) -> None:
    names, rows = table
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.Table.from_arrays(columns, names=names),
        path,
        row_group_size=group or None,
        use_dictionary=dictionary,
    )
    check(path, names, rows, list(range(1, 1 + len(rows))))


def sentences(word: st.SearchStrategy[str]) -> st.SearchStrategy:
    """Sentences of words with tags, at least one of which begins with no "#"."""
    kept_word = word.filter(lambda word: word != "-DOCSTART-")
    rows = st.lists(
        st.lists(st.tuples(kept_word, word), min_size=1, max_size=4), min_size=1, max_size=4
    )
    return rows.filter(lambda rows: any(row[0][0] != "#" for part in rows for row in part))


def conll(rows: list, line: Callable[[int, str, str], str], gap: str, end: str) -> tuple:
    """The text of a file, and the line that each sentence begins at."""
    parts, lines = [], []
    for sentence in rows:
        lines.append(1 + len(parts))
        parts += [line(number, *row) for number, row in enumerate(sentence, 1)] + [gap]
    return "".join(part + end for part in parts), lines


def check_sentences(path: pathlib.Path, rows: list, lines: list) -> None:
    result = read_conll(path)
    assert result.sentences == [tuple(word for word, _ in part) for part in rows]
    assert result.tags == [tuple(tag for _, tag in part) for part in rows]
    assert result.lines == lines


word = texts(without="\t\n\r", min_size=1).map(lambda item: item.strip(" ")).filter(bool)


@few
@given(sentences(word), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_conll_with_tabs(tmp_path, rows, end, mark) -> None:
    text, lines = conll(rows, lambda _, word, tag: f"{word}\t{tag}", "", end)
    assume(not text.startswith("\ufeff"))
    save(tmp_path / "t.conll", text, packed=False, mark=mark)
    check_sentences(tmp_path / "t.conll", rows, lines)


@few
@given(sentences(texts(without="\t\n\r ", min_size=1)), st.sampled_from([" ", "   "]))
def test_conll_with_spaces(tmp_path, rows, gap) -> None:
    text, lines = conll(rows, lambda _, word, tag: f"{word}{gap}{tag}", gap, "\n")
    assume(not text.startswith("\ufeff"))
    save(tmp_path / "t.txt", text, packed=False)
    check_sentences(tmp_path / "t.txt", rows, lines)


@few
@given(sentences(word), st.booleans())
def test_conllu(tmp_path, rows, packed) -> None:
    def line(number: int, word: str, tag: str) -> str:
        fields = {"id": str(number), "form": word, "upos": tag}
        return "\t".join(fields.get(name, "_") for name in CONLLU)

    text, lines = conll(rows, line, "", "\n")
    path = tmp_path / ("t.conllu.gz" if packed else "t.conllu")
    save(path, text, packed)
    check_sentences(path, rows, lines)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spaces_in_front_of_fields_are_kept_beside_quoted_ones(tmp_path, end) -> None:
    """Text that looks like a space between a delimiter and a quote, inside of quotes."""
    names, rows = ["a", "b"], [[' "x"', 'y, "z"'], [" w", "v"]]
    text, lines = delimited(names, rows, lineterminator=end)
    save(tmp_path / "t.csv", text, packed=False)
    check(tmp_path / "t.csv", names, rows, lines)
