"""Measures training epochs of seqzoo, of a Keras model with `fit` and of PyTorch, in one process.

    python -m benchmarks.end_to_end [--tasks tagger,pixels] [--write docs/speed.md]

Each row is appended to a CSV file, and a task that is in it is not measured again.

The models have the same layers and sizes, the optimizer is Adam with gradients clipped to a global
norm of 1, all libraries use the same batch size, and everything is float32. Batches are made as is
usual in each library: in seqzoo by a plan of lengths; in Keras by `tf.data`, shuffled and padded to
the longest in the batch; in PyTorch by a `DataLoader` with batches of similar length, as packed
sequences. An epoch includes the preparation of batches. The libraries alternate, after one epoch
each in which programs are compiled. After PyTorch's epochs there is a pause, because its threads
keep spinning.

- language-model: characters of Python's standard library, an LSTM of 512 units, windows of 64
  steps, with the state carried over from window to window.
- tagger: words of UD English EWT (`--sentences`, a CoNLL-U file), a bidirectional GRU of 128 units.
- pixels: digits of MNIST in 784 steps, an LSTM of 128 units.
- language-id: words in 163 languages; the n-grams of up to four characters are embedded, under a
  GRU of 128 units, as in the preset, without dropout.
- encoder-decoder: dates in many languages to ISO 8601, characters; the model of the preset
  `date-normaliser`, bidirectional GRU, additive attention, GRU of 128 units.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks import handwritten
from benchmarks.contestants import torch
from benchmarks.measurements import Measurements, machine, path_of, write_section
from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    TrainingSettings,
)
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.training.step import Loop
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source

RATE, CLIP, WINDOW, LANES, EMBEDDING = 1e-3, 1.0, 64, 64, 64
FILES, SENTENCES, DIGITS, NAMES, DATES = 10, 3_000, 1_280, 12_800, 6_400
PAUSE = 0.5
"""Seconds until PyTorch's threads stop spinning."""

COMMAND = "python -m benchmarks.end_to_end --write docs/speed.md"

INTRODUCTION = """## Training epochs

Milliseconds per 1,000 characters, words, digits, names or dates in a training epoch, including the
preparation of batches: seqzoo's training loop, a Keras model with `fit` and `tf.data`, and PyTorch
with a `DataLoader`, all with the same layers and sizes, on real data. language-model: an LSTM of
512 units that carries its state from window to window, 64 rows of 64 characters; tagger: a
bidirectional GRU of 128 units, 32 sentences of UD English EWT; pixels: an LSTM of 128 units over
784 pixels, 64 digits of MNIST; language-id: embedded characters and n-grams, a GRU of 128 units,
256 names in 163 languages, as in the preset, without dropout; encoder-decoder: a bidirectional GRU
of 128 units, additive attention and a GRU of 128 units, 128 dates to ISO 8601, as in the preset
`date-normaliser`. Medians of three epochs that alternate. An earlier version, on an AMD EPYC with
PyTorch 2.13.0, was 2.00, 1.53, 2.94, 2.32 and 1.53 times as fast as Keras, and 1.24, 1.50, 2.05,
2.67 and 1.83 times as fast as PyTorch."""

HEADS = (
    "| task | seqzoo, ms | Keras, ms | torch, ms | times Keras | times torch |\n"
    "| --- | --- | --- | --- | --- | --- |"
)

Epoch = Callable[[], int]
"""Trains for an epoch; returns the number of tokens, or of digits."""


class Model(NamedTuple):
    """The model of a task.

    Attributes:
        cell: "lstm" or "gru".
        units: number of units of the cell.
        inputs: number of input tokens; 0 for inputs that are numbers.
        outputs: number of classes.
        bidirectional: whether the layer is bidirectional.
        last: whether only the last step has an output.
    """

    cell: str
    units: int
    inputs: int
    outputs: int
    bidirectional: bool = False
    last: bool = False


def of_seqzoo(template: Any, examples: Examples, batch_size: int) -> Epoch:
    """An epoch of seqzoo."""
    settings = TrainingSettings(
        batch_size=batch_size, learning_rate=RATE, schedule="constant", clip_norm=CLIP
    )
    task = template.adapt(examples)
    data = task.data(examples)
    padding = Padding.choose(data, 8, batch_size)
    steps = len(data.plan(padding, settings, seed=(0, 0)))
    loop = Loop(task, settings, steps, tf.distribute.get_strategy())

    def epoch() -> int:
        plan = data.plan(padding, settings, seed=(0, int(loop.epoch.numpy())))
        for _ in loop.train(data, plan):
            pass
        count = int(loop.totals.numpy()[1])
        loop.next_epoch()
        return count

    return epoch


def of_keras(model: Model, batches: tf.data.Dataset, count: int, *, lanes: int = 0) -> Epoch:
    """An epoch of Keras' `fit`.

    Args:
        model: the model.
        batches: inputs, targets and optionally the weights of steps.
        count: number of tokens or digits in an epoch.
        lanes: number of rows, each of which continues that of the previous batch; 0 for independent
            batches.
    """
    layer_class = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[model.cell]
    layer: Any = layer_class(model.units, return_sequences=not model.last, stateful=lanes > 0)
    if model.bidirectional:
        layer = keras.layers.Bidirectional(layer)
    if model.inputs:
        inputs = keras.Input(batch_shape=(lanes or None, WINDOW if lanes else None), dtype="int32")
        embedding = keras.layers.Embedding(model.inputs, EMBEDDING, mask_zero=not lanes)
        hidden = layer(embedding(inputs))
    else:
        inputs = keras.Input((None, 1))
        hidden = layer(inputs)
    network = keras.Model(inputs, keras.layers.Dense(model.outputs)(hidden))
    return fit(network, batches, count, before=layer.reset_states if lanes else None)


def fit(
    network: keras.Model,
    batches: tf.data.Dataset,
    count: int,
    before: Callable[[], None] | None = None,
) -> Epoch:
    """An epoch of `fit` with a Keras model; see `of_keras`. `before` is called first."""
    network.compile(
        keras.optimizers.Adam(RATE, global_clipnorm=CLIP),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def epoch() -> int:
        if before is not None:
            before()
        network.fit(batches, verbose=0, shuffle=False)
        return count

    return epoch


def of_torch(model: Model, batches: Callable[[], Iterator[Any]], *, carried: bool = False) -> Epoch:
    """An epoch of PyTorch.

    Args:
        model: the model.
        batches: yields inputs, targets and lengths; the latter are None if all are equal.
        carried: whether the state is carried over from batch to batch.
    """
    if torch is None:
        return _missing
    layer_class = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[model.cell]
    size = EMBEDDING if model.inputs else 1
    embedding = torch.nn.Embedding(model.inputs, size) if model.inputs else torch.nn.Identity()
    layer = layer_class(size, model.units, batch_first=True, bidirectional=model.bidirectional)
    dense = torch.nn.Linear(model.units * (1 + model.bidirectional), model.outputs)
    network = torch.nn.ModuleList([embedding, layer, dense])
    pack, unpack = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence

    def outputs() -> Iterator[Any]:
        state = None
        for inputs, targets, lengths in batches():
            hidden = embedding(inputs)
            if lengths is None:
                hidden, state = layer(hidden, state if carried else None)
                state = tuple(part.detach() for part in state)
                hidden = hidden[:, -1] if model.last else hidden
            else:
                packed = pack(hidden, lengths, batch_first=True, enforce_sorted=False)
                hidden, _ = unpack(layer(packed)[0], batch_first=True)
            yield dense(hidden), targets

    return descend(network, outputs)


def descend(network: Any, outputs: Callable[[], Iterator[Any]]) -> Epoch:
    """An epoch of a training loop in PyTorch.

    Args:
        network: the module.
        outputs: yields the logits and the targets of each batch; targets of -1 do not count.
    """
    if torch is None:
        return _missing
    optimizer = torch.optim.Adam(network.parameters(), RATE)

    def epoch() -> int:
        count = 0
        for logits, targets in outputs():
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, -2), targets.flatten(), ignore_index=-1
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
            count += int((targets >= 0).sum())
        return count

    return epoch


def _missing() -> int:
    raise ImportError("PyTorch cannot be imported")


def bucketed(examples: Sequence[Any], size: int, collate: Callable) -> Callable[[], Iterator[Any]]:
    """Batches of PyTorch's `DataLoader` with examples of similar length, in random order."""
    random = np.random.default_rng(0)
    lengths = [len(example[0]) for example in examples]

    def batches() -> Iterator[Any]:
        order = random.permutation(len(examples))
        order = order[np.argsort([lengths[index] for index in order], kind="stable")]
        parts = [order[start : start + size].tolist() for start in range(0, len(order), size)]
        sampler = [parts[index] for index in random.permutation(len(parts))]
        loader = torch.utils.data.DataLoader
        return iter(loader(examples, batch_sampler=sampler, collate_fn=collate))

    return batches


def padded(rows: Sequence[Any], part: int, value: int = 0) -> Any:
    """A part of each example, padded to the longest, as a PyTorch tensor."""
    arrays = [torch.from_numpy(row[part]) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(arrays, True, value)


def padded_batches(examples: Sequence[Any], size: int) -> tf.data.Dataset:
    """Batches of `tf.data`, shuffled and padded to the longest in the batch."""
    signature = tuple(
        tf.TensorSpec([None] * bool(item.ndim) + list(item.shape[1:]), item.dtype)
        for item in examples[0]
    )
    rows = tf.data.Dataset.from_generator(lambda: iter(examples), output_signature=signature)
    return rows.cache().shuffle(len(examples)).padded_batch(size)


def language_model(_: Any) -> dict[str, Epoch]:
    """A character-level language model."""
    splits, _ = open_source(Source("python_source", "characters", limit=FILES))
    texts = list(splits.train.inputs)
    characters = {name: index for index, name in enumerate(sorted(set("".join(texts))), 1)}
    stream = np.array([characters[item] for text in texts for item in text], np.int32)
    # Rows of one long stream, as in tutorials.
    steps = (len(stream) - 1) // LANES // WINDOW
    lanes = stream[: LANES * WINDOW * steps].reshape(LANES, steps, WINDOW).swapaxes(0, 1)
    following = stream[1 : LANES * WINDOW * steps + 1]
    following = following.reshape(LANES, steps, WINDOW).swapaxes(0, 1)
    model = Model("lstm", 512, len(characters) + 1, len(characters) + 1)
    batches = tf.data.Dataset.from_tensor_slices((lanes, following)).prefetch(tf.data.AUTOTUNE)

    def pairs() -> Iterator[Any]:
        for x, y in zip(lanes, following, strict=True):
            yield torch.from_numpy(x), torch.from_numpy(y).long(), None

    template = ManyToManyAligned(
        "characters", "next", cell="lstm", units=512, embedding=EMBEDDING, window=WINDOW
    )
    return {
        "seqzoo": of_seqzoo(template, splits.train, LANES),
        "Keras": of_keras(model, batches, lanes.size, lanes=LANES),
        "torch": of_torch(model, pairs, carried=True),
    }


def tagger(sentences: str) -> dict[str, Epoch]:
    """A word tagger."""
    splits, _ = open_source(Source(sentences, "words", target_kind="tags", limit=SENTENCES))
    examples, size = splits.train, 32
    words, tags = list(examples.inputs), list(examples.targets)
    # Words that occur only once are unknown, as in seqzoo.
    ids = {"": 0, None: 1, **_numbered(words, 2, minimum=2)}
    names = _numbered(tags, 0)
    pairs = [
        (
            np.array([ids.get(word, 1) for word in sentence], np.int32),
            np.array([names[tag] for tag in line], np.int32),
        )
        for sentence, line in zip(words, tags, strict=True)
    ]
    batches = padded_batches(pairs, size)
    batches = batches.map(lambda x, y: (x, y, tf.cast(x > 0, tf.float32)))

    def collate(rows: Sequence[Any]) -> Any:
        lengths = torch.tensor([len(row[0]) for row in rows])
        return padded(rows, 0), padded(rows, 1, -1).long(), lengths

    model = Model("gru", 128, max(ids.values()) + 1, len(names), bidirectional=True)
    template = ManyToManyAligned(
        "words", "tags", units=128, embedding=EMBEDDING, bidirectional=True
    )
    return {
        "seqzoo": of_seqzoo(template, examples, size),
        "Keras": of_keras(model, batches.prefetch(tf.data.AUTOTUNE), sum(len(x) for x, _ in pairs)),
        "torch": of_torch(model, bucketed(pairs, size, collate)),
    }


def pixels(_: Any) -> dict[str, Epoch]:
    """Digits, one pixel per step."""
    splits, _ = open_source(Source("tfds:mnist", "pixels", limit=DIGITS))
    images = np.stack(list(splits.train.inputs)).reshape(len(splits.train), -1, 1)
    digits = np.array([int(item) for item in splits.train.targets], np.int32)
    size = 64
    batches = (
        tf.data.Dataset.from_tensor_slices((images, digits))
        .shuffle(len(digits))
        .batch(size)
        .map(lambda x, y: (tf.cast(x, tf.float32) / 255, y))
        .prefetch(tf.data.AUTOTUNE)
    )

    def loader() -> Iterator[Any]:
        pairs = list(zip(images, digits, strict=True))
        for x, y in torch.utils.data.DataLoader(pairs, size, shuffle=True):
            yield x.float() / 255, y.long(), None

    model = Model("lstm", 128, 0, 10, last=True)
    return {
        "seqzoo": of_seqzoo(ManyToOne("pixels", cell="lstm"), splits.train, size),
        "Keras": of_keras(model, batches, len(digits)),
        "torch": of_torch(model, loader),
    }


def language_id(_: Any) -> dict[str, Epoch]:
    """The language of a name, from its characters and their n-grams."""
    splits, _ = open_source(Source("languages", "characters", limit=NAMES))
    examples, size, units = splits.train, 256, 128
    names, languages = list(examples.inputs), list(examples.targets)
    ids = {None: 1, **_numbered(names, 2, minimum=2)}
    classes = _numbered([languages], 0)
    rows = []
    for name, language in zip(names, languages, strict=True):
        values = np.array([ids.get(item, 1) for item in name], np.int32)
        rows.append((values, handwritten.ngrams(values), np.array(classes[language], np.int32)))
    sizes = max(ids.values()) + 1, len(classes), units, EMBEDDING
    batches = padded_batches(rows, size).map(lambda x, grams, y: ((x, grams), y))

    def collate(rows: Sequence[Any]) -> Any:
        lengths = torch.tensor([len(row[0]) for row in rows])
        targets = torch.tensor([int(row[2]) for row in rows])
        return padded(rows, 0), padded(rows, 1), lengths, targets

    loader = bucketed(rows, size, collate)
    network = None if torch is None else handwritten.TorchClassifier(*sizes)

    def outputs() -> Iterator[Any]:
        for x, grams, lengths, targets in loader():
            yield network(x, grams, lengths), targets  # pyright: ignore[reportOptionalCall]

    template = ManyToOne("characters", units=units, embedding=EMBEDDING, ngrams=4, bag=True)
    return {
        "seqzoo": of_seqzoo(template, examples, size),
        "Keras": fit(
            handwritten.keras_classifier(*sizes), batches.prefetch(tf.data.AUTOTUNE), len(rows)
        ),
        "torch": descend(network, outputs),
    }


def encoder_decoder(_: Any) -> dict[str, Epoch]:
    """Dates as people write them to ISO 8601, with attention."""
    splits, _ = open_source(Source("dates", "characters", target_kind="characters", limit=DATES))
    examples, size, units, embedding = splits.train, 128, 128, 32
    inputs, outputs = list(examples.inputs), list(examples.targets)
    ids = {None: 1, **_numbered(inputs, 2, minimum=2)}
    tokens = _numbered(outputs, handwritten.END + 1)
    rows = []
    for text, date in zip(inputs, outputs, strict=True):
        target = np.array([tokens[item] for item in date] + [handwritten.END], np.int32)
        before = np.concatenate([[handwritten.START], target[:-1]]).astype(np.int32)
        rows.append((np.array([ids.get(item, 1) for item in text], np.int32), before, target))
    sizes = max(ids.values()) + 1, max(tokens.values()) + 1, units, embedding
    batches = padded_batches(rows, size).map(
        lambda x, before, y: ((x, before), y, tf.cast(y > 0, tf.float32))
    )

    def collate(rows: Sequence[Any]) -> Any:
        lengths = torch.tensor([len(row[0]) for row in rows])
        return padded(rows, 0), padded(rows, 1), lengths, padded(rows, 2, -1).long()

    loader = bucketed(rows, size, collate)
    network = None if torch is None else handwritten.TorchEncoderDecoder(*sizes)

    def logits() -> Iterator[Any]:
        for x, before, lengths, targets in loader():
            yield network(x, before, lengths), targets  # pyright: ignore[reportOptionalCall]

    template = ManyToManyEncoderDecoder(units=units, embedding=embedding)
    return {
        "seqzoo": of_seqzoo(template, examples, size),
        "Keras": fit(
            handwritten.keras_encoder_decoder(*sizes),
            batches.prefetch(tf.data.AUTOTUNE),
            sum(len(row[2]) for row in rows),
        ),
        "torch": descend(network, logits),
    }


TASKS = {
    "language-model": language_model,
    "tagger": tagger,
    "pixels": pixels,
    "language-id": language_id,
    "encoder-decoder": encoder_decoder,
}


def measure(contestants: dict[str, Epoch], rounds: int) -> dict[str, float]:
    """The median seconds that each library takes for 1,000 tokens or digits."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, epoch in contestants.items():
            start = time.perf_counter()
            count = epoch()
            seconds = time.perf_counter() - start
            if number:  # the first round compiles
                times[name].append(1000 * seconds / count)
            if name == "torch":
                time.sleep(PAUSE)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def _numbered(sequences: Sequence[Sequence[str]], first: int, minimum: int = 1) -> dict[str, int]:
    names, counts = np.unique([item for one in sequences for item in one], return_counts=True)
    kept = [str(name) for name, count in zip(names, counts, strict=True) if count >= minimum]
    return {name: index for index, name in enumerate(kept, first)}


def section(measured: Measurements) -> str:
    """The section of docs/speed.md."""
    lines = []
    for row in measured.rows:
        ours, *others = (float(row[name]) for name in ("seqzoo", "Keras", "torch"))
        lines.append(
            f"| {row['task']} | {1000 * ours:.1f} | "
            + " | ".join(f"{1000 * other:.1f}" for other in others)
            + " | "
            + " | ".join(f"{other / ours:.2f}" for other in others)
            + " |"
        )
    versions = f"{machine()}, PyTorch {torch.__version__}. Measured by"
    return "\n".join([INTRODUCTION, f"{versions}\n\n    {COMMAND}\n", HEADS, *lines])


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Training epochs of seqzoo, Keras and PyTorch.")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--sentences", default="en_ewt-ud-train.conllu", help="a CoNLL-U file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=pathlib.Path, default=path_of("end-to-end"))
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    args = parser.parse_args()
    if torch is None:
        parser.error("PyTorch cannot be imported; install it: python -m pip install torch")
    torch.set_num_threads(os.cpu_count() or 1)
    keras.utils.set_random_seed(0)
    measured = Measurements(args.results, ("task",))
    for task in args.tasks.split(","):
        if measured.find(task) is None:
            seconds = measure(TASKS[task](args.sentences), args.rounds)
            measured.add({"task": task, **{name: f"{s:.6f}" for name, s in seconds.items()}})
            print(measured.rows[-1], flush=True)
    if args.write:
        write_section(args.write, COMMAND, section(measured))


if __name__ == "__main__":
    main()
