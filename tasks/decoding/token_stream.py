"""Generates a text token by token and yields it as it grows."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding.guided import GuidedModel, Model
from seqzoo.tasks.decoding.rows import first_variables, next_tokens
from seqzoo.tasks.decoding.sampling import chooser, numbers_for
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.protocols import StreamsText


class TokenStream:
    """Generates one text as `decode` does, but yields it after each token.

    Args:
        task: the task.
        model: its model.
        choices: the decoding options; the method is "greedy" or "sample", with one text.
        specs: the `tf.TensorSpec`s of a batch of one example, with or without a "seed".

    Raises:
        SeqzooError: the decoding options ask for beam search, whose best text is only known at the
            end, for several texts, or for unknown tokens to be replaced; or the model copies
            tokens.
    """

    def __init__(self, task: StreamsText, model: Any, choices: Decoding, specs: dict[str, Any]):
        if choices.method == "beam" or choices.count > 1:
            raise SeqzooError(
                "Streaming needs the method 'greedy' or 'sample' with `count` 1, got "
                f"{choices.method!r} with {choices.count}."
            )
        if choices.replace_unknown:
            raise SeqzooError(
                "`replace_unknown` is for complete texts; stream without it, or predict instead.",
                field="replace_unknown",
            )
        if getattr(task, "copies", False):
            raise SeqzooError(
                "A model that copies tokens from its input cannot stream texts; predict instead of "
                "streaming.",
                field="copy",
            )
        self.longest = choices.maximum_length

        # The entries of the decode arguments that are not tensors; known once `begin` is traced.
        fixed: dict[str, Any] = {}

        def guided(constants: Any) -> GuidedModel:
            network = Model(fixed["step"], constants, fixed["vocabulary_size"], fixed["end"])
            return GuidedModel(network, choices, fixed["banned"], self.longest)

        def begin(batch: dict[str, Any]) -> tuple[Any, Any, Any]:
            inputs = dict(batch)
            seed = inputs.pop("seed", None)
            with seqzoo.cells.portable():
                options = PredictionOptions(1, choices, seed)
                arguments = task.decode_arguments(model, inputs, options)
            fixed.update(arguments)
            constants = arguments.get("constants")
            start = tf.broadcast_to(tf.cast(arguments["start"], tf.int32), [1])
            variables = first_variables(guided(constants), arguments["states"], start)
            numbers = numbers_for(choices, tf.constant(1), arguments["seed"])
            # A graph cannot return None.
            return variables, [constants or ()], [() if numbers is None else numbers]

        def step(t: Any, variables: Any, constants: Any, numbers: Any) -> tuple[Any, Any]:
            memory, drawn = constants[0], numbers[0]
            choose = chooser(choices, drawn if tf.is_tensor(drawn) else None)
            new, results = next_tokens(guided(memory or None), t, variables, choose)
            return results["tokens"], new

        self._begin = tf.function(begin, input_signature=[specs], autograph=False)
        outputs = self._begin.get_concrete_function().structured_outputs
        rest = tf.nest.map_structure(lambda item: tf.TensorSpec(item.shape, item.dtype), outputs)
        counter = tf.TensorSpec([], tf.int32)
        self._step = tf.function(step, input_signature=[counter, *rest], autograph=False)
        self._step.get_concrete_function()
        self.end = guided(None).model.end
        fixed.clear()  # it refers to tensors of a finished graph
        self._written = tf.function(
            lambda tokens: task.detokenize(tokens, tf.shape(tokens)[-1:])[0],
            input_signature=[tf.TensorSpec([1, None], tf.int32)],
            autograph=False,
        )

    def run(self, batch: dict[str, Any]) -> Iterator[str]:
        """Yields the text after each token except the end token; nothing for an empty text.

        Args:
            batch: tensors of one example.
        """
        variables, constants, numbers = self._begin(batch)
        tokens: list[int] = []
        for t in range(self.longest):
            chosen, variables = self._step(tf.constant(t), variables, constants, numbers)
            token = int(chosen[0])
            if token == self.end:
                return
            tokens.append(token)
            yield self._written(tf.constant([tokens])).numpy().decode("utf-8")
