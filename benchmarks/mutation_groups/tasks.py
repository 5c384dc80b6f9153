"""The mutations of other files in tasks/: layers, templates, decoding, inspection and exports."""

from benchmarks.mutation_groups.group import Group

BEAM = "tests/tasks/test_decoding_beam.py"
CONSTRAINTS = "tests/tasks/test_decoding_constraints.py"

GROUPS = [
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
            "scores[:, 0], finished[:, -1], ended": "scores[:, 0], finished[:, 0], ended",
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
        "tasks/decoding/decoder.py",
        "tests/tasks/test_decoding_graphs.py",
        "forbid_nothing",
        {"terms=lengths + int(has_end)": "terms=lengths"},
    ),
    Group(
        "tasks/decoding/guided.py",
        CONSTRAINTS,
        "",
        {"t >= self.choices.minimum_length": "t > self.choices.minimum_length"},
    ),
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
        "tasks/decoding/scoring.py",
        "tests/tasks/test_decoding_sampling.py",
        "scored",
        {"t <= lengths, chosen": "t < lengths, chosen"},
    ),
    Group(
        "tasks/export/onnx_operations.py",
        "tests/tasks/test_onnx_operations.py",
        "",
        {
            "if not len(axes):": "if False:",
            "== index_rank == batched + 1": "== index_rank",
            't.writer.add("Where", [negative, depth, positions])': "positions",
            "if op.outputs[0].dtype.is_integer:": "if True:",
        },
    ),
    Group(
        "tasks/runs/ensemble.py",
        "tests/zoo/test_ensembles.py",
        "forecasts",
        {
            "if any(wide) and not all(wide):": "if False:",
            "{shown: run.source.get(name) for name, shown in names.items()}": "{}",
        },
    ),
    Group(
        "tasks/export/predict/crf.py",
        "tests/tasks/test_predict_program.py",
        "best_tags",
        {
            "in scores[:0:-1]:": "in scores[1:]:",
            "+ emission + backward[-1]": "+ backward[-1]",
            "for before, ranks in reversed(pointers)": "for before, ranks in pointers",
        },
    ),
    Group(
        "tasks/export/predict/transcripts.py",
        "tests/tasks/test_predict_program.py",
        "transcripts",
        {
            "int(total[-2] > total[-1])": "0",
            "int(where[-1]) + 1": "int(where[-1])",
            "return [values, one, np.where(jumps, two, -np.inf)]": "return [values, one]",
        },
    ),
    Group(
        "tasks/data/timed_series.py",
        "tests/tasks/test_timed_series.py",
        "dates_are or none",
        {
            'if array.dtype.kind == "M":': "if False:",
            'if array.dtype.kind == "m":': "if False:",
            "if meaning not in known:": "if False:",
        },
    ),
    Group(
        "tasks/export/predict/generation.py",
        "tests/zoo/test_prediction_lines.py",
        "exports",
        {"[seed, position, text] for position": "[seed, text] for position"},
    ),
    Group(
        "tasks/export/predict/litert_part.py",
        "tests/tasks/test_export_litert.py",
        "only_results",
        {"if name in self.timed else": "if array.shape[1] == self.steps else"},
    ),
    Group(
        "tasks/export/predict/numbers.py",
        "tests/tasks/test_predict_program.py",
        "run_refuses",
        {"if not given.size:": "if False:", "not np.isfinite(given).all()": "False"},
    ),
    Group(
        "tasks/export/predict/numbers.py",
        "tests/tasks/test_predict_program.py",
        "cannot_have or have_the_shape",
        {
            "or (given % 1).any()": "",
            "given.min() < limits.min or": "",
            "same = array.ndim == len(expected)": "same = True",
        },
    ),
    Group(
        "tasks/fields.py",
        "tests/tasks/test_further_inputs.py",
        "fit",
        {'*getattr(template, "further_inputs", {}).values()': ""},
    ),
    Group(
        "tasks/forecast/task.py",
        "tests/tasks/test_forecast.py",
        "anomalies",
        {"if not len(origins):": "if False:"},
    ),
    Group(
        "tasks/inspection/attribution.py",
        "tests/tasks/inspection/test_subjects.py",
        "word_vectors or lemma or copied",
        {
            "    VectorTable,\n": "",
            "changed_steps if hasattr(layer, OF_STEPS) else changed_output": "changed_output",
            'stack.enter_context(changed_output(subject.model, without, "copies"))': "pass",
        },
    ),
    Group(
        "tasks/inspection/gates.py",
        "tests/tasks/inspection/test_gates.py",
        "gru_d or logarithm or left_out or lstm",
        {
            'if op.type == "Softplus" and users == {"Neg"}': "if False",
            "direct if any(direct.values()) else changed": "changed",
        },
    ),
    Group(
        "tasks/inspection/subject.py",
        "tests/tasks/inspection/test_subjects.py",
        "linear_part or times_are_read or named_by",
        {
            '("normalized", "without_gaps") if run.template.linear else ': "",
            'outputs, _ = model(read(inputs["values"]))': 'outputs, _ = model(inputs["values"])',
            'predicted, _ = model(read(batch["values"]))': 'predicted, _ = model(batch["values"])',
            'if loss.activation_name != "linear":': "if False:",
        },
    ),
    Group(
        "tasks/inspection/subject.py",
        "tests/tasks/inspection/test_subjects.py",
        "text_that_was_read or finite_effect",
        {"else features.normalized(raw[0])": "else raw[0]", "), LEAST)": "), -np.inf)"},
    ),
    Group(
        "tasks/inspection/tables.py",
        "tests/tasks/inspection/test_subjects.py",
        "neighbours or word_vectors",
        {
            ' and not str(name).startswith("encoder_")': "",
            "vocabulary.tokens[: len(vectors)]": "vocabulary.tokens",
        },
    ),
    Group(
        "tasks/layers/attention.py",
        "tests/tasks/test_attention.py",
        "equations or masked",
        {"ops.where(mask, scores, -1e30)": "scores + 0"},
    ),
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
        "tasks/layers/crf.py",
        "tests/tasks/test_crf.py",
        "paths or gradient or padding",
        {
            "-ops.logsumexp(alpha + end": "-ops.logsumexp(alpha",
            "moved, alpha), None": "moved, moved), None",
            "self._moves.T, ops.transpose(": "self._moves.T, (",
            "d(moved), alpha), ops.where(active, before, same)": "d(moved), alpha), before",
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
        {" & (tf.gather(self._ends, tags) | ~last)": ""},
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
        "tasks/layers/random_views.py",
        "tests/tasks/test_random_views.py tests/tasks/test_image_encoder.py",
        "shift or zoom or shear or padding or view",
        {
            "[slant, one, -slant * middle]": "[slant, one, slant * middle]",
            "middle * (1 - scale) + shift * height": "shift * height",
            "tf.int32), 1) * columns - 1": "tf.int32), 1) * columns + 3",
            "from_y = middle_y * (1 - scale_y)": "from_y = middle_x * (1 - scale_y)",
        },
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
        "tasks/layers/recurrent.py",
        "tests/tasks/test_networks.py",
        "half_precision",
        {'sequence if sequence.dtype == "float64" else ops.cast(sequence, "float32")': "sequence"},
    ),
    Group(
        "tasks/layers/step_convolutions.py",
        "tests/tasks/test_step_convolutions.py",
        "definition or padding",
        {"block(values * inside[:, :, None, None])": "block(values)"},
    ),
    Group(
        "tasks/many_to_many_aligned/tagger_network.py",
        "tests/tasks/test_further_inputs.py",
        "other_templates and tags",
        {"beside_steps(inputs, vectors,": "vectors; beside_steps(inputs, vectors,"},
    ),
    Group(
        "tasks/many_to_many_unaligned/task.py",
        "tests/tasks/test_random_views.py",
        "training_only",
        {"values = varied(template, first, values, mask, precision)": "pass"},
    ),
    Group(
        "tasks/many_to_many_unaligned/task.py",
        "tests/tasks/test_composed_texts.py tests/tasks/test_unaligned.py",
        "composed_ones or no_alignment",
        {
            "examples = self.transcripts.as_references(examples)": "pass",
            " & (targets.flat[:-1] != END)": "",
        },
    ),
    Group(
        "tasks/many_to_one/network.py",
        "tests/tasks/test_further_inputs.py",
        "compared",
        {"ops.abs(u - v)": "(u - v)"},
    ),
    Group(
        "tasks/metrics/bio.py",
        "tests/tasks/test_entities.py",
        "",
        {
            " and before[1] == tag[1]": "",
            'is_bioes or prefix in ("O", "E", "S")': 'is_bioes or prefix in ("O", "B", "S")',
        },
    ),
    Group(
        "tasks/runs/ensemble.py",
        "tests/zoo/test_ensembles.py",
        "classes_by",
        {"truths = widened(np.asarray(first.targets))": "truths = np.asarray(first.targets)"},
    ),
    Group(
        "tasks/runs/ensemble.py",
        "tests/zoo/test_ensembles.py",
        "generators or tags_of_an",
        {
            "                self._check_encoding(other)\n": "                pass\n",
            "if penalty != 1:": "if False:",
            "isinstance(self.task, TaggerTask) and options.top > 1:": "False:",
        },
    ),
    Group(
        "tasks/runs/predictor.py",
        "tests/zoo/test_raw_tags.py",
        "only_when_asked",
        {"traced = self.task.traced_options(options)": "traced = None"},
    ),
    Group(
        "tasks/runs/predictor.py",
        "tests/zoo/test_prediction_lines.py",
        "samples_of_a_run",
        {'np.array(positions, np.int32)[batch["rows"]]': 'batch["rows"]'},
    ),
    Group(
        "tasks/seq2seq/encoder_decoder.py",
        "tests/tasks/test_further_inputs.py",
        "other_templates and encoder",
        {"if self.further is not None:": "if self.further is not None and training:"},
    ),
    Group(
        "tasks/seq2seq/encoder_decoder.py",
        "tests/tasks/test_random_views.py",
        "training_only",
        {"if self.view is not None:": "if False:"},
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/test_replace_unknown.py",
        "become",
        {"tf.where(ids == UNKNOWN, replacements,": "tf.where(ids != UNKNOWN, replacements,"},
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/test_composed_texts.py",
        "composed_ones",
        {
            "corpus_score(by, answers, self.texts.as_references(examples))": (
                "corpus_score(by, answers, examples)"
            ),
            "scores_of(texts, self.texts.as_references(examples)": "scores_of(texts, examples",
        },
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/inspection/test_subjects.py",
        "samples_do_not",
        {'batch["rows"] if "rows" in batch else ': ""},
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/test_replace_unknown.py",
        "explanation",
        {"tf.argmax(attention, -1, tf.int32)[:,": "tf.argmin(attention, -1, tf.int32)[:,"},
    ),
    Group(
        "tasks/task_model.py",
        "tests/tasks/test_keras_model.py",
        "single_batches",
        {"for _ in range(len(plan)):": "for _ in range(1):"},
    ),
    Group(
        "tasks/task_model.py",
        "tests/tasks/test_keras_model.py",
        "decays_no_biases or refused",
        {
            '        self.exclude_from_weight_decay(var_names=["bias"])\n': "        pass\n",
            '"dtype": settings.precision,': '"dtype": "float32",',
        },
    ),
    Group(
        "tasks/keras_inputs.py",
        "tests/tasks/test_keras_model.py",
        "refused",
        {"        check_unweighted(x)\n": ""},
    ),
]
