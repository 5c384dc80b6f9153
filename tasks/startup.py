"""Starts TensorFlow without the messages that it prints at every start."""

import contextlib
import functools
import gc
import importlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from seqzoo.tasks.errors import SeqzooError, is_command_line

# Messages that TensorFlow prints on every machine without an NVIDIA driver, or with oneDNN. Error
# 303 of cuInit means that there is no driver; a driver that does not work causes a different
# message, which is shown.
NOISE = re.compile(
    rb"All log messages before absl::InitializeLog|cudart_stub\.cc|Could not find cuda drivers"
    rb"|failed call to cuInit: .*(\(303\)|no CUDA-capable device)"
    rb"|oneDNN custom operations are on|oneDNN supports DT_BOOL only"
)

# Packages that TensorFlow and Keras import if they are installed, for conversions of models, data
# frames in `fit`, models on Hugging Face and checks of free memory. Together they take nearly as
# long to import as everything else. Without psutil, Keras assumes 1 GB of free memory and handles
# larger models through temporary files.
UNUSED = (
    "huggingface_hub",
    "jax",
    "matplotlib",
    "pandas",
    "psutil",
    "scipy",
    "sklearn",
)

XLA_FLAGS = "XLA_FLAGS"
"""Environment variable with options of XLA, which reads it once, when it first compiles."""

OPTIMIZATION_LEVEL = "xla_backend_optimization_level"
"""XLA's option for the optimisation level of LLVM. At level 1, training steps on CPUs take as long
as at the default, 3, and compute the same bits, but the loops take less time to compile."""

STANDARD_ERROR = threading.RLock()
"""Held while file descriptor 2, which all threads share, is redirected; otherwise a second thread
would restore the file to which the first one had redirected it."""

_importing = threading.RLock()


def start_tensorflow() -> None:
    """Imports TensorFlow and finds devices; a second call does nothing.

    Messages of its native code below error level are turned off, unless TF_CPP_MIN_LOG_LEVEL
    enables them. Other output to standard error during the import still appears, except for
    `NOISE`. For a command, warnings from its Python code are turned off, too; programs that import
    seqzoo decide for themselves.

    Raises:
        SeqzooError: Keras was imported with a different backend.
    """
    keras: Any = sys.modules.get("keras")
    backend = keras.backend.backend() if hasattr(keras, "backend") else "tensorflow"
    if backend != "tensorflow":
        raise SeqzooError(
            f"Templates need Keras' backend 'tensorflow', but Keras was imported with {backend!r}; "
            "set KERAS_BACKEND=tensorflow before importing it. Cells and layers run on any backend."
        )
    with _importing:  # else other threads would use what is only partly imported
        if "tensorflow" in sys.modules:
            return
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # Sets the backend for `import keras`, whose configuration file may name a different one.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        with _filtered_errors(), _without_unused(), _without_collections():
            tensorflow = importlib.import_module("tensorflow")
            importlib.import_module("keras")
            # CUDA is called, and prints its messages, when devices are first requested.
            tensorflow.config.list_physical_devices()
        tensorflow.get_logger().addFilter(_is_news)
    if not is_command_line():
        return
    # Turns off messages from its Python code, too, and from that of tfds.
    tensorflow.get_logger().setLevel("ERROR")
    absl = importlib.import_module("absl.logging")
    absl.set_verbosity(absl.ERROR)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether to show a message from TensorFlow: all except warnings about retraced functions of
    this package, for which retracing is intended, since each model has its own graphs."""
    if "triggered tf.function retracing" not in record.getMessage():
        return True
    frame = sys._getframe()
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in ("tensorflow", "keras", "absl", "logging", "seqzoo"):
            return True
        if package == "seqzoo" and frame.f_code.co_name != _is_news.__name__:
            return False
        frame = frame.f_back
    return True


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """For a command, a context without garbage collections, which would search the many objects
    that an import creates and keeps; later collections leave them out."""
    if not is_command_line() or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def _without_unused() -> Iterator[None]:
    """For a command, a context in which the packages in `UNUSED` look as if they were not
    installed; for a program that imports seqzoo and may use them with Keras, no change."""
    hidden = [name for name in UNUSED if is_command_line() and name not in sys.modules]
    # An entry of None makes `import` raise ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportCallIssue, reportArgumentType]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@functools.cache
def start_devices() -> None:
    """Initialises TensorFlow's devices, as the first operation would, and silences oneDNN's
    error about transposing masks.

    Separate from `start_tensorflow`, because devices can no longer be configured afterwards.
    """
    start_tensorflow()
    tensorflow = importlib.import_module("tensorflow")
    if not tensorflow.config.get_visible_devices("GPU"):
        set_optimization_level()
    # oneDNN reports an error, once per process, when it first transposes booleans.
    with _filtered_errors(), tensorflow.device("CPU:0"):
        tensorflow.transpose([[True]])


def set_optimization_level() -> None:
    """Sets `OPTIMIZATION_LEVEL` to 1, unless XLA_FLAGS has a level or names a file of options."""
    flags = os.environ.get(XLA_FLAGS, "").strip()
    if OPTIMIZATION_LEVEL not in flags and (not flags or flags.startswith("-")):
        os.environ[XLA_FLAGS] = f"{flags} --{OPTIMIZATION_LEVEL}=1".strip()


@contextlib.contextmanager
def _filtered_errors() -> Iterator[None]:
    """Holds back output to file descriptor 2, including that of native code, and writes it out
    afterwards, except for `NOISE`; other threads wait to do the same."""
    with STANDARD_ERROR:
        try:
            original = os.dup(2)
        except OSError:  # closed, so there is nothing to filter
            yield
            return
        with tempfile.TemporaryFile() as held:
            if sys.stderr is not None:  # else it was closed, and 2 is another file's
                sys.stderr.flush()
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                if sys.stderr is not None:
                    sys.stderr.flush()
                os.dup2(original, 2)
                os.close(original)
                held.seek(0)
                for line in held:
                    if not NOISE.search(line):
                        os.write(2, line)
