"""Hostile and damaged data files: one line says what is wrong; no program in them runs, and what
their headers declare is not believed."""

import gzip
import io
import json
import os
import pathlib
import struct
import sys
import threading
import tracemalloc
import zipfile
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cli_cases import seqzoo

from seqzoo.tasks.data import npz_members
from seqzoo.tasks.data.npz_members import LARGE_ARRAY
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.word_vectors import check_readable
from seqzoo.zoo.data import fields, records
from seqzoo.zoo.data.npz_arrays import Arrays
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source

TEXT = ["--kind", "characters", "--input", "text", "--target", "label", "--no-timing"]


def refused(path: pathlib.Path, *words: object) -> str:
    """The error of `seqzoo check` for a file that cannot be read, one line."""
    result = seqzoo("check", path, *(words or TEXT))
    assert result.exit_code == 2 and not result.stdout, result.output
    (line,) = result.stderr.splitlines()
    return line


class Payload:
    """An object that leaves a trace when it is unpickled."""

    def __init__(self, trace: pathlib.Path):
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def array(shape: tuple[int, ...], content: bytes = b"", dtype: str = "<f4") -> bytes:
    """A .npy file whose header declares a shape."""
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


def stored(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return file.getvalue()


def test_arrays_are_neither_unpickled_nor_allocated_as_declared(tmp_path: pathlib.Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "x.npz"
    members = {
        "objects": (stored(np.array([Payload(trace)], object)), "Python objects"),
        "records": (stored(np.zeros(2, [("a", "f4"), ("b", "O")])), "Python objects"),
        "huge": (array((2**40, 2**20)), "has less data than its shape"),
        # 8 GB that the system would grant, of a member whose size is a lie.
        "large": (array((2**31,)), "has less data than its shape"),
        "negative": (array((-4, 3), bytes(12)), "has less data than its shape"),
        "texts": (array((2,), dtype="<U500000000"), "has less data than its shape"),
        "program": (b"\x93NUMPY\x01\x00\x10\x00__import__('os')", "damaged"),
        "empty": (b"", "damaged"),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, (content, _) in members.items():
            file.writestr(f"{name}.npy", content)
        file.writestr("plain", b"no array")
    with Arrays(path) as arrays:
        for member in arrays._zip.infolist():
            if member.filename == "large.npy":
                member.file_size = 2**33 + 128
        for name, (_, message) in {**members, "plain": (b"", "damaged")}.items():
            with pytest.raises(SeqzooError, match=f"'{name}' .*{message}"):
                _ = arrays[name]
    assert not trace.exists()


def test_arrays_that_fill_the_memory_are_not_unpacked(tmp_path, monkeypatch) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, zeros=np.zeros(LARGE_ARRAY // 4 + 1, np.float32), few=np.zeros(9))
    assert path.stat().st_size < 200_000
    assert (npz_members.available_memory() or 0) > 1 << 24
    tracemalloc.start()
    try:
        with Arrays(path) as arrays:
            with pytest.raises(SeqzooError, match="unpacks to 100,000,004 bytes, over 200 times"):
                _ = arrays["zeros"]
            assert len(arrays["few"].values) == 9
            monkeypatch.setattr(npz_members, "MAX_COMPRESSION_RATIO", 2000)
            monkeypatch.setattr(npz_members, "available_memory", lambda: 1000)
            with pytest.raises(SeqzooError, match="needs 100,000,004 bytes .* 1,000 are available"):
                _ = arrays["zeros"]
        assert tracemalloc.get_traced_memory()[1] < LARGE_ARRAY // 2
    finally:
        tracemalloc.stop()


def test_arrays_are_checked_without_columns(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "x.npz", inputs=np.zeros((30, 5)), targets=np.array(["a", "b"] * 15))
    result = seqzoo("check", tmp_path / "x.npz", "--kind", "series", "--no-timing")
    assert not result.exception or result.exit_code == 1, result.exception
    assert "a 50.0%, b 50.0%" in result.stdout or "b 50.0%, a 50.0%" in result.stdout


def test_offsets_of_arrow_files_that_point_elsewhere_are_refused(tmp_path: pathlib.Path) -> None:
    offsets = pa.py_buffer(np.array([0, 5, 3], np.int32))
    texts = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcdef")])
    batch = pa.RecordBatch.from_arrays([texts, pa.array(["x", "y"])], ["text", "label"])
    path = tmp_path / "x.arrow"
    with pa.ipc.new_file(path, batch.schema) as file:
        file.write_batch(batch)
    assert "cannot be read from row 1 on: " in refused(path)


def test_a_compressed_file_that_fills_the_memory_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + bytes(40_000_000), 9))
    assert "unpacks to over 200 times its size" in refused(path)


def test_a_large_compressed_file_is_judged_by_its_ratio(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(records, "PROBED_BYTES", 10_000)
    path = tmp_path / "x.gz"
    noise = gzip.compress(np.random.default_rng(0).bytes(3_000_000))
    path.write_bytes(noise)
    records.check_packed(path)  # it unpacks to more than 200 times the part that is read
    path.write_bytes(gzip.compress(noise[:100_000]) + gzip.compress(bytes(40_000_000)))
    records.check_packed(path)  # what follows is not unpacked for the check


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".parquet"])
def test_pipes_and_devices_are_refused_where_files_are_opened_again(
    tmp_path, trained, suffix
) -> None:
    path = tmp_path / f"x{suffix}"
    path.symlink_to(os.devnull)  # unlike a pipe, it blocks no reader
    message = f"Error: {path} is a pipe or a device, which can be read only once"
    assert refused(path).startswith(message)
    run, output = trained / "run", tmp_path / "x.tsv"
    for words in (
        ["train", "many-to-one", *TEXT[:-1], "--data", path, "--run", tmp_path / "run"],
        ["evaluate", run, "--data", path],
        ["errors", run, path],
        ["predict", run, "--input-file", path, "--output", output],
        *([] if suffix == ".txt" else [["predict", run, "--input-file", path]]),
    ):
        result = seqzoo(*words)
        assert result.exit_code == 2 and result.stderr.startswith(message), result.output
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_lines_of_a_pipe_are_predicted(tmp_path, trained) -> None:
    path = tmp_path / "x.txt"
    os.mkfifo(path)
    threading.Thread(target=path.write_text, args=("axyz1\nbzzy2\n",), daemon=True).start()
    result = seqzoo("predict", trained / "run", "--input-file", path)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 2, result.output


def test_an_image_that_declares_too_many_pixels_is_not_decoded(tmp_path: pathlib.Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100)))
    (tmp_path / "x.png").write_bytes(data)
    for read in (fields.image, fields.rows):
        for field in (data, "x.png"):
            with pytest.raises(SeqzooError, match="declares 400,000,000 pixels"):
                read(field, tmp_path)


def test_an_image_with_a_damaged_header_is_not_decoded(tmp_path: pathlib.Path) -> None:
    # A frame that ends before its pixels do; and an animation, as which TensorFlow's decoder writes
    # beyond the memory that it allocates.
    screen = b"GIF89a" + struct.pack("<HHBBB", 24, 24, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 20_000, 20_000, 0) + b"\x08\xff\0"
    animation = b"RIFF\0\0\0\0WEBPVP8X" + bytes(4) + b"\x02\0\0\0" + bytes(6)
    for data in (screen + frame, animation):
        (tmp_path / "x").write_bytes(data)
        for read in (fields.image, fields.rows):
            with pytest.raises(SeqzooError, match="of .* bytes has a damaged header or is"):
                read(data, tmp_path)
            with pytest.raises(SeqzooError, match="/x has a damaged header or is"):
                read("x", tmp_path)
    # One without the byte that ends the file.
    whole = screen + frame[:-2] + b"\0"
    with pytest.raises(SeqzooError, match="of 25 bytes declares 400,000,576 pixels"):
        fields.image(whole, tmp_path)


@pytest.mark.parametrize("nested", [False, True])
def test_no_module_that_a_data_set_names_is_imported(nested: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hostile_feature.py").write_text("class Own: pass\n")
    core = "tensorflow_datasets.core.features"
    own: dict[str, Any] = {"pythonClassName": "hostile_feature.Own"}
    if nested:
        text = json.dumps({"feature": {"type": "hostile_feature.Own", "content": {}}})
        name = f"{core}.sequence_feature.Sequence"
        own = {"pythonClassName": name, "jsonFeature": {"json": text}}
    features = {"text": own, "type": {"pythonClassName": f"{core}.text_feature.Text", "text": {}}}
    about = {
        "pythonClassName": f"{core}.features_dict.FeaturesDict",
        "featuresDict": {"features": features},
    }
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "features.json").write_text(json.dumps(about))
    source = Source(str(tmp_path / "data"), "characters")
    with pytest.raises(SeqzooError, match="must name classes of tensorflow_datasets, got 'hostile"):
        open_examples(source)
    assert "hostile_feature" not in sys.modules


@pytest.mark.parametrize("name", ["state.json", "dataset_dict.json"])
def test_folders_of_data_sets_with_damaged_descriptions(name: str, tmp_path) -> None:
    (tmp_path / name).write_text("[" * 100_000)
    assert "does not list" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = " + "[" * 100_000, "is not valid TOML"),
        ("seed = " + "9" * 5000, "is not valid TOML"),
        ("a." * 50_000 + "b = 1", "has a dotted key of 20 or more parts"),
        ('template = ["many-to-one"]', "`template` must be one of"),
        ("[template]\na = 1", "`template` must be one of"),
    ],
)
def test_hostile_configuration_files(text: str, message: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.toml").write_text(text)
    result = seqzoo("train", tmp_path / "x.toml", "--run", tmp_path / "run")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1, result.output
    assert message in result.stderr and not (tmp_path / "run").exists()


def test_hostile_word_vectors(tmp_path: pathlib.Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    trace, package = tmp_path / "trace", tmp_path / "hostile_vectors"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text(f"import os; os.mkdir({str(trace)!r})")
    words = np.array(["a", "b"])
    hostile = {
        "objects.npz": {"words": stored(words), "vectors": stored(np.array([[Payload(trace)]]))},
        "huge.npz": {"words": stored(words), "vectors": array((2**40, 2**20))},
    }
    for name, members in hostile.items():
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            for member, content in members.items():
                file.writestr(f"{member}.npy", content)
    (tmp_path / "wide.bin").write_bytes(b"2 2000000000\na " + bytes(50))
    (tmp_path / "long.vec").write_bytes(b"b " + b"1" * (1 << 24))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.npy").write_bytes(b"no array")
    (tmp_path / "folder" / "words.txt").write_text("a")
    for name, message in {
        "objects.npz": "Object arrays",
        "huge.npz": "has less data than its shape",
        "wide.bin": "declares vectors of 2,000,000,000 numbers",
        "long.vec": "has a line that is too long",
        "folder": "cannot be read: a.npy",
    }.items():
        with pytest.raises(SeqzooError, match=message):
            check_readable(str(tmp_path / name))
    with pytest.raises(SeqzooError):
        check_readable("hostile_vectors.inner")
    assert not trace.exists()
