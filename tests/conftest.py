"""Settings and fixtures that all tests share."""

import gc
import os
import pathlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

import bytecode
import memory
import pytest
import worker_renewal
from clean_tensorflow import CleanTensorFlow
from embedded_data import EmbeddedData

# Keras and TensorFlow read these once, when they are first imported.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Processes that a script starts in the background ignore Ctrl-C, and so would its tests.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Quick tests compile quickly: XLA's programs are less optimised, and compute the same. The
    slow tests run the programs that users run."""
    bytecode.share(config)
    if getattr(config.option, "maxworkerrestart", "") is None:
        config.option.maxworkerrestart = "1000"  # see worker_renewal.py; each costs a test at least
    if config.getoption("markexpr") == "not slow":
        os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


# Python looks for garbage each time that so many objects were made. Imports and the list of tests
# make millions that stay, and are looked through no more once the tests begin.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_itemcollected(item: Any) -> None:
    """Marks the cases of a `quick_for` test as slow, except for those that the mark names.

    With `rest="exhaustive"` they only run before releases."""
    mark = item.get_closest_marker("quick_for")
    if mark is not None and item.callspec.id not in mark.args:
        for name in {"slow", mark.kwargs.get("rest", "slow")}:
            item.add_marker(name)


@pytest.fixture(scope="module", autouse=True)
def _memory() -> Iterator[None]:
    yield
    memory.release()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each process a stretch of the tests, so that most files, whose tests share what they
    trained, stay in one; a process that is done takes over half of what another has left."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getvalue("dist") == "load" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    worker_renewal.end_if_large(item, nextitem)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_testnodedown(node: Any) -> None:
    worker_renewal.tell(node)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: Any, sched: Any) -> None:
    worker_renewal.go_on(crashitem, report, sched)


def _folder(variable: str, holds: str) -> pathlib.Path:
    """The folder that an environment variable names; skips the test where it is not set."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set; it must name {holds}")
    folder = pathlib.Path(value).resolve()
    if not folder.is_dir():
        pytest.fail(f"{variable} must name {holds}, got {value!r}, which is not a folder")
    return folder


@pytest.fixture(scope="session")
def tfds_data_dir() -> pathlib.Path:
    """A tfds data folder that already contains `mnist` and `imdb_reviews`."""
    return _folder("SEQZOO_TEST_TFDS", "a tfds folder with mnist and imdb_reviews")


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """A folder of real data files (names, SMS spam, CoNLL and so on), one folder per subject."""
    return _folder("SEQZOO_TEST_DATA", "a folder of data files")


@pytest.fixture(scope="session")
def embedded(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], pathlib.Path]:
    """Prepares a built-in data set; returns the tfds data folder that contains it, which is kept
    for all processes and for later runs of the tests."""
    return EmbeddedData(pytestconfig, tmp_path_factory)


@pytest.fixture(scope="session")
def languages_data_dir(embedded: Callable[[str], pathlib.Path]) -> pathlib.Path:
    """A tfds data folder that contains the `languages` data set."""
    return embedded("languages")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with data.csv, the run `run` that the CLI trained on it, and output.txt, which is
    what it printed."""
    from cli_cases import MANY_TO_ONE, seqzoo, table

    import seqzoo.cells as cells

    folder = tmp_path_factory.mktemp("trained")
    data = table(folder / "data.csv")
    with cells.portable():
        result = seqzoo(*MANY_TO_ONE, "--data", data, "--run", folder / "run", "--seed", 3)
    assert result.exit_code == 0, result.output
    (folder / "output.txt").write_text(result.stdout)
    return folder


@pytest.fixture(scope="session")
def clean_tensorflow() -> Iterator[CleanTensorFlow]:
    """Runs exported models in a process that has TensorFlow, but not seqzoo."""
    process = CleanTensorFlow()
    yield process
    process.close()


@pytest.fixture
def plain_loop() -> Iterator[None]:
    """Traces the plain loop, which costs no compilation."""
    import seqzoo.cells

    with seqzoo.cells.portable():
        yield


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training reports each step."""
    from seqzoo.tasks.training import epochs

    monkeypatch.setattr(epochs, "REPORT_SECONDS", 0.0)


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """The folder of a run of two epochs, never interrupted, and the progress that it reported."""
    from task_data import settings, splits, template
    from training_cases import CHOICES, RecordingProgress

    import seqzoo.cells
    from seqzoo.tasks.training import epochs
    from seqzoo.tasks.training.trainer import train

    folder, progress = tmp_path_factory.mktemp("runs") / "unbroken", RecordingProgress()
    with pytest.MonkeyPatch.context() as patch, seqzoo.cells.portable():
        patch.setattr(epochs, "REPORT_SECONDS", 0.0)
        train(template(**CHOICES), splits(), settings(), folder, progress=progress)
    return folder, progress


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow reports a GPU: what is traced then may contain cuDNN, but must not run."""
    import tensorflow as tf

    visible, logical = tf.config.get_visible_devices, tf.config.list_logical_devices
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    # Keras asks for the other.
    gpu_in_use = tf.config.LogicalDevice("/device:GPU:0", "GPU")

    def visible_devices(kind=None):
        return [gpu] if kind == "GPU" else visible(kind)

    def logical_devices(kind=None):
        return [gpu_in_use] if kind == "GPU" else logical(kind)

    monkeypatch.setattr(tf.config, "get_visible_devices", visible_devices)
    monkeypatch.setattr(tf.config, "list_logical_devices", logical_devices)
