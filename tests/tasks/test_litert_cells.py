"""Cells in LiteRT: all of them with built-in operations, over whole sequences and step by step."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES, FRAMES, each_cell
from export_stacks import FEATURES, stack

import seqzoo.cells
from seqzoo.cells import Recurrent, create
from seqzoo.cells.registry import REGISTRY
from seqzoo.tasks import SeqzooError
from seqzoo.tasks.export.litert_model import litert_model
from seqzoo.tasks.export.parts import Part

interpreters = pytest.importorskip("ai_edge_litert.interpreter")

QUICK = {"orthogonal"}
"""It computes a matrix from its weights, which becomes a constant."""


def _step(name: str) -> Part:
    """One step of a cell, its states as arguments and results."""
    cell = create(name, 6)
    values, elapsed = tf.zeros([1, 2, FEATURES]), tf.zeros([1, 2])
    with seqzoo.cells.portable():
        Recurrent(cell)((values, elapsed) if cell.takes_time else values)
    sizes = [item.shape[1] for item in cell.get_initial_state(1)]
    specs = [tf.TensorSpec([None, FEATURES + cell.takes_time], tf.float32, "values")]
    specs += [tf.TensorSpec([None, size], tf.float32, f"s{n}") for n, size in enumerate(sizes)]

    def run(values: Any, **states: Any) -> dict[str, Any]:
        given = [states[f"s{n}"] for n in range(len(sizes))]
        output, new = cell.advance(cell.projected(values), given)
        found = {"output": output, **{f"next_s{n}": item for n, item in enumerate(new)}}
        return {name: tf.identity(value) for name, value in found.items()}

    return Part(run, tuple(specs))


def _compared(part: Part, *inputs: dict[str, np.ndarray], steps: int | None = None) -> set[str]:
    """Runs a part in both, with each of the inputs; returns its operators."""
    interpreter = interpreters.Interpreter(model_content=litert_model(part, steps=steps))
    for given in inputs:
        result = interpreter.get_signature_runner()(**given)
        with seqzoo.cells.portable():
            ours = part.run(**{name: tf.constant(value) for name, value in given.items()})
        for name, value in ours.items():
            np.testing.assert_allclose(result[name], value, rtol=1e-4, atol=1e-5)
    operators = {one["op_name"] for one in interpreter._get_ops_details()}
    assert not [one for one in operators if one.upper().startswith(("FLEX", "CUSTOM"))]
    return operators


@pytest.mark.parametrize("name", each_cell(QUICK, FRAMES))
def test_a_step_computes_the_same_without_a_loop(name: str) -> None:
    random, part = np.random.default_rng(0), _step(name)
    given = {
        spec.name: random.uniform(0, 1, [1, *spec.shape[1:]]).astype(np.float32)
        for spec in part.inputs
    }
    assert not _compared(part, given) & {"WHILE", "IF"}


def _of_integers() -> list[Any]:
    return [
        pytest.param(name, marks=pytest.mark.slow if name in ("gru", "lstm") else BEFORE_RELEASES)
        for name in REGISTRY
        if name not in FRAMES
    ]


@pytest.mark.parametrize("name", _of_integers())
def test_an_integer_step_matches_the_float_step(name: str) -> None:
    random, part = np.random.default_rng(0), _step(name)
    states = {item.name: np.zeros([1, item.shape[1]], np.float32) for item in part.inputs[1:]}
    calibration, outputs = [], []
    for _ in range(60):
        values = random.uniform(0, 1, [1, part.inputs[0].shape[1]]).astype(np.float32)
        given = {"values": values, **states}
        with seqzoo.cells.portable():
            result = part.run(**{key: tf.constant(value) for key, value in given.items()})
        calibration.append(given)
        outputs.append(result["output"].numpy())
        states = {key: result[f"next_{key}"].numpy() for key in states}
    interpreter = interpreters.Interpreter(
        model_content=litert_model(part, "int8", calibration=calibration)
    )
    # Each step begins with the states of the float model, since the errors of some cells grow from
    # step to step.
    runner = interpreter.get_signature_runner()
    gaps = [
        np.abs(runner(**given)["output"] - expected).max()
        for given, expected in zip(calibration, outputs, strict=True)
    ]
    assert np.mean(gaps) < 0.1 * max(np.abs(outputs).max(), 0.1)
    names = [ops_detail["op_name"] for ops_detail in interpreter._get_ops_details()]
    assert {"QUANTIZE", "DEQUANTIZE"} <= set(names)


@pytest.mark.parametrize("name", each_cell(QUICK, FRAMES))
def test_stacked_layers_compute_the_same_with_a_free_time(name: str) -> None:
    values = np.random.default_rng(1).normal(size=(1, 7, FEATURES)).astype(np.float32)
    given = {"values": values, "lengths": np.array([5], np.int32)}
    assert "WHILE" in _compared(stack(name, bidirectional=False), given)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [None, 7])
def test_two_directions_compute_the_same(steps: int | None) -> None:
    values = np.random.default_rng(1).normal(size=(1, 7, FEATURES)).astype(np.float32)
    inputs = [{"values": values, "lengths": np.array([length], np.int32)} for length in (7, 3, 0)]
    _compared(stack("gru", bidirectional=True), *inputs, steps=steps)


def test_an_operation_that_litert_lacks_is_named() -> None:
    spec = tf.TensorSpec([1], tf.float32, "values")
    part = Part(lambda values: {"y": tf.math.igamma(values, values)}, (spec,))
    with pytest.raises(SeqzooError, match="Igamma; export to saved-model or onnx instead"):
        litert_model(part)
