"""HTTP connections, which are closed if the headers of a request do not arrive in time."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 30.0
"""Seconds within which the headers of a request must be complete."""


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, whose own limit is for connections that wait for their next request.

    Without this one, clients that send half a request could use up all connections.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Called when a client has connected."""
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when the connection is closed."""
        self._stop()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Called when a request begins."""
        super().on_message_begin()
        self._start()

    def on_headers_complete(self) -> None:
        """Called when the headers of a request have arrived; the rest has a limit of its own."""
        self._stop()
        super().on_headers_complete()

    def _start(self) -> None:
        self._stop()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
