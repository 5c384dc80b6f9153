"""The mistakes that `python -m benchmarks.mutations` puts into the code, by file."""

from typing import NamedTuple


class Group(NamedTuple):
    """Mutations of one file.

    Attributes:
        file: path from the root.
        tests: test files, separated by spaces.
        only: pytest's `-k`, an expression of the tests' names; empty for all.
        mutations: text in the file -> what replaces it.
    """

    file: str
    tests: str
    only: str
    mutations: dict[str, str]


EQUATIONS = "tests/cells/test_cell_equations.py"
GRADIENTS = "tests/cells/test_gradients.py"
BEAM = "tests/tasks/test_decoding_beam.py"
CONSTRAINTS = "tests/tasks/test_decoding_constraints.py"

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
        {
            "new = (1 - g) * h + g * n": "new = g * h + (1 - g) * n",
            "[ops.zeros_like(bias), bias]": "[bias, ops.zeros_like(bias)]",
        },
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
        {"c = n + f * (c - n)": "c = c + f * (n - c)"},
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
            '["trajectory"][:-1]': '["trajectory"][1:]',
            'before = before * tensors["recurrent_mask"]': "pass",
            'whole["recurrent_bias"] = tf.reduce_sum(d_recurrent, 1)': (
                'whole["recurrent_bias"] = tf.reduce_sum(d_projected, 1)'
            ),
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
            'tf.where(rows(slices["mask"], a), a, b)': "a",
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
            ' and issubclass(origin("step_gradient"), origin("step"))': "",
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
        {"row not in set(rows)": "row in set(rows)"},
    ),
    Group(
        "tasks/layers/recurrent.py",
        "tests/tasks/test_networks.py tests/tasks/test_many_to_one.py",
        "pooling or padding",
        {
            "steps[None, :] < lengths[:, None]": "steps[None, :] <= lengths[:, None]",
            "ops.where(steps, sequence, lowest)": "sequence",
        },
    ),
    Group(
        "tasks/layers/attention.py",
        "tests/tasks/test_attention.py",
        "equations or masked",
        {"ops.where(mask, scores, -1e30)": "scores + 0"},
    ),
    # Decoding.
    Group(
        "tasks/decoding/rows.py",
        f"{CONSTRAINTS} tests/tasks/test_decoding_sampling.py",
        "",
        {
            "positions <= lengths[:, None]": "positions < lengths[:, None]",
            "positions < lengths[:, None], tokens": "positions <= lengths[:, None], tokens",
            "tf.where(forced, token, choose(t, proposal.scores))": "choose(t, proposal.scores)",
        },
    ),
    Group(
        "tasks/decoding/rows.py",
        "tests/tasks/test_decoding_graphs.py",
        "loop_ends",
        {'variables["finished"] | ends': "ends"},
    ),
    Group(
        "tasks/decoding/sampling.py",
        "tests/tasks/test_decoding_sampling.py",
        "",
        {
            "exclusive=True": "exclusive=False",
            "scores /= temperature": "scores *= temperature",
            "min(top_k, ids)": "min(top_k + 1, ids)",
            "row_seed = seeds[row]": "row_seed = seeds[0]",
        },
    ),
    Group(
        "tasks/decoding/beam.py",
        BEAM,
        "",
        {
            'variables["scores"] + guided.enforced': "guided.enforced",
            "tf.where(ends, NONE, best)": "best",
            "closed = best / self": "closed = best * self",
            "tf.gather(item, rows), proposal": "item, proposal",
            "tf.gather(coverage, rows)": "coverage",
            "(reachable <= answers[:, -1])": "(reachable <= answers[:, 0])",
        },
    ),
    Group(
        "tasks/decoding/constraints.py",
        CONSTRAINTS,
        "",
        {
            "logits / penalty, logits * penalty": "logits / penalty, logits / penalty",
            "positions >= size - 1": "positions >= size",
            "tf.maximum(scores, LAST_RESORT_SCORE)": "scores",
        },
    ),
    Group(
        "tasks/decoding/guided.py",
        CONSTRAINTS,
        "",
        {"t >= self.choices.minimum_length": "t > self.choices.minimum_length"},
    ),
    Group(
        "tasks/decoding/scoring.py",
        "tests/tasks/test_decoding_sampling.py",
        "scored",
        {"t <= lengths, chosen": "t < lengths, chosen"},
    ),
    # Conditional random field.
    Group(
        "tasks/layers/crf.py",
        "tests/tasks/test_crf.py",
        "paths or gradient or padding",
        {
            "-ops.logsumexp(alpha + end": "-ops.logsumexp(alpha",
            "moved, alpha), None": "moved, moved), None",
            "self._moves.T, ops.transpose(": "self._moves.T, (",
            "d(moved), alpha), ops.where(still, before, same)": "d(moved), alpha), before",
            "ops.argmax(alpha + end": "ops.argmax(alpha",
            "first + end, steps": "first, steps",
            "ops.softmax(alphas + betas)": "ops.softmax(alphas)",
            "start = ops.where(self._starts, self.start, FORBIDDEN)": "start = self.start",
        },
    ),
    Group(
        "tasks/layers/crf.py",
        "tests/tasks/test_crf.py",
        "forbidden_tags",
        {" & (ops.take(self._ends, tags) | ~last)": ""},
    ),
    Group(
        "tasks/metrics/bio.py",
        "tests/tasks/test_entities.py",
        "",
        {
            " and before[1] == tag[1]": "",
            'closing or prefix in ("O", "E", "S")': 'closing or prefix in ("O", "B", "S")',
        },
    ),
    # Windows, batches, splits.
    Group(
        "tasks/data/windows.py",
        "tests/tasks/test_windows.py",
        "",
        {
            "begin = random.integers(0, ": "begin = 0 * random.integers(0, ",
            "resets[0] = True": "pass",
            "np.maximum(windows.starts[at] - 1, 0)": "windows.starts[at]",
            "exists & (at >= bounds[:-1])": "exists",
            "-(-WARM_UP // window)": "WARM_UP // window // 2",
            '"aside": np.ones(len(rows), bool)': '"aside": np.zeros(len(rows), bool)',
            "random.integers(0, free + 1)": "0 * free",
        },
    ),
    Group(
        "tasks/data/batches.py",
        "tests/tasks/test_batching.py tests/tasks/test_shards.py",
        "",
        {
            "weights[: len(selected)] = 1.0": "weights[:] = 1.0",
            "max(size // multiple, 1) * multiple": "max(size, multiple)",
            "target_buckets[selected].max()": "target_buckets[selected].min()",
            "random.shuffle(members)": "pass",
            "np.searchsorted(padded, lengths)": 'np.searchsorted(padded, lengths, "right")',
            "np.arange(start + index, end, count)": "np.arange(start, end, count)",
        },
    ),
    Group(
        "zoo/data/splits.py",
        "tests/zoo/test_split_properties.py tests/zoo/test_sources.py",
        "properties or label or limit or shares",
        {
            "while start < end < count and": "while False and",
            "(digests[index], index)": "(index,)",
            "salt=salt).digest() for key in": 'salt=b"0").digest() for key in',
            "np.concatenate([train, held[back]])": "train",
            '("test", "validation", "train")': '("train", "validation", "test")',
        },
    ),
    # Schedules, checkpoints, going on.
    Group(
        "tasks/training/optimizer.py",
        "tests/tasks/test_training.py tests/tasks/test_training_defaults.py",
        "learning_rate",
        {
            "(step + 1) / (self.warmup + 1)": "step / (self.warmup + 1)",
            "max(self.steps - self.warmup, 1)": "max(self.steps, 1)",
        },
    ),
    Group(
        "tasks/training/epochs.py",
        "tests/tasks/test_resuming.py",
        "ctrl_c",
        {
            'self.rows = list(state["rows"])': "self.rows = []",
            "for _ in self.loop.train(self.training, plan.since(done))": (
                "for _ in self.loop.train(self.training, plan)"
            ),
        },
    ),
    Group(
        "tasks/training/epochs.py",
        "tests/tasks/test_training.py",
        "best_model or patience",
        {
            "rank > self.best or": "rank < self.best or",
            'int(state["waited"]), float': "0, float",
        },
    ),
    Group(
        "tasks/training/step.py",
        "tests/tasks/test_resuming.py",
        "ctrl_c",
        {
            "for variable in self.optimizer.variables]": "for variable in []]",
            "self.totals, *self.lanes]": "*self.lanes]",
        },
    ),
    Group(
        "tasks/training/lazy_adam.py",
        "tests/tasks/test_lazy_updates.py",
        "rows_of_a_gradient",
        {
            "m += (values - m)": "m = values + (values - m)",
            "change = scale * m": "change = m",
            "first.scatter_update": "second.scatter_update",
        },
    ),
    # Several inputs, unknown words, tables on disk.
    Group(
        "tasks/many_to_one/network.py",
        "tests/tasks/test_further_inputs.py",
        "compared",
        {"ops.abs(u - v)": "(u - v)"},
    ),
    Group(
        "tasks/many_to_many_aligned/tagger_network.py",
        "tests/tasks/test_further_inputs.py",
        "other_templates and tags",
        {"beside_steps(inputs, vectors,": "vectors; beside_steps(inputs, vectors,"},
    ),
    Group(
        "tasks/seq2seq/encoder_decoder.py",
        "tests/tasks/test_further_inputs.py",
        "other_templates and encoder",
        {"if self.further is not None:": "if self.further is not None and training:"},
    ),
    # Features from language models.
    Group(
        "tasks/preprocessing/character_models.py",
        "tests/tasks/test_features_from.py",
        "states_of_the_models",
        {
            "tf.cumsum(sizes, 1, reverse=backward)": "tf.cumsum(sizes, 1)",
            "constant_values=START": "constant_values=PADDING",
        },
    ),
    Group(
        "tasks/preprocessing/text.py",
        "tests/tasks/test_features_from.py",
        "backward_model",
        {"return tf.reverse(tokens, [1])": "return tokens"},
    ),
    Group(
        "tasks/fine_tuning/start.py",
        "tests/tasks/test_features_from.py",
        "travel",
        {'("vectors", "features_from")': '("vectors",)'},
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/test_replace_unknown.py",
        "become",
        {"tf.where(ids == UNKNOWN, seen,": "tf.where(ids != UNKNOWN, seen,"},
    ),
    # Copied tokens, monotonic attention, lemmas.
    Group(
        "tasks/layers/copying.py",
        "tests/tasks/test_copying.py",
        "paper",
        {
            "rest = tf.maximum(1.0 -": "rest = tf.maximum(0.0 -",
            "copied = mask & (copies": "copied = (copies",
        },
    ),
    Group(
        "tasks/preprocessing/copied_tokens.py",
        "tests/tasks/test_copying.py",
        "ids_of_their",
        {"numbers < FURTHER_IDS": "numbers <= FURTHER_IDS", "SPECIAL + 2": "SPECIAL"},
    ),
    Group(
        "tasks/layers/monotonic_attention.py",
        "tests/tasks/test_monotonic_attention.py",
        "alignments or whole_texts",
        {
            "cumulative_logsumexp(scores, -1, reverse=True)": "cumulative_logsumexp(scores, -1)",
            "posterior(prior, before))\n            return": "prior)\n            return",
            "return [first_step(mask),": "return [1.0 - first_step(mask),",
        },
    ),
    Group(
        "tasks/preprocessing/lemmas.py",
        "tests/zoo/test_unimorph.py",
        "before_the_characters",
        {"FEATURE + name": "name"},
    ),
    Group(
        "zoo/data/splits.py",
        "tests/zoo/test_stored_tables.py",
        "same_splits",
        {"salt=salt).digest() for key in": 'salt=b"1").digest() for key in'},
    ),
    Group(
        "tasks/data/stored_columns.py",
        "tests/zoo/test_stored_tables.py",
        "same_splits",
        {"chosen if self.rows is None else self.rows[chosen]": "chosen"},
    ),
    Group(
        "cells/engine/elementwise_loops.py",
        "tests/cells/test_elementwise.py",
        "time_in_chunks",
        {
            "tf.where(live, a, b) for a, b in zip(new, states": "a for a, b in zip(new, states",
            "tf.where(end, after[:, None], zeros)": "zeros",
            "whole[:, :-1, -1]": "whole[:, :-1, 0]",
            "tf.nest.map_structure(tf.add, s, d[n])": "d[n]",
        },
    ),
    Group(
        "zoo/hyperparameters/search.py",
        "tests/zoo/test_search.py",
        "killed_search_continues",
        {'content.rfind(b"\\n") + 1': "len(content)"},
    ),
    Group(
        "zoo/data/several_files.py",
        "tests/zoo/test_several_files.py",
        "pattern or errors or paths",
        {
            "locations.begin(file)": "locations.begin(first)",
            "if of_paths and other is not None": "if of_paths and other is None",
            "record._replace(number=locations.add(record.number))": "record",
        },
    ),
    Group(
        "zoo/data/hugging_face.py",
        "tests/zoo/test_several_files.py",
        "hugging or damaged",
        {
            "or pathlib.Path(name).name != name": "",
            "(folder / name, name)": "(folder / name, None)",
        },
    ),
    Group(
        "zoo/inference/prediction_file.py",
        "tests/zoo/test_prediction_file.py",
        "",
        {
            "opened.truncate()": "pass",
            "opened.seek(self._size)": "pass",
            "skip=self.inputs, complete": "skip=0, complete",
            "if not self.inputs:": "if False:",
            'known["settings"] != self.settings': "False",
        },
    ),
    # Hostile files, and raw sentences.
    Group(
        "tasks/data/npz_members.py",
        "tests/zoo/test_hostile_files.py",
        "unpickled",
        {"or min(shape, default=0) < 0": "or False"},
    ),
    Group(
        "tasks/training/checkpoints.py",
        "tests/tasks/test_safe_loading.py",
        "elsewhere or damaged_state",
        {
            "place != own or": "False or",
            "if not isinstance(state, dict):": "if state is not None and False:",
        },
    ),
    Group(
        "tasks/runs/predictor.py",
        "tests/zoo/test_raw_tags.py",
        "only_when_asked",
        {"traced = self.task.traced_options(options)": "traced = None"},
    ),
    Group(
        "zoo/data/arrow_tables.py",
        "tests/zoo/test_hostile_files.py",
        "offsets",
        {".validate(full=True)": ".validate()"},
    ),
]
