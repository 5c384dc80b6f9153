"""The mutations of files in cells/."""

from benchmarks.mutation_groups.group import Group

EQUATIONS = "tests/cells/test_cell_equations.py"
GRADIENTS = "tests/cells/test_gradients.py"

GROUPS = [
    # Cells: steps.
    Group(
        "cells/simple/vanilla.py",
        EQUATIONS,
        "[vanilla",
        {"x.candidate + r.candidate": "x.candidate - r.candidate"},
    ),
    Group(
        "cells/simple/gated.py",
        EQUATIONS,
        "[gated-",
        {"new = (1 - g) * h + g * n": "new = g * h + (1 - g) * n"},
    ),
    Group(
        "cells/base.py",
        "tests/cells/test_biased_gates.py",
        "named_gates",
        {"zeros) for gate in self.gates": "zeros) for gate in self.gates[::-1]"},
    ),
    Group(
        "cells/lstm/lstm.py",
        EQUATIONS,
        "[lstm-none or [lstm-gaps",
        {
            "new_c = f * c + i * g": "new_c = i * c + f * g",
            "x.output + r.output": "x.output - r.output",
            "h = o * self.activation(new_c)": "h = o * self.activation(c)",
        },
    ),
    Group(
        "cells/lstm/lstm.py",
        "tests/cells/test_layers.py",
        "initial_weights",
        {"[i, ops.ones_like(i), g, o]": "[ops.ones_like(i), i, g, o]"},
    ),
    Group(
        "cells/gru/gru.py",
        EQUATIONS,
        "[gru-none or [gru-gaps or [gru-reset",
        {
            "new = update * h + (1 - update)": "new = (1 - update) * h + update",
            "ops.matmul(reset * masked,": "ops.matmul(masked,",
            "return bias[1] if": "return bias[0] if",
        },
    ),
    Group(
        "cells/lstm/coupled_lstm.py",
        EQUATIONS,
        "[coupled-lstm",
        {"new_c = (1 - i) * c + i * g": "new_c = i * c + (1 - i) * g"},
    ),
    Group("cells/lstm/janet.py", EQUATIONS, "[janet", {"s - self.beta)": "s + self.beta)"}),
    Group(
        "cells/lstm/peephole_lstm.py",
        EQUATIONS,
        "[peephole-lstm",
        {"r.output + weights.output_peephole * new_c": "r.output + weights.output_peephole * c"},
    ),
    Group("cells/gru/cfn.py", EQUATIONS, "[cfn", {"f * self.activation(h)": "f * h"}),
    Group("cells/gru/mgu.py", EQUATIONS, "[mgu-", {"ops.matmul(f * m, Un)": "ops.matmul(m, Un)"}),
    Group(
        "cells/bistable/nbrc.py",
        EQUATIONS,
        "[nbrc",
        {'recurrent_gates = ("feedback", "update")': 'recurrent_gates = ("update", "feedback")'},
    ),
    Group(
        "cells/intersection/intersection_rnn.py",
        EQUATIONS,
        "[intersection",
        {"(1 - d) * u\n        return": "d * u\n        return"},
    ),
    Group(
        "cells/long_memory/lem.py",
        EQUATIONS,
        "[lem",
        {"ops.matmul(z, self.memory_kernel)": "ops.matmul(y, self.memory_kernel)"},
    ),
    Group(
        "cells/long_memory/cornn.py",
        EQUATIONS,
        "[cornn",
        {"- self.epsilon * z)": "+ self.epsilon * z)"},
    ),
    Group(
        "cells/long_memory/antisymmetric_base.py",
        EQUATIONS,
        "[antisymmetric",
        {"return kernel - ops.transpose": "return kernel + ops.transpose"},
    ),
    Group(
        "cells/long_memory/fastgrnn.py",
        EQUATIONS,
        "[fastgrnn",
        {" + ops.sigmoid(w.nu))": ")"},
    ),
    Group(
        "cells/lstm/lstm_1997.py",
        EQUATIONS,
        "[lstm-1997",
        {"h = o * self.activation(c / 2)": "h = i * self.activation(c / 2)"},
    ),
    Group("cells/lstm/nas.py", EQUATIONS, "[nas", {"c = tanh(upper + c)": "c = tanh(upper - c)"}),
    Group(
        "cells/lstm/multiplicative_lstm.py",
        EQUATIONS,
        "[multiplicative-lstm",
        {"c = f * c + i * g\n        h = self": "c = i * c + f * g\n        h = self"},
    ),
    Group("cells/gru/minimal_rnn.py", EQUATIONS, "[minimal-rnn", {"z = z + bz": "z = z + 0 * bz"}),
    Group("cells/gru/ran.py", EQUATIONS, "[ran", {"+ i * x.candidate": "+ f * x.candidate"}),
    Group(
        "cells/gru/ugrnn.py",
        EQUATIONS,
        "[ugrnn",
        {"new = g * h + (1 - g) * n": "new = (1 - g) * h + g * n"},
    ),
    Group(
        "cells/gru/tau_gru.py",
        EQUATIONS,
        "[tau-gru",
        {"new = (1 - g) * h + g * (u + a": "new = (1 - g) * h + g * (u - a"},
    ),
    Group(
        "cells/bistable/brc.py",
        EQUATIONS,
        "[brc",
        {"a = 1 + self.activation": "a = 1 - self.activation"},
    ),
    Group(
        "cells/long_memory/star.py",
        EQUATIONS,
        "[star",
        {"k * self.activation(x.candidate))": "k * x.candidate)"},
    ),
    Group(
        "cells/long_memory/scrn.py",
        EQUATIONS,
        "[scrn",
        {"hidden if bias is None else hidden + bias": "hidden"},
    ),
    Group(
        "cells/long_memory/lipschitz.py",
        EQUATIONS,
        "[lipschitz",
        {"h + self.epsilon * (r.linear": "h - self.epsilon * (r.linear"},
    ),
    Group(
        "cells/parallel/minlstm.py",
        EQUATIONS,
        "[minlstm",
        {"ops.exp(-x.forget - largest)": "ops.exp(x.forget - largest)"},
    ),
    Group(
        "cells/continuous_time/ltc.py",
        EQUATIONS,
        "[ltc",
        {"(h + d * f * target) /": "(h + f * target) /"},
    ),
    Group(
        "cells/parallel/qrnn.py",
        EQUATIONS,
        "[qrnn",
        {"c = n + f * (before - n)": "c = before + f * (n - before)"},
    ),
    Group(
        "cells/parallel/sru.py",
        EQUATIONS,
        "[sru",
        {"x.reset + w.reset_weight": "x.reset + w.forget_weight"},
    ),
    Group(
        "cells/base.py",
        EQUATIONS,
        "dropout and [lstm",
        {
            "h = states[0] if recurrent_mask is None else": "h = states[0] if True else",
            "inputs if mask is None else inputs * mask": "inputs",
        },
    ),
    # Cells: hand-written gradients.
    Group(
        "cells/simple/vanilla.py",
        GRADIENTS,
        "[vanilla",
        {
            "dh * derivative(self.activation, h)": "dh",
            "[ops.zeros_like(h)]": "[dh]",
        },
    ),
    Group(
        "cells/simple/gated.py",
        GRADIENTS,
        "[gated",
        {
            "dh * (n - h)": "dh * (h - n)",
            "d_candidate = dh * g *": "d_candidate = dh *",
            "[dh * (1 - g)]": "[dh * g]",
        },
    ),
    Group(
        "cells/lstm/lstm.py",
        GRADIENTS,
        "[lstm] or [lstm-",
        {
            "dc = dc + dh * o": "dc = dh * o",
            "d_forget = dc * c *": "d_forget = dc *",
            "d_output = dh * y": "d_output = dh * o",
            "ops.zeros_like(dh), dc * f": "ops.zeros_like(dh), dc * i",
        },
    ),
    Group(
        "cells/gru/gru.py",
        GRADIENTS,
        "[gru] or [gru-",
        {
            "d_candidate * reset]": "d_candidate]",
            "d_reset = d_candidate * r_candidate": "d_reset = d_candidate * candidate",
            "dh * (h - candidate)": "dh * h",
            "[dh * update]": "[dh * (1 - update)]",
        },
    ),
    Group(
        "cells/lstm/coupled_lstm.py",
        GRADIENTS,
        "[coupled-lstm]",
        {"d_input = dc * (g - c)": "d_input = dc * g"},
    ),
    Group(
        "cells/lstm/peephole_lstm.py",
        GRADIENTS,
        "[peephole-lstm]",
        {" + d_output * weights.output_peephole": ""},
    ),
    Group(
        "cells/long_memory/indrnn.py",
        GRADIENTS,
        "[indrnn]",
        {"[d * before]": "[d * h]"},
    ),
    Group("cells/parallel/mingru.py", GRADIENTS, "[mingru]", {"* (1 - z), dn]": "* z, dn]"}),
    # Loops through time.
    Group(
        "cells/engine/product_loops.py",
        GRADIENTS,
        "[gru]",
        {
            "following = read(t + 1)": "following = read(t)",
            "following = read(t - 1)": "following = read(t)",
            "dh = dh * recurrent_mask": "pass",
            "tf.where(live, d, tf.zeros_like(d))": "d",
            "tf.where(live, a, b) for a, b in zip(d_old": "a for a, b in zip(d_old",
            '[d_states[0] + slices["d_output"], *': '[slices["d_output"], *',
            '["trajectory"][:steps]': '["trajectory"][1 : steps + 1]',
            'before = before * tensors["recurrent_mask"]': "pass",
            'results["recurrent_bias"] = tf.reduce_sum(d_recurrent, 1)': (
                'results["recurrent_bias"] = tf.reduce_sum(d_projected, 1)'
            ),
        },
    ),
    Group(
        "cells/engine/product_loops.py",
        "tests/cells/test_programs.py",
        "differentiated_later or without_a_tape",
        {
            'time_major(result["visited"][1:])': 'time_major(result["visited"][:-1])',
            '{"trajectory": result["visited"]}': '{"trajectory": result["visited"] + 1}',
        },
    ),
    Group(
        "cells/engine/product_loops.py",
        "tests/cells/test_cell_contract.py",
        "lstm",
        {
            "biases = [_column(tensors[n])": "biases = [0.0 * _column(tensors[n])",
            '["trajectory"], output, t)': '["trajectory"], output, 0)',
        },
    ),
    Group(
        "cells/engine/general_loops.py",
        GRADIENTS,
        "[gru-reset",
        {
            '[d_states[0] + tf.transpose(slices["d_output"]), *': (
                '[tf.transpose(slices["d_output"]), *'
            ),
            'a + d["weights"][k] for': 'd["weights"][k] for',
            "t = steps - 1 - count": "t = count",
            '"values": states}': '"values": new}',
            'tf.where(expand(slices["mask"], a), a, b)': "a",
        },
    ),
    Group(
        "cells/engine/scan.py",
        GRADIENTS,
        "pieces",
        {"else tf.add_n(parts)": "else parts[0]"},
    ),
    Group(
        "cells/engine/step_gradients.py",
        GRADIENTS,
        "custom_cell",
        {
            " - set(cell.separate)": "",
            "cell.has_step_gradient and has_current_gradient": "cell.has_step_gradient",
            "sums = [a + getattr(r, g) if g": "sums = [a if g",
        },
    ),
    Group(
        "cells/engine/xla_slices.py",
        GRADIENTS,
        "[vanilla",
        {
            "lambda t, *_: t < steps": "lambda t, *_: t < steps - 1",
            "tf.stack([0, start])": "tf.stack([start, 0])",
        },
    ),
    # Layers: masks and states.
    Group(
        "cells/layers/recurrent.py",
        EQUATIONS,
        "[lstm-gaps or [lstm-left",
        {
            'ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0': "mask",
            "else ops.flip(mask, axis=1)": "else mask",
        },
    ),
    Group(
        "cells/layers/recurrent.py",
        "tests/cells/test_layer_states.py",
        "chosen_rows",
        {"row in indices": "row not in indices"},
    ),
    Group(
        "cells/engine/elementwise_loops.py",
        "tests/cells/test_elementwise.py",
        "time_in_chunks",
        {
            "tf.where(live, a, b) for a, b in zip(new, states": "a for a, b in zip(new, states",
            "tf.where(end, after[:, None], zeros)": "zeros",
            "array[:, :-1, -1]": "array[:, :-1, 0]",
            "tf.nest.map_structure(tf.add, s, d[n])": "d[n]",
        },
    ),
    # Ends of ranges.
    Group(
        "cells/parallel/slstm.py",
        "tests/cells/test_extreme_states.py",
        "slstm or bounded",
        {
            "ops.where(first, i, ops.maximum(f + m, i))": "ops.maximum(f + m, i)",
            "n = ops.softplus(n)": "n = n + 0",
        },
    ),
    Group(
        "cells/parallel/minlstm.py",
        "tests/cells/test_extreme_states.py",
        "closed_input",
        {"share, ops.sigmoid(-x.forget),": "share, no_forget / inverse_f,"},
    ),
    Group(
        "cells/wrappers/stacked.py",
        "tests/cells/test_extreme_states.py",
        "bounded",
        {"results += inner.valid_states(remaining[:count])": "results += remaining[:count]"},
    ),
    Group(
        "cells/continuous_time/gru_d.py",
        "tests/cells/test_continuous_time.py",
        "spares",
        {"mask[..., : self.values], kept]": "mask]"},
    ),
    Group(
        "cells/engine/product_loops.py",
        "tests/cells/test_gradients.py",
        "many_steps",
        {"tf.float32 if w.dtype.size == 2 else w.dtype": "w.dtype"},
    ),
    Group(
        "cells/base.py",
        "tests/cells/test_weight_options.py",
        "other_names",
        {
            '("recurrent_kernel", "recurrent_weight", *': '("recurrent_kernel", *',
            '"recurrent_weight", *self.recurrent_names)': '"recurrent_weight")',
        },
    ),
    Group(
        "cells/engine/step_gradients.py",
        "tests/cells/test_execution_path.py",
        "says_which or small_step",
        {
            "np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)": "True",
            "_new_states(cell, kept, np.transpose)": "transposed",
            "!= (cell.units,) for": "== () for",
        },
    ),
    Group(
        "cells/engine/dispatch.py",
        "tests/cells/test_wrappers.py",
        "dropped_anew",
        {"if cell.draws_matrix and cell.recurs_by_product:": "if False:"},
    ),
    Group(
        "cells/layers/recurrent.py",
        "tests/cells/test_layer_states.py",
        "rows or initial_states",
        {
            "ops.where(_spread(chosen, initial), initial, variable.value)": "initial",
            "tree.flatten(cell.get_initial_state(batch))": "map(ops.zeros_like, variables)",
        },
    ),
    Group(
        "cells/base.py",
        "tests/cells/test_weight_options.py",
        "other_names",
        {'name.endswith("bias") or name in': "name in"},
    ),
    Group(
        "cells/long_memory/indrnn.py",
        "tests/cells/test_weight_options.py",
        "returns_from_the_bound",
        {
            "u = keras.ops.clip(u, -self.recurrent_maximum, self.recurrent_maximum)": "pass",
            "u if self.recurrent_maximum is None else Bound(self.recurrent_maximum)(u)": "u",
        },
    ),
    Group(
        "cells/wrappers/zoneout.py",
        "tests/cells/test_wrappers.py",
        "of_one_scale",
        {"if first.get(index, index) < index:": "if False:"},
    ),
    Group(
        "cells/wrappers/stacked.py",
        "tests/cells/test_wrappers.py",
        "one_scale_in_a_wrapper",
        {"before += len(as_list(inner.state_size))": "before += 0"},
    ),
    Group(
        "cells/wrappers/attention.py",
        "tests/cells/test_wrappers.py",
        "replaces_the_states_that_store",
        {"(*super().record_states, *tapes_and_mask)": "super().record_states"},
    ),
    Group(
        "cells/convolutional/conv_gru.py",
        "tests/cells/test_frames.py",
        "joint_convolutions",
        {
            "map(self.recurrent_activation, ops.split(gates, 2, axis=-1))": "ops.split("
            "self.recurrent_activation(gates), 2, axis=-1)"
        },
    ),
    Group(
        "cells/gru/gru.py",
        "tests/cells/test_execution_path.py",
        "says_which_path",
        {" and cell_class.recur is GRUCell.recur": ""},
    ),
    Group(
        "cells/base.py",
        "tests/cells/test_frames.py",
        "joint_convolutions",
        {'*("advance", "project", ': '*("advance", '},
    ),
    Group(
        "cells/engine/dispatch.py",
        "tests/cells/test_recomputation.py",
        "without_effect",
        {"while getattr(cell,": "if getattr(cell,"},
    ),
    Group(
        "cells/initialization.py",
        "tests/cells/test_initialization.py",
        "lacks",
        {"    kernel.assign(before)\n": ""},
    ),
    Group(
        "cells/engine/lengths.py",
        "tests/cells/test_execution_path.py",
        "context",
        {
            "(length <= MOST_PADDED * coarse)": "(length > 0)",
            "in reversed(known)": "in known",
        },
    ),
]
