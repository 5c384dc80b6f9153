"""Cells in ONNX: the nodes that they become, which compute the same."""

import collections
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cell_names import FRAMES, each_cell
from export_stacks import FEATURES, LENGTHS, stack

import seqzoo.cells
from seqzoo.tasks import SeqzooError
from seqzoo.tasks.export.onnx_model import onnx_model
from seqzoo.tasks.export.parts import Part

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NATIVE = {"lstm": "LSTM", "gru": "GRU"}
QUICK = {*NATIVE, "vanilla", "orthogonal", "mass-conserving-lstm", "rg-lru"}


def _compared(part: Part) -> collections.Counter:
    """Runs a part in both; returns its nodes by operator."""
    model = onnx_model(part)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    values = np.random.default_rng(1).normal(size=(4, 7, FEATURES)).astype(np.float32)
    given = {"values": values, "lengths": LENGTHS}
    with seqzoo.cells.portable():
        ours = part.run(**{name: tf.constant(value) for name, value in given.items()})
    names = [output.name for output in session.get_outputs()]
    for name, item in zip(names, session.run(names, given), strict=True):
        np.testing.assert_allclose(item, ours[name], rtol=1e-4, atol=1e-5)
    return collections.Counter(node.op_type for node in model.graph.node)


@pytest.mark.quick_for("vanilla", "lstm", "rg-lru")
@pytest.mark.parametrize("name", each_cell(QUICK, FRAMES))
def test_a_cell_computes_the_same_with_masks_and_backwards(name: str) -> None:
    nodes = _compared(stack(name, bidirectional=False))
    assert nodes[NATIVE.get(name, "Scan")] == 3
    assert not nodes["Loop"]


@pytest.mark.parametrize("name", [*NATIVE, pytest.param("lem", marks=pytest.mark.slow)])
def test_two_directions_are_one_node_of_onnx_own_operators(name: str) -> None:
    nodes = _compared(stack(name, bidirectional=True))
    assert nodes[NATIVE.get(name, "Scan")] == (3 if name in NATIVE else 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "operator"),
    [
        ("gru", {"reset_after": False}, "GRU"),
        ("gru", {"use_bias": False}, "GRU"),
        ("lstm", {"activation": "relu", "recurrent_activation": "sigmoid"}, "LSTM"),
        ("lstm", {"activation": "gelu"}, "Scan"),
    ],
)
def test_options_that_the_operator_lacks_become_a_scan(
    name: str, options: dict[str, Any], operator: str
) -> None:
    assert _compared(stack(name, bidirectional=False, **options))[operator] == 3


def test_a_product_and_what_is_added_to_it_are_one_node_of_a_step() -> None:
    model = onnx_model(stack("vanilla", bidirectional=False))
    bodies = [node.attribute[0].g for node in model.graph.node if node.op_type == "Scan"]
    for body in bodies:
        kinds = [node.op_type for node in body.node]
        assert kinds[:2] == ["Gemm", "Tanh"]
        assert not {"MatMul", "Add", "Split"} & set(kinds)


def test_an_operation_without_a_translation_is_named() -> None:
    spec = tf.TensorSpec([None], tf.float32, "values")
    with pytest.raises(SeqzooError, match="The operation Lgamma .* has no translation to ONNX"):
        onnx_model(Part(lambda values: {"y": tf.math.lgamma(values)}, (spec,)))
