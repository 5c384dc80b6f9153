"""Serves runs with random weights in this process, for the tests of `seqzoo serve`."""

import contextlib
import pathlib
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn
from export_cases import cases, make_run
from starlette.testclient import TestClient

from seqzoo.zoo.serving.app import create_app
from seqzoo.zoo.serving.settings import ServingSettings


def runs_of(folder: pathlib.Path, names: Sequence[str]) -> dict[str, Any]:
    """Runs of some of `export_cases.cases`, by name."""
    chosen = cases()
    return {name: make_run(folder / name, *chosen[name][:2]) for name in names}


@contextlib.contextmanager
def serving(runs: dict[str, Any], **choices: Any) -> Iterator[TestClient]:
    """A client of a server whose models are ready."""
    app = create_app(runs, ServingSettings(**choices))
    with TestClient(app, "http://localhost:8501", raise_server_exceptions=False) as client:
        until = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            states = [(model.state, model.error) for model in app.state.service.models.values()]
            assert time.monotonic() < until and "FAILED" not in dict(states), states
            time.sleep(0.02)
        yield client


def service_of(client: TestClient) -> Any:
    """The service that a client talks to."""
    app: Any = client.app
    return app.state.service


def events(client: TestClient, path: str, body: Any) -> list[dict[str, Any]]:
    """The server-sent events of a response."""
    import json

    with client.stream("POST", path, json=body) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line[6:]) for line in lines]


def joined(found: Sequence[dict[str, Any]]) -> str:
    """The complete text of a sequence of events."""
    text = ""
    for event in found:
        text = event["text"] if "text" in event else text + event["delta"]
    return text


@contextlib.contextmanager
def listening(runs: dict[str, Any], **choices: Any) -> Iterator[str]:
    """The address of a server whose models are ready, for clients that need a socket."""
    app = create_app(runs, ServingSettings(**choices))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 120
        models = app.state.service.models.values()
        while not server.started or any(model.state == "LOADING" for model in models):
            assert time.monotonic() < until and thread.is_alive()
            time.sleep(0.02)
        assert {model.state for model in models} == {"AVAILABLE"}
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
