"""The data sets of Python's own source: which files, which classes, which pieces."""

import ast
import io
import itertools
import keyword
import pathlib
import sysconfig
import tokenize

import pytest

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo import datasets
from seqzoo.zoo.datasets import python_library as library
from seqzoo.zoo.datasets import python_syntax as syntax

LIBRARY = pathlib.Path(sysconfig.get_path("stdlib"))
FILES = ("json/decoder.py", "dataclasses.py", "enum.py", "textwrap.py", "asyncio/locks.py")

SOURCE = '''\
@app.route("/x", type=1)
async def print(self, id=0x1F, *rest):  # what it does
    """Says
    it."""
    m = a @ b if not self.id else len(rest[:-1]) ** 2.5e3
    return f"{m!r:>{self.w}} {'ü'}" rb'\\n' "c" \\
        + None

class int(str): x = "no docstring"
match = ...
'''


def spans(text: str, classes: list[str]) -> list[tuple[str, str]]:
    """The pieces of a text that are of one class, spaces left out."""
    grouped = itertools.groupby(zip(text, classes, strict=True), key=lambda pair: pair[1])
    results = [(name, "".join(character for character, _ in group)) for name, group in grouped]
    return [(name, piece) for name, piece in results if name != "space"]


def test_every_class_in_one_source() -> None:
    classes, ends = syntax.highlight(SOURCE)
    assert spans(SOURCE, classes) == [
        ("decorator", "@app.route"), ("operator", "("), ("string", '"/x"'), ("operator", ","),
        ("name", "type"), ("operator", "="), ("number", "1"), ("operator", ")"),
        ("keyword", "async"), ("keyword", "def"), ("function", "print"), ("operator", "("),
        ("name", "self"), ("operator", ","), ("name", "id"), ("operator", "="),
        ("number", "0x1F"), ("operator", ","), ("operator", "*"), ("name", "rest"),
        ("operator", "):"), ("comment", "# what it does"),
        ("docstring", '"""Says\n    it."""'),
        ("name", "m"), ("operator", "="), ("name", "a"), ("operator", "@"), ("name", "b"),
        ("keyword", "if"), ("keyword", "not"), ("name", "self"), ("operator", "."),
        ("name", "id"), ("keyword", "else"), ("builtin", "len"), ("operator", "("),
        ("name", "rest"), ("operator", "[:-"), ("number", "1"), ("operator", "])"),
        ("operator", "**"), ("number", "2.5e3"),
        ("keyword", "return"), ("string", "f\"{m!r:>{self.w}} {'ü'}\""), ("string", "rb'\\n'"),
        ("string", '"c"'), ("operator", "+"), ("keyword", "None"),
        ("keyword", "class"), ("class", "int"), ("operator", "("), ("builtin", "str"),
        ("operator", "):"), ("name", "x"), ("operator", "="), ("string", '"no docstring"'),
        ("name", "match"), ("operator", "="), ("operator", "..."),
    ]  # fmt: skip
    # The lines on which a statement, a comment or a blank line ends.
    assert [SOURCE[:end].count("\n") for end in ends] == [1, 2, 4, 5, 7, 8, 9, 10]


@pytest.mark.parametrize("source", ["x = (1,\n", "'''open\n", "def f():\n    x\n  y\n"])
def test_text_that_is_not_python_is_a_syntax_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        syntax.highlight(source)


@pytest.mark.parametrize(
    "source", ["", "\n", "x", "# end", "x = 1  # é", "\tif", "\x0c\nx = 'ü'\n"]
)
def test_sources_without_a_last_line_end(source: str) -> None:
    classes, ends = syntax.highlight(source.lstrip("\t"))
    assert len(classes) == len(source.lstrip("\t"))
    assert all(0 <= end <= len(source) for end in ends)


@pytest.mark.parametrize("file", FILES)
def test_classes_agree_with_the_syntax_tree(file: str) -> None:
    text = (LIBRARY / file).read_text(encoding="utf-8")
    classes, _ = syntax.highlight(text)
    result = spans(text, classes)
    nodes = sorted(
        (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)),
        key=lambda node: (node.lineno, node.col_offset),
    )
    functions = [n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert sorted(piece for name, piece in result if name == "function") == sorted(functions)
    named = sorted(n.name for n in nodes if isinstance(n, ast.ClassDef))
    assert sorted(piece for name, piece in result if name == "class") == named
    docstrings = [
        node.value.value
        for node in nodes
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    assert [ast.literal_eval(p) for name, p in result if name == "docstring"] == docstrings
    comments = [
        item.string
        for item in tokenize.generate_tokens(io.StringIO(text).readline)
        if item.type == tokenize.COMMENT
    ]
    assert [piece for name, piece in result if name == "comment"] == comments
    assert {piece for name, piece in result if name == "keyword"} <= set(keyword.kwlist)


def write(folder: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_sources_leave_out_tests_tables_and_files_that_are_not_text(tmp_path) -> None:
    kept = {
        "b.py": b"b = 1\r\n",
        "a/__init__.py": b"# coding: latin-1\na = '\xfc'\n",
        "a/testing.py": b"x\n",
    }
    out = {
        "a/test/test_a.py": b"x\n",
        "tests/c.py": b"x\n",
        "site-packages/d.py": b"x\n",
        "encodings/cp037.py": b"x\n",
        "_sysconfigdata__linux_.py": b"x\n",
        "config-3.11-x86/python-config.py": b"x\n",
        "empty.py": b"\n\n",
        "not_utf8.py": b"a = '\xfc'\n",
        "data.txt": b"x\n",
    }
    results = list(library.sources(write(tmp_path, kept | out)))
    assert results == [
        ("a/__init__.py", "# coding: latin-1\na = 'ü'\n"),
        ("a/testing.py", "x\n"),
        ("b.py", "b = 1\n"),
    ]


def test_library_without_source_is_a_clear_error(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="must be a folder of .py files, got"):
        list(library.sources(tmp_path))


def test_the_running_library_has_its_source() -> None:
    results = dict(library.sources())
    assert set(FILES) <= set(results) and not any(name.startswith("test/") for name in results)
    assert sum(map(len, results.values())) > 5_000_000


@pytest.fixture(scope="module")
def some_sources() -> list[tuple[str, str]]:
    return [(file, (LIBRARY / file).read_text(encoding="utf-8")) for file in FILES]


def test_pieces_are_whole_statements_with_their_labels(some_sources) -> None:
    from seqzoo.zoo.datasets import python_tokens

    texts = dict(some_sources)
    known = {path: syntax.highlight(text) for path, text in some_sources}
    results = list(python_tokens.pieces(some_sources, percent=100))
    for piece in results:
        assert 40 <= len(piece.text) <= 400 and len(piece.text) == len(piece.labels)
        text, (classes, ends) = texts[piece.path], known[piece.path]
        start = text.index(piece.text)
        end = start + len(piece.text)
        # Only spaces between it and the ends of the statements before and after it.
        assert not text[max((e for e in ends if e <= start), default=0) : start].strip()
        assert not text[end : min((e for e in ends if e >= end), default=len(text))].strip()
        assert classes[start:end] == piece.labels
        code = [c for c, name in zip(piece.text, piece.labels, strict=True) if name == "operator"]
        assert all(code.count(a) == code.count(b) for a, b in ("()", "[]", "{}"))
    # What is left out are long statements, blank lines and the shortest pieces.
    assert 0.6 < sum(len(piece.text) for piece in results) / sum(map(len, texts.values())) < 1


def test_pieces_pack_as_many_statements_as_fit() -> None:
    from seqzoo.zoo.datasets import python_tokens

    line = f"name = {'x' * 91}\n"  # four of them are 396 characters
    long = f"name = '''{'y' * 400}'''\n"
    source = line * 5 + "\n\n" + long + "\n" + "z = 1\n" + line.replace("x", "w") * 2
    results = [piece.text for piece in python_tokens.pieces([("a.py", source)], percent=100)]
    # The fifth line is an example by itself: the next one does not fit. Too long ones are left out.
    w = line.replace("x", "w")
    assert results == [(line * 4)[:-1], line[:-1], ("z = 1\n" + w * 2)[:-1]]


def test_pieces_are_unique_and_a_share_of_all(some_sources) -> None:
    from seqzoo.zoo.datasets import python_tokens

    everything = list(python_tokens.pieces(some_sources, percent=100))
    twice = [*some_sources, *((f"copy/{path}", text) for path, text in some_sources)]
    assert list(python_tokens.pieces(twice, percent=100)) == everything
    some = list(python_tokens.pieces(some_sources, percent=40))
    assert 0.3 < len(some) / len(everything) < 0.5
    assert [piece for piece in everything if piece in some] == some
    assert list(python_tokens.pieces([("broken.py", "x = (\n"), *some_sources], 40)) == some


def test_prepared_labels_are_one_per_character(tmp_path, monkeypatch) -> None:
    import tensorflow_datasets as tfds

    sources = [
        (f"{n}/ä.py", f"def größe_{n}(straße):\n    return 'ß' * {n}, straße, ...  # ŧ {n}\n")
        for n in range(200)
    ]
    monkeypatch.setattr(library, "sources", lambda: iter(sources))
    tokens = datasets.load("python_tokens", tmp_path)
    assert str(tokens.version) == library.VERSION
    classes = tokens.info.features["labels"].feature.names
    count = 0
    for split in ("train", "validation", "test"):
        for example in tfds.as_numpy(tokens.as_dataset(split=split)):
            text = example["text"].decode("utf-8")
            path = example["path"].decode("utf-8")
            assert f"{text}\n" == dict(sources)[path]
            assert [classes[label] for label in example["labels"]] == syntax.highlight(text)[0]
            count += 1
    assert 60 < count < 100  # two fifths of them

    files = datasets.load("python_source", tmp_path)
    results = {}
    for split in ("train", "validation", "test"):
        by_path = {
            e["path"].decode(): e["text"].decode()
            for e in tfds.as_numpy(files.as_dataset(split=split))
        }
        assert not set(results) & set(by_path) and by_path
        results |= by_path
    assert results == dict(sources)
