"""Reads examples from tfds data sets, built-in and public."""

import contextlib
import json
import math
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from seqzoo.tasks.atomic_files import read_json
from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.kinds import TEXTS
from seqzoo.zoo import datasets
from seqzoo.zoo.data import splits
from seqzoo.zoo.data.class_folders import IMAGES, RECORDINGS, has_class_folders
from seqzoo.zoo.data.class_folders import TEXTS as TEXT_FILES
from seqzoo.zoo.data.examples import part_of
from seqzoo.zoo.data.formats import SUFFIXES, suffix_of
from seqzoo.zoo.data.records import INPUT, TARGET, Record, Records
from seqzoo.zoo.data.source import TFDS, Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.data.tfds_features import Feature, chosen, decoders
from seqzoo.zoo.data.translations import Translations

CLASS_NAMES = ("pythonClassName", "python_class_name", "type")
"""Keys of features.json, in all of its versions, whose values are names of classes."""

DESCRIPTIONS = ("dataset_info.json", "features.json")
"""Files in the folder of a prepared data set, which has at least one of them."""


def open_builder(source: Source) -> tuple[Splits, Source]:
    """Reads a tfds data set; prepares it first if needed.

    Its splits are used as published; a missing one is held out of its training split. A test split
    without labels counts as missing.

    Raises:
        SeqzooError: the data set does not exist, cannot be prepared, or lacks a feature.
    """
    _check_options(source)
    source = source.absolute()
    builder = _prepared(source)
    features = chosen(source, builder)
    names = [None if feature is None else feature.name for feature in features]
    notes = [_used_features(source, names[0], names[1])]
    source = replace(source, input=names[0], target=names[1])
    if source.kind == "audio" and source.sample_rate is None:
        source = replace(source, sample_rate=_sample_rate(features[0]))

    official = splits.official(builder.info.splits, builder.info.full_name)
    parts: dict[str, Part | None] = {"validation": None, "test": None}
    for name in parts:
        if name in official:
            part = _read(builder, source, features, official[name])
            parts[name] = part if part.keys else None
    shares = {name: share for name, share in source.shares().items() if parts[name] is None}
    # Only as many training examples as needed, so that a trial on a large data set is quick.
    count = source.limit and math.ceil(source.limit / (1 - sum(shares.values())))
    whole = _read(builder, source, features, official["train"], count)
    parts |= splits.split(whole, shares, source.seed)
    if source.limit is not None:
        notes += splits.limit(parts, source.limit, source.seed)
    elif whole.labels is not None:
        splits.check_labels(parts)
    name = f"{builder.info.full_name}".removesuffix(f"/{builder.version}")
    if isinstance(builder, Translations):
        name = pathlib.Path(source.data).name
    return splits.to_splits(name, parts, notes, kind=source.kind), source


def open_split(source: Source, split: str) -> tuple[list[str], Part | None]:
    """One of the published splits of a tfds data set.

    Returns: the names of all splits, and the requested one; None if there is no such split.

    Raises:
        SeqzooError: see `open_builder`.
    """
    source = source.absolute()
    builder = _prepared(source)
    names = list(builder.info.splits)
    if split not in names:
        return names, None
    return names, _read(builder, source, chosen(source, builder), split)


def _check_options(source: Source) -> None:
    """Checks that a source has no options that are only for files.

    Raises:
        SeqzooError: it has one.
    """
    for name in ("validation", "test"):
        if isinstance(getattr(source, name), str):
            raise SeqzooError(
                f"`{name}` must be a fraction for {source.data}, got {getattr(source, name)!r}."
            )
    if source.split_column is not None:
        raise SeqzooError(f"`split_column` is for files; {source.data} has its own splits.")
    if source.weight_column is not None:
        raise SeqzooError(
            f"`weight_column` is for files; {source.data} has features for inputs and targets."
        )
    for name in ("time_column", "further_inputs"):
        if getattr(source, name):
            raise SeqzooError(f"`{name}` is for tables and arrays, got {source.data}.", field=name)
    for name in ("columns", "delimiter"):
        if getattr(source, name):
            raise SeqzooError(
                f"`{name}` is for .csv and .tsv files, got {source.data}; leave it out.", field=name
            )
    if source.storage == "disk":
        raise SeqzooError(
            f"`storage` 'disk' is for tables, got {source.data}; leave it out.", field="storage"
        )


def published_examples(source: Source, split: str) -> Examples | None:
    """The examples of a tfds data set's own validation or test split, without reading its training
    split.

    Returns: the same examples as `open_builder`; None if they depend on other splits, because the
    data set has no such split, or its size is limited.

    Raises:
        SeqzooError: as `open_builder`.
    """
    _check_options(source)
    if source.limit is not None:
        return None
    source = source.absolute()
    builder = _prepared(source)
    official = splits.official(builder.info.splits, builder.info.full_name)
    if split == "train" or split not in official:
        return None
    part = _read(builder, source, chosen(source, builder), official[split])
    return part.examples if part.keys else None


def _used_features(source: Source, input_name: str | None, target_name: str | None) -> str:
    """A note that says which features are used."""
    names = [f"Input {input_name!r}"]
    guessed = source.input is None
    if target_name is not None:
        names.append(f"target {target_name!r}")
        guessed |= source.target is None
    if not guessed:
        return f"{', '.join(names)}."
    verb = "was" if target_name is None else "were"
    return f"{' and '.join(names)} {verb} guessed from the features of {source.data}."


def _prepared(source: Source) -> tfds.core.DatasetBuilder:
    name = source.data.removeprefix(TFDS)
    try:
        if source.data in datasets.DATASETS:
            return datasets.load(source.data, source.data_dir)
        if source.is_folder():
            return _of_folder(pathlib.Path(source.data))
        builder = tfds.builder(name, data_dir=source.data_dir)
        if not builder.is_prepared():
            # tfds prints to standard output, which is reserved for the output of commands.
            with contextlib.redirect_stdout(sys.stderr):
                builder.download_and_prepare()
        return builder
    except SeqzooError:
        raise
    except tfds.core.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise SeqzooError(f"tfds has no data set {name!r}{nearest(name, known)}") from error
    except Exception as error:
        # Downloads fail in many ways; the first line of the error is enough.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SeqzooError(
            f"{source.data} could not be prepared: {reason} (`data_dir` may name a folder that "
            f"already contains it)."
        ) from error


def _of_folder(folder: pathlib.Path) -> tfds.core.DatasetBuilder:
    """The builder of a folder: a data set that tfds prepared, or texts in several languages.

    Raises:
        SeqzooError: it is not one of these.
    """
    if any((folder / name).is_file() for name in DESCRIPTIONS):
        _check_features(folder / DESCRIPTIONS[1])
        return tfds.builder_from_directory(folder)
    if any(path.name.count(".") == 2 for path in folder.glob("*.*.txt")):
        return Translations(folder)
    inner = [item for item in folder.iterdir() if item.is_dir() and has_class_folders(item)]
    if len(inner) == 1:
        raise SeqzooError(f"{folder} contains a folder that can be read; name {inner[0]}.")
    raise SeqzooError(
        f"{folder} must contain a data set prepared by tfds or saved by Hugging Face's "
        "`save_to_disk`, texts named LANGUAGE.SPLIT.txt, or, in CLASS or SPLIT/CLASS, images "
        f"({', '.join(IMAGES)}), recordings ({', '.join(RECORDINGS)}) or texts "
        f"({', '.join(TEXT_FILES)}){_pattern(folder)}."
    )


def _pattern(folder: pathlib.Path) -> str:
    """How to name the tables in a folder; empty if it has none."""
    suffixes = (suffix_of(path.name) for path in sorted(folder.iterdir()) if path.is_file())
    suffix = next((item for item in suffixes if item in SUFFIXES), None)
    return f"; for its {suffix} files use --data '{folder}/*{suffix}'" if suffix else ""


def _check_features(path: pathlib.Path) -> None:
    """Checks that features.json names only classes of tfds, because tfds imports the module of each
    class that the file names.

    Raises:
        SeqzooError: it is damaged, or names another class.
    """

    def classes(value: Any) -> Iterator[str]:
        for name, item in value.items() if isinstance(value, dict) else ():
            if isinstance(item, str) and name in CLASS_NAMES:
                yield item
            elif isinstance(item, str) and name == "json":  # nested JSON, stored as text
                yield from classes(json.loads(item))
            yield from classes(item)
        for item in value if isinstance(value, list) else ():
            yield from classes(item)

    for name in classes(read_json(path)) if path.is_file() else ():
        if not name.startswith("tensorflow_datasets."):
            raise SeqzooError(f"{path} must name classes of tensorflow_datasets, got {name!r}.")


def _read(
    builder: tfds.core.DatasetBuilder,
    source: Source,
    features: tuple[Feature, Feature | None],
    split: str,
    count: int | None = None,
) -> Part:
    """The examples of a split that have an input and a label, at most `count`."""
    input_feature, target = features
    options: dict[str, Any] = {}
    count = count or source.limit
    if not isinstance(builder, Translations):  # it cannot decode a subset of the features
        options["decoders"] = decoders([feature for feature in features if feature], builder)
    else:
        count = None  # documents may be in order; they are in memory, and sampled later
    dataset = builder.as_dataset(split=split, shuffle_files=False, **options).take(count or -1)
    # Sequences of unequal lengths are read one by one, which is slow; others in batches.
    ragged = any(None in feature.connector.shape for feature in features if feature)
    inputs, targets = [], []
    try:
        for batch in tfds.as_numpy(dataset if ragged else dataset.batch(1024)):
            inputs += [input_feature.of(batch)] if ragged else list(input_feature.of(batch))
            if target:
                targets += [target.of(batch)] if ragged else list(target.of(batch))
    except tf.errors.OpError as error:
        reason = str(error.message).partition("\n")[0].rstrip(".")
        raise SeqzooError(f"{source.data} {split} cannot be read: {reason}.") from error
    english = (builder.info.metadata or {}).get("english_names", {})
    read_input = _field_reader(input_feature, source.kind, source, english)
    read_target = target and _field_reader(target, source.target_kind, source, english)
    fields = [{INPUT: read_input(value)} for value in inputs]
    if read_target:
        for row, value in zip(fields, targets, strict=True):
            row[TARGET] = read_target(value)
    rows = [Record(number, row) for number, row in enumerate(fields) if not _is_left_out(row)]
    name = f"{source.data} {split}"
    if not rows:
        return Part(name, Examples([], []), [], None)
    columns = {INPUT: input_feature.name} | ({TARGET: target.name} if target else {})
    records = Records(name, rows, unit="", columns=columns)
    part, _ = part_of(records, source, pathlib.Path())
    return part


def _field_reader(
    feature: Feature, kind: str, source: Source, english: Mapping[str, str]
) -> Callable[[Any], Any]:
    """The function that converts a value from tfds to a field as files contain it.

    Args:
        feature: the feature.
        kind: kind of input or target.
        source: the source.
        english: English names of labels, which replace those of the feature.
    """
    if kind in TEXTS:
        tagged = source.target_kind == "tags"
        return lambda stored: _text(stored, words=tagged)
    if kind == "class":
        return feature.labeller(english)
    if kind in ("labels", "tags"):
        label = feature.labeller(english)
        return lambda stored: tuple(map(label, stored))
    if kind == "audio":
        rate = _sample_rate(feature) or source.sample_rate
        return lambda stored: (_samples(stored), rate)
    return lambda stored: stored


def _sample_rate(feature: Feature) -> int | None:
    """The sample rate of a feature's audio; None if it is unknown."""
    return getattr(feature.connector, "sample_rate", None)


def _samples(stored: Any) -> np.ndarray:
    """Samples from -1 to 1, float32. Those that tfds read from files are 16-bit numbers, whatever
    their dtype."""
    samples = np.asarray(stored)
    fractions = samples.dtype.kind == "f" and np.abs(samples).max(initial=0.0) <= 1
    scale = 1 if fractions else np.iinfo(np.int16).max
    return samples.astype(np.float32) / scale


def _is_left_out(row: Mapping[str, Any]) -> bool:
    """Whether an example has no input, or a hidden label, which tfds marks with -1."""
    target = row.get(TARGET)
    labels = target if isinstance(target, tuple) else (target,)
    return _is_empty(row[INPUT]) or any(
        isinstance(label, str) and not label.strip() for label in labels
    )


def _text(stored: Any, *, words: bool) -> Any:
    """A text; for a sequence of words, a tuple if `words`, otherwise the words joined by spaces."""
    if not isinstance(stored, np.ndarray):
        return stored.decode("utf-8", errors="replace")
    results = tuple(word.decode("utf-8", errors="replace") for word in stored)
    return results if words else " ".join(results)


def _is_empty(value: Any) -> bool:
    if isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):  # samples
        value = value[0]
    return not (value.strip() if isinstance(value, str) else np.size(value))
