"""Settings of `seqzoo serve`: where it listens, how requests share batches, and what it refuses."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, Named, Range, check

LogFormat = Literal["text", "json"]

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-fA-F:.]+\]|[^\s/:?#@]+)(:\d{1,5})?")
"""An origin as browsers send it, without a path and without a trailing slash."""


@dataclass(frozen=True)
class ServingSettings:
    """How models are served.

    Attributes:
        host: address to listen on. Other machines can reach it only if it is not a loopback
            address.
        port: port to listen on, 0 for a free one.
        batch_size: maximum number of inputs, from several requests, that are predicted as one
            batch.
        batch_wait: milliseconds that a request waits for others to share its batch. Requests that
            arrive while a batch is computed share the next one in any case.
        queue_size: maximum number of waiting requests per model; further requests are answered
            with 503.
        timeout: seconds after which a request is answered with 504.
        body_size: maximum size of a request body, in megabytes.
        instances: maximum number of inputs per request.
        length: maximum length of an input, in characters of a text, steps of a series or elements
            of a vector.
        pixels: maximum number of pixels per image; all images of a request may have four times as
            many.
        seconds: maximum duration of an audio input, in seconds.
        tokens: maximum number of generated tokens, or of steps of a forecast.
        sessions: maximum number of open sessions per model.
        session_seconds: seconds without a request after which a session ends.
        origins: origins of web pages that may call the server, such as https://example.org.
        log_format: format of the request log on standard error.

    Raises:
        SeqzooError: a value is out of range.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Range(minimum=0, maximum=65535)] = 8501
    batch_size: Annotated[int, Range(minimum=1, maximum=256)] = 64
    batch_wait: Annotated[float, Range(minimum=0, maximum=1000)] = 0.0
    queue_size: Count = 256
    timeout: Annotated[float, Range(above=0, below=math.inf)] = 30.0
    body_size: Annotated[float, Range(above=0, below=math.inf)] = 8.0
    instances: Annotated[int, Range(minimum=1, maximum=256), Named("max-instances")] = 128
    length: Annotated[Count, Named("max-length")] = 10_000
    pixels: Annotated[Count, Named("max-pixels")] = 25_000_000
    seconds: Annotated[float, Range(above=0, below=math.inf), Named("max-seconds")] = 60.0
    tokens: Annotated[Count, Named("max-tokens")] = 1_000
    sessions: Annotated[Count, Named("max-sessions")] = 256
    session_seconds: Annotated[float, Range(above=0, below=math.inf)] = 300.0
    origins: Annotated[Sequence[str], Named("allow-origins")] = ()
    log_format: LogFormat = "text"

    def __post_init__(self) -> None:
        check(self)
        for origin in self.origins:
            if not ORIGIN.fullmatch(origin):
                raise SeqzooError(
                    field="origins",
                    expected="the scheme, host and (optional) port of a web page, such as "
                    "https://example.org",
                    got=origin,
                )
