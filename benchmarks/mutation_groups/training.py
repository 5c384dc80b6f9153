"""The mutations of training and fine-tuning."""

from benchmarks.mutation_groups.group import Group

GROUPS = [
    Group(
        "tasks/fine_tuning/start.py",
        "tests/tasks/test_features_from.py",
        "travel",
        {'("vectors", "features_from")': '("vectors",)'},
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
        "tasks/fine_tuning/start.py",
        "tests/tasks/test_fine_tuning.py",
        "frozen_output",
        {
            "        named[OUTPUTS] = WORD\n": "        pass\n",
            "if OUTPUTS in frozen and _labels(old) and new_labels:": "if False:",
        },
    ),
    Group(
        "tasks/fine_tuning/templates.py",
        "tests/tasks/test_step_convolutions.py",
        "stored",
        {"if new != required:": "if False:"},
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
        "tasks/training/checkpoints.py",
        "tests/tasks/test_resuming.py",
        "look_like_a_pattern",
        {"if glob.has_magic(plain):": "if False:"},
    ),
    Group(
        "tasks/training/clipping.py",
        "tests/tasks/test_updates.py",
        "clipped_away",
        {"tf.where(tf.math.is_finite(norm), 1.0, math.nan)": "1.0"},
    ),
    Group(
        "tasks/training/trainer.py",
        "tests/tasks/test_resuming.py",
        "two_processes",
        {
            'alone_in(folder, "Another training process") if workers.chief else nullcontext()': (
                "nullcontext()"
            )
        },
    ),
    Group(
        "tasks/runs/run.py",
        "tests/tasks/test_resuming.py",
        "working_directory",
        {"return self._folder if same else self._absolute": "return self._folder"},
    ),
    Group(
        "tasks/training/epochs.py",
        "tests/tasks/test_resuming.py",
        "last_epoch",
        {"if interrupted.is_set():  # while": "if False:  # while"},
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
        "tasks/training/fused_adam.py",
        "tests/tasks/test_fused_adam.py",
        "as_in_the_paper",
        {
            "self.iterations + 1": "self.iterations + 2",
            '"beta1_power": self.beta_1**update': '"beta1_power": self.beta_2**update',
            "m=first.handle": "m=second.handle",
        },
    ),
    Group(
        "tasks/training/health.py",
        "tests/tasks/test_updates.py",
        "only_overflows",
        {"added = tf.where(tf.math.is_finite(norm), added, tf.zeros_like(added))": "pass"},
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
        "tasks/training/optimizer.py",
        "tests/tasks/test_training.py tests/tasks/test_training_defaults.py",
        "learning_rate",
        {
            "(step + 1) / (self.warmup + 1)": "step / (self.warmup + 1)",
            "max(self.steps - self.warmup, 1)": "max(self.steps, 1)",
        },
    ),
    Group(
        "tasks/training/program_lengths.py",
        "tests/tasks/test_program_lengths.py",
        "",
        {
            "COMPILATION + padded_step * padding": "COMPILATION + padding",
            "if longest <= MOST_PADDED * lengths[begin]:": "if True:",
            "epochs * np.diff(plan.bounds)": "np.diff(plan.bounds)",
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
        "tasks/training/step.py",
        "tests/tasks/test_replicas.py",
        "own_dropout",
        {"[seed + stride, calls]": "[seed, calls]"},
    ),
    Group(
        "tasks/training/step.py",
        "tests/tasks/test_updates.py",
        "only_overflows",
        {"finite |= scaling > 1": "finite |= scaling >= 1"},
    ),
    Group(
        "tasks/training/step.py",
        "tests/tasks/test_program_lengths.py",
        "steps",
        {"with use_lengths(self.lengths):": "with use_lengths(()):"},
    ),
    Group(
        "tasks/training/trainer.py",
        "tests/tasks/test_training_errors.py",
        "leaves_no_folder or patience",
        {
            'test_fingerprint = _fingerprint([_data(task, splits.test, "test")])': "pass",
            "elif settings.patience is not None and run is None": (
                "if not splits.test and settings.patience is not None"
            ),
        },
    ),
]
