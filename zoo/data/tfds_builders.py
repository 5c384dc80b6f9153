"""Examples from tfds data sets, embedded and public: which features, which splits."""

import contextlib
import math
import pathlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.settings import TEXTS
from seqzoo.zoo import datasets
from seqzoo.zoo.data import splits as splitting
from seqzoo.zoo.data.source import TFDS, Source
from seqzoo.zoo.data.splits import Part, input_key
from seqzoo.zoo.data.tfds_features import Feature, chosen, decoders
from seqzoo.zoo.data.translations import Translations

FOLDERS = (tfds.TranslateFolder, tfds.ImageFolder)
"""Builders that read a folder without preparation."""

DESCRIPTIONS = ("dataset_info.json", "features.json")
"""Files in a folder of a prepared data set, at least one of them."""


def open_builder(source: Source) -> tuple[Splits, Source]:
    """Reads a tfds data set; prepares it first where that is not done yet.

    Its own splits are used; what it lacks is held out of its training split. A test split without
    labels counts as lacking.

    Raises:
        SeqzooError: there is no such data set, it cannot be prepared, or it has no such features.
    """
    for name in ("validation", "test"):
        if isinstance(getattr(source, name), str):
            raise SeqzooError(
                f"`{name}` must be a share for {source.data}, got {getattr(source, name)!r}."
            )
    if source.split_column is not None:
        raise SeqzooError(f"`split_column` is for files; {source.data} has splits of its own.")
    source = source.absolute()
    builder = _prepared(source)
    features = chosen(source, builder)
    names = [None if own is None else own.name for own in features]
    notes = [_said(source, names[0], names[1])]
    source = replace(source, input=names[0], target=names[1])

    official = splitting.official(builder.info.splits, builder.info.full_name)
    parts: dict[str, Part | None] = {"validation": None, "test": None}
    for name in parts:
        if name in official:
            part = _read(builder, source, features, official[name])
            parts[name] = part if part.keys else None
    shares = {name: share for name, share in source.shares().items() if parts[name] is None}
    # Without the rest of the training split, so that a small try of a large data set is quick.
    needed = source.limit and math.ceil(source.limit / (1 - sum(shares.values())))
    whole = _read(builder, source, features, official["train"], needed)
    parts |= splitting.split(whole, shares, source.seed)
    if source.limit is not None:
        notes += splitting.limit(parts, source.limit, source.seed)
    elif whole.labels is not None:
        splitting.check_labels(parts)
    name = f"{builder.info.full_name}".removesuffix(f"/{builder.version}")
    if isinstance(builder, FOLDERS):
        name = pathlib.Path(source.data).name
    return splitting.to_splits(name, parts, notes), source


def open_split(source: Source, split: str) -> tuple[list[str], Part | None]:
    """One of the splits that a tfds data set itself has.

    Returns: the names of all of them, and the split; None where it has none of that name.

    Raises:
        SeqzooError: as `open_builder`.
    """
    source = source.absolute()
    builder = _prepared(source)
    names = list(builder.info.splits)
    if split not in names:
        return names, None
    return names, _read(builder, source, chosen(source, builder), split)


def _said(source: Source, input_name: str | None, target_name: str | None) -> str:
    """A sentence on which features are used."""
    names = [f"input {input_name!r}"]
    guessed = source.input is None
    if target_name is not None:
        names.append(f"target {target_name!r}")
        guessed |= source.target is None
    if not guessed:
        return f"{', '.join(names).capitalize()}."
    verb = "was" if target_name is None else "were"
    return f"{' and '.join(names).capitalize()} {verb} guessed from its features."


def _prepared(source: Source) -> tfds.core.DatasetBuilder:
    name = source.data.removeprefix(TFDS)
    try:
        if source.data in datasets.DATASETS:
            return datasets.load(source.data, source.data_dir)
        if source.is_folder():
            return _of_folder(pathlib.Path(source.data))
        builder = tfds.builder(name, data_dir=source.data_dir)
        if not builder.is_prepared():
            # tfds reports it on standard output, which is for the output of commands.
            with contextlib.redirect_stdout(sys.stderr):
                builder.download_and_prepare()
        return builder
    except SeqzooError:
        raise
    except tfds.core.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise SeqzooError(f"tfds has no data set {name!r}{nearest(name, known)}") from error
    except Exception as error:
        # Downloads fail in as many ways as there are servers; one line must do.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SeqzooError(
            f"{source.data} could not be prepared: {reason} (`data_dir` may name a folder that "
            f"holds it already)"
        ) from error


def _of_folder(folder: pathlib.Path) -> tfds.core.DatasetBuilder:
    """What reads a folder: a data set that tfds prepared, texts in several languages, or images.

    Raises:
        SeqzooError: it holds nothing of the kind.
    """
    if any((folder / name).is_file() for name in DESCRIPTIONS):
        return tfds.builder_from_directory(folder)
    if any(path.name.count(".") == 2 for path in folder.glob("*.*.txt")):
        return Translations(folder)
    splits = [path.name for path in folder.iterdir() if path.is_dir()]
    builder = tfds.ImageFolder(str(folder)) if splits else None
    if builder is None or not any(own.num_examples for own in builder.info.splits.values()):
        raise SeqzooError(
            f"{folder} must hold a data set that tfds prepared, texts called LANGUAGE.SPLIT.txt, "
            "or images in SPLIT/CLASS."
        )
    return builder


def _read(
    builder: tfds.core.DatasetBuilder,
    source: Source,
    features: tuple[Feature, Feature | None],
    split: str,
    most: int | None = None,
) -> Part:
    """The examples of a split that have an input and a label."""
    most = most or source.limit
    own, target = features
    wanted = {}
    if not isinstance(builder, FOLDERS):  # which take no choice of features
        wanted["decoders"] = decoders([feature for feature in features if feature], builder)
    dataset = builder.as_dataset(split=split, shuffle_files=False, **wanted).take(most or -1)
    # Unequal lengths cannot be batched, and one example at a time is slow: only where it must be.
    ragged = any(None in feature.connector.shape for feature in features if feature)
    inputs, targets = [], []
    for batch in tfds.as_numpy(dataset if ragged else dataset.batch(1024)):
        inputs += [own.of(batch)] if ragged else list(own.of(batch))
        if target:
            targets += [target.of(batch)] if ragged else list(target.of(batch))
    english = (builder.info.metadata or {}).get("english_names", {})
    return _part(f"{source.data} {split}", source, features, english, inputs, targets)


def _part(
    name: str,
    source: Source,
    features: tuple[Feature, Feature | None],
    english: dict[str, str],
    inputs: list[Any],
    targets: list[Any],
) -> Part:
    kind, target_kind = source.kind, source.target_kind
    labels: list[tuple[str, ...]] | None = None
    if features[1] and target_kind in ("class", "labels", "tags"):
        to_label = features[1].labeller(english)
        several = target_kind != "class"
        labels = [tuple(map(to_label, own if several else [own])) for own in targets]
    if kind == "class":
        inputs = list(map(features[0].labeller(english), inputs))
    if kind in TEXTS:
        inputs = [_text(own, words=target_kind == "tags") for own in inputs]
    if target_kind in TEXTS:
        targets = [_text(own, words=False) for own in targets]
    empty = {index for index, own in enumerate(inputs) if _is_empty(own)}
    if target_kind in TEXTS:
        empty |= {index for index, own in enumerate(targets) if _is_empty(own)}
    # tfds marks the withheld labels of a test split with -1.
    withheld = {index for index, own in enumerate(labels or ()) if "" in own}
    kept = [index for index in range(len(inputs)) if index not in empty | withheld]
    values: Any = [inputs[index] for index in kept]
    if kind in ("rows", "pixels") and values:
        values = _images(name, values)
    elif kind == "audio":
        scale = np.iinfo(np.int16).max  # tfds' sound is 16-bit, whatever its dtype
        values = [np.asarray(samples, np.float32) / scale for samples in values]
    elif kind in ("series", "notes", "vector"):
        values = [np.asarray(series, np.float32) for series in values]
    labels = None if labels is None else [labels[index] for index in kept]
    if target_kind == "class":
        answers: Any = [own[0] for own in labels or ()]
    elif target_kind in ("labels", "tags"):
        answers = labels
    elif target_kind == "next":
        answers = None
    elif target_kind == "values":
        answers = [np.asarray(targets[index], np.float32) for index in kept]
    elif target_kind in TEXTS:
        answers = [targets[index] for index in kept]
    else:
        answers = np.asarray([targets[index] for index in kept], np.float32)
    return Part(name, Examples(values, answers), [input_key(value) for value in values], labels)


def _text(stored: Any, *, words: bool) -> Any:
    """A text, or of a sequence of words these, or a text of them with spaces between."""
    if not isinstance(stored, np.ndarray):
        return stored.decode("utf-8", errors="replace")
    found = tuple(word.decode("utf-8", errors="replace") for word in stored)
    return found if words else " ".join(found)


def _is_empty(value: Any) -> bool:
    return not (value.strip() if isinstance(value, str) else np.size(value))


def _images(name: str, images: Sequence[np.ndarray]) -> np.ndarray:
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise SeqzooError(
            f"{name} has images of different sizes ({first} and {second}); rows need equal ones."
        )
    stacked = np.stack(images)
    return stacked[..., 0] if stacked.shape[-1] == 1 else stacked
