"""Middleware for every request: rejects other origins and hosts, and logs and counts requests."""

import contextlib
import ipaddress
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from seqzoo.tasks.printable import printable
from seqzoo.zoo.serving.metrics import Counter, Histogram
from seqzoo.zoo.serving.requests import error_response
from seqzoo.zoo.serving.settings import ServingSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Host names and addresses by which a machine reaches itself."""

HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
"""Headers that are added to every response."""

log = logging.getLogger("seqzoo.serving")

App = Callable[[Any, Any, Any], Awaitable[None]]


class Guard:
    """An ASGI middleware.

    Browsers send the origin of the page that makes a request, and the host name that the request is
    addressed to. Checking both keeps pages from other sites from using a server on the visitor's
    machine, through a form or by DNS rebinding.

    Args:
        app: the application behind it.
        settings: the settings.
        requests: counts requests by route, model, method and status.
        seconds: observes their durations.
    """

    def __init__(
        self, app: App, settings: ServingSettings, requests: Counter, seconds: Histogram
    ) -> None:
        self.app = app
        self.settings = settings
        self.own_names = own_names(settings)
        self.requests = requests
        self.seconds = seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), 500, 0

        async def observed_send(message: Any) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            refused = self._refused(scope)
            if refused:
                await error_response(403, refused)(scope, receive, observed_send)
            else:
                await self.app(scope, receive, observed_send)
        finally:
            self._record(scope, status, size, time.perf_counter() - start)

    def _refused(self, scope: Any) -> str:
        """Why a request is refused; empty if it is not."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = _name(headers.get(b"host", ""))
        if self.own_names and host not in self.own_names:
            names = ", ".join(self.own_names)
            return f"This server accepts requests only for {names}, not for {host!r}."
        origin = headers.get(b"origin")
        if origin is None or origin in self.settings.origins:
            return ""
        with contextlib.suppress(ValueError):  # a malformed address
            if urlsplit(origin).netloc.lower() == headers.get(b"host", "").lower():
                return ""
        return f"Pages from {origin} may not call this server; --allow-origins permits them."

    def _record(self, scope: Any, status: int, size: int, seconds: float) -> None:
        route = getattr(scope.get("endpoint"), "__name__", "other")
        model = scope.get("path_params", {}).get("name", "")
        # The name is checked only by the methods that a route has.
        model = model if status not in (404, 405) else ""
        self.requests.add(route=route, model=model, method=_method(scope), status=str(status))
        self.seconds.observe(seconds, route=route)
        log.info(
            "request",
            extra={
                "request": {
                    "method": _method(scope),
                    "path": scope["path"],
                    "status": status,
                    "bytes": size,
                    "milliseconds": round(seconds * 1000, 3),
                    "client": (scope.get("client") or ("",))[0],
                }
            },
        )


def own_names(settings: ServingSettings) -> tuple[str, ...]:
    """The host names for which a server that listens on its own machine only accepts requests:
    those of the machine, and those of the allowed origins, which a proxy may pass on. Empty for a
    server that listens on the network."""
    if settings.host not in LOOPBACK:
        try:
            local = ipaddress.ip_address(settings.host).is_loopback
        except ValueError:  # a name
            local = False
        if not local:
            return ()
    origins = [urlsplit(origin).hostname for origin in settings.origins]
    return tuple(dict.fromkeys([*LOOPBACK, settings.host, *filter(None, origins)]))


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


def _method(scope: Any) -> str:
    """The method, or "other", so that clients cannot create arbitrary metric labels."""
    return scope["method"] if scope["method"] in METHODS else "other"


def _name(host: str) -> str:
    """A host without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return host


class Formatter(logging.Formatter):
    """Formats each record of a log as a line of text or as a JSON object."""

    def __init__(self, form: str):
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "request", None)
        if self.form == "json":
            line = {"time": moment, "level": record.levelname.lower()}
            line |= fields or {"message": record.getMessage()}
            if record.exc_info:
                line["exception"] = self.formatException(record.exc_info)
            return json.dumps(line, ensure_ascii=False)
        if fields:
            # Escaped as in JSON, so that a path cannot begin a new line.
            path = json.dumps(fields["path"], ensure_ascii=False)[1:-1]
            text = "{method} {path} {status} {milliseconds} ms".format(**{**fields, "path": path})
        else:
            text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return printable(f"{moment} {text}")


def start_log(form: str) -> None:
    """Sends the log of the server to standard error, as "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(form))
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)
