"""Checks the installation: packages, devices, the results of layers, and data sets."""

import os
import pathlib
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata

from seqzoo.tasks.startup import start_devices, start_tensorflow
from seqzoo.tasks.wording import counted
from seqzoo.zoo.datasets import default_data_dir
from seqzoo.zoo.finding import Finding

PYTHON = (3, 11)
"""The minimum version of Python."""

REQUIRED = {
    "tensorflow": ">=2.21,<3",
    "keras": ">=3.15,<4",
    "tensorflow-datasets": ">=4.9.10",
    "importlib_resources": ">=6.0",
    "click": ">=8.2",
    "rich": ">=13.7",
    "matplotlib": ">=3.9",
    "babel": ">=2.18,<2.19",
    "numpy": ">=2.0",
    "pyarrow": ">=16.1",
    "sacrebleu": ">=2.4",
    "sentencepiece": ">=0.2",
    "soundfile": ">=0.12",
    "soxr": ">=0.4",
}
"""Required packages, with the minimum version of each and, after "<", the first that is too new."""

OPTIONAL = {"tensorboard": "shows the logs of a run"}
"""Optional packages, with the purpose of each."""

VECTOR_INSTRUCTIONS = ("avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")
"""Vector instructions that matrix products use, by their Linux names."""


def doctor(data_dir: str | None = None) -> list[Finding]:
    """Checks the installation, devices and data sets: `seqzoo doctor` from Python.

    Problems are not raised as errors; they are findings with `state` "broken" and a `fix`.

    Args:
        data_dir: additional folder of TensorFlow Datasets to check.

    Returns: a `Finding` per check, in the order in which they ran.
    """
    return list(examine(data_dir))


def examine(data_dir: str | None = None) -> Iterator[Finding]:
    """Runs all checks, one after another; an error in one becomes a finding.

    Args:
        data_dir: additional folder of TensorFlow Datasets to check.
    """
    yield from _guarded("python", _python)
    yield from _guarded("packages", _packages)
    yield from _guarded("memory", _memory)
    started = list(_guarded("tensorflow", _tensorflow))
    yield from started
    if not any(finding.state == "broken" for finding in started):
        yield from _guarded("devices", _devices)
        yield from _guarded("layers", _layers)
    yield from _guarded("data", lambda: _data(data_dir))


def _guarded(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # any error here must be reported
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        yield Finding(subject, reason, "broken", "install seqzoo again in a fresh environment")


def _python() -> Iterator[Finding]:
    message = f"{platform.python_version()}, {platform.platform()}"
    values = {"python": platform.python_version(), "platform": platform.platform()}
    if sys.version_info[:2] < PYTHON:
        minimum = ".".join(map(str, PYTHON))
        yield Finding("python", message, "broken", f"use Python {minimum} or newer", values)
    else:
        yield Finding("python", message, values=values)


def _packages() -> Iterator[Finding]:
    for name, versions in REQUIRED.items():
        version = _version(name)
        minimum, _, end = versions.removeprefix(">=").partition(",<")
        fix = f'python -m pip install "{name}{versions}"'
        values = {"version": version, "required": versions}
        if version is None:
            yield Finding(name, "not installed", "broken", fix, values)
        elif _numbers(version) < _numbers(minimum):
            yield Finding(name, f"{version} is older than {minimum}", "broken", fix, values)
        elif end and _numbers(version) >= _numbers(end):
            message = f"{version} is too new; it must be below {end}"
            yield Finding(name, message, "broken", fix, values)
        else:
            yield Finding(name, version, values=values)
    for name, purpose in OPTIONAL.items():
        version = _version(name)
        if version is None:
            message = f"not installed; it {purpose}"
            yield Finding(name, message, "note", f"python -m pip install {name}", {"version": None})
        else:
            yield Finding(name, version, values={"version": version})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers: "2.21.0rc1" -> (2, 21, 0)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def _memory() -> Iterator[Finding]:
    lines = pathlib.Path("/proc/meminfo")
    if lines.exists():
        sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", lines.read_text(), re.MULTILINE))
        total, free = (int(sizes[name]) * 1024 for name in ("MemTotal", "MemAvailable"))
        message = f"{_gib(total)}, {_gib(free)} of it free"
        values = {"bytes": total, "free_bytes": free}
    else:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        message, values = _gib(total), {"bytes": total}
    yield Finding("memory", message, values=values)
    disk = shutil.disk_usage(".")
    message = f"{_gib(disk.free)} free in the current folder"
    yield Finding("disk", message, values={"free_bytes": disk.free})


def _tensorflow() -> Iterator[Finding]:
    start_tensorflow()
    start_devices()
    import keras

    backend = keras.backend.backend()
    fix = "" if backend == "tensorflow" else "set KERAS_BACKEND=tensorflow"
    state = "broken" if fix else "ok"
    yield Finding("Keras backend", backend, state, fix, {"backend": backend})


def _devices() -> Iterator[Finding]:
    import tensorflow as tf

    from seqzoo.cells.engine.dispatch import cores

    info = pathlib.Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    vectors = [name for name in VECTOR_INSTRUCTIONS if flags and name in flags[1].split()]
    named = model[1] if model else platform.machine()
    yield Finding(
        "processor",
        f"{counted(cores(), 'core')}, {named}; "
        f"{', '.join(vectors) or 'vector instructions unknown'}",
        values={"cores": cores(), "model": named, "vectors": vectors},
    )
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if not names and pathlib.Path("/proc/driver/nvidia").exists():
        fix = 'python -m pip install "tensorflow[and-cuda]"'
        message = "TensorFlow sees none, though there is an NVIDIA driver"
        yield Finding("gpu", message, "note", fix, {"gpus": []})
    else:
        yield Finding("gpu", ", ".join(names) or "none", values={"gpus": names})


def _layers() -> Iterator[Finding]:
    from seqzoo.cells import CELLS
    from seqzoo.zoo.diagnostics.layer_check import difference, path_of, tolerance

    paths: dict[str, list[str]] = {}
    for name in CELLS:
        paths.setdefault(path_of(name), []).append(name)
    for path, names in paths.items():
        result = difference(names[0])
        values = {"cells": names, "run": names[0], "difference": result, "path": path}
        subject = f"layers of {', '.join(names)}"
        if result <= tolerance():
            message = f"{path} A small {names[0]} agrees with the plain loop to {result:.0e}."
            yield Finding(subject, message, values=values)
        else:
            message = f"{path} A small {names[0]} differs from the plain loop by {result:.2g}."
            yield Finding(subject, message, "broken", "use `fast=False` and report this", values)


def _data(data_dir: str | None) -> Iterator[Finding]:
    public = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    folders = [default_data_dir(), pathlib.Path(public).expanduser()]
    folders += [pathlib.Path(data_dir).expanduser()] if data_dir else []
    for folder in dict.fromkeys(folders):
        names = sorted(
            path.parent.relative_to(folder).as_posix()
            for pattern in ("*/*", "*/*/*")
            for path in folder.glob(f"{pattern}/dataset_info.json")
        )
        message = ", ".join(names) or "no data sets yet"
        if not names and not folder.is_dir():
            message = "no such folder yet"
        yield Finding(
            f"data in {folder}", message, values={"folder": str(folder), "prepared": names}
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
