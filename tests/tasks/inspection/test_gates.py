"""Gates by name, memory lengths and recurrent weights: against NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import CASES, shared
from keras import ops

import seqzoo.cells as cells
from seqzoo.cells.wrappers.wrapper import WrapperCell
from seqzoo.tasks.inspection.gates import gate_values, memory_lengths
from seqzoo.tasks.inspection.recurrent_weights import (
    recurrent_parts,
    recurrent_spectra,
    spectra_over_training,
)
from seqzoo.tasks.inspection.trace import LayerTrace, projected, trace

X = np.random.default_rng(0).normal(size=(2, 6, 4))


def _traced(cell) -> LayerTrace:
    layer = cells.Recurrent(cell, return_sequences=True, dtype=cell.dtype_policy)
    return trace(layer, lambda: layer(X)).layers[0]


def _case(name: str):
    return shared(next(case for case in CASES if case.name == name and not case.options))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gates_of_an_lstm_are_those_of_its_equations() -> None:
    cell = _case("lstm")
    traced = _traced(cell)
    kernel, recurrent, bias = (np.asarray(w) for w in cell.weights[:3])
    h = traced.states[0][0, :-1]
    i, f, g, o = np.split(X[0] @ kernel + h @ recurrent + bias, 4, axis=-1)
    results = {gate.name: gate for gate in gate_values(traced)}
    expected = {
        "input": _sigmoid(i),
        "forget": _sigmoid(f),
        "candidate": np.tanh(g),
        "output": _sigmoid(o),
    }
    assert list(results) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(results[name].values, values, atol=1e-12)
        assert results[name].bounded == (name != "candidate")
    forget = results["forget"]
    assert forget.mean == pytest.approx(expected["forget"].mean())
    assert forget.closed == (expected["forget"] < 0.1).mean()
    assert forget.open == (expected["forget"] > 0.9).mean()
    _, memory = memory_lengths(traced)
    kept = np.exp(np.log(expected["forget"]).mean(0))
    np.testing.assert_allclose(memory.retention, kept)
    np.testing.assert_allclose(memory.lengths, 1 / (1 - kept))


def test_gates_of_a_gru_with_the_reset_before_the_product_are_found() -> None:
    cell = cells.create("gru", 5, reset_after=False, dtype="float64")
    traced = _traced(cell)
    kernel, recurrent = (np.asarray(w) for w in cell.weights[:2])
    h = traced.states[0][0, :-1]
    x = X[0] @ kernel
    update = _sigmoid(x[:, :5] + h @ recurrent[:, :5])
    reset = _sigmoid(x[:, 5:10] + h @ recurrent[:, 5:10])
    candidate = np.tanh(x[:, 10:] + (reset * h) @ recurrent[:, 10:])
    results = {gate.name: gate.values for gate in gate_values(traced)}
    np.testing.assert_allclose(results["update"], update, atol=1e-12)
    np.testing.assert_allclose(results["reset"], reset, atol=1e-12)
    np.testing.assert_allclose(results["candidate"], candidate, atol=1e-12)


@pytest.mark.parametrize(("name", "gate", "sign"), [("gru", "update", 1), ("gated", "gate", -1)])
def test_memory_follows_the_factor_of_the_old_state(name, gate, sign) -> None:
    # A gate may be what is kept, or what is replaced: names do not say which.
    traced = _traced(_case(name))
    (values,) = [one.values for one in gate_values(traced) if one.name == gate]
    kept = values if sign > 0 else 1 - values
    np.testing.assert_allclose(memory_lengths(traced)[0].retention, np.exp(np.log(kept).mean(0)))


def test_gates_that_a_hard_sigmoid_makes_are_whole() -> None:
    cell = cells.create("lstm", 3, recurrent_activation="hard_sigmoid", dtype="float64")
    traced = _traced(cell)
    kernel, recurrent, bias = (np.asarray(w) for w in cell.weights[:3])
    sums = X[0] @ kernel + traced.states[0][0, :-1] @ recurrent + bias
    expected = np.clip(sums[:, 3:6] / 6 + 0.5, 0, 1)
    (forget,) = [one for one in gate_values(traced) if one.name == "forget"]
    np.testing.assert_allclose(forget.values, expected, atol=1e-12)
    assert forget.bounded


def test_gates_of_a_custom_cell_are_found_automatically() -> None:
    class Own(cells.RecurrentCell):
        gates = ("forget", "candidate")

        def step(self, x, r, states):
            (h,) = states
            f = ops.sigmoid(x.forget + r.forget)
            h = (1 - f) * h + f * ops.tanh(x.candidate + r.candidate)
            return h, [h]

    cell = Own(3, dtype="float64")
    traced = _traced(cell)
    kernel, recurrent, bias = (np.asarray(w) for w in cell.weights[:3])
    sums = X[0] @ kernel + traced.states[0][0, :-1] @ recurrent + bias
    forget, candidate = gate_values(traced)
    np.testing.assert_allclose(forget.values, _sigmoid(sums[:, :3]), atol=1e-12)
    np.testing.assert_allclose(candidate.values, np.tanh(sums[:, 3:]), atol=1e-12)
    assert "split" not in vars(cell)


def test_backward_layers_show_gates_in_the_order_of_the_input() -> None:
    layer = cells.Recurrent(_case("lstm"), go_backwards=True, dtype="float64")
    layer_trace = trace(layer, lambda: layer(X)).layers[0]
    flipped = cells.Recurrent(_case("lstm"), dtype="float64")
    other = trace(flipped, lambda: flipped(X[:, ::-1])).layers[0]
    for gate, expected in zip(gate_values(layer_trace), gate_values(other), strict=True):
        np.testing.assert_allclose(gate.values, expected.values[::-1], atol=1e-12)
    np.testing.assert_allclose(layer_trace.outputs(), other.outputs()[::-1], atol=1e-12)


def test_cells_of_keras_have_no_named_gates() -> None:
    layer = cells.Recurrent(keras.layers.GRUCell(3))
    layer_trace = trace(layer, lambda: layer(X.astype("float32"))).layers[0]
    assert gate_values(layer_trace) == []
    assert len(memory_lengths(layer_trace)[0].lengths) == 3
    assert [one.gate for one in recurrent_spectra(layer.cell)] == ["gate 1", "gate 2", "gate 3"]


def test_a_stack_has_the_gates_and_spectra_of_its_cells_under_their_names() -> None:
    cell = cells.create("stacked", 5, dtype="float64")
    traced = _traced(cell)
    _, h1, _, h2, _ = (state[0] for state in traced.states)
    results = {gate.name: gate for gate in gate_values(traced)}
    inner = cell.cells
    assert list(results) == [f"cell {k} {gate}" for k in (1, 2) for gate in inner[0].gates]
    kernel, recurrent, bias = (np.asarray(w) for w in inner[1].weights[:3])
    sums = np.concatenate([h1[1:], X[0]], -1) @ kernel + h2[:-1] @ recurrent + bias
    forget = results["cell 2 forget"]
    np.testing.assert_allclose(forget.values, _sigmoid(sums[:, 5:10]), atol=1e-12)
    assert forget.bounded
    parts = recurrent_parts(cell)
    assert list(parts) == list(results)
    np.testing.assert_array_equal(parts["cell 2 forget"], recurrent[:, 5:10])
    assert not any("advance" in vars(one) for one in inner)


WRAPPERS = [name for name, cell_class in cells.CELLS.items() if issubclass(cell_class, WrapperCell)]


@pytest.mark.parametrize("name", WRAPPERS)
def test_every_wrapper_has_the_gates_and_spectra_of_its_cells(name: str) -> None:
    cell = _case(name)
    traced = _traced(cell)
    names = [gate.name for gate in gate_values(traced)]
    assert sorted(names) == sorted(item.gate for item in recurrent_spectra(cell)) != []
    if len(cell.inner_cells()) == 1:
        assert names == [gate for gate in cell.cell.gates if gate in names]


def test_a_wrapper_of_a_wrapper_has_the_gates_of_the_innermost_cell() -> None:
    inner = cells.create("residual", 5, cell="gru", dtype="float64")
    traced = _traced(cells.create("zoneout", 5, cell=inner, dtype="float64"))
    assert [gate.name for gate in gate_values(traced)] == ["update", "reset", "candidate"]
    assert len(recurrent_spectra(traced.cell)) == 3


def test_spectra_are_those_of_numpy() -> None:
    cell = _case("lstm")
    kernel = np.asarray(cell.recurrent_kernel)
    for index, item in enumerate(recurrent_spectra(cell)):
        part = kernel[:, 5 * index : 5 * index + 5]
        np.testing.assert_allclose(item.singular_values, np.linalg.svd(part, compute_uv=False))
        expected = np.linalg.eigvals(part)
        np.testing.assert_allclose(item.radius, np.abs(expected).max())
        np.testing.assert_allclose(np.sort_complex(item.eigenvalues), np.sort_complex(expected))
    assert list(recurrent_parts(cell)) == list(cell.gates)


def test_matrices_that_a_cell_computes_are_those_of_its_step() -> None:
    cell = _case("antisymmetric")
    kernel = np.asarray(cell.recurrent_kernel)
    expected = kernel - kernel.T - cell.gamma * np.eye(5)
    (part,) = recurrent_parts(cell).values()
    np.testing.assert_allclose(part, expected)
    (spectrum,) = recurrent_spectra(cell)
    np.testing.assert_allclose(spectrum.eigenvalues.real, -cell.gamma, atol=1e-12)
    assert recurrent_parts(_case("indrnn")) == {}
    (projected, *_) = recurrent_spectra(_case("projection-lstm"))
    assert projected.radius is None and len(projected.singular_values) == 5


def test_spectra_over_training_have_a_row_per_gate() -> None:
    first, second = (cells.create("gru", 3) for _ in range(2))
    for cell in (first, second):
        cell.build((None, 2))
    second.recurrent_kernel.assign(2 * tf.convert_to_tensor(first.recurrent_kernel))
    result = spectra_over_training({"epoch 1": first, "epoch 2": second})
    assert list(result) == ["update", "reset", "candidate"]
    for row in result.values():
        assert row["epoch 2"] == pytest.approx(2 * row["epoch 1"], rel=1e-5)


def test_the_gates_of_gru_d_are_those_of_its_equations() -> None:
    for seed in range(3):
        cell = cells.create("gru-d", 6, dtype="float64", seed=seed)
        layer = cells.Recurrent(cell, return_sequences=True, dtype="float64")
        mask = np.random.default_rng(seed).random((2, 6, 4)) < 0.7
        inputs = (np.concatenate([X * mask, mask], -1), np.ones((2, 6)))
        traced = trace(layer, lambda layer=layer, inputs=inputs: layer(inputs)).layers[0]
        found = {gate.name: gate for gate in gate_values(traced)}
        assert list(found) == ["update", "reset", "candidate"]
        assert [gate.bounded for gate in found.values()] == [True, True, False]
        outputs: list = []
        activation = cell.recurrent_activation
        cell.recurrent_activation = lambda value, outputs=outputs, of=activation: (
            outputs.append(of(value)) or outputs[-1]
        )
        states = [state[0, 2:3] for state in traced.states]
        cell.advance(projected(cell, ops.convert_to_tensor(traced.inputs[0, 2:3])), states)
        for name, expected in zip(("update", "reset"), outputs, strict=True):
            np.testing.assert_allclose(found[name].values[2], expected[0], atol=1e-12)


def test_a_forget_gate_that_is_computed_as_a_logarithm() -> None:
    cell = _case("slstm")
    traced = _traced(cell)
    kernel, recurrent, bias = (np.asarray(w) for w in cell.weights[:3])
    sums = X[0] @ kernel + traced.states[0][0, :-1] @ recurrent + bias
    found = {gate.name: gate for gate in gate_values(traced)}
    position = cell.gates.index("forget")
    units = slice(position * cell.units, (position + 1) * cell.units)
    np.testing.assert_allclose(found["forget"].values, _sigmoid(sums[:, units]), atol=1e-12)
    assert found["forget"].bounded


@pytest.mark.parametrize(
    "name, left_out", [("multiplicative-lstm", "multiplier"), ("scrn", "context")]
)
def test_gates_without_a_nonlinearity_are_left_out(name: str, left_out: str) -> None:
    cell = _case(name)
    found = [gate.name for gate in gate_values(_traced(cell))]
    assert found == [gate for gate in cell.gates if gate != left_out]
