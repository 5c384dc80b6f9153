"""Predictions of texts, generated token by token from a prompt or an encoded input."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.detokenization import text_answer
from seqzoo.tasks.export.predict.predictions import Predictions
from seqzoo.tasks.export.predict.search import Search


class GeneratedTexts(Predictions):
    """Predictions of a model that generates texts."""

    def predict(
        self, inputs: Sequence[Any], decoding: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        model = self.model
        options = {**model.answer["decoding"], **(decoding or {})}
        constants = {}
        if model.answer["continues"]:
            prompts = [self.read_prompt(text) for text in inputs]
            starts = [start for start, _ in prompts]
            names = prompts[0][1]
            states = {name: np.concatenate([state[name] for _, state in prompts]) for name in names}
        else:
            states = model.run("encode", **model.tensors(inputs))
            names = [name for name in ("memory", "keys", "mask") if name in states]
            constants = {name: states.pop(name) for name in names}
            starts = [model.answer["start"]] * len(inputs)
        search = Search(model, options)
        if options["method"] == "beam":
            ranked = [
                search.beam(_row(states, row), start, _row(constants, row))
                for row, start in enumerate(starts)
            ]
        else:
            drawn = [
                search.rows(states, starts, constants, _randoms(options, len(inputs), text))
                for text in range(options["count"])
            ]
            ranked = list(zip(*drawn, strict=True))
        return [text_answer(model.answer, texts, int(search.has_end)) for texts in ranked]

    def read_prompt(self, text: str) -> tuple[int, dict[str, np.ndarray]]:
        """The last token of a prompt, and the states after the tokens before it."""
        ids = [self.model.answer["start"], *self.model.ids(text)]
        states = self.model.initial_states()
        for token in ids[:-1]:
            _, states = self.model.step(states, tokens=np.array([token], np.int32))
        return ids[-1], states


def _randoms(options: dict[str, Any], rows: int, text: int) -> list[np.random.Generator]:
    """Random numbers for a text of each input; they depend on its position among all inputs, not on
    the other inputs."""
    seed, positions = options.get("seed"), options.get("positions") or range(rows)
    seeds = [None if seed is None else [seed, position, text] for position in positions]
    return [np.random.default_rng(item) for item in seeds]


def _row(arrays: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    return {name: array[row : row + 1] for name, array in arrays.items()}
