"""Ctrl-C and SIGTERM while native code keeps Python busy."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from cli_cases import ROOT

from seqzoo.zoo.stopping import handling_signals

# Half a minute in native code that releases the GIL and checks no signals.
PROGRAM = """
import hashlib
from seqzoo.zoo import stopping

stopping.SECONDS_TO_END = 0.2
with stopping.handling_signals():
    stopping.set_exit_message("Stopped immediately. To go on: x")
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 100_000_000)
"""


@pytest.mark.quick_for("2")
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_an_unresponsive_process(second) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(1)  # until it is within the native code
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        began = time.monotonic()
        process.send_signal(second)
        _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert errors == (
        "Stopping after this step; a second Ctrl-C stops at once.\nStopped immediately. To go on: "
        "x\n"
    )


def _wait() -> None:
    """Waits five seconds, unless a repeated interrupt arrives, which wakes no sleep."""
    for _ in range(500):
        time.sleep(0.01)


def test_an_interrupt_that_the_garbage_collector_swallows_is_repeated(capsys) -> None:
    def collecting(phase: str, _: dict) -> None:
        if phase == "start":
            time.sleep(0.3)

    gc.callbacks.append(collecting)
    try:
        with pytest.raises(KeyboardInterrupt), handling_signals():
            threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGTERM]).start()
            gc.collect(0)
            gc.callbacks.remove(collecting)
            _wait()
            raise AssertionError("the interrupt was lost")
    finally:
        if collecting in gc.callbacks:
            gc.callbacks.remove(collecting)
    assert capsys.readouterr().err == ""  # it counts once


def test_an_interrupt_that_a_destructor_swallows_is_not_printed(capsys) -> None:
    class Swallowing:
        def __init__(self, kind: type[BaseException]):
            self.kind = kind

        def __del__(self) -> None:
            raise self.kind

    before = sys.unraisablehook
    try:
        sys.unraisablehook = sys.__unraisablehook__
        with pytest.raises(KeyboardInterrupt), handling_signals():
            Swallowing(KeyboardInterrupt)
            assert capsys.readouterr().err == ""
            Swallowing(RuntimeError)
            assert "RuntimeError" in capsys.readouterr().err
            _wait()
        assert sys.unraisablehook is sys.__unraisablehook__
    finally:
        sys.unraisablehook = before


def test_sigterm_is_one_request_to_end_and_not_two() -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), handling_signals():
        signal.raise_signal(signal.SIGTERM)
        time.sleep(1)
    assert signal.getsignal(signal.SIGTERM) == handler
