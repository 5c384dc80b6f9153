"""Measures throughput and latency of `seqzoo serve`, with and without batching of requests.

    python -m benchmarks.serving [--model language-id] [--batch-size 64] [--load 64:10000]
    python -m benchmarks.serving --first

A load is CLIENTS:REQUESTS: each client has one connection and sends its next request when it has
the response to the previous one. Prints a row of docs/serving.md for each load, and stops with an
error if a request gets no prediction. With --first, it prints the time until each pretrained model
is ready and the times of its first requests, and the same for an exported SavedModel in a process
that has only TensorFlow.
"""

import argparse
import asyncio
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.measurements import machine
from seqzoo.zoo import card

ROOT = pathlib.Path(__file__).resolve().parents[1]

TEXTS = ["Zuid-Korea", "buenos días", "Donnerstag", "île de Pâques", "Ελλάδα", "30 апреля"]
"""Inputs that the clients send in turn."""

LOADS = ["1:1000", "8:4000", "64:10000"]


def resident(address: str) -> float:
    """Resident memory of the server, in MB."""
    with urllib.request.urlopen(f"{address}/metrics") as response:
        text = response.read().decode()
    match = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
    return float(match[1]) / 1e6 if match else float("nan")


async def client(port: int, path: str, queue: "asyncio.Queue[int]", times: list[float]) -> None:
    """Sends requests on one connection until the queue is empty."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not queue.empty():
        text = TEXTS[queue.get_nowait() % len(TEXTS)]
        body = json.dumps({"instances": [text]}).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        start = time.perf_counter()
        writer.write(head.encode() + body)
        header = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", header)
        content = await reader.readexactly(int(size[1]) if size else 0)
        times.append(time.perf_counter() - start)
        if not header.startswith(b"HTTP/1.1 200") or b'"answer"' not in content:
            raise RuntimeError(f"A request got no prediction: {header[:80]!r} {content[:200]!r}")
    writer.close()


async def load(port: int, path: str, clients: int, requests: int) -> tuple[float, Sequence[float]]:
    """Seconds for all requests together, and for each."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    for number in range(requests):
        queue.put_nowait(number)
    times: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(*(client(port, path, queue, times) for _ in range(clients)))
    return time.perf_counter() - start, times


@contextlib.contextmanager
def served(*words: str) -> Iterator[str]:
    """Runs `seqzoo serve` with some arguments; yields its address once it is ready."""
    command = [sys.executable, str(ROOT / "cli.py"), "serve", *words, "--port", "0"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as server:
        try:
            assert server.stdout is not None
            while line := server.stdout.readline():
                if line.startswith("Serving "):
                    yield line.split(" at ")[1].split()[0]
                    return
            raise RuntimeError("The server ended before it was ready.")
        finally:
            server.terminate()


def _noise(shape: tuple[int, ...]) -> list:
    return np.random.default_rng(0).integers(0, 256, shape).tolist()


INPUTS = {
    "language-id": "Zuid-Korea",
    "date-normaliser": "3 mars 2021",
    "python-highlighter": "x = [a for a in range(3)]",
    "python-source": "def f(",
    "glyph-captioner": _noise((40, 40, 1)),
    "line-reader": _noise((24, 300)),
}
"""An input for each pretrained model."""


def first_requests() -> None:
    """Prints a row of docs/serving.md for each pretrained model: seconds until it is ready, and
    milliseconds of its first and second request."""
    for name, value in INPUTS.items():
        began = time.perf_counter()
        with served(name) as address:
            ready, seconds = time.perf_counter() - began, []
            for _ in range(2):
                body = json.dumps({"instances": [value]}).encode()
                start = time.perf_counter()
                url = f"{address}/v1/models/{name}:predict"
                with urllib.request.urlopen(url, body) as response:
                    assert json.load(response)["predictions"][0]["answer"] is not None
                seconds.append(time.perf_counter() - start)
            first, second = (f"{1000 * each:,.0f}" for each in seconds)
            print(f"| `{name}` | {ready:.1f} | {first} | {second} |", flush=True)


FIRST_CALLS = """
import json, sys, time
import numpy as np
import tensorflow as tf

began = time.perf_counter()
signatures = tf.saved_model.load(sys.argv[1]).signatures
loaded = time.perf_counter() - began
raw = {key: np.array(*item) for key, item in json.loads(sys.argv[2]).items()}
for name in ("serving_default", "serving_compiled"):
    for rows in (1, 64) if name in signatures else ():
        times = []
        for _ in range(2):
            start = time.perf_counter()
            given = {key: tf.constant(np.repeat(item, rows, 0)) for key, item in raw.items()}
            for result in signatures[name](**given).values():
                result.numpy()
            times.append(f"{1000 * (time.perf_counter() - start):,.1f}")
        print(f"| `{sys.argv[3]}` `{name}` | {rows} | {loaded:.1f} | {' | '.join(times)} |")
"""
"""A program without seqzoo that prints a row with the first calls of each signature."""


def first_calls(model: str) -> None:
    """Prints a row of docs/deployment.md for each signature of an exported model."""
    from seqzoo.tasks.export.checking import raw_tensors
    from seqzoo.tasks.protocols import Generates
    from seqzoo.zoo import load

    run = load(model)
    value: Any = INPUTS[model]
    value = value if isinstance(value, str) else np.array(value, np.uint8)
    raw = {
        name: (
            [item.decode() if isinstance(item, bytes) else item.tolist() for item in array],
            "U" if array.dtype == object else str(array.dtype),
        )
        for name, array in raw_tensors(run.task, [value]).items()
    }
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/exported"
        compiled = () if isinstance(run.task, Generates) else ("serving_compiled",)
        run.export(target, signatures=compiled, check=False)
        program = [sys.executable, "-I", "-c", FIRST_CALLS, target, json.dumps(raw), model]
        subprocess.run(program, check=True, cwd=folder, stderr=subprocess.DEVNULL)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="language-id")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--load", action="append", help=f"CLIENTS:REQUESTS; default {LOADS}")
    parser.add_argument("--first", action="store_true", help="measure first requests instead")
    args = parser.parse_args()
    if args.first:
        for name in INPUTS:
            first_calls(name)
        first_requests()
        print(machine())
        return
    card(args.model)  # errors are reported before the server starts
    with served(args.model, "--batch-size", str(args.batch_size)) as address:
        path, port = f"/v1/models/{args.model}:predict", int(address.rpartition(":")[2])
        asyncio.run(load(port, path, 64, 1000))  # warm-up
        for item in args.load or LOADS:
            clients, requests = map(int, item.split(":"))
            before = resident(address)
            seconds, times = asyncio.run(load(port, path, clients, requests))
            assert len(times) == requests
            median, p99 = 1000 * np.percentile(times, [50, 99])
            print(
                f"| {args.batch_size} | {clients} | {requests:,} | {requests / seconds:,.0f} "
                f"| {median:.1f} | {p99:.1f} | {before:,.0f} -> {resident(address):,.0f} |",
                flush=True,
            )
    print(machine())


if __name__ == "__main__":
    main()
