"""Measures the first training step with each shape, which includes tracing and compilation.

    python -m benchmarks.first_step [--cells gru,lstm] [--lengths 40,60,90]

Three stacked bidirectional layers of 32 units are trained with `train_on_batch` on batches of shape
(32, length, 64). The first step of the first length also builds the optimizer and traces
the model, for seqzoo's layers as well as Keras'. A second step of the same length is listed for
comparison.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import time

import keras
import numpy as np

from benchmarks.measurements import machine
from seqzoo.cells import Bidirectional, Recurrent, create

ROWS, FEATURES, UNITS, LAYERS = 32, 64, 32, 3
HEADS = "| layer | length | first step, s | second step, s |\n| --- | --- | --- | --- |"


def measure(name: str, lengths: list[int]) -> list[tuple[str, int, float, float]]:
    """Rows of (layer, length, seconds of the first step, of the second step)."""

    def seqzoo_layer(sequences):
        return Bidirectional(Recurrent(create(name, UNITS), return_sequences=sequences))

    def keras_layer(sequences):
        layer = getattr(keras.layers, name.upper())
        return keras.layers.Bidirectional(layer(UNITS, return_sequences=sequences))

    rows = []
    for title, layer in ((f"seqzoo {name}", seqzoo_layer), (f"Keras {name}", keras_layer)):
        layers = [layer(k < LAYERS - 1) for k in range(LAYERS)]
        model = keras.Sequential([*layers, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        rng = np.random.default_rng(0)
        for length in lengths:
            x = rng.normal(size=(ROWS, length, FEATURES)).astype("float32")
            y = rng.normal(size=(ROWS, 1)).astype("float32")
            seconds = []
            for _ in range(2):
                start = time.perf_counter()
                model.train_on_batch(x, y)
                seconds.append(time.perf_counter() - start)
            rows.append((title, length, *seconds))
    return rows


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", default="gru,lstm", help="names of cells")
    parser.add_argument("--lengths", default="40,60,90", help="lengths of the batches, in order")
    args = parser.parse_args()
    lengths = [int(length) for length in args.lengths.split(",")]
    print(f"{machine()}\n\n{HEADS}")
    for name in args.cells.split(","):
        for title, length, first, second in measure(name, lengths):
            print(f"| {title} | {length} | {first:.2f} | {second:.3f} |", flush=True)


if __name__ == "__main__":
    main()
