"""Examples from tfds data sets, embedded and public: which features, which splits."""

import contextlib
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.examples import Examples, Splits
from seqzoo.tasks.settings import TEXTS
from seqzoo.zoo import datasets, splitting
from seqzoo.zoo.source import TFDS, Source
from seqzoo.zoo.splitting import Part, input_key

VALIDATION_NAMES = ("validation", "valid", "val", "dev")
NEEDS = {
    "characters": "text",
    "words": "text",
    "subwords": "text",
    "rows": "an image",
    "series": "numbers in time",
    "audio": "sound",
    "class": "a class",
    "labels": "a list of classes",
    "value": "a number",
    "image": "an image",
    "vector": "numbers",
    "notes": "frames of zeros and ones",
    "tags": "a sequence of classes",
    "values": "numbers in time",
}


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
    source = source.absolute()
    builder = _prepared(source)
    supervised = builder.info.supervised_keys or (None, None)
    features = dict(sorted(builder.info.features.items()))  # else in any order
    input_name = _feature(source, "input", source.kind, features, supervised[0])
    others = {name: feature for name, feature in features.items() if name != input_name}
    target_name = None
    if source.target_kind != "next":
        target_name = _feature(source, "target", source.target_kind, others, supervised[1])
    notes = [_said(source, input_name, target_name)]
    source = replace(source, input=input_name, target=target_name)

    official = _official_splits(builder)
    parts: dict[str, Part | None] = {"validation": None, "test": None}
    for name in parts:
        if name in official:
            part = _read(builder, source, official[name])
            parts[name] = part if part.keys else None
    shares = {name: share for name, share in source.shares().items() if parts[name] is None}
    # Without the rest of the training split, so that a small try of a large data set is quick.
    needed = source.limit and math.ceil(source.limit / (1 - sum(shares.values())))
    whole = _read(builder, source, official["train"], needed)
    parts |= splitting.split(whole, shares, source.seed)
    if source.limit is not None:
        notes += splitting.limit(parts, source.limit, source.seed)
    elif whole.labels is not None:
        splitting.check_labels(parts)
    name = f"{builder.info.full_name}".removesuffix(f"/{builder.version}")
    return splitting.to_splits(name, parts, notes), source


def _said(source: Source, input_name: str, target_name: str | None) -> str:
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
        builder = tfds.builder(name, data_dir=source.data_dir)
        if not builder.is_prepared():
            # tfds tells of it on standard output, which is for a command's answers.
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


def _official_splits(builder: tfds.core.DatasetBuilder) -> dict[str, str]:
    """train, validation and test -> the builder's own name of it, where it has one."""
    own = list(builder.info.splits)
    found = {name: name for name in ("train", "test") if name in own}
    validation = [name for name in VALIDATION_NAMES if name in own]
    if validation:
        found["validation"] = validation[0]
    if "train" not in found:
        raise SeqzooError(
            f"{builder.info.full_name} has no split to train on, only {', '.join(own)}."
        )
    return found


def _feature(
    source: Source, argument: str, kind: str, features: dict[str, Any], supervised: Any
) -> str:
    """The feature that is asked for, else the one that can only be meant."""
    named = getattr(source, argument)
    if named is not None and named not in features:
        raise SeqzooError(
            f"`{argument}` must be one of the features of {source.data} ({', '.join(features)}), "
            f"got {named!r}{nearest(named, features)}"
        )
    if named is not None:
        if not _fits(kind, features[named]):
            raise SeqzooError(
                f"`{argument}` must be {NEEDS[kind]} for {kind!r}, but {named!r} of {source.data} "
                f"is {type(features[named]).__name__}."
            )
        return named
    fitting = [name for name, feature in features.items() if _fits(kind, feature)]
    if supervised in fitting:
        return supervised
    classes = [name for name in fitting if isinstance(features[name], tfds.features.ClassLabel)]
    fitting = classes or fitting
    if len(fitting) == 1:
        return fitting[0]
    found = f"{', '.join(fitting)} may be meant" if fitting else "none is"
    raise SeqzooError(
        f"`{argument}` must name the feature of {source.data} that is {NEEDS[kind]}: {found} "
        f"(of {', '.join(features)})."
    )


def _fits(kind: str, feature: Any) -> bool:
    of = tfds.features
    if kind in TEXTS:
        words = isinstance(feature, of.Sequence) and isinstance(feature.feature, of.Text)
        return isinstance(feature, of.Text) or (words and kind == "words")
    if kind in ("rows", "image"):
        return isinstance(feature, of.Image)
    if kind == "audio":
        return isinstance(feature, of.Audio)
    names = of.ClassLabel | of.Text
    if isinstance(feature, of.Sequence) and isinstance(feature.feature, names):
        return kind in ("labels", "tags")
    if isinstance(feature, names):
        return kind == "class"
    shape = getattr(feature, "shape", None)
    plain = type(feature) in (of.Tensor, of.Scalar, of.Sequence)
    if (
        kind in ("labels", "tags")
        or not plain
        or shape is None
        or not np.issubdtype(feature.np_dtype, np.number)
    ):
        return False
    if kind == "class":
        return len(shape) == 0 and np.issubdtype(feature.np_dtype, np.integer)
    dimensions = {"value": (0, 1), "vector": (1,)}
    return len(shape) in dimensions.get(kind, (1, 2))


def _read(
    builder: tfds.core.DatasetBuilder, source: Source, split: str, most: int | None = None
) -> Part:
    """The examples of a split that have an input and a label."""
    most = most or source.limit
    wanted = {name: True for name in (source.input, source.target) if name}
    dataset = builder.as_dataset(
        split=f"{split}[:{most}]" if most else split,
        decoders=tfds.decode.PartialDecoding(wanted),
        shuffle_files=False,
    )
    features = builder.info.features
    shape = features[source.input].shape
    # Unequal lengths cannot be batched, and one example at a time is slow: only where it must be.
    ragged = None in shape or source.target_kind in ("labels", "tags", "values")
    inputs, targets = [], []
    for batch in tfds.as_numpy(dataset if ragged else dataset.batch(1024)):
        inputs += [batch[source.input]] if ragged else list(batch[source.input])
        if source.target:
            targets += [batch[source.target]] if ragged else list(batch[source.target])
    return _part(f"{source.data} {split}", builder, source, inputs, targets)


def _part(
    name: str,
    builder: tfds.core.DatasetBuilder,
    source: Source,
    inputs: list[Any],
    targets: list[Any],
) -> Part:
    labels: list[tuple[str, ...]] | None = None
    if source.target_kind in ("class", "labels", "tags"):
        to_label = _labeller(builder, str(source.target))
        several = source.target_kind != "class"
        labels = [tuple(map(to_label, own if several else [own])) for own in targets]
    if source.kind == "class":
        to_label = _labeller(builder, str(source.input))
        inputs = [to_label(own) for own in inputs]
    if source.kind in TEXTS and inputs and isinstance(inputs[0], np.ndarray):
        inputs = [tuple(word.decode("utf-8", errors="replace") for word in own) for own in inputs]
        empty = {index for index, words in enumerate(inputs) if not words}
    elif source.kind in TEXTS:
        inputs = [text.decode("utf-8", errors="replace") for text in inputs]
        empty = {index for index, text in enumerate(inputs) if not text.strip()}
    else:
        empty = {index for index, array in enumerate(inputs) if not np.size(array)}
    # tfds marks the withheld labels of a test split with -1.
    withheld = {index for index, own in enumerate(labels or ()) if "" in own}
    kept = [index for index in range(len(inputs)) if index not in empty | withheld]
    values: Any = [inputs[index] for index in kept]
    if source.kind == "rows" and values:
        values = _images(name, values)
    elif source.kind == "audio":
        scale = np.iinfo(np.int16).max  # tfds' sound is 16-bit, whatever its dtype
        values = [np.asarray(samples, np.float32) / scale for samples in values]
    elif source.kind in ("series", "notes", "vector"):
        values = [np.asarray(series, np.float32) for series in values]
    labels = None if labels is None else [labels[index] for index in kept]
    if source.target_kind == "class":
        answers: Any = [own[0] for own in labels or ()]
    elif source.target_kind in ("labels", "tags"):
        answers = labels
    elif source.target_kind == "next":
        answers = None
    elif source.target_kind == "values":
        answers = [np.asarray(targets[index], np.float32) for index in kept]
    elif source.target_kind in TEXTS:
        answers = [targets[index].decode("utf-8", errors="replace") for index in kept]
    else:
        answers = np.asarray([targets[index] for index in kept], np.float32)
    return Part(name, Examples(values, answers), [input_key(value) for value in values], labels)


def _labeller(builder: tfds.core.DatasetBuilder, name: str) -> Any:
    """The function from a stored label to its text; "" for one that is withheld."""
    feature = builder.info.features[name]
    feature = getattr(feature, "feature", feature)
    if isinstance(feature, tfds.features.Text):
        return lambda label: label.decode("utf-8", errors="replace")
    if not isinstance(feature, tfds.features.ClassLabel):
        return lambda label: str(int(label))
    # The codes of `languages` have English names, which a reader knows better.
    english = (builder.info.metadata or {}).get("english_names", {})
    names = [english.get(label, label) for label in feature.names]
    return lambda label: names[label] if label >= 0 else ""


def _images(name: str, images: Sequence[np.ndarray]) -> np.ndarray:
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        first, second = sorted(shapes)[:2]
        raise SeqzooError(
            f"{name} has images of different sizes ({first} and {second}); rows need equal ones."
        )
    stacked = np.stack(images)
    return stacked[..., 0] if stacked.shape[-1] == 1 else stacked
