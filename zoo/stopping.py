"""Ctrl-C and SIGTERM, handled at once even while native code keeps Python from running."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS_TO_END = 2.0
"""Seconds that a command has to respond to the first signal, and to end after the second."""

SECONDS_TO_RETRY = 0.1
"""Seconds after which an interrupt is repeated that a destructor has swallowed."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_exit_message = ["Stopped."]
_repeated = [0]


def set_exit_message(message: str) -> None:
    """Sets the message that a command prints when it is stopped immediately."""
    _exit_message[0] = message


@contextmanager
def handling_signals() -> Iterator[None]:
    """A context in which SIGTERM, as sent by job schedulers, is handled like Ctrl-C.

    Python handles signals only between bytecode instructions. While native code runs, such as a
    compilation that takes a minute, a thread acknowledges the first signal and ends the process on
    the second; checkpoints are consistent at any time. Outside the main thread, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(receiver, ended), daemon=True)
    handler = signal.signal(signal.SIGTERM, _as_interrupt)
    wakeup = signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    _repeated[0] = 0
    hook, sys.unraisablehook = sys.unraisablehook, _without_interrupts
    watch.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(wakeup)
        os.close(sender)
        signal.signal(signal.SIGTERM, handler)
        sys.unraisablehook = hook
        set_exit_message("Stopped.")
        watch.join()
        os.close(receiver)


def _as_interrupt(number: int, frame: Any) -> None:
    handler = signal.getsignal(signal.SIGINT)
    # A process that a script started in the background ignores SIGINT, but must still end.
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


def _without_interrupts(unraisable: Any) -> None:
    """Repeats a KeyboardInterrupt that was raised within a destructor or a callback of the garbage
    collector, where Python drops it."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    _repeated[0] += 1
    repetition = threading.Timer(SECONDS_TO_RETRY, _thread.interrupt_main, [signal.SIGTERM])
    repetition.daemon = True
    repetition.start()


def _watch(receiver: int, ended: threading.Event) -> None:
    """Reads signals, one byte each, until the pipe is closed."""
    received = 0
    while data := os.read(receiver, 64):
        signals = sum(number in SIGNALS for number in data)
        repeated = min(signals, _repeated[0])  # not sent by the user
        _repeated[0] -= repeated
        received += signals - repeated
        if not received or ended.wait(SECONDS_TO_END):
            continue
        if received > 1:
            os.write(2, f"{_exit_message[0]}\n".encode())
            os._exit(130)
        os.write(2, b"Stopping after this step; a second Ctrl-C stops at once.\n")
