"""Inference: runs batches through traced graphs, with results in the order of the examples."""

import contextlib
import numbers
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Padding, array_batches
from seqzoo.tasks.decoding.arrays import compiled_loops
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.decoding.token_stream import TokenStream
from seqzoo.tasks.errors import SeqzooError, check_instance
from seqzoo.tasks.protocols import Generates, StreamsText
from seqzoo.tasks.settings import TrainingSettings

FEW = 256
"""Maximum number of examples for which compiling the time loop does not pay off."""

FEW_BATCHES = 20
"""Maximum number of batches for which compiling the time loop does not pay off; it matters for
examples that are processed in windows."""

PATIENCE = 1.0
"""Seconds spent generating with batches of one shape before the loop is compiled for that shape.
Compiling takes 0.5 to 2 seconds. A first prediction thus does not wait for the compiler, and hardly
any workload takes more than twice the time that it would take if its size were known in advance."""

GRAPHS = 64
"""Maximum number of graphs that are kept; each set of decoding options has its own."""


class Inference:
    """A model and its inference graphs, each traced once; the most recently used are kept.

    Args:
        task: the task.
        model: the trained model.
        settings: the training settings, which determine the sizes of batches.
        padding: the lengths that batches are padded to.
        untraced_steps: see `Run.untraced_steps`.
    """

    def __init__(
        self,
        task: Task,
        model: Any,
        settings: TrainingSettings,
        padding: Padding,
        untraced_steps: int = 0,
    ):
        # Not typed, because tasks have more methods than the contract.
        self.task: Any = task
        self.model = model
        self.settings = settings
        self.padding = padding
        self.untraced_steps = untraced_steps
        self._graphs: OrderedDict[Any, Any] = OrderedDict()
        self._seconds: dict[Any, float] = {}  # spent generating, by batch shape
        self._lock = threading.Lock()  # several threads may use one run

    def collect(self, method: Callable, data: Data, options: PredictionOptions) -> dict[str, list]:
        """The results of a method of the task, such as `infer` or `score`, for all examples, in
        order; the results of several parts of an example are summed.

        Raises:
            SeqzooError: `options.positions` has another length.
        """
        settings, positions = self.settings, options.positions
        if positions is not None and len(positions) != len(data):
            raise SeqzooError(
                field="positions",
                expected=f"one number per input, {len(data)} in all",
                got=len(positions),
            )
        if data.window is None:
            settings = replace(settings, batch_size=min(settings.batch_size, len(data)))
        plan = data.plan(self.padding, settings)
        few = len(data) <= FEW and len(plan) <= FEW_BATCHES
        carried: tuple = ()
        if data.window is not None:
            rows = int(plan.bounds[1])
            carried = tuple(tf.zeros([rows, units]) for units in self.task.carries)
        generates = data.window is None and isinstance(self.task, Generates)
        results: dict[str, list] = {}
        # Filler rows are left out if that causes no compilation, but never with windows, where rows
        # carry states from one batch to the next.
        trimmed = array_batches(data, plan, trim=few and data.window is None)
        for batch, longest in zip(trimmed, plan.lengths, strict=True):
            # The seed is an input of the graph, so that another seed does not retrace it.
            seed = None if options.seed is None else seed_tensor(options.seed)
            key = (method.__name__, replace(options, seed=None, positions=None), few)
            compiled = False
            if generates:
                full = _filled(batch, longest) if few else batch
                key = (*key, *(array.shape for array in full.values()))
                compiled = self._seconds.get(key, 0.0) >= PATIENCE
                batch = full if compiled else batch
            tensors: dict[str, Any] = {name: tf.constant(item) for name, item in batch.items()}
            if seed is not None and positions is not None:
                tensors["rows"] = tf.constant(np.array(positions, np.int32)[batch["rows"]])
            if carried:
                tensors["carried"] = carried
            if seed is not None:
                tensors["seed"] = seed
            if few and len(plan) == 1 and self._is_untraced(batch, options):
                run, traced = self._function(method, options, few=True, compiled=False), False
            else:
                run = self._graph(method, tensors, options, few=few, compiled=compiled)
                traced = run.experimental_get_tracing_count() > 0
            start = time.perf_counter()
            result = run(tensors)
            carried = result.pop("carried", ())
            real = batch["weights"] > 0
            rows = batch["rows"][real]
            for name, value in result.items():
                values = results.setdefault(name, [None] * len(data))
                for row, item in zip(rows, value.numpy()[real], strict=True):
                    values[row] = item if values[row] is None else values[row] + item
            if generates and traced:  # the time of tracing does not count
                seconds = time.perf_counter() - start
                self._seconds[key] = self._seconds.get(key, 0.0) + seconds
        return results

    def log_probabilities(self, texts: np.ndarray) -> list[float]:
        """The log-probability of each text under a language model, in nats."""

        def make() -> Any:
            def run(text: Any) -> Any:
                return self.task.log_probabilities(self.model, text)["log_probability"]

            spec = tf.TensorSpec([None], tf.string)
            return tf.function(run, input_signature=[spec], autograph=False)

        rate = self._kept("rate", make)
        size = self.settings.batch_size
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        return [float(item) for part in parts for item in rate(tf.constant(part, tf.string))]

    def stream(self, data: Data, options: PredictionOptions) -> Iterator[str]:
        """Yields the text generated so far for the only example in `data`, after each token.

        Args:
            data: one encoded example.
            options: prediction options with the method "greedy" or "sample", and one text.
        """
        task: StreamsText = self.task
        settings = replace(self.settings, batch_size=1)
        plan = data.plan(self.padding, settings)
        (batch,) = array_batches(data, plan, trim=True)
        tensors = {name: tf.constant(value) for name, value in batch.items()}
        if options.seed is not None:
            tensors["seed"] = seed_tensor(options.seed)
            if options.positions is not None:
                tensors["rows"] = tf.constant(options.positions[:1], tf.int32)
        choices = options.decoding or self.task.decoding
        key = ("stream", tuple(tensors), choices)
        stream = self._kept(key, lambda: TokenStream(task, self.model, choices, _specs(tensors)))
        return stream.run(tensors)

    def _kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value for a key, made if needed; the `GRAPHS` most recently used ones are kept."""
        with self._lock:
            if key not in self._graphs:
                self._graphs[key] = make()
            self._graphs.move_to_end(key)
            while len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
            return self._graphs[key]

    def _graph(
        self,
        method: Callable,
        batch: dict[str, Any],
        options: PredictionOptions,
        *,
        few: bool,
        compiled: bool,
    ) -> Any:
        """The graph of a method for batches like this one, which is kept for the next call."""
        if isinstance(self.task, Generates):
            traced = replace(options, seed=None, positions=None)
        else:
            traced = self.task.traced_options(options)

        def make() -> Any:
            run = self._function(method, options, few=few, compiled=compiled)
            return tf.function(run, input_signature=[_specs(batch)], autograph=False)

        return self._kept((method.__name__, tuple(batch), traced, few, compiled), make)

    def _function(
        self, method: Callable, options: PredictionOptions, *, few: bool, compiled: bool
    ) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """`method` for a batch of tensors, which may contain "seed"."""

        def run(batch: dict[str, Any]) -> dict[str, Any]:
            inputs = dict(batch)
            seeded = replace(options, seed=inputs.pop("seed", None))
            with contextlib.ExitStack() as stack:
                if few:
                    stack.enter_context(seqzoo.cells.portable())
                if compiled:
                    stack.enter_context(compiled_loops())
                return dict(method(self.model, inputs, seeded))

        return run

    def _is_untraced(self, batch: dict[str, np.ndarray], options: PredictionOptions) -> bool:
        """Whether a batch has so few time steps, generated ones included, that it runs without a
        graph."""
        if not self.untraced_steps:
            return False
        steps = batch["values"].shape[1]
        if isinstance(self.task, Generates):
            steps += (options.decoding or self.task.decoding).maximum_length
        return steps <= self.untraced_steps


def checked_options(task: Task, options: PredictionOptions | None) -> PredictionOptions:
    """The options of predictions; the default options of the task if `options` is None.

    Raises:
        SeqzooError: the options are of the wrong type.
    """
    check_instance("options", options, (PredictionOptions, type(None)), "`PredictionOptions`")
    chosen = options or task.default_options
    check_instance("decoding", chosen.decoding, (Decoding, type(None)), "`Decoding`")
    return chosen


def seed_tensor(seed: int) -> Any:
    """A random seed as an input of a graph.

    Raises:
        SeqzooError: it is not a whole number of 64 bits.
    """
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not whole or not -(2**63) <= seed < 2**63:
        raise SeqzooError(field="seed", expected="a whole number of 64 bits", got=seed)
    return tf.constant(seed, tf.int64)


def _filled(batch: dict[str, np.ndarray], longest: int) -> dict[str, np.ndarray]:
    """Pads a batch to one of a few shapes: with copies of its first row, of weight 0, to one of
    four row counts per power of two, and with padding steps to the length in its plan."""
    rows = len(batch["rows"])
    step = 1 << max((rows - 1).bit_length() - 3, 0)
    order = np.arange(-(-rows // step) * step)
    order[rows:] = 0
    full = {name: array[order] for name, array in batch.items()}
    full["weights"][rows:] = 0.0
    values = full["values"]
    padding = [(0, 0), (0, longest - values.shape[1])] + [(0, 0)] * (values.ndim - 2)
    full["values"] = np.pad(values, padding)
    return full


def _specs(batch: dict[str, Any]) -> dict[str, Any]:
    """The specs of batches like this one, for any number of rows and steps."""
    return {name: _free(value) for name, value in batch.items()}


def _free(tensors: Any) -> Any:
    """A spec that leaves the sizes of the first two axes, rows and time, open; for carried states,
    only that of rows."""
    if isinstance(tensors, tuple):
        return tuple(tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in tensors)
    shape = tensors.shape.as_list()
    return tf.TensorSpec([None, None, *shape[2:]][: len(shape)], tensors.dtype)
