"""The structure of the code of cells: a cell is one file and one line of the registry."""

import ast
import pathlib

import pytest
import tensorflow as tf
from cell_cases import step_shape

from seqzoo.cells import CELLS, create
from seqzoo.cells.registry import REGISTRY

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASSES = {entry.location.partition(":")[2]: name for name, entry in REGISTRY.items()}

TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for folder in ("cells", "tasks", "zoo")
    for path in ROOT.glob(f"{folder}/**/*.py")
}

LOOPS = {"while_loop", "fori_loop", "scan", "associative_scan", "rnn", "map", "vectorized_map"}
"""Functions of Keras that run a loop."""

FOREIGN = {"tasks/export/keras_model.py", "tasks/export/onnx_recurrence.py"}
"""Formats that have layers of their own for LSTM, GRU and plain RNN, which are chosen by class."""


def file_of(name: str) -> str:
    module = REGISTRY[name].location.partition(":")[0]
    return module.removeprefix("seqzoo.").replace(".", "/") + ".py"


def test_no_cell_subclasses_another():
    for kind in CELLS.values():
        bases = [base.__name__ for base in kind.__mro__[1:]]
        assert not CLASSES.keys() & set(bases), (kind, bases)


PRODUCTS = {"MatMul", "BatchMatMulV2", "Einsum", "Conv2D"}


@pytest.mark.quick_for("lstm", "cfc", "gru-d", "fast-slow", "attention")
@pytest.mark.parametrize("name", sorted(CELLS.keys() - {"mass-conserving-lstm"}))
def test_the_number_of_products_with_a_state(name):
    """Of all cells but one, whose second product TensorFlow computes as a sum."""
    cell = create(name, 6)
    cell.build(step_shape(cell))
    states = cell.get_initial_state(2)

    @tf.function
    def step(x, *states):
        return cell.advance(cell.projected(x), list(states))

    graph = step.get_concrete_function(tf.zeros((2, *step_shape(cell)[1:])), *states).graph
    dependent = {tensor.ref() for tensor in graph.inputs[1 : 1 + len(states)]}
    count = 0
    for operation in graph.get_operations():
        if any(tensor.ref() in dependent for tensor in operation.inputs):
            count += operation.type in PRODUCTS
            dependent |= {tensor.ref() for tensor in operation.outputs}
    assert count == REGISTRY[name].products


@pytest.mark.parametrize("path", sorted({file_of(name) for name in CELLS}))
def test_no_cell_loops_over_time(path):
    for node in ast.walk(TREES[path]):
        assert not isinstance(node, ast.While | ast.AsyncFor), (path, node.lineno)
        if isinstance(node, ast.Attribute):
            assert node.attr not in LOOPS, (path, node.lineno)
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [getattr(node, "module", None), *(item.name for item in node.names)]
            assert not {"tensorflow", "jax", "torch"} & set(names), (path, node.lineno)


def test_a_cell_is_named_only_in_its_file():
    elsewhere = [
        (path, name)
        for path in sorted(TREES.keys() - FOREIGN)
        for node in ast.walk(TREES[path])
        if (name := _named(node)) in CLASSES and file_of(CLASSES[name]) != path
    ]
    assert elsewhere == []


def _named(node):
    """The name in a node: of a variable, an attribute or an import."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.name.rpartition(".")[2] if isinstance(node, ast.alias) else None
