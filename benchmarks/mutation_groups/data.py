"""The mutations of the data of tasks: batches, preprocessing and targets."""

from benchmarks.mutation_groups.group import Group

GROUPS = [
    Group(
        "tasks/data/batches.py",
        "tests/tasks/test_batching.py tests/tasks/test_shards.py",
        "",
        {
            "(np.arange(filled) < len(selected))": "(np.arange(filled) < filled)",
            "-(-size // multiple) * multiple": "size // multiple * multiple",
            "target_buckets[selected].max()": "target_buckets[selected].min()",
            "random.shuffle(members)": "pass",
            "+ SORTED_AT_ONCE]).astype": '+ SORTED_AT_ONCE], "right").astype',
            "np.arange(start + index, end, count)": "np.arange(start, end, count)",
        },
    ),
    Group(
        "tasks/data/npz_members.py",
        "tests/zoo/test_hostile_files.py",
        "unpickled",
        {"or min(shape, default=0) < 0": "or False"},
    ),
    Group(
        "tasks/data/stored_columns.py",
        "tests/zoo/test_stored_tables.py",
        "same_splits",
        {"chosen if self.rows is None else self.rows[chosen]": "chosen"},
    ),
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
        "tasks/preprocessing/character_models.py",
        "tests/tasks/test_features_from.py",
        "states_of_the_models",
        {
            "tf.cumsum(sizes, 1, reverse=backward)": "tf.cumsum(sizes, 1)",
            "constant_values=START": "constant_values=PADDING",
        },
    ),
    Group(
        "tasks/preprocessing/copied_tokens.py",
        "tests/tasks/test_copying.py",
        "ids_of_their",
        {"numbers < EXTENDED_IDS": "numbers <= EXTENDED_IDS", "SPECIAL + 2": "SPECIAL"},
    ),
    Group(
        "tasks/preprocessing/histories.py",
        "tests/tasks/test_forecast.py",
        "windows_of_an_unseen",
        {"and history.name not in self.names": "and False"},
    ),
    Group(
        "tasks/preprocessing/histories.py",
        "tests/zoo/test_date_tables.py",
        "continued",
        {"if counts and not isinstance(history, Continuation):": "if counts:"},
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
        "tasks/preprocessing/history_windows.py",
        "tests/tasks/test_forecast.py",
        "windows_of_an_unseen",
        {"else self.scales.standardise(steps, rows)": "else steps"},
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
        "tasks/preprocessing/images.py",
        "tests/tasks/test_image_encoder.py",
        "grey or damaged",
        {"if channels == 1:": "if False:", "and len(encoded) > 25": ""},
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
        "tasks/preprocessing/lemmas.py",
        "tests/zoo/test_unimorph.py",
        "before_the_characters",
        {"FEATURE + name": "name"},
    ),
    Group(
        "tasks/preprocessing/normalization.py",
        "tests/tasks/test_predict_program.py",
        "nul",
        {'texts = tf.strings.regex_replace(texts, r"\\x00", REPLACEMENT)': "pass"},
    ),
    Group(
        "tasks/preprocessing/statics.py",
        "tests/tasks/test_further_inputs.py",
        "typo",
        {"if 2 * len(others) >= len(values):": "if False:"},
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
        "tasks/preprocessing/text.py",
        "tests/tasks/test_features_from.py",
        "backward_model",
        {"return tf.reverse(tokens, [1])": "return tokens"},
    ),
    Group(
        "tasks/preprocessing/word_vectors.py",
        "tests/tasks/test_word_vectors.py",
        "malformed or as_they_are",
        {
            "if DECIMAL.search(word) or": "if",
            "if count is not None and number < count:": "if False:",
            "stream.read(len(codecs.BOM_UTF8))": "pass",
            'np.char.decode(words, "utf-8") if words.dtype.kind == "S" else words': "words",
            'text.removesuffix("\\n").split("\\n")': "text.splitlines()",
        },
    ),
    Group(
        "tasks/targets/classes.py",
        "tests/tasks/test_targets.py",
        "label_smoothing",
        {"if not self.smoothing:": "if True:"},
    ),
    Group(
        "tasks/targets/elements.py",
        "tests/tasks/test_targets.py",
        "baseline",
        {"mean if training_mean is None and self.standardises": "mean if training_mean is None"},
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
        "tasks/targets/steps.py",
        "tests/tasks/test_steps.py",
        "small_differences",
        {
            "return super().unscaled(values) * self.scale + self.mean": "return self.decode("
            "tf.constant(values)).numpy()"
        },
    ),
    Group(
        "tasks/targets/weighting.py",
        "tests/tasks/test_weighting.py",
        "crf",
        {"return scores - tf.math.log(": "return scores + tf.math.log("},
    ),
]
