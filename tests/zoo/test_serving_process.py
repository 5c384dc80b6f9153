"""`seqzoo serve` as a process: it starts, answers, and ends on a signal."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
from cli_cases import ROOT, seqzoo  # noqa: E402

from seqzoo.tasks.errors import SeqzooError  # noqa: E402
from seqzoo.zoo.serving import start  # noqa: E402
from seqzoo.zoo.serving.server import names_of  # noqa: E402


def _ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(address, data, timeout=30) as response:
        return json.load(response)


@pytest.mark.slow
def test_it_starts_responds_and_stops_gracefully(trained: pathlib.Path) -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "serve", f"letters={trained / 'run'}"]
    command += ["--port", "0", "--log-format", "json"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()
        assert first.startswith("Loading letters for http://127.0.0.1:"), first
        address = first.split(" for ")[1].strip()
        ready = process.stdout.readline()
        assert ready == f"Serving letters at {address} (press Ctrl-C to stop)\n"
        assert _ask(f"{address}/readyz") == {"status": "ready"}
        # Larger than the buffers of the sockets: the client can only read once it has sent all.
        with pytest.raises(urllib.error.HTTPError, match="413"):
            _ask(f"{address}/v1/models/letters:predict", {"instances": ["a" * 20_000_000]})
        body = {"instances": ["axyzx0", "bxyzx1"]}
        answers: list[Any] = []

        def ask() -> None:
            found = _ask(f"{address}/v1/models/letters:predict", body)
            answers.append([item["answer"] for item in found["predictions"]])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        while not answers:  # the others are under way
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert process.wait(20) == 0
        lines = process.stderr.read().splitlines()
    log = [json.loads(line) for line in lines if line.startswith("{")]
    assert len({tuple(answer) for answer in answers}) == 1
    predicted = [line for line in log if line.get("path", "").endswith(":predict")]
    assert predicted.pop(0)["status"] == 413
    assert len(predicted) == len(answers)
    assert all(line["status"] == 200 and line["milliseconds"] > 0 for line in predicted)


# A server of one model, which computes for half a minute in native code.
SLOW = """
import hashlib
from seqzoo.zoo.serving import app, server
from seqzoo.zoo.serving.settings import ServingSettings
from seqzoo.zoo.serving.worker import Worker

def compute():
    print("computing", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 100_000_000)

def start(self, failed):
    self.worker.start()
    self.worker.call(compute)

app.ServedModel.start = start
app.ServedModel.__init__ = lambda self, name, *_: vars(self).update(
    name=name, state="LOADING", worker=Worker(name, len, queue_size=9, batch_size=1, wait=0)
)
server.open_run = lambda *_: None
server.serve(["slow"], ServingSettings(port=0), print_fn=lambda line: None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_it_while_a_model_computes(second: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "computing\n"
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            process.send_signal(second)
            assert process.wait(5) == 130
        finally:
            process.kill()


def test_a_port_in_use_is_told_before_anything_is_loaded(trained: pathlib.Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = seqzoo("serve", trained / "run", "--port", port)
    assert result.exit_code == 2
    message = f"Error: Port {port} is in use; choose another with --port, or 0 for any.\n"
    assert result.stderr == message
    result = seqzoo("serve", "no-such-run", "--port", 0)
    assert result.exit_code == 2 and "is not a run folder" in result.stderr
    assert "at least 1" in seqzoo("serve", trained / "run", "--batch-size", 0).stderr


def test_models_have_their_own_names() -> None:
    assert names_of(["runs/dates", "other=runs/dates"]) == {
        "dates": "runs/dates",
        "other": "runs/dates",
    }
    for given in (["runs/dates", "old/dates"], ["a b=runs/dates"], ["=runs/dates"]):
        with pytest.raises(SeqzooError, match="name"):
            names_of(given)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "MODULES", ("starlette", "no_such_module"))
    with pytest.raises(SeqzooError, match=r"needs no_such_module, .*\[serve\]'"):
        start.start(["language-id"], {}, None, print)
