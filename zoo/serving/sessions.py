"""Open sessions of a model: a bounded number, each ended after some time without a request."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class Sessions:
    """Sessions by their ids, which cannot be guessed.

    Args:
        maximum: maximum number of open sessions.
        seconds: seconds without a request after which a session ends.
        clock: returns the time in seconds.
    """

    def __init__(self, maximum: int, seconds: float, clock: Callable[[], float] = time.monotonic):
        self._maximum = maximum
        self._seconds = seconds
        self._clock = clock
        self._open: OrderedDict[str, tuple[float, Any]] = OrderedDict()  # least recently used first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._expire()
            return len(self._open)

    def add(self, session: Any) -> str | None:
        """Adds a session, and returns its id; None if too many are open."""
        with self._lock:
            self._expire()
            if len(self._open) >= self._maximum:
                return None
            name = secrets.token_urlsafe(16)
            self._open[name] = self._clock(), session
            return name

    def get(self, name: str) -> Any:
        """A session, whose timeout is reset; None if there is no session with this id."""
        with self._lock:
            self._expire()
            if name not in self._open:
                return None
            _, session = self._open.pop(name)
            self._open[name] = self._clock(), session
            return session

    def remove(self, name: str) -> bool:
        """Ends a session; returns whether it existed."""
        with self._lock:
            self._expire()
            return self._open.pop(name, None) is not None

    def _expire(self) -> None:
        oldest = self._clock() - self._seconds
        while self._open and next(iter(self._open.values()))[0] < oldest:
            self._open.popitem(last=False)
