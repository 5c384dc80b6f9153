"""Pretrained word vectors: every format, the words that are kept, and models that use them."""

import gzip
import struct
import zipfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    Run,
    SeqzooError,
    Splits,
    TrainingSettings,
    train,
)
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from seqzoo.tasks.preprocessing.word_joiners import JOINER
from seqzoo.tasks.preprocessing.word_vectors import add_vectors, read_vectors
from seqzoo.tasks.runs.compact_weights import pack

WORDS = ["the", "cat", "New York", "Straße", "ran", "berlin"]
TABLE = np.arange(18, dtype=np.float32).reshape(6, 3) / 8 - 1


def _lines(words=WORDS, table=TABLE) -> bytes:
    rows = (f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, table, strict=True))
    return "".join(rows).encode()


def _binary(between: bytes = b"") -> bytes:
    rows = (
        word.encode() + b" " + struct.pack("<3f", *row) + between
        for word, row in zip(BINARY, TABLE, strict=True)
    )
    return b"6 3\n" + b"".join(rows)


BINARY = [word.replace(" ", "_") for word in WORDS]  # word2vec's words contain no spaces


def _glove(folder):
    (folder / "glove.txt").write_bytes(_lines())
    return folder / "glove.txt"


def _word2vec_text(folder):
    (folder / "a.vec").write_bytes(b"6 3\n" + _lines())
    return folder / "a.vec"


def _word2vec_binary(folder):
    (folder / "a.bin").write_bytes(_binary())
    return folder / "a.bin"


def _word2vec_binary_with_line_ends(folder):
    (folder / "b.bin").write_bytes(_binary(b"\n"))
    return folder / "b.bin"


def _compressed(folder):
    (folder / "a.txt.gz").write_bytes(gzip.compress(_lines()))
    return folder / "a.txt.gz"


def _zip(folder):
    with zipfile.ZipFile(folder / "a.zip", "w") as file:
        file.writestr("a.txt", _lines())
    return folder / "a.zip"


def _member_of_a_zip(folder):
    with zipfile.ZipFile(folder / "b.zip", "w") as file:
        file.writestr("in/a.3d.txt", _lines())
        file.writestr("in/a.2d.txt", _lines(table=TABLE[:, :2]))
    return folder / "b.zip" / "in/a.3d.txt"


def _npz(folder):
    np.savez(folder / "a.npz", words=np.array(WORDS), vectors=TABLE)
    return folder / "a.npz"


def _folder(folder):
    vectors = folder / "vectors"
    vectors.mkdir()
    np.save(vectors / "table.npy", TABLE)
    (vectors / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    (vectors / "README.txt").write_text("not the words")
    return vectors


FORMATS = [
    _glove,
    _word2vec_text,
    _word2vec_binary,
    _word2vec_binary_with_line_ends,
    _compressed,
    _zip,
    _member_of_a_zip,
    _npz,
    _folder,
]


@pytest.mark.parametrize("write", FORMATS, ids=lambda item: item.__name__.strip("_"))
def test_every_format_reads_the_same(write, tmp_path) -> None:
    result = read_vectors(str(write(tmp_path)), (), None)
    assert result.words == (BINARY if "binary" in write.__name__ else WORDS)
    np.testing.assert_array_equal(result.vectors, TABLE)


def test_an_installed_package(tmp_path, monkeypatch) -> None:
    package = tmp_path / "some_vectors"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('is not imported')")
    np.save(package / "a.npy", TABLE)
    (package / "a.json").write_text('["the", "cat", "New York", "Straße", "ran", "berlin"]')
    monkeypatch.syspath_prepend(tmp_path)
    assert read_vectors("some-vectors", (), None).words == WORDS


def test_the_first_and_the_requested_words_are_kept(tmp_path) -> None:
    result = read_vectors(str(_glove(tmp_path)), {"ran"}, 2)
    assert result.words == ["the", "cat", "ran"]
    np.testing.assert_array_equal(result.vectors, TABLE[[0, 1, 4]])


def test_tokens_have_their_own_vector_or_that_of_their_lowercase_form(tmp_path) -> None:
    counts = Counter({b"The": 5, b"cat": 4, b"ran": 1, b"zebra": 2, b"Berlin": 1})
    known = Vocabulary.learn(counts, 100, 2)
    joined, vectors = add_vectors(known, counts, str(_glove(tmp_path)), 1)
    assert joined.tokens == ["The", "cat", "zebra", "the", "ran", "berlin"]
    assert vectors.trained_ids == SPECIAL + 3 and vectors.dimension == 3
    assert vectors.coverage == pytest.approx(11 / 13)
    assert vectors.table is not None
    expected = [TABLE[0], TABLE[1], np.zeros(3), TABLE[0], TABLE[4], TABLE[5]]
    np.testing.assert_array_equal(vectors.table[SPECIAL:], expected)
    assert not vectors.table[:SPECIAL].any()


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.txt", b"the 1 2 3\ncat 1 2\n", "has 2 instead of 3 numbers for word 2, 'cat'"),
        ("a.txt", b"the 1 2 3\ncat 1 x 2\n", "does not have 3 numbers for word 2, 'cat'"),
        ("a.txt", b"the 1 2 3\ncat 1 nan 2\n", "does not have 3 finite numbers for word 2, 'cat'"),
        ("a.txt", b"the 1 2 3\ncat 0.1 2 3 0.5\n", "has more than 3 numbers for word 2, 'cat'"),
        ("a.txt", b"the 1 2 3\ncat 1 -2 3 4\n", "has more than 3 numbers for word 2, 'cat'"),
        ("a.txt", b"the 1 2 3\ncat 1e-05 2 3 0.5\n", "has more than 3 numbers for word 2, 'cat'"),
        ("a.vec", b"3 3\nthe 1 2 3\ncat 4 5 6\n", "is truncated: it has 2 of 3 vectors"),
        ("a.txt", b"the 1 2 3\ncat 1 1e60 2\n", "does not have 3 finite numbers for word 2, 'cat'"),
        ("a.vec", b"2 0\nthe\ncat\n", "declares vectors of 0 numbers"),
        ("a.txt", b"the\n", "must begin with a word and its numbers"),
        ("a.bin", _binary()[:-5], "is truncated: it has 5 of 6 vectors"),
        ("a.bin", (793_712_314).to_bytes(4, "little") + b"x", "is a fastText model"),
        ("a.txt.gz", gzip.compress(_lines() * 40, mtime=0)[:-40], "is truncated or damaged"),
        ("a.npz", b"PK", "cannot be read"),
        ("a.zip", b"PK", "is damaged"),
    ],
)
def test_malformed_files(name: str, content: bytes, message: str, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SeqzooError, match=message) as caught:
        read_vectors(str(path), (), None)
    assert caught.value.field == "vectors" and str(path) in str(caught.value)


def test_joiners_are_not_part_of_a_word(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("good 1 2\n, 3 4\n", encoding="utf-8")
    counts = Counter({f"{JOINER},".encode(): 3, b"Good": 1, JOINER.encode(): 1})
    joined, vectors = add_vectors(Vocabulary.learn(counts, 100, 1), counts, str(path), 0)
    assert vectors.table is not None and vectors.coverage == pytest.approx(4 / 5)
    found = dict(zip(joined.tokens, vectors.table[SPECIAL:].tolist(), strict=True))
    assert found[f"{JOINER},"] == [3, 4] and found["Good"] == [1, 2] and found[JOINER] == [0, 0]


def test_what_does_not_fit(tmp_path) -> None:
    _member_of_a_zip(tmp_path)
    with pytest.raises(SeqzooError, match=r"must name one of .*in/a.3d.txt, in/a.2d.txt"):
        read_vectors(str(tmp_path / "b.zip"), (), None)
    with pytest.raises(SeqzooError, match="There is no file"):
        read_vectors(str(tmp_path / "none.txt"), (), None)
    np.save(tmp_path / "a.npy", TABLE)
    (tmp_path / "words.txt").write_text("one\ntwo")
    with pytest.raises(SeqzooError, match=r"list of 6 words .* next to a.npy, but has .*words.txt"):
        read_vectors(str(tmp_path), (), None)
    with pytest.raises(SeqzooError, match="none of the 1 distinct words"):
        add_vectors(Vocabulary([]), Counter({b"zebra": 1}), str(_glove(tmp_path)), None)
    with pytest.raises(SeqzooError, match="`vectors` is for the input 'words'"):
        ManyToOne(input="characters", vectors="a.txt")
    with pytest.raises(SeqzooError, match="targets other than 'next'"):
        ManyToManyAligned(input="words", target="next", vectors="a.txt")


def test_a_number_of_an_array_that_is_too_large(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", words=np.array(["a"]), vectors=np.array([[1e60, 0.0]]))
    with pytest.raises(SeqzooError, match="does not have 2 finite numbers for word 1, 'a'"):
        read_vectors(str(tmp_path / "a.npz"), (), None)


def test_the_first_of_two_vectors_counts(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(_lines() + b"cat 9 9 9\n")
    result = read_vectors(str(path), (), None)
    np.testing.assert_array_equal(result.vectors, TABLE)
    assert result.notes == (f"{path} has two vectors for 'cat'; the first one is used.",)


def test_words_are_read_as_they_are(tmp_path) -> None:
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfa 1 2\n. . . 3 4\n")
    assert read_vectors(str(tmp_path / "bom.txt"), (), None).words == ["a", ". . ."]
    (tmp_path / "counted.vec").write_bytes(b"2 2\nNew York 1 2\nthe 3 4\n")
    assert read_vectors(str(tmp_path / "counted.vec"), (), None).words == ["New York", "the"]
    wide = b"2 9000\n" + b"".join(word + b" 0.25" * 9000 + b"\n" for word in (b"a b c", b"d"))
    (tmp_path / "wide.vec.gz").write_bytes(gzip.compress(wide))
    assert read_vectors(str(tmp_path / "wide.vec.gz"), (), None).words == ["a b c", "d"]
    words = np.array(["a", "\u00e9"])
    encoded = np.char.encode(words, "utf-8")
    np.savez(tmp_path / "bytes.npz", words=encoded, vectors=np.ones((2, 3), np.int32))
    assert read_vectors(str(tmp_path / "bytes.npz"), (), None).words == ["a", "\u00e9"]
    (tmp_path / "list").mkdir()
    np.save(tmp_path / "list" / "v.npy", np.ones((3, 2), np.float32))
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "list" / "words.txt").write_text("a\n\u0085\nb\n", encoding=encoding)
        assert read_vectors(str(tmp_path / "list"), (), None).words == ["a", "\u0085", "b"]


TEXTS = ["The cat ran", "the dog ran", "The dog slept", "the cat slept"] * 4
TEMPLATES = {
    "many-to-one": (ManyToOne("words", ngrams=2), ["cat", "dog", "dog", "cat"] * 4),
    "tags": (
        ManyToManyAligned("words", "tags", characters=2, word_dropout=0.5),
        [("D", "N", "V")] * 16,
    ),
    "values": (ManyToManyAligned("words", "values"), [np.arange(3.0)] * 16),
    "encoder-decoder": (ManyToManyEncoderDecoder("words", "words"), TEXTS),
}


class Notes:
    """A progress that records its notes."""

    def __init__(self):
        self.notes = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def __getattr__(self, name: str):
        return lambda *_, **__: None


def _run(name: str, mode: str, tmp_path, progress=None) -> Run:
    path = tmp_path / "glove.txt"
    path.write_bytes(_lines())
    template, targets = TEMPLATES[name]
    template = replace(template, units=3, embedding=4, vectors=str(path), vectors_mode=mode)
    splits = Splits(Examples(TEXTS, targets))
    settings = TrainingSettings(epochs=1, batch_size=8, warmup_steps=0)
    with seqzoo.cells.portable():
        run = train(template, splits, settings, tmp_path / "run", progress=progress)
    path.unlink()  # the run has what it needs
    return Run.open(run.folder)


def _weights(run: Run) -> dict[str, np.ndarray]:
    return {
        weight.path.rpartition("/")[2]: weight.numpy()
        for weight in run.model.weights
        if weight.path.endswith(("/vectors", "/map"))
    }


@pytest.mark.quick_for("many-to-one-frozen", rest="exhaustive")
@pytest.mark.parametrize(
    "name, mode",
    [
        ("many-to-one", "frozen"),
        ("tags", "mapped"),
        ("encoder-decoder", "tuned"),
        *(
            pytest.param(name, mode, marks=BEFORE_RELEASES)
            for name, mode in [("values", "frozen"), ("many-to-one", "tuned"), ("tags", "frozen")]
        ),
    ],
)
def test_a_model_has_the_vectors(name: str, mode: str, tmp_path) -> None:
    progress = Notes()
    run = _run(name, mode, tmp_path, progress)
    assert progress.notes[0].startswith("66.7% of the words in the training examples have a vector")
    tokens = run.task.features.vocabulary.tokens
    result = _weights(run)
    given = np.array(
        [
            TABLE[WORDS.index(item)] if item in WORDS else np.zeros(3)
            for item in (token if token in WORDS else token.lower() for token in tokens)
        ]
    )
    same = np.array_equal(result["vectors"][SPECIAL:], given.astype(np.float32))
    assert same == (mode != "tuned")
    if mode == "mapped":
        assert not np.array_equal(result["map"], np.eye(3))
    # A word that training lacks has the id of its vector, in any case.
    words = tf.constant(["BERLIN", "Berlin", "zebra", "dog"])
    ids = run.task.features.ids(words).numpy()
    assert tokens[ids[0] - SPECIAL] == tokens[ids[1] - SPECIAL] == "berlin"
    assert ids[2] == UNKNOWN and ids[3] < run.task.features.vectors.trained_ids <= ids[0]
    assert len(run.predict(["Berlin ran ran", "zebra ran ran"])) == 2


@pytest.mark.slow
def test_packed_and_exported(tmp_path) -> None:
    run = _run("many-to-one", "frozen", tmp_path)
    texts = ["BERLIN ran", "The zebra"]
    expected = run.predict(texts)
    pack(run, tmp_path / "packed", {})
    result = Run.open(tmp_path / "packed").predict(texts)
    for one, other in zip(expected, result, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["many-to-one", "tags"])
def test_an_export_folds_case_as_the_model_does(name: str, tmp_path) -> None:
    pytest.importorskip("onnxruntime")
    run = _run(name, "frozen", tmp_path)
    # Compared with the model on these examples, and refused if it differs.
    report = run.export(tmp_path / "onnx", format="onnx", examples=["BERLIN cat", "THE New zebra"])
    assert report["difference"] < 1e-4
