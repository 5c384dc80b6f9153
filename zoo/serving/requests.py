"""Bodies of requests, read within size and time limits, and the errors that clients get."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from seqzoo.tasks.errors import nearest

DISCARDED = 64_000_000
"""Maximum number of bytes beyond the size limit of a request that are read and discarded."""


class Refusal(Exception):
    """A request that is refused.

    Attributes:
        status: the HTTP status.
        message: the reason, on one line.
        headers: additional headers of the response.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.message = " ".join(message.split())
        self.headers = dict(headers or {})


def busy(message: str, seconds: int = 1) -> Refusal:
    """The refusal of a request that may be repeated after a few seconds."""
    return Refusal(503, message, {"Retry-After": str(seconds)})


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Any:
    """{"error": message} as a response."""
    return JSONResponse({"error": message}, status, dict(headers or {}))


async def read_json(
    request: Request, allowed: Mapping[str, type | tuple[type, ...]], max_bytes: int, seconds: float
) -> dict[str, Any]:
    """The JSON object of a request.

    Args:
        request: the request.
        allowed: the types of its fields, by name.
        max_bytes: maximum number of bytes.
        seconds: number of seconds within which it must arrive.

    Raises:
        Refusal: it is too large, arrives too slowly, is not JSON, or has a field of another name or
            type.
    """
    try:
        body = await asyncio.wait_for(_read(request, max_bytes), seconds)
    except TimeoutError as error:
        raise Refusal(408, f"The request did not arrive within {seconds:g} s.") from error
    except ClientDisconnect as error:
        raise Refusal(400, "The client disconnected before the body was complete.") from error
    try:
        result = json.loads(body or b"{}", parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8: byte {error.start + 1}.") from error
    except json.JSONDecodeError as error:
        raise Refusal(
            400, f"The body is not JSON: {error.msg}, character {error.pos + 1}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body cannot be read: {error}.") from error
    if not isinstance(result, dict):
        raise Refusal(400, f"The body must be a JSON object, got {_kind(result)}.")
    for name, value in result.items():
        if name not in allowed:
            known = ", ".join(allowed) or "nothing"
            raise Refusal(400, f"There is no field {name!r}, only {known}{nearest(name, allowed)}")
        if not isinstance(value, allowed[name]) or isinstance(value, bool):
            raise Refusal(400, f"`{name}` must be {_expected(allowed[name])}, got {_kind(value)}.")
    return result


async def _read(request: Request, max_bytes: int) -> bytes:
    """The body. If it is too large, a client that sends all of it before reading the response gets
    the refusal only if the server reads the body to its end."""
    length = request.headers.get("content-length", "")
    declared = int(length) if length.isdecimal() else 0
    waits = request.headers.get("expect", "").lower() == "100-continue"
    if declared > (max_bytes if waits else max_bytes + DISCARDED):
        raise _too_large(max_bytes)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes + DISCARDED:
            break
        parts.append(part)
        if size > max_bytes:
            parts.clear()
    if size > max_bytes:
        raise _too_large(max_bytes)
    return b"".join(parts)


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, f"A request may have at most {max_bytes:,} bytes.", {"Connection": "close"})


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return KINDS[type(value)]


def _expected(kinds: type | tuple[type, ...]) -> str:
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    *first, last = dict.fromkeys(KINDS[kind] for kind in kinds)
    return f"{', '.join(first)} or {last}" if first else last
