"""The mutations of files in tasks/."""

from benchmarks.mutation_groups.group import Group

BEAM = "tests/tasks/test_decoding_beam.py"
CONSTRAINTS = "tests/tasks/test_decoding_constraints.py"

GROUPS = [
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
        {" & (ops.take(self._ends, tags) | ~last)": ""},
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
            "(np.arange(size) < len(selected))": "(np.arange(size) < size)",
            "max(size // multiple, 1) * multiple": "max(size, multiple)",
            "target_buckets[selected].max()": "target_buckets[selected].min()",
            "random.shuffle(members)": "pass",
            "+ SORTED_AT_ONCE]).astype": '+ SORTED_AT_ONCE], "right").astype',
            "np.arange(start + index, end, count)": "np.arange(start, end, count)",
        },
    ),
    # Schedules, checkpoints, resuming.
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
    Group(
        "tasks/training/fused_adam.py",
        "tests/tasks/test_fused_adam.py",
        "as_in_the_paper",
        {
            "self.iterations + 1": "self.iterations + 2",
            "beta1_power=self.beta_1**update": "beta1_power=self.beta_2**update",
            "m=first.handle": "m=second.handle",
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
        {"tf.where(ids == UNKNOWN, replacements,": "tf.where(ids != UNKNOWN, replacements,"},
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
        {"numbers < EXTENDED_IDS": "numbers <= EXTENDED_IDS", "SPECIAL + 2": "SPECIAL"},
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
        "tasks/data/stored_columns.py",
        "tests/zoo/test_stored_tables.py",
        "same_splits",
        {"chosen if self.rows is None else self.rows[chosen]": "chosen"},
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
            "parent != expected or": "False or",
            "if not isinstance(state, dict):": "if state is not None and False:",
        },
    ),
    Group(
        "tasks/runs/predictor.py",
        "tests/zoo/test_raw_tags.py",
        "only_when_asked",
        {"traced = self.task.traced_options(options)": "traced = None"},
    ),
    # Images and spectrograms that are read by steps.
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
        "tasks/layers/step_convolutions.py",
        "tests/tasks/test_step_convolutions.py",
        "definition or padding",
        {"block(values * inside[:, :, None, None])": "block(values)"},
    ),
    Group(
        "tasks/many_to_many_unaligned/task.py",
        "tests/tasks/test_random_views.py",
        "training_only",
        {"values = varied(template, first, values, mask, precision)": "pass"},
    ),
    Group(
        "tasks/seq2seq/encoder_decoder.py",
        "tests/tasks/test_random_views.py",
        "training_only",
        {"if self.view is not None:": "if False:"},
    ),
    Group(
        "tasks/preprocessing/joined.py",
        "tests/tasks/test_random_views.py",
        "further",
        {
            '{"filters": (), **dict.fromkeys(VIEWS, 0.0)}': '{"filters": ()}',
            'options["random_shear"] = 0.0': "pass",
        },
    ),
    Group(
        "tasks/fields.py",
        "tests/tasks/test_further_inputs.py",
        "fit",
        {'*getattr(template, "further_inputs", {}).values()': ""},
    ),
    Group(
        "tasks/training/step.py",
        "tests/tasks/test_replicas.py",
        "own_dropout",
        {"[seed + stride, calls]": "[seed, calls]"},
    ),
    Group(
        "tasks/fine_tuning/templates.py",
        "tests/tasks/test_step_convolutions.py",
        "stored",
        {"if new != required:": "if False:"},
    ),
    # Generated texts, compared with references.
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
        "tasks/many_to_many_unaligned/task.py",
        "tests/tasks/test_composed_texts.py tests/tasks/test_unaligned.py",
        "composed_ones or no_alignment",
        {
            "examples = self.transcripts.as_references(examples)": "pass",
            " & (targets.flat[:-1] != END)": "",
        },
    ),
    Group(
        "tasks/decoding/decoder.py",
        "tests/tasks/test_decoding_graphs.py",
        "forbid_nothing",
        {"terms=lengths + int(has_end)": "terms=lengths"},
    ),
    Group(
        "tasks/training/checkpoints.py",
        "tests/tasks/test_resuming.py",
        "look_like_a_pattern",
        {"if glob.has_magic(plain):": "if False:"},
    ),
    Group(
        "tasks/training/trainer.py",
        "tests/tasks/test_training_errors.py",
        "leaves_no_folder or patience",
        {
            '_data(task, splits.test, "test")': "pass",
            "elif settings.patience is not None and run is None": (
                "if not splits.test and settings.patience is not None"
            ),
        },
    ),
    Group(
        "tasks/preprocessing/statics.py",
        "tests/tasks/test_further_inputs.py",
        "typo",
        {"if 2 * len(others) >= len(values):": "if False:"},
    ),
    Group(
        "tasks/task_model.py",
        "tests/tasks/test_keras_model.py",
        "single_batches",
        {"for _ in range(len(plan)):": "for _ in range(1):"},
    ),
    Group(
        "tasks/export/predict/numbers.py",
        "tests/tasks/test_predict_program.py",
        "run_refuses",
        {"if not given.size:": "if False:", "not np.isfinite(given).all()": "False"},
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
        "tasks/inspection/gates.py",
        "tests/tasks/inspection/test_gates.py",
        "gru_d or logarithm or left_out or lstm",
        {
            'if op.type == "Softplus" and users == {"Neg"}': "if False",
            "direct if any(direct.values()) else changed": "changed",
        },
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
        "tasks/targets/classes.py",
        "tests/tasks/test_targets.py",
        "label_smoothing",
        {"if not self.smoothing:": "if True:"},
    ),
    Group(
        "tasks/layers/recurrent.py",
        "tests/tasks/test_networks.py",
        "half_precision",
        {'sequence if sequence.dtype == "float64" else ops.cast(sequence, "float32")': "sequence"},
    ),
    Group(
        "tasks/fine_tuning/start.py",
        "tests/tasks/test_fine_tuning.py",
        "reused or vectors_of_classes or frozen_decoder",
        {
            'stored["vectors_mode"] = "frozen"': "pass",
            'named["first"] = WORD': "pass",
            '    f"{DECODER}embedding": TARGET,\n': "",
        },
    ),
    Group(
        "tasks/preprocessing/word_vectors.py",
        "tests/tasks/test_word_vectors.py",
        "malformed or as_they_are",
        {
            "if DECIMAL.search(word):": "if False:",
            "if count is not None and number < count:": "if False:",
            "stream.read(len(codecs.BOM_UTF8))": "pass",
            'np.char.decode(words, "utf-8") if words.dtype.kind == "S" else words': "words",
            'text.removesuffix("\\n").split("\\n")': "text.splitlines()",
        },
    ),
    Group(
        "tasks/targets/weighting.py",
        "tests/tasks/test_weighting.py",
        "crf",
        {"return scores - tf.math.log(": "return scores + tf.math.log("},
    ),
    Group(
        "tasks/preprocessing/history_scales.py",
        "tests/tasks/test_forecast.py",
        "equal_values or too_close",
        {
            "varies(values) & (scale > 0)": "scale > 0",
            "varies(history.values) & (scale": "(scale",
        },
    ),
    Group(
        "tasks/preprocessing/images.py",
        "tests/tasks/test_one_features.py",
        "channels or colours",
        {
            "channels = max(channels, channels_of(image))": "channels = channels_of(image)",
            "(encoded[25] == PALETTE and transparent)": "False",
        },
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
        "tasks/preprocessing/histories.py",
        "tests/tasks/test_forecast.py",
        "windows_of_an_unseen",
        {"and history.name not in self.names": "and False"},
    ),
    Group(
        "tasks/preprocessing/history_windows.py",
        "tests/tasks/test_forecast.py",
        "windows_of_an_unseen",
        {"else self.scales.standardise(steps, rows)": "else steps"},
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/inspection/test_subjects.py",
        "samples_do_not",
        {'batch["rows"] if "rows" in batch else ': ""},
    ),
    Group(
        "tasks/inspection/subject.py",
        "tests/tasks/inspection/test_subjects.py",
        "text_that_was_read or finite_effect",
        {"else features.normalized(raw[0])": "else raw[0]", "), LEAST)": "), -np.inf)"},
    ),
    Group(
        "tasks/training/clipping.py",
        "tests/tasks/test_updates.py",
        "clipped_away",
        {"tf.where(tf.math.is_finite(norm), 1.0, math.nan)": "1.0"},
    ),
    Group(
        "tasks/training/step.py",
        "tests/tasks/test_updates.py",
        "only_overflows",
        {"finite |= scaling > 1": "finite |= scaling >= 1"},
    ),
    Group(
        "tasks/training/health.py",
        "tests/tasks/test_updates.py",
        "only_overflows",
        {"added = tf.where(tf.math.is_finite(norm), added, tf.zeros_like(added))": "pass"},
    ),
    Group(
        "tasks/targets/elements.py",
        "tests/tasks/test_targets.py",
        "baseline",
        {"mean if training_mean is None and self.standardises": "mean if training_mean is None"},
    ),
    Group(
        "tasks/export/predict/litert_part.py",
        "tests/tasks/test_export_litert.py",
        "only_results",
        {"if name in self.timed else": "if array.shape[1] == self.steps else"},
    ),
    Group(
        "tasks/fine_tuning/start.py",
        "tests/tasks/test_fine_tuning.py",
        "scaled or scales or symbols or copied or spelled",
        {
            "if len({loss is not None and loss.standardises for loss in losses}) == 1": "if True",
            "if len(known) > 1 and name in known": "if name in known",
            "named[OUTPUTS] = TARGET": "pass",
            'elif learned_features.get("joined")': "elif False",
            "[OTHER_SERIES, *(series if len(series) > 1 else [ONLY_SERIES])]": "series",
            '"\\ud800padding", "\\ud800unknown"': '"<padding>", "<unknown>"',
        },
    ),
    Group(
        "tasks/preprocessing/normalization.py",
        "tests/tasks/test_predict_program.py",
        "nul",
        {'texts = tf.strings.regex_replace(texts, r"\\x00", REPLACEMENT)': "pass"},
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
        "tasks/preprocessing/subwords.py",
        "tests/tasks/test_subwords.py",
        "without_spaces",
        {
            'if len(word.encode("utf-8")) > LINE:': "if False:",
            'text = text.replace(BOUNDARY, " ")': "pass",
        },
    ),
    Group(
        "tasks/preprocessing/images.py",
        "tests/tasks/test_image_encoder.py",
        "grey or damaged",
        {"if channels == 1:": "if False:", "and len(encoded) > 25": ""},
    ),
    Group(
        "tasks/training/program_lengths.py",
        "tests/tasks/test_program_lengths.py",
        "",
        {
            "COMPILATION + PADDED_STEP * padding": "COMPILATION + padding",
            "if longest <= MOST_PADDED * lengths[begin]:": "if True:",
            "epochs * np.diff(plan.bounds)": "np.diff(plan.bounds)",
        },
    ),
    Group(
        "tasks/training/step.py",
        "tests/tasks/test_program_lengths.py",
        "steps",
        {"with use_lengths(self.lengths):": "with use_lengths(()):"},
    ),
    Group(
        "tasks/runs/ensemble.py",
        "tests/zoo/test_ensembles.py",
        "classes_by",
        {"truths = widened(np.asarray(first.targets))": "truths = np.asarray(first.targets)"},
    ),
    Group(
        "tasks/targets/steps.py",
        "tests/tasks/test_steps.py",
        "small_differences",
        {
            "return super().unscaled(values) * self.scale + self.mean": "return self.decode("
            "tf.constant(values)).numpy()"
        },
    ),
    Group(
        "tasks/targets/numbers.py",
        "tests/tasks/test_steps.py",
        "small_differences",
        {
            "(outputs) * self.scale + self.mean": (
                "(outputs).astype('f') * np.float32(self.scale) + np.float32(self.mean)"
            )
        },
    ),
    Group(
        "tasks/task_model.py",
        "tests/tasks/test_keras_model.py",
        "decays_no_biases or refused",
        {
            '        self.exclude_from_weight_decay(var_names=["bias"])\n': "        pass\n",
            'if settings.precision == "mixed_float16":': "if False:",
            "        _check_unweighted(x)\n": "",
        },
    ),
    Group(
        "tasks/fine_tuning/start.py",
        "tests/tasks/test_fine_tuning.py",
        "frozen_output",
        {
            "        named[OUTPUTS] = WORD\n": "        pass\n",
            "if OUTPUTS in frozen and _labels(old) and new_labels:": "if False:",
        },
    ),
    Group(
        "tasks/preprocessing/histories.py",
        "tests/zoo/test_date_tables.py",
        "continued",
        {"if counts and not isinstance(history, Continuation):": "if counts:"},
    ),
    Group(
        "tasks/forecast/task.py",
        "tests/tasks/test_forecast.py",
        "anomalies",
        {"if not len(origins):": "if False:"},
    ),
    Group(
        "tasks/runs/predictor.py",
        "tests/zoo/test_prediction_lines.py",
        "samples_of_a_run",
        {'np.array(positions, np.int32)[batch["rows"]]': 'batch["rows"]'},
    ),
    Group(
        "tasks/export/predict/generation.py",
        "tests/zoo/test_prediction_lines.py",
        "exports",
        {"[seed, position, text] for position": "[seed, text] for position"},
    ),
    Group(
        "tasks/runs/ensemble.py",
        "tests/zoo/test_ensembles.py",
        "generators or tags_of_an",
        {
            "                self._check_encoding(other)\n": "                pass\n",
            "if isinstance(self.task, GeneratorTask) and penalty != 1:": "if False:",
            "isinstance(self.task, TaggerTask) and options.top > 1:": "False:",
        },
    ),
    Group(
        "tasks/seq2seq/task.py",
        "tests/tasks/test_replace_unknown.py",
        "explanation",
        {"tf.argmax(attention, -1, tf.int32)[:,": "tf.argmin(attention, -1, tf.int32)[:,"},
    ),
]
