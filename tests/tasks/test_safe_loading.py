"""Untrusted run folders: opening one runs none of its code and writes nowhere else."""

import builtins
import io
import json
import os
import pathlib
import tracemalloc
import zipfile
from types import SimpleNamespace
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from cli_cases import seqzoo
from export_cases import make_run
from task_data import names, settings, splits, template

from seqzoo.tasks import Examples, ManyToManyEncoderDecoder, SeqzooError
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs import model_file
from seqzoo.tasks.runs.compact_weights import pack
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.runs.stored_config import check_learned, shapes_digest
from seqzoo.tasks.runs.temperature import stored_temperature
from seqzoo.tasks.training.checkpoints import Checkpoints
from seqzoo.tasks.training.trainer import describe, train
from seqzoo.zoo.data.source import Source


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    """A run folder with an untrained model, in its own folder."""
    chosen = template(units=3)
    task = chosen.adapt(names(12, 0))
    folder = tmp_path / "runs" / "run"
    made = Run.create(folder, describe(chosen, task, settings(), {}, Padding([9], [])), task)
    task.build("float32").save(folder / "model.keras")
    return made


class Payload:
    """An object that leaves a trace when it is unpickled."""

    def __init__(self, trace: pathlib.Path):
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def _dumped(trace: pathlib.Path) -> Any:
    """A function that leaves a trace; of a lambda, Keras writes the code itself."""
    return lambda x, folder=str(trace): __import__("os").mkdir(folder) or x


def test_pickled_weights_are_refused_without_reading_them(run: Run, tmp_path: pathlib.Path) -> None:
    trace = tmp_path / "trace"
    pack(run, tmp_path / "packed", {})
    path = tmp_path / "packed" / "weights.npz"
    with np.load(path) as file:
        arrays: dict[str, Any] = dict(file)
    arrays[next(iter(arrays))] = np.array([Payload(trace)], object)
    np.savez(path, **arrays)
    with pytest.raises(SeqzooError, match="weights.npz cannot be read: Object arrays"):
        _ = Run.open(path.parent).model
    assert not trace.exists()


def test_a_packed_run_without_its_weights_is_not_to_be_trained(run: Run, tmp_path) -> None:
    pack(run, tmp_path / "packed", {})
    (tmp_path / "packed" / "weights.npz").unlink()
    with pytest.raises(SeqzooError, match="weights.npz is missing; copy all files of the packed"):
        _ = Run.open(tmp_path / "packed").model


def test_a_changed_byte_of_a_model_is_refused_in_one_line(run: Run) -> None:
    path = run.folder / "model.keras"
    with zipfile.ZipFile(path) as file:
        info = file.getinfo("model.weights.h5")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 200 + info.compress_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SeqzooError, match="model.keras cannot be read: Bad CRC-32") as error:
        _ = Run.open(run.folder).model
    assert "\n" not in str(error.value)


def test_a_model_with_a_damaged_header_is_refused_in_one_line(run: Run) -> None:
    path = run.folder / "model.keras"
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[29] ^= 0x80  # the length of what is before the first member's content
    path.write_bytes(damaged)
    with pytest.raises(SeqzooError, match="model.keras cannot be read") as error:
        _ = Run.open(run.folder).model
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["zeros", "repeated"])
def test_a_model_that_unpacks_to_far_more_than_its_size_is_not_unpacked(
    kind: str, tmp_path: pathlib.Path, monkeypatch
) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.weights.h5", bytes(10_000_000 if kind == "zeros" else 10_000))
        if kind == "repeated":  # entries of the directory that share the data of one member
            file.filelist *= 300
    message = "it has several members of the same name"
    if kind == "zeros":
        monkeypatch.setattr(model_file, "LARGE_ARRAY", 1_000_000)
        message = "it unpacks to 10,000,000 bytes, over 200 times its size"
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(SeqzooError, match=f"model.keras cannot be read: {message}; restore"):
        model_file.check_model_file(path)


def _array(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """A .npy file whose header declares a shape."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


BOMB = 300_000_000
"""Bytes of zeros, which are packed into a thousandth."""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("other.values", lambda: _array((BOMB // 4,), bytes(BOMB)), "has a weight 'other'"),
        (None, lambda: _array((BOMB // 4,), bytes(BOMB)), "300,000,128 bytes, more than an array"),
        (None, lambda: _array((2**40, 2**20)), "has less data than its shape"),
        (None, lambda: b"", "cannot be read: EOF"),
        (None, lambda: b"no array", "cannot be read: the magic string is not correct"),
    ],
    ids=["another weight", "bomb", "declared shape", "empty", "random"],
)
def test_weights_that_do_not_fit_the_model_are_not_unpacked(
    name: str | None, content: Any, message: str, run: Run, tmp_path: pathlib.Path
) -> None:
    pack(run, tmp_path / "packed", {})
    path = tmp_path / "packed" / "weights.npz"
    with zipfile.ZipFile(path) as file:
        parts = {member: file.read(member) for member in file.namelist()}
    parts[f"{name}.npy" if name else next(iter(parts))] = content()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for member, bytes_ in parts.items():
            file.writestr(member, bytes_)
    tracemalloc.start()
    try:
        with pytest.raises(SeqzooError, match=message):
            _ = Run.open(path.parent).model
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [{"layers": 10**9}, {"units": 10**9}], ids=str)
def test_a_model_larger_than_its_weights_is_not_built(
    count: dict[str, int], run: Run, tmp_path: pathlib.Path
) -> None:
    pack(run, tmp_path / "packed", {})
    path = tmp_path / "packed" / "config.json"
    config = json.loads(path.read_text())
    config["task"].update(count)
    path.write_text(json.dumps(config))
    with pytest.raises(SeqzooError, match="1,000,000,000, but weights.npz has weights for few"):
        _ = Run.open(path.parent).model


def test_weights_of_another_run_are_refused_by_their_digest(run: Run, tmp_path) -> None:
    pack(run, tmp_path / "packed", {})
    path = tmp_path / "packed" / "weights.npz"
    with np.load(path) as file:
        arrays = {name: array + 1 for name, array in file.items()}
    np.savez_compressed(path, **arrays)
    with pytest.raises(SeqzooError, match="not the file that config.json next to it describes"):
        _ = Run.open(path.parent).model
    config = json.loads((path.parent / "config.json").read_text())
    del config["weights_sha256"]  # as runs of earlier versions
    (path.parent / "config.json").write_text(json.dumps(config))
    assert Run.open(path.parent).model is not None


@pytest.mark.parametrize("name", ["model.keras", "weights.npz"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    name: str, run: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run.folder
    if name == "weights.npz":
        folder = tmp_path / "packed"
        pack(run, folder, {})
    opened = builtins.open

    def refused(path: Any, *rest: Any, **more: Any) -> Any:
        if pathlib.Path(str(path)).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", refused)
    with pytest.raises(SeqzooError) as error:
        _ = Run.open(folder).model
    assert str(error.value) == f"{folder / name} cannot be read: Permission denied."


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("weights.npz", b""),
        ("weights.npz", b"random"),
        ("config.json", b"[" * 100_000),
        ("config.json", b"[]"),
        ("model.keras", {"config.json": b"[" * 100_000}),
        ("model.keras", {"config.json": b"[]"}),
        ("model.keras", {"model.weights.h5": b"random"}),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_damaged_files_are_refused_in_one_line(file: str, content: Any, run: Run) -> None:
    path = run.folder / file
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path) as archive:
            parts = {item: archive.read(item) for item in archive.namelist()} | content
        with zipfile.ZipFile(path, "w") as archive:
            for item, bytes_ in parts.items():
                archive.writestr(item, bytes_)
    result = seqzoo("predict", run.folder, "a")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1, result.output
    assert file in result.stderr and "allow_pickle" not in result.stderr


@pytest.mark.parametrize("length", [0, 2**40, "a", None])
def test_padded_lengths_are_numbers_of_steps(length: Any, run: Run) -> None:
    written = json.loads((run.folder / "config.json").read_text())
    written["padded_lengths"]["inputs"] = [length]
    (run.folder / "config.json").write_text(json.dumps(written))
    with pytest.raises(SeqzooError, match="config.json is damaged: .*a padded length must be"):
        Run.open(run.folder)


@pytest.mark.parametrize("kind", ["Lambda", "function"])
def test_code_in_a_model_is_refused_without_running_it(
    kind: str, run: Run, tmp_path: pathlib.Path
) -> None:
    trace = tmp_path / "trace"
    path = run.folder / "model.keras"
    if kind == "Lambda":
        inputs = keras.Input((2,))
        layer = keras.layers.Lambda(_dumped(trace), output_shape=(2,))
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        layer_config = keras.saving.serialize_keras_object(layer)
        sequential = keras.Sequential([inputs, keras.layers.Dense(1)])
        config = keras.saving.serialize_keras_object(sequential)
        config["config"]["layers"].append(layer_config)
    else:
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        config = {
            "module": "os",
            "class_name": "mkdir",
            "config": {"path": str(trace)},
            "registered_name": None,
        }
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    with pytest.raises(SeqzooError, match="model.keras cannot be read"):
        _ = Run.open(run.folder).model
    assert not trace.exists()


CALL = {
    "module": "os",
    "class_name": "function",
    "config": "mkdir",
    "registered_name": "mkdir",
}


def _code(trace: pathlib.Path) -> dict[str, Any]:
    """Python code in a layer's configuration, as Keras writes it."""
    layer = keras.layers.Lambda(_dumped(trace), output_shape=(2,))
    return keras.saving.serialize_keras_object(layer)["config"]["function"]


def _altered(path: pathlib.Path, alter: Any) -> None:
    """Rewrites config.json of a .keras file."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    alter(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)


@pytest.mark.parametrize("kind", ["code", "function"])
def test_functions_in_the_options_of_a_layer_are_refused_without_running_them(
    kind: str, run: Run, tmp_path: pathlib.Path
) -> None:
    trace = tmp_path / "trace"
    function = _code(trace) if kind == "code" else {**CALL, "config": "system"}

    def alter(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Dense":
                layer["config"]["activation"] = function

    _altered(run.folder / "model.keras", alter)
    with pytest.raises(SeqzooError, match="model.keras cannot be read"):
        _ = Run.open(run.folder).model
    # The same in the options of a run, which the cell is made from.
    written = json.loads((run.folder / "config.json").read_text())
    written["task"]["cell_options"] = {"activation": function}
    (run.folder / "config.json").write_text(json.dumps(written))
    np.savez(run.folder / "weights.npz")
    with pytest.raises(SeqzooError, match="config.json is damaged: "):
        _ = Run.open(run.folder).model
    assert not trace.exists()


@pytest.mark.parametrize("name", ["../outside.jsonl", "{absolute}", "..", ""])
def test_vocabularies_are_those_in_the_folder(name: str, run: Run, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "runs" / "outside.jsonl"
    outside.write_bytes((run.folder / "vocabulary.jsonl").read_bytes())
    written = json.loads((run.folder / "config.json").read_text())
    written["vocabularies"] = {"vocabulary": name.format(absolute=outside)}
    (run.folder / "config.json").write_text(json.dumps(written))
    with pytest.raises(SeqzooError, match="must name vocabularies in its own folder"):
        Run.open(run.folder)


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_weights_of_another_file_are_not_read(run: Run, tmp_path: pathlib.Path) -> None:
    path, elsewhere = run.folder / "model.keras", tmp_path / "elsewhere.h5"
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    elsewhere.write_bytes(parts["model.weights.h5"])
    found = []
    with h5py.File(tmp_path / "linked.h5", "w") as linked, h5py.File(elsewhere) as source:
        source.visititems(lambda name, node: found.append((name, isinstance(node, h5py.Dataset))))
        for name, data in found:
            if data:
                linked[name] = h5py.ExternalLink(str(elsewhere), f"/{name}")
            else:
                linked.require_group(name)
    parts["model.weights.h5"] = (tmp_path / "linked.h5").read_bytes()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    with pytest.raises(SeqzooError, match="model.keras cannot be read"):
        _ = Run.open(run.folder).model


@pytest.mark.filterwarnings("ignore:Skipping invalid path:UserWarning")
def test_an_archive_writes_nothing_outside(run: Run, tmp_path: pathlib.Path) -> None:
    before = {path for path in tmp_path.rglob("*")}
    with zipfile.ZipFile(run.folder / "model.keras", "a") as file:
        for name in ("../outside", "../../outside", f"{tmp_path}/absolute", "assets/../../outside"):
            file.writestr(name, "escaped")
    opened = Run.open(run.folder)
    assert len(opened.predict(["abc"])) == 1
    assert {path for path in tmp_path.rglob("*")} == before


def _checkpoints(folder: pathlib.Path) -> Checkpoints:
    """The checkpoints of a model of one weight."""
    weights = {"epoch": tf.Variable(0), "step": tf.Variable(0), "weight": tf.Variable([1.0])}
    loop: Any = SimpleNamespace(**weights, steps=5, variables=lambda: weights)
    return Checkpoints(folder, loop)


def test_checkpoints_elsewhere_are_neither_read_nor_removed(tmp_path: pathlib.Path) -> None:
    folder, other = tmp_path / "checkpoints", tmp_path / "mine"
    _checkpoints(folder).save({"rows": []})
    kept = [other.with_suffix(".index"), other.with_suffix(".data-00000-of-00001")]
    for path in kept:
        path.write_text("precious")
    for name in (other, "../step-7", "other-1"):
        (folder / "checkpoint").write_text(
            f'model_checkpoint_path: "step-0"\nall_model_checkpoint_paths: "{name}"\n'
            'all_model_checkpoint_paths: "step-3"\nall_model_checkpoint_paths: "step-0"\n'
            + "".join(f"all_model_checkpoint_timestamps: {time}\n" for time in (1e9, 1e9, 1e9))
            + "last_preserved_timestamp: 1\n"
        )
        with pytest.raises(SeqzooError, match="must name checkpoints in its own folder, got "):
            _checkpoints(folder).save({"rows": []})
        assert all(path.exists() for path in kept)


def test_a_folder_in_place_of_the_list_of_checkpoints_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(SeqzooError, match="checkpoint must be a file, got a folder; remove it"):
        _checkpoints(tmp_path)


@pytest.mark.parametrize("state", [[], "text", None])
def test_a_checkpoint_with_a_damaged_state_is_refused(state: Any, tmp_path: pathlib.Path) -> None:
    _checkpoints(tmp_path).save(state)
    with pytest.raises(SeqzooError, match="step-0 cannot be read: its state is not an object"):
        _checkpoints(tmp_path).restore()


@pytest.mark.parametrize("name", ["checkpoints", "logs", "scores"])
def test_a_resumed_training_writes_only_to_its_own_folder(name: str, run: Run, tmp_path) -> None:
    (run.folder / name).symlink_to(tmp_path)
    with pytest.raises(SeqzooError, match=f"{name} is a link"):
        train(template(units=3), splits(), settings(), run.folder, resume=True)


LEARNED: list[tuple[Any, str]] = [
    *(
        ({"targets": {"names": names_}}, "`names` must be a list of strings")
        for names_ in (3, [{}, "b"], "ab", [], None, ["\ud800", "b"])
    ),
    *(
        ({"mean": [0.0], "scale": scale}, "`scale` must be finite numbers")
        for scale in (None, ["x"], [10**400], [float("nan")], [0.0], [[1.0], [2.0, 3.0]])
    ),
    ({"mean": [0.0], "scale": [1.0, 2.0]}, "must have the same shape"),
    ({"parts": [None, {"mean": {}, "scale": {}}]}, "`mean` must be finite numbers"),
    ({"texts": {"longest": 10**30}}, "`longest` must be a whole number up to"),
    ({"texts": {"longest": "x"}}, "`longest` must be a whole number up to"),
    ({"cycles": ["century"]}, "`cycles` must be among day, week, year"),
    ({"series": ["x", "y"], "mean": [[1.0]], "scale": [[1.0]]}, "a row for each of 2 series"),
    ({"series": ["x"], "mean": 1.0, "scale": 1.0}, "`mean` must have a row for each series"),
    ({"past": [[1.0]]}, "`past` must be finite numbers"),
    ("names", "an object was expected"),
]


@pytest.mark.parametrize(("part", "message"), LEARNED, ids=range(len(LEARNED)))
def test_what_was_learned_is_checked(part: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_learned(part)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("prepared", "targets", "names"), "ab", "is damaged: `names` must be a list of strings"),
        (("padded_lengths", "inputs"), [], "is damaged: .*padded lengths must be lists"),
        (("task", "maximum_length"), 10**30, "`maximum_length` must be at most 2147483647"),
        (("vocabulary_sizes", "vocabulary"), 3, "it is not the vocabulary of the trained model"),
        (("prepared", "targets", "names"), ["x"], "model.keras is not the model that .* outputs"),
    ],
    ids=["names", "lengths", "maximum", "size", "other names"],
)
def test_a_config_of_other_things_is_refused(path, value, message, run: Run) -> None:
    written = json.loads((run.folder / "config.json").read_text())
    part = written
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    (run.folder / "config.json").write_text(json.dumps(written))
    with pytest.raises(SeqzooError, match=message):
        _ = Run.open(run.folder).model


def test_a_vocabulary_that_is_nested_deeply_is_refused(run: Run) -> None:
    (run.folder / "vocabulary.jsonl").write_text("[" * 100_000)
    with pytest.raises(SeqzooError, match="vocabulary.jsonl cannot be read: maximum recursion"):
        Run.open(run.folder)


def test_a_vocabulary_in_another_order_is_refused(run: Run, tmp_path: pathlib.Path) -> None:
    pack(run, tmp_path / "packed", {})
    for folder in (run.folder, tmp_path / "packed"):
        path = folder / "vocabulary.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[::-1]), encoding="utf-8", newline="\r\n")
        with pytest.raises(SeqzooError, match="not the vocabulary of the trained model; copy"):
            Run.open(folder)
        path.write_text("".join(lines), encoding="utf-8", newline="\r\n")
        assert Run.open(folder).model is not None
        config = json.loads((folder / "config.json").read_text())
        del config["vocabulary_digests"]  # as in runs of older versions
        (folder / "config.json").write_text(json.dumps(config))
        path.write_text("".join(lines[::-1]), encoding="utf-8")
        assert Run.open(folder).model is not None


def test_a_model_of_another_size_is_refused(run: Run) -> None:
    config = json.loads((run.folder / "config.json").read_text())
    config["weight_shapes"] = shapes_digest(run.model)
    (run.folder / "config.json").write_text(json.dumps(config))
    assert Run.open(run.folder).model is not None
    template(units=4).adapt(names(12, 0)).build("float32").save(run.folder / "model.keras")
    with pytest.raises(SeqzooError, match="config.json describes: its weights have other shapes"):
        _ = Run.open(run.folder).model


def test_a_model_that_generates_text_is_no_classifier(run: Run, tmp_path: pathlib.Path) -> None:
    pairs = Examples(["ab", "b"], ["b", "ba"])
    chosen = ManyToManyEncoderDecoder("characters", "characters", units=3, minimum_count=1)
    other = make_run(tmp_path / "other", chosen, pairs)
    models = [(run.folder / "model.keras"), (other.folder / "model.keras")]
    contents = [path.read_bytes() for path in models]
    for path, content in zip(models, contents[::-1], strict=True):
        path.write_bytes(content)
    for folder, what in (
        (run.folder, "it generates text"),
        (other.folder, "it does not generate text"),
    ):
        with pytest.raises(SeqzooError, match=f"is not the model that .* describes: {what}; copy"):
            _ = Run.open(folder).model


@pytest.mark.parametrize("temperature", ["hot", 0, None, [1]])
def test_a_damaged_temperature_is_refused(temperature: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "calibration.json").write_text(json.dumps({"temperature": temperature}))
    with pytest.raises(SeqzooError, match="json is damaged: the temperature must be above 0"):
        stored_temperature(tmp_path)


@pytest.mark.parametrize("columns", [3, "ab", [1]])
def test_columns_of_a_source_are_names(columns: Any) -> None:
    with pytest.raises(SeqzooError, match="`columns` must be a list of names, got "):
        Source("x.csv", "words", columns=columns)
