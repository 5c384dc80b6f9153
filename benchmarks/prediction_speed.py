"""Measures the speed of predictions: a decoding step compared with a plain loop, and single texts.

    python -m benchmarks.prediction_speed [--rows 1,64]
        [--parts decoding,attention,exported,predict]

The methods of a table alternate in one process; each figure is a median. The plain loop is a
`tf.while_loop` around the model's step that feeds back the most probable token: decoding without
log-probabilities, constraints or end of text. It is measured as a graph of plain operations and
compiled by XLA. So is seqzoo's decoding: the first predictions and exported models use plain
operations, and a model that has generated text for a second uses the compiled loop.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import contextlib
import pathlib
import platform
import tempfile
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

import seqzoo.cells
from benchmarks.speed import interleaved
from seqzoo.cells.engine.dispatch import cores
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.arrays import compiled_loops
from seqzoo.tasks.decoding.decoder import decode
from seqzoo.zoo import list_trained, load

STEPS = 200
BEAMS = 5
TEXTS = {
    "language-id": "Zuid-Korea",
    "python-highlighter": "x = [a for a in range(3)]",
    "python-source": "def f(",
    "date-normaliser": "3 mars 2021",
}


class Loops:
    """Ways to generate `STEPS` tokens from a decoder, each a function without arguments.

    Args:
        decoder: a model's decoder.
        vocabulary_size: number of tokens in its vocabulary.
        memory: (rows) -> the arguments of its attention; None without attention.
    """

    def __init__(self, decoder: Any, vocabulary_size: int, memory: Callable | None = None):
        self.decoder = decoder
        self.vocabulary_size = vocabulary_size
        self.memory = memory

    def plain(self, rows: int, *, compiled: bool = False) -> Callable:
        """A plain loop that feeds back the most probable token."""

        def run(states, start, constants):
            tokens = tf.TensorArray(tf.int32, STEPS, element_shape=[None])

            def body(t, token, states, tokens):
                logits, new, _ = self.decoder.step(token, states, constants or None)
                token = tf.argmax(logits, 1, output_type=tf.int32)
                new = tf.nest.pack_sequence_as(states, tf.nest.flatten(new))
                return t + 1, token, new, tokens.write(t, token)

            shapes = tf.nest.map_structure(lambda item: item.shape, (start, states))
            return tf.while_loop(
                lambda t, *_: t < STEPS,
                body,
                (tf.constant(0), start, states, tokens),
                (tf.TensorShape([]), *shapes, tf.TensorShape(None)),
            )[3].stack()

        return self._bind(run, rows, compiled)

    def decode(self, rows: int, *, compiled: bool = False, **options: Any) -> Callable:
        """seqzoo's decoding, with options of `Decoding`."""

        def run(states, start, constants):
            with compiled_loops() if compiled else contextlib.nullcontext():
                result = decode(
                    self.decoder.step,
                    states,
                    choices=Decoding(maximum_length=STEPS, **options),
                    start=start,
                    end=None,
                    vocabulary_size=self.vocabulary_size,
                    constants=constants or None,
                    seed=1,
                    report_attention=False,
                )
            return result.tokens, result.log_probabilities

        return self._bind(run, rows, False)

    def _bind(self, run: Callable, rows: int, compiled: bool) -> Callable:
        inputs = (
            self.decoder.zero_states(rows),
            tf.fill([rows], 5),
            () if self.memory is None else self.memory(rows),
        )

        def free(value: Any) -> Any:
            return tf.TensorSpec([None, *value.shape[1:]], value.dtype)

        signature = None if compiled else tf.nest.map_structure(free, inputs)
        graph = tf.function(run, jit_compile=compiled, autograph=False, input_signature=signature)
        return lambda: tf.nest.map_structure(lambda value: value.numpy(), graph(*inputs))


def decoding_table(loops: Loops, rows: int, seconds: float) -> None:
    """Prints the milliseconds per step of all methods."""
    methods: dict[str, Callable] = {}
    for compiled in (False, True):
        suffix = ", compiled" if compiled else ""
        methods |= {
            f"plain loop{suffix}": loops.plain(rows, compiled=compiled),
            f"greedy{suffix}": loops.decode(rows, compiled=compiled),
            f"sampling{suffix}": loops.decode(rows, compiled=compiled, method="sample"),
            f"beam {BEAMS}{suffix}": loops.decode(
                rows, compiled=compiled, method="beam", beam_width=BEAMS
            ),
            f"greedy, {BEAMS} times the rows{suffix}": loops.decode(
                BEAMS * rows, compiled=compiled
            ),
        }
    medians, first = interleaved(methods, seconds)
    plain = medians["plain loop"]
    for name, time in medians.items():
        cells = [rows, name, f"{1e3 * time / STEPS:.3f}", f"{time / plain:.2f}"]
        print(f"| {' | '.join(map(str, cells))} | {first[name]:.1f} |", flush=True)


def language_model() -> Loops:
    """The loops of `python-source`, a decoder without attention."""
    run = load("python-source")
    return Loops(run.model.decoder, len(run.task.texts.vocabulary))


def encoder_decoder() -> Loops:
    """The loops of `date-normaliser`, a decoder with attention over 24 steps."""
    run = load("date-normaliser")
    model = run.model

    def memory(rows: int) -> Any:
        with seqzoo.cells.portable():
            values, mask, _ = model.encode(
                {"values": tf.fill([rows, 24], 5), "lengths": tf.fill([rows], 24)}
            )
        return model.decoder.look_at(values, mask)

    return Loops(model.decoder, len(run.task.texts.vocabulary), memory)


def exported_table(rows: list[int], seconds: float) -> None:
    """Prints the milliseconds per step of an exported model, from text to text."""
    loops, run = language_model(), load("python-source")
    methods = {"greedy": Decoding(maximum_length=STEPS)}
    methods["sampling"] = Decoding("sample", maximum_length=STEPS)
    with tempfile.TemporaryDirectory() as folder:
        served = {}
        for name, choices in methods.items():
            target = pathlib.Path(folder) / name
            run.export(target, PredictionOptions(decoding=choices, seed=1), check=False)
            served[name] = tf.saved_model.load(str(target))
        for count in rows:
            texts = tf.constant(["d"] * count)

            def request(model: Any, texts: Any = texts) -> Callable:
                signature = model.signatures["serving_default"]
                return lambda: signature(texts)["text"].numpy()

            calls = {"plain loop": loops.plain(count)}
            calls |= {f"exported, {name}": request(model) for name, model in served.items()}
            medians, first = interleaved(calls, seconds)
            for name, time in medians.items():
                ratio = time / medians["plain loop"]
                print(f"| {count} | {name} | {1e3 * time / STEPS:.3f} | {ratio:.2f} | ", end="")
                print(f"{first[name]:.1f} |", flush=True)


def predict_table(seconds: float) -> None:
    """Prints the milliseconds of `Run.predict` for one text and, with a data set, for 1,000."""
    from seqzoo.zoo.data.open import open_examples
    from seqzoo.zoo.data.source import Source

    for name in list_trained():
        run = load(name)
        many = None
        if name != "python-source":
            many = list(open_examples(Source.of_run(run, None), "test").inputs[:1000])
        one = [TEXTS[name]] if name in TEXTS else list(many or [])[:1]
        calls: dict[str, Callable] = {"one": lambda run=run, one=one: run.predict(one)}
        medians, first = interleaved(calls, seconds)
        cells = [name, f"{1e3 * medians['one']:.1f}", ""]
        if many:
            medians, _ = interleaved(
                {"many": lambda run=run, many=many: run.predict(many)}, seconds
            )
            cells[2] = f"{1e3 * medians['many']:.0f}"
        print(f"| {' | '.join(cells)} | {first['one']:.1f} |", flush=True)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default="decoding,attention,exported,predict")
    parser.add_argument("--rows", default="1,64", help="numbers of rows, separated by commas")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="seconds to measure each row of a table"
    )
    args = parser.parse_args()
    parts, rows = args.parts.split(","), [int(item) for item in args.rows.split(",")]
    print(
        f"{cores()} cores, {platform.processor() or platform.machine()}, TensorFlow "
        f"{tf.__version__}, Keras {keras.__version__}."
    )
    for part, loops in (("decoding", language_model), ("attention", encoder_decoder)):
        if part in parts:
            print("\n| rows | method | ms per step | times the plain loop | first call, s |")
            print("| --- | --- | --- | --- | --- |")
            for count in rows:
                decoding_table(loops(), count, args.seconds)
    if "exported" in parts:
        print("\n| rows | method | ms per step | times the plain loop | first call, s |")
        print("| --- | --- | --- | --- | --- |")
        exported_table(rows, args.seconds)
    if "predict" in parts:
        print("\n| model | one text, ms | 1,000 texts, ms | first text, s |")
        print("| --- | --- | --- | --- |")
        predict_table(args.seconds)


if __name__ == "__main__":
    main()
