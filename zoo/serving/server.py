"""Runs the server: a socket, models, and a graceful shutdown."""

import asyncio
import contextlib
import copy
import errno
import itertools
import logging
import os
import pathlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.inference.open_run import open_run
from seqzoo.zoo.serving.app import create_app
from seqzoo.zoo.serving.guard import Formatter, start_log
from seqzoo.zoo.serving.protocol import Protocol
from seqzoo.zoo.serving.settings import ServingSettings

CONNECTIONS = 1024
"""Maximum number of connections on which requests are answered."""

IDLE_SECONDS = 30
"""Seconds after which a connection without requests is closed."""


def serve(
    runs: Sequence[str],
    settings: ServingSettings,
    device: str | None = None,
    print_fn: Callable[[str], None] = print,
) -> None:
    """Serves models until a signal arrives; requests received before that are still answered. A
    second signal ends the process immediately, with exit code 130.

    Args:
        runs: folders of runs or names of presets with a pretrained model, as NAME=RUN if the name
            in the routes is not that of the folder.
        settings: the settings.
        device: see `seqzoo.zoo.devices.choose`.
        print_fn: called with the server's address, and when it is ready.

    Raises:
        SeqzooError: a run does not exist or cannot be read, two have the same name, or the port
            cannot be used.
    """
    named = names_of(runs)
    with _socket(settings) as listening:
        opened = {name: open_run(folder, device) for name, folder in named.items()}
        asyncio.run(_serve(opened, settings, listening, print_fn))


def names_of(runs: Sequence[str]) -> dict[str, str]:
    """Runs by their names in URLs.

    Raises:
        SeqzooError: two have the same name, or a name cannot be part of a URL.
    """
    results: dict[str, str] = {}
    for given in runs:
        name, equals, folder = given.partition("=")
        if not equals or "/" in name:
            name, folder = pathlib.Path(given).expanduser().resolve().name, given
        if not name or not all(item.isalnum() or item in "-_." for item in name):
            raise SeqzooError(
                f"{name!r} cannot be part of a URL; give the model a name, as in name={folder}"
            )
        if name in results:
            raise SeqzooError(
                f"Two models are called {name}; rename one, as in other={folder}", field="runs"
            )
        results[name] = folder
    return results


def _socket(settings: ServingSettings) -> socket.socket:
    """A listening socket, whose connections are accepted once the server has started.

    Raises:
        SeqzooError: the address is not one of this machine, or the port is in use.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SeqzooError(
            f"--host {host} is not an address of this machine.", field="host"
        ) from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # Before the models are loaded, so that one of two servers that start at once fails early.
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise SeqzooError(
                f"Port {port} is in use; choose another with --port, or 0 for any.",
                field="port",
            ) from error
        raise SeqzooError(
            f"The server cannot listen on {host}:{port}: {error.strerror or error}."
        ) from error
    return listening


class _Server(uvicorn.Server):
    """uvicorn's server, with signals handled here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(
    runs: dict[str, Any],
    settings: ServingSettings,
    listening: socket.socket,
    print_fn: Callable[[str], None],
) -> None:
    loop, failures = asyncio.get_running_loop(), []

    signals = itertools.count(1)

    def stop() -> None:
        server.should_exit = True

    def stop_on_signal() -> None:
        stop()
        if next(signals) > 1:
            # Neither a model's thread nor Python's exit, which waits for it, can be interrupted.
            sys.stdout.flush()
            logging.shutdown()
            os._exit(130)

    def failed(error: Exception) -> None:
        failures.append(error)
        loop.call_soon_threadsafe(stop)

    app = create_app(runs, settings, failed)
    start_log(settings.log_format)
    server = _Server(
        uvicorn.Config(
            app,
            http=Protocol,
            log_config=_log_config(settings.log_format),
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=int(settings.timeout) + 1,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_on_signal)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    print_fn(f"Loading {', '.join(runs)} for {address}")
    ready = f"Serving {', '.join(runs)} at {address} (press Ctrl-C to stop)"
    announcement = asyncio.create_task(_announce(app.state.service, ready, print_fn))
    await server.serve(sockets=[listening])
    announcement.cancel()
    if failures:
        raise failures[0]


async def _announce(service: Any, ready: str, print_fn: Callable[[str], None]) -> None:
    """Prints a line when all models are ready."""
    while any(model.state != "AVAILABLE" for model in service.models.values()):
        await asyncio.sleep(0.05)
    print_fn(ready)


def _log_config(form: str) -> dict[str, Any]:
    """uvicorn's error log, in our format."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["formatters"]["default"] = {"()": Formatter, "form": form}
    config["loggers"] = {
        "uvicorn": {"handlers": ["default"], "level": "WARNING", "propagate": False}
    }
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return config
