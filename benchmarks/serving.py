"""Throughput and latency of `seqzoo serve`, with and without batches of several requests.

    python -m benchmarks.serving [--model language-id] [--batch-size 64] [--load 64:10000]

A load is CLIENTS:REQUESTS: that many clients on a connection each, which send their next request
when they have the answer to the last. Prints a row of docs/serving.md for each, and stops with an
error if a request gets no prediction.
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence

import numpy as np

from benchmarks.measurements import machine
from seqzoo.zoo import card

ROOT = pathlib.Path(__file__).resolve().parents[1]

TEXTS = ["Zuid-Korea", "buenos días", "Donnerstag", "île de Pâques", "Ελλάδα", "30 апреля"]
"""Inputs of the clients, one after the other."""

LOADS = ["1:1000", "8:4000", "64:10000"]


def resident(address: str) -> float:
    """The memory of the server in MB."""
    with urllib.request.urlopen(f"{address}/metrics") as response:
        text = response.read().decode()
    match = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)
    return float(match[1]) / 1e6 if match else float("nan")


async def client(port: int, path: str, turns: "asyncio.Queue[int]", times: list[float]) -> None:
    """Sends requests on one connection until there are no turns left."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not turns.empty():
        text = TEXTS[turns.get_nowait() % len(TEXTS)]
        body = json.dumps({"instances": [text]}).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        start = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", answer)
        content = await reader.readexactly(int(size[1]) if size else 0)
        times.append(time.perf_counter() - start)
        if not answer.startswith(b"HTTP/1.1 200") or b'"answer"' not in content:
            raise RuntimeError(f"A request was lost: {answer[:80]!r} {content[:200]!r}")
    writer.close()


async def load(port: int, path: str, clients: int, requests: int) -> tuple[float, Sequence[float]]:
    """Seconds that all requests took, and those of each."""
    turns: asyncio.Queue[int] = asyncio.Queue()
    for turn in range(requests):
        turns.put_nowait(turn)
    times: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(*(client(port, path, turns, times) for _ in range(clients)))
    return time.perf_counter() - start, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="language-id")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--load", action="append", help=f"CLIENTS:REQUESTS; default {LOADS}")
    chosen = parser.parse_args()
    card(chosen.model)  # errors are reported before the server starts
    command = [sys.executable, str(ROOT / "cli.py"), "serve", chosen.model, "--port", "0"]
    command += ["--batch-size", str(chosen.batch_size)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split(" at ")[1].split()[0]
            assert server.stdout.readline() == "Ready\n"
            path, port = f"/v1/models/{chosen.model}:predict", int(address.rpartition(":")[2])
            asyncio.run(load(port, path, 64, 1000))  # fills caches
            for item in chosen.load or LOADS:
                clients, requests = map(int, item.split(":"))
                before = resident(address)
                seconds, times = asyncio.run(load(port, path, clients, requests))
                assert len(times) == requests
                middle, late = 1000 * np.percentile(times, [50, 99])
                print(
                    f"| {chosen.batch_size} | {clients} | {requests:,} | {requests / seconds:,.0f} "
                    f"| {middle:.1f} | {late:.1f} | {before:,.0f} -> {resident(address):,.0f} |",
                    flush=True,
                )
        finally:
            server.terminate()
    print(machine())


if __name__ == "__main__":
    main()
