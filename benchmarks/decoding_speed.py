"""Compares the speed and memory of decoding with CTranslate2 and with a loop in PyTorch.

    python -m benchmarks.decoding_speed FOLDER [--contestants seqzoo,CTranslate2]
        [--ctranslate2 PYTHON] [--write docs/speed.md]

Every model has random weights, source and target vocabularies of 4,000 words, and about 3.4 million
parameters in float32, and runs on two threads. Sources have 20 words, and the texts that are
written exactly 20, so that the number of tokens does not depend on the weights. seqzoo's model is
that of the preset `english-french`, a GRU with attention; it is measured by `Run.predict` and as an
exported SavedModel, both from text to text. CTranslate2 has no recurrent models, so its model is a
Transformer; PYTHON is that of an environment with ctranslate2. PyTorch's model is the
encoder-decoder of `benchmarks.handwritten`, in a plain greedy loop from ids to ids.

Each setting has a process of its own, whose maximum resident memory is reported. Each row is
appended to a CSV file, and settings that are in it are not measured again. FOLDER keeps the models.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

VOCABULARY, LENGTH, UNITS, EMBEDDING, BEAM = 4_000, 20, 256, 128, 5
BATCHES = (1, 64, 512)
WARM_UP, SECONDS = 4.0, 3.0
"""`Run.predict` compiles its loop after it has spent a second on generating texts."""

VERSION = "4.8.5"
"""The version of CTranslate2 that was measured; its environment may be another one."""

COMMAND = "python -m benchmarks.decoding_speed FOLDER --ctranslate2 PYTHON --write docs/speed.md"

INTRODUCTION = """## Decoding compared with CTranslate2

Tokens per second and the maximum resident memory of the process, for models with random weights
that read 20 words and write exactly 20, on two threads in float32. seqzoo: a bidirectional GRU of
256 units, and a GRU of 256 with additive attention, as in the preset `english-french`, from text to
text. CTranslate2: a Transformer with 2 + 2 layers of 160 units and 4 heads, since it has no
recurrent models, from tokens to tokens. torch: the same GRUs in a plain greedy loop from ids to
ids. All have vocabularies of 4,000 and 3.4 to 3.5 million parameters. The architectures differ, so
these are times of systems with the same number of parameters, not of the same model. Medians; each
setting in a process of its own."""

CONTESTANTS = {
    "predict": "seqzoo, `Run.predict`",
    "exported": "seqzoo, exported",
    "CTranslate2": "CTranslate2, Transformer",
    "torch": "torch, greedy loop",
}
"""Headings of the table by contestant."""


def texts(batch: int) -> list[str]:
    """Random source texts."""
    ids = np.random.default_rng(0).integers(VOCABULARY - 4, size=(batch, LENGTH))
    return [" ".join(f"w{item}" for item in row) for row in ids]


def prepare(folder: pathlib.Path) -> None:
    """Makes a run with hardly trained weights."""
    from seqzoo.tasks import Examples, ManyToManyEncoderDecoder, Splits, TrainingSettings, train

    words = [f"w{item}" for item in np.arange(800 * LENGTH) % (VOCABULARY - 4)]
    rows = [" ".join(words[start : start + LENGTH]) for start in range(0, len(words), LENGTH)]
    template = ManyToManyEncoderDecoder(
        "words",
        "words",
        units=UNITS,
        embedding=EMBEDDING,
        vocabulary_size=VOCABULARY,
        minimum_count=1,
    )
    settings = TrainingSettings(epochs=1, batch_size=64)
    train(template, Splits(Examples(rows, rows), Examples(rows[:64], rows[:64])), settings, folder)


def decoding(beam: int) -> Any:
    """The options of generation."""
    from seqzoo.tasks import PredictionOptions
    from seqzoo.tasks.decoding import Decoding

    lengths: Any = {"minimum_length": LENGTH, "maximum_length": LENGTH}
    method = Decoding("greedy", **lengths)
    if beam > 1:
        method = Decoding("beam", beam_width=beam, **lengths)
    return PredictionOptions(top=1, decoding=method)


def predict_call(folder: pathlib.Path, beam: int, batch: int) -> Callable[[], int]:
    """`Run.predict`; returns the number of tokens."""
    from seqzoo.tasks import Run

    run, options, inputs = Run.open(folder / "run"), decoding(beam), texts(batch)
    return lambda: sum(len(item.label.split()) for item in run.predict(inputs, options))


def exported_call(folder: pathlib.Path, beam: int, batch: int) -> Callable[[], int]:
    """The signature of a SavedModel; returns the number of tokens."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder / f"exported-{beam}"))
    inputs, signature = tf.constant(texts(batch)), model.signatures["serving_default"]

    def call() -> int:
        output = signature(inputs)["text"].numpy().ravel()
        return sum(len(text.split()) for text in output)

    return call


def torch_call(folder: pathlib.Path, beam: int, batch: int) -> Callable[[], int]:
    """A greedy loop in PyTorch; returns the number of tokens."""
    from benchmarks.contestants import torch
    from benchmarks.handwritten import START, TorchEncoderDecoder

    torch.set_num_threads(2)
    network = TorchEncoderDecoder(VOCABULARY, VOCABULARY, UNITS, EMBEDDING).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(4, VOCABULARY, (batch, LENGTH)))
    lengths, steps = torch.full([batch], LENGTH), torch.ones(batch, LENGTH, dtype=torch.bool)

    def call() -> int:
        with torch.inference_mode():
            memory, keys, state = network.encode(ids, lengths)
            token, tokens = torch.full([batch, 1], START), []
            for _ in range(LENGTH):
                logits, state = network.decode(token, state, memory, keys, steps)
                token = logits.argmax(-1)
                tokens.append(token)
            return torch.cat(tokens, 1).numel()

    return call


CALLS = {"predict": predict_call, "exported": exported_call, "torch": torch_call}


def worker(contestant: str, folder: pathlib.Path, beam: int, batch: int) -> None:
    """Measures a setting and prints the result as JSON; prepares the models if there is none."""
    if contestant == "prepare":
        if not (folder / "run").exists():
            prepare(folder / "run")
        from seqzoo.tasks import Run

        run = Run.open(folder / "run")
        run.export(folder / f"exported-{beam}", decoding(beam), check=False)
        print(json.dumps({"parameters": int(run.model.count_params())}))
        return
    call = CALLS[contestant](folder, beam, batch)
    end, calls = time.perf_counter() + WARM_UP, 0
    while time.perf_counter() < end or calls < 2:
        count, calls = call(), calls + 1
        assert count == batch * LENGTH, (count, batch * LENGTH)
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": statistics.median(times), "memory": memory}))


def measure(arguments: list[str]) -> dict[str, float]:
    """The last line that a process prints, which is JSON."""
    output = subprocess.run([*arguments], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def section(measured: Any) -> str:
    """The section of docs/speed.md."""
    from importlib import metadata

    from benchmarks.measurements import machine

    names = [name for name in CONTESTANTS if any(r["contestant"] == name for r in measured.rows)]
    lines = [
        f"| search | batch | {' | '.join(CONTESTANTS[name] for name in names)} |",
        "| " + " | ".join(["---"] * (2 + len(names))) + " |",
    ]
    for beam in (1, BEAM):
        for batch in BATCHES:
            cells = []
            for name in names:
                row = measured.find(name, beam, batch)
                cells.append(
                    f"{float(row['tokens per second']):,.0f} ({row['MB']} MB)" if row else ""
                )
            search = "greedy" if beam == 1 else f"beam {beam}"
            lines.append(f"| {search} | {batch} | {' | '.join(cells)} |")
    versions = f"{machine()}, PyTorch {metadata.version('torch')}, CTranslate2 {VERSION}"
    return "\n".join([INTRODUCTION, f"{versions}. Measured by\n\n    {COMMAND}\n", *lines])


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, help="folder for the models")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS))
    parser.add_argument("--ctranslate2", default="python", help="Python that has ctranslate2")
    parser.add_argument("--results", type=pathlib.Path, help="CSV file")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, beam, batch = args.worker
        worker(name, args.folder, int(beam), int(batch))
        return
    from benchmarks.measurements import Measurements, path_of, write_section

    path = args.results or path_of("decoding")
    measured = Measurements(path, ("contestant", "beam", "batch"))
    ours = [sys.executable, "-m", "benchmarks.decoding_speed", str(args.folder), "--worker"]
    script = str(pathlib.Path(__file__).with_name("transformer_decoding.py"))
    for beam in (1, BEAM):
        if not (args.folder / f"exported-{beam}").exists():
            print("seqzoo", measure([*ours, "prepare", str(beam), "0"]))
        for batch in BATCHES:
            for name in args.contestants.split(","):
                if measured.find(name, beam, batch) or (name == "torch" and beam > 1):
                    continue
                command = [*ours, name, str(beam), str(batch)]
                if name == "CTranslate2":
                    sizes = map(str, (VOCABULARY, LENGTH, beam, batch))
                    command = [args.ctranslate2, script, str(args.folder / "transformer"), *sizes]
                result = measure(command)
                speed, memory = batch * LENGTH / result["seconds"], result["memory"] / 2**20
                row = {"contestant": name, "beam": beam, "batch": batch}
                measured.add(row | {"tokens per second": f"{speed:.0f}", "MB": f"{memory:.0f}"})
                print(*measured.rows[-1].values(), sep="\t", flush=True)
    if args.write:
        write_section(args.write, COMMAND, section(measured))


if __name__ == "__main__":
    main()
