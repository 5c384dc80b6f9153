"""Trains a template on examples and writes its run folder."""

import hashlib
import itertools
import json
import os
import pathlib
import platform
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from importlib import metadata
from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.atomic_files import occupied, write_json
from seqzoo.tasks.base import PredictionOptions, Task, Template
from seqzoo.tasks.data.batches import Data, Padding
from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError, check_instance, check_same
from seqzoo.tasks.fine_tuning.start import Start, sentences
from seqzoo.tasks.losses import NUMBERS
from seqzoo.tasks.runs.averaging import average
from seqzoo.tasks.runs.correction import correct
from seqzoo.tasks.runs.layout import CHECKPOINTS, CONFIG, linked_folder
from seqzoo.tasks.runs.lock import alone_in
from seqzoo.tasks.runs.predictor import Inference
from seqzoo.tasks.runs.run import FORMAT, LEARNED, Run
from seqzoo.tasks.runs.stored_config import SHAPES, shapes_digest
from seqzoo.tasks.runs.temperature import calibrate, check_calibrates
from seqzoo.tasks.settings import FREE_TO_CHANGE, TrainingSettings
from seqzoo.tasks.startup import start_devices
from seqzoo.tasks.targets.weighting import weigh_examples
from seqzoo.tasks.training.clusters import make_strategy
from seqzoo.tasks.training.cross_conformal import correct_across_folds
from seqzoo.tasks.training.epochs import Epochs
from seqzoo.tasks.training.progress import Silent, TrainingProgress
from seqzoo.tasks.training.truncation import check_truncation
from seqzoo.tasks.training.workers import Workers

WITHOUT_EFFECT_ON_READOUTS = (
    "label_smoothing",
    "word_dropout",
    "dropout",
    "recurrent_dropout",
    "random_shift",
    "random_zoom",
    "random_shear",
)
"""Options of templates that only change how weights are trained by gradients."""

READ_AGAIN = ("vectors", "features_from")
"""Options of templates that name files or runs whose contents become weights of the model."""

STARTED_FROM = "started_from"
"""Key in config.json of the report on reused weights; see `Start.transfer`."""


def train(
    template: Template,
    splits: Splits,
    settings: TrainingSettings,
    folder: str | os.PathLike[str],
    *,
    source: dict[str, Any] | None = None,
    resume: bool = False,
    progress: TrainingProgress | None = None,
    strategy: Any = None,
    callbacks: Any = (),
    start_from: Run | str | os.PathLike[str] | None = None,
) -> Run:
    """Trains a model and writes its run folder.

    On the same machine, the results depend only on the arguments, whether or not training was
    interrupted. The seeds of Python, NumPy and TensorFlow are set, which threads share: train in
    one at a time.

    Args:
        template: the template with its options.
        splits: the examples.
        settings: the training settings.
        folder: the run folder; it must be new or empty, unless `resume`.
        source: how to open the data again; stored in the run, so it must be JSON-serialisable.
        resume: continue from the last checkpoint in the folder.
        progress: receives the progress of training.
        strategy: `tf.distribute` strategy to train under, or its name, "mirrored" or "multi-worker"
            (see docs/scaling.md); by default, the one in scope.
        callbacks: a `keras.callbacks.Callback` or a list of them, called as in `Model.fit`;
            docs/training.md says how much of their state a resumed run restores.
        start_from: a run, or its folder; training starts from its layers and preprocessing, see
            docs/fine-tuning.md. The new run records it, so it can be left out when resuming.

    Raises:
        SeqzooError: the data or the options cannot be used for training, the folder is not empty,
            or the loss is no longer finite.
        Interrupted: training was stopped by Ctrl-C, after a checkpoint.
    """
    check_instance("template", template, Template, "a template such as ManyToOne('characters')")
    check_instance("splits", splits, Splits, "`Splits(Examples(inputs, targets))`")
    check_instance("settings", settings, TrainingSettings, "`TrainingSettings`")
    check_instance("folder", folder, (str, os.PathLike), "the path of a folder")
    check_instance("source", source, (dict, type(None)), "a dictionary")
    try:
        json.dumps(source)
    except (TypeError, ValueError) as error:
        raise SeqzooError(field="source", expected="JSON-serialisable", got=source) from error
    strategies = (tf.distribute.Strategy, str, type(None))
    expected = "a `tf.distribute` strategy, or the name of one"
    check_instance("strategy", strategy, strategies, expected)
    if progress is not None and not callable(getattr(progress, "start", None)):
        raise SeqzooError(field="progress", expected="a `TrainingProgress`", got=progress)
    folder = pathlib.Path(folder)
    if isinstance(strategy, str):
        strategy = make_strategy(strategy)  # before anything is computed
    start_devices()
    strategy = strategy or tf.distribute.get_strategy()
    workers = Workers(strategy)
    replicas = strategy.num_replicas_in_sync
    if settings.batch_size % replicas:
        raise SeqzooError(
            f"`batch_size` must be a multiple of {replicas}, the number of replicas, got "
            f"{settings.batch_size}."
        )
    progress = progress or Silent()
    with workers.lost(lambda: "Nothing has been trained yet; start all workers again."):
        with workers.starting():
            if workers.chief and not resume and occupied(folder):
                raise SeqzooError(
                    f"{folder} already exists; name a new folder, or resume its training with "
                    "--resume."
                )
            run = Run.open(folder) if resume else None
            if run is not None and (linked := linked_folder(folder)) is not None:
                raise SeqzooError(
                    f"{linked} is a link, and a resumed training run writes only to its own "
                    f"folder; replace the link with its target, {os.path.realpath(linked)}."
                )
            start = _start(start_from, run)
            if run is not None:
                task = _resumed_task(run, template, splits.train)
            elif start is not None:
                task = start.adapt(template, splits.train, settings.freeze or (), progress.note)
            else:
                task = template.adapt(splits.train)
            for note in task.features.remarks if run is None else ():
                progress.note(note)
            training = _data(task, splits.train, "training")
            if splits.train.weights is not None:
                training = weigh_examples(training, splits.train)
            task.weigh(settings, training)
            if settings.readout != "gradient":
                _check_closed_form(task, training)
            if settings.washout and not getattr(task, "reads_out_steps", True):
                raise SeqzooError(
                    f"`washout` is for targets at each step, got {settings.washout} with "
                    f"{template.name}, which reads out one vector per sequence; leave it out.",
                    field="washout",
                )
            if settings.washout:
                first = "first step" if settings.washout == 1 else f"first {settings.washout} steps"
                progress.note(
                    f"Scores include the {first} of each sequence, which `washout` leaves out of "
                    "the fit."
                )
            check_truncation(task, settings)
            validation = None
            if splits.validation:
                validation = _data(task, splits.validation, "validation")
            elif settings.patience is not None and run is None:
                progress.note(
                    "Without validation examples, training ends after the last epoch, whatever "
                    "`patience` is."
                )
            test_fingerprint = None
            if splits.test and workers.chief:  # also so that a mistake is found before training
                test_fingerprint = _fingerprint([_data(task, splits.test, "test")])
            if settings.calibrate:
                check_calibrates(task, validation)
            if getattr(template, "conformal_folds", None):
                _check_folds(workers, start_from, run)
                _check_windows(task, training, validation)
            fingerprint = _fingerprint([training] if validation is None else [training, validation])
            if run is None:
                padding = Padding.choose(
                    training, settings.buckets, settings.batch_size, epochs=settings.epochs
                )
                config = describe(template, task, settings, source or {}, padding)
                config |= {"replicas": replicas} if replicas > 1 else {}
                config["data"] = {
                    "name": splits.name,
                    "description": splits.description,
                    "training_examples": len(training),
                    "validation_examples": 0 if validation is None else len(validation),
                    "fingerprint": fingerprint,
                    "test_fingerprint": test_fingerprint,
                }
            else:
                _check_same(run, template, settings, fingerprint)
                if workers.chief:
                    _check_same_test(run, test_fingerprint)
                config = run.config
                if workers.chief:
                    _record_places(run, source or {})
                change = change_of_replicas(config, replicas)
                if change:
                    progress.note(change)
            if start is not None:
                start.load()
        if workers.count > 1:
            chosen = {name: config[name] for name in ("template", "task", "training", LEARNED)}
            workers.check_same(
                {
                    "data": fingerprint.encode(),
                    "settings": _digest(json.dumps(chosen, sort_keys=True).encode()),
                    "versions of Python or packages": _digest(str(config["versions"]).encode()),
                }
            )
        # Only now, because opening a source may draw random numbers.
        keras.utils.set_random_seed(settings.seed)
        epochs = Epochs(
            task,
            settings,
            Padding(**config["padded_lengths"]),
            training,
            validation,
            strategy,
            splits.validation,
            callbacks,
            start,
        )
        names = epochs.callbacks.names
        if run is None:
            config[SHAPES] = shapes_digest(epochs.loop.model)
            config |= {"callbacks": names} if names else {}
            if epochs.loop.started_from is not None:
                config[STARTED_FROM] = epochs.loop.started_from
                for note in sentences(epochs.loop.started_from):
                    progress.note(note)
        elif config.get("callbacks", []) != names:
            raise SeqzooError(
                f"{folder} was started with callbacks={config.get('callbacks', [])}, got {names}; "
                "resume it from Python with callbacks of the same classes, or start a new run.",
                field="callbacks",
            )
        if run is None and workers.chief:
            Run.create(folder, config, task)
        workers.check_shared(folder / CONFIG)
    with alone_in(folder, "Another training process") if workers.chief else nullcontext():
        epochs.run(folder, progress, resume=resume)
        with workers.lost(lambda: f"Training is complete, in {folder}."):
            if settings.calibrate and validation is not None and workers.chief:
                inference = Inference(task, Run.open(folder).model, settings, epochs.padding)
                note = calibrate(folder, inference, validation)
                if note:
                    progress.note(note)
            if getattr(template, "linear", False) and workers.chief:
                inference = Inference(task, Run.open(folder).model, settings, epochs.padding)
                progress.note(average(folder, inference, training, validation))
            if getattr(template, "conformal", False) and workers.chief:
                inference = Inference(task, Run.open(folder).model, settings, epochs.padding)
                if getattr(template, "conformal_folds", None):
                    correct_across_folds(folder, inference, epochs, progress)
                elif validation is not None:
                    result = inference.collect(
                        inference.task.uncorrected, validation, PredictionOptions()
                    )
                    correct(folder, inference, [result])
            workers.wait()
    return Run.open(folder)


def _check_folds(workers: Workers, start_from: Any, run: Run | None) -> None:
    """Checks that a model can be trained without each fold, like the one without any.

    Raises:
        SeqzooError: there are several workers, or training starts from a run.
    """
    if workers.count > 1:
        raise SeqzooError(
            f"`conformal_folds` needs a single worker, got {workers.count}.",
            field="conformal_folds",
        )
    if start_from is not None or (run is not None and start_of(run) is not None):
        raise SeqzooError(
            "`conformal_folds` is for training from scratch, not from a run.",
            field="conformal_folds",
        )


def _check_windows(task: Any, training: Data, validation: Data | None) -> None:
    """Checks that enough windows are left to train on without each fold.

    Raises:
        SeqzooError: see `Corrects.folds`.
    """
    task.folds(training, validation, task.template.conformal_folds)


def _start(start_from: Run | str | os.PathLike[str] | None, run: Run | None) -> Start | None:
    """The run that training starts from; None if there is none, or if it is no longer needed.

    Args:
        start_from: see `train`.
        run: the run that is resumed, or None. If it has a checkpoint, it needs no other run.

    Raises:
        SeqzooError: `start_from` is not a run, the run no longer exists, or the resumed run was
            started from another one.
    """
    if run is None:
        if start_from is None:
            return None
        return Start(start_from if isinstance(start_from, Run) else Run.open(start_from))
    stored = run.config.get(STARTED_FROM)
    if start_from is not None:
        folder = start_from.folder if isinstance(start_from, Run) else pathlib.Path(start_from)
        if not is_start(run, folder):
            raise SeqzooError(
                f"{run.folder} was started from {start_of(run) or 'nothing'}, got {folder}; leave "
                "`start_from` out to resume, or start a new run."
            )
    if stored is None or _has_checkpoint(run):
        return None
    try:
        return Start(Run.open(stored["run"]))
    except SeqzooError as error:
        raise SeqzooError(
            f"{run.folder} has no checkpoint yet, and the run that it starts from is gone: {error}"
        ) from error


def _resumed_task(run: Run, template: Template, examples: Examples) -> Task:
    """The task of a run that is resumed. Until its first checkpoint, word vectors and the language
    models of `features_from` are read again, since the run does not contain them yet.

    Raises:
        SeqzooError: they cannot be read, or are no longer those that the run was started with.
    """
    names = [name for name in READ_AGAIN if getattr(template, name, None) is not None]
    if not names or run.config.get(STARTED_FROM) is not None or _has_checkpoint(run):
        return run.task
    task = template.adapt(examples)
    if _learned(task) != _learned(run.task):
        raise SeqzooError(
            f"{run.folder} has no checkpoint yet, and what `{names[0]}` names is no longer what it "
            "was started with; restore it, or start a new run.",
            field=names[0],
        )
    return task


def _learned(task: Task) -> tuple[Any, ...]:
    tokens = {name: [*vocabulary.tokens] for name, vocabulary in task.vocabularies.items()}
    return json.loads(json.dumps(task.to_config())), tokens


def _has_checkpoint(run: Run) -> bool:
    return (run.folder / CHECKPOINTS / "checkpoint").exists()


def start_of(run: Run) -> str | None:
    """The folder of the run that a run was trained from; None if it was trained from scratch."""
    stored = run.config.get(STARTED_FROM)
    return None if stored is None else stored["run"]


def is_start(run: Run, folder: pathlib.Path) -> bool:
    """Whether a run was trained from the run in a folder, whatever its path is."""
    before = start_of(run)
    if before is None:
        return False
    try:
        return os.path.samefile(folder, before)
    except OSError:  # one of them is gone
        return folder.resolve() == pathlib.Path(before).resolve()


def describe(
    template: Template,
    task: Task,
    settings: TrainingSettings,
    source: dict[str, Any],
    padding: Padding,
) -> dict[str, Any]:
    """The contents of config.json, except for "data"."""
    return {
        "format": FORMAT,
        "template": template.name,
        "task": template.to_config(),
        "training": asdict(settings),
        "source": source,
        "padded_lengths": asdict(padding),
        "vocabularies": {name: f"{name}.jsonl" for name in task.vocabularies},
        "vocabulary_sizes": {
            name: len(vocabulary) for name, vocabulary in task.vocabularies.items()
        },
        "vocabulary_digests": {
            name: vocabulary.digest for name, vocabulary in task.vocabularies.items()
        },
        LEARNED: task.to_config(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")},
        },
    }


def _check_closed_form(task: Any, training: Data) -> None:
    """Checks that an output layer can be fitted by least squares.

    Raises:
        SeqzooError: examples have weights, an option changes labels or words, or outputs have an
            activation or another loss.
    """
    if training.importance is not None:
        raise SeqzooError("Example weights are for readout 'gradient', got 'ridge'.")
    for name in WITHOUT_EFFECT_ON_READOUTS:
        if value := getattr(task.template, name, 0):
            raise SeqzooError(
                f"`{name}` is for readout 'gradient', got {value!r} with 'ridge'.", field=name
            )
    if getattr(task.template, "vectors", None) and task.template.vectors_mode != "frozen":
        raise SeqzooError(
            field="vectors_mode",
            expected="'frozen' with readout 'ridge', which trains no vectors",
            got=task.template.vectors_mode,
        )
    for name in ("output_activation", "loss"):
        value = getattr(task.template, name, None)
        if value not in (None, "squared", "linear") and task.template.target in (*NUMBERS, "next"):
            raise SeqzooError(
                f"`{name}` is for readout 'gradient', got {value!r} with 'ridge'.", field=name
            )


def _data(task: Task, examples: Any, split: str) -> Data:
    try:
        return task.data(examples)
    except SeqzooError as error:
        raise error.at(f"In the {split} examples") from error


def _fingerprint(parts: Sequence[Data]) -> str:
    """A digest of the data, which changes if an example or its position changes."""
    first: Any = parts[0].inputs
    keys = [getattr(part.inputs, "key", None) for part in parts]
    others = [array for part in parts for array in part.others.values()]
    if all(keys):  # the data are on disk, where the digest is stored, too
        stored = first.entry.remembered("fingerprint", keys, *others)
        if stored is not None:
            return stored
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        arrays = itertools.chain(part.inputs.pieces(), [part.inputs.lengths], part.others.values())
        for array in arrays:
            digest.update(array.tobytes())
    if all(keys):
        first.entry.remember(digest.hexdigest(), "fingerprint", keys, *others)
    return digest.hexdigest()


def _check_same(run: Run, template: Template, settings: TrainingSettings, fingerprint: str) -> None:
    """Checks that a resumed training run has the settings and data that it was started with.

    Raises:
        SeqzooError: something differs; the message names it.
    """
    # Parsed options are compared, because options that were added later then have their defaults.
    pairs = [
        (template.to_config(), run.template.to_config()),
        (asdict(settings), asdict(run.settings)),
    ]
    for new, old in pairs:
        stored = {name: value for name, value in old.items() if name not in FREE_TO_CHANGE}
        check_same(run.folder, stored, new, "resume with the same settings, or start a new run")
    if fingerprint != run.config["data"]["fingerprint"]:
        raise SeqzooError(
            f"The data differ from those that {run.folder} was started with; start a new run."
        )


def _record_places(run: Run, source: dict[str, Any]) -> None:
    """Writes to a run where its data are now, if they were moved since it was started."""
    places = {name: source[name] for name in ("data", "validation", "test") if name in source}
    if run.source and not places.items() <= run.source.items():
        run.source.update(places)
        write_json(run.folder / CONFIG, run.config)


def _check_same_test(run: Run, fingerprint: str | None) -> None:
    """Checks that a resumed training run has the test examples that it was started with; those of
    runs from before their fingerprint was stored are unknown.

    Raises:
        SeqzooError: they differ.
    """
    data = run.config["data"]
    if fingerprint != data.get("test_fingerprint", fingerprint):
        raise SeqzooError(
            f"The test examples differ from those that {run.folder} was started with; restore them "
            "to resume it, and score it on others with `evaluate`."
        )


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()


def change_of_replicas(config: dict[str, Any], replicas: int) -> str:
    """A sentence about what changes when training is resumed on a different number of replicas;
    empty if the number is the same."""
    before = config.get("replicas", 1)
    if replicas == before:
        return ""
    return (
        f"Number of replicas: {before} at the start, {replicas} now. Batches and learning rates "
        "stay as they were, so results differ only in rounding and dropout masks."
    )
