"""Attention: a weighted mean of the encoder's outputs for each step of a decoder."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import clone_initializer
from seqzoo.tasks.errors import nearest

KINDS = ("additive", "multiplicative")


@keras.saving.register_keras_serializable(package="seqzoo")
class Attention(keras.layers.Layer):
    """Weights the steps of a memory by how well they match a query.

        score(q, m) = v . tanh(W q + U m)          additive
        score(q, m) = q . U m                      multiplicative
        weights = softmax of the scores over the memory's steps
        context = sum over these of weights * m

    U m are the keys. They are the same for all queries, so a decoder that runs step by step
    computes them once: `layer(query, memory, mask, keys=layer.keys(memory))`.

    Scores and their softmax are float32 under mixed precision. If all steps are masked, weights and
    context are zero. The values of masked steps do not matter as long as they are finite.

    Source: additive, Bahdanau, Cho and Bengio 2015, section A.1.2; multiplicative, Luong, Pham and
    Manning 2015, "general" in section 3.1.

    Args:
        kind: "additive" or "multiplicative".
        units: number of units of W q and U m in the additive kind; that of the queries by default.
            None for the multiplicative kind, whose keys have as many units as the queries.
        kernel_initializer: the initializer of W, U and v.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        kind: str = "additive",
        units: int | None = None,
        *,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        if kind not in KINDS:
            raise ValueError(
                f"`kind` must be one of {', '.join(map(repr, KINDS))}, got {kind!r}"
                f"{nearest(str(kind), KINDS)}"
            )
        if units is not None and (kind != "additive" or type(units) is not int or units < 1):
            raise ValueError(
                "`units` must be a positive integer for the additive kind and None for "
                f"the multiplicative one, got {units!r} for {kind!r}."
            )
        super().__init__(**kwargs)
        self.kind = kind
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, queries_shape: tuple, memory_shape: tuple, *_: Any, **__: Any) -> None:
        """Creates the weights for queries and memories of shape (batch, time, features)."""
        size, features = queries_shape[-1], memory_shape[-1]
        hidden = self.units or size
        self.memory_kernel = self._weight("memory_kernel", (features, hidden))
        if self.kind == "additive":
            self.query_kernel = self._weight("query_kernel", (size, hidden))
            self.score_kernel = self._weight("score_kernel", (hidden, 1))
        self.built = True

    def _weight(self, name: str, shape: tuple[int, int]) -> Any:
        return self.add_weight(
            name=name, shape=shape, initializer=clone_initializer(self.kernel_initializer)
        )

    def keys(self, memory: Any) -> Any:
        """U m, which all queries share: (batch, source, features) -> (batch, source, units).

        The layer must have been built.
        """
        return self._product(memory, self.memory_kernel)

    def call(
        self, queries: Any, memory: Any, mask: Any = None, keys: Any = None, bias: Any = None
    ) -> tuple[Any, Any]:
        """Attends to a memory.

        Args:
            queries: shape (batch, steps, units).
            memory: shape (batch, source, features).
            mask: which steps of the memory are valid, shape (batch, source) of bool; all by
                default.
            keys: `keys(memory)`, if already computed.
            bias: shape (batch, steps, source): added to the scores; None for none.

        Returns:
            The context, (batch, steps, features), and the weights, (batch, steps, source).
        """
        keys = self.keys(memory) if keys is None else ops.cast(keys, self.compute_dtype)
        scores = self._scores(queries, keys)
        if bias is not None:
            # The shape of a bias may be unknown in a compiled loop; that of the scores is not.
            scores = scores + ops.reshape(ops.cast(bias, scores.dtype), ops.shape(scores))
        if mask is not None:
            mask = ops.cast(mask, "bool")[:, None, :]
            scores = ops.where(mask, scores, -1e30)
        # Keras warns about a softmax over one step; its gradient, zero, is needed nevertheless.
        weights = scores * 0 + 1 if scores.shape[-1] == 1 else ops.softmax(scores)
        if mask is not None:
            weights = ops.where(mask, weights, 0.0)  # softmax is uniform if all steps are masked
        weights = ops.cast(weights, self.compute_dtype)
        return ops.matmul(weights, ops.cast(memory, self.compute_dtype)), weights

    def compute_output_spec(
        self, queries: Any, memory: Any, mask: Any = None, keys: Any = None, bias: Any = None
    ) -> tuple[Any, Any]:
        steps = tuple(queries.shape[:2])
        return (
            keras.KerasTensor((*steps, memory.shape[2]), self.compute_dtype),
            keras.KerasTensor((*steps, memory.shape[1]), self.compute_dtype),
        )

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: the mask of the outputs is that of the queries, which the caller has."""

    def _scores(self, queries: Any, keys: Any) -> Any:
        """(batch, steps, source), in float32."""
        precision = keras.backend.result_type(self.compute_dtype, "float32")
        if self.kind == "multiplicative":
            # The maximum of float16 is 65504, which a product of long vectors can exceed.
            queries, keys = ops.cast(queries, precision), ops.cast(keys, precision)
            return ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))
        queries = self._product(queries, self.query_kernel)
        kernel = ops.cast(self.score_kernel, self.compute_dtype)

        def score(query: Any, keys: Any, kernel: Any) -> Any:
            """One step, (batch, units) -> (batch, source)."""
            return ops.matmul(ops.tanh(query[:, None, :] + keys), kernel)[:, :, 0]

        if queries.shape[1] == 1:
            return ops.cast(score(queries[:, 0], keys, kernel), precision)[:, None, :]
        # Step by step, and recomputed for the gradient: (batch, steps, source, units) is large, and
        # storing it and reading it back took longer on a CPU.
        score = keras.remat(score)
        by_step = ops.transpose(queries, (1, 0, 2))
        scores = ops.map(lambda query: score(query, keys, kernel), by_step)
        return ops.cast(ops.transpose(scores, (1, 0, 2)), precision)

    def _product(self, values: Any, kernel: Any) -> Any:
        """A product in the precision of the dtype policy, even outside a call of the layer."""
        return ops.matmul(
            ops.cast(values, self.compute_dtype), ops.cast(kernel, self.compute_dtype)
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "kind": self.kind,
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
