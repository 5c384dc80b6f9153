"""The `digit_lines` data set: MNIST digits side by side -> the number they form.

It is not among the built-in ones, since it needs MNIST. To prepare it in a folder:

    DigitLines(data_dir="prepared").download_and_prepare()
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import hash_splits
from seqzoo.zoo.datasets.glyph_images import png

DIGIT_SIZE = 28
"""Height of an image, in pixels, and width of a digit with its margins."""
MAX_DIGITS = 10
"""Maximum number of digits."""
MAX_GAP = 12
"""Maximum number of empty columns between successive digits; the minimum is one."""
ROUNDS = {"train": 8, "validation": 1, "test": 1}
"""Number of times that each digit of a split is used, each time with different neighbours."""
DISTORTED = {"train"}
"""The splits whose digits are distorted."""
PARTS = {"train": "train[:55000]", "validation": "train[55000:]", "test": "test"}
"""The MNIST digits that each split is made from."""


class DigitLines(tfds.core.GeneratorBasedBuilder):
    """One to ten MNIST digits side by side -> their number.

    Made from the `mnist` data set of tfds, which is downloaded if needed. Empty columns around a
    digit are removed; one to twelve empty columns separate the digits. `image` is 28 pixels high
    and as wide as needed, white on black, and `text` is the number as digits.

    The splits follow MNIST's own: the last 5,000 training digits are for validation, and no test
    digit is in another split. Each validation or test digit is used once. Each training digit is
    used eight times, in different numbers, and each time slanted, rotated, resized and moved up or
    down a little.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES = {
        "1.0.0": "First version.",
        "1.1.0": "Training digits are used eight times instead of four, and are distorted.",
    }

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=DigitLines.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(DIGIT_SIZE, None, 1), dtype=np.uint8),
                    "text": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "text"),
            homepage="http://yann.lecun.com/exdb/mnist/",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        builder = tfds.builder("mnist", data_dir=self._data_dir_root)
        builder.download_and_prepare()
        results = {}
        for split, part in PARTS.items():
            digits = tfds.as_numpy(builder.as_dataset(split=part, batch_size=-1))
            results[split] = self._generate_examples(split, digits["image"], digits["label"])
        return results

    def _generate_examples(
        self, split: str, images: np.ndarray, labels: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        seed = hash_splits.draw(split)
        lines = join_digits(images[..., 0], labels, seed, ROUNDS[split], split in DISTORTED)
        for number, (image, text) in enumerate(lines):
            yield number, {"image": png(image), "text": text}


def join_digits(
    images: np.ndarray, labels: np.ndarray, seed: int, rounds: int = 1, distorted: bool = False
) -> Iterator[tuple[np.ndarray, str]]:
    """Joins digits in a random order to form numbers.

    Args:
        images: (n, 28, 28), uint8.
        labels: (n,).
        seed: the seed for the order, the lengths and the gaps.
        rounds: number of times that each digit is used.
        distorted: whether each use of a digit is distorted at random.

    Yields: the image of a number, (28, width), and its digits.
    """
    random = np.random.default_rng(seed)
    for _ in range(rounds):
        order, start = random.permutation(len(images)), 0
        while start < len(order):
            chosen = order[start : start + random.integers(1, MAX_DIGITS + 1)]
            start += len(chosen)
            parts = []
            for index in chosen:
                digit = distort(images[index], random) if distorted else images[index]
                (ink,) = np.nonzero(digit.any(0))
                gap = np.zeros((DIGIT_SIZE, random.integers(1, MAX_GAP + 1)), np.uint8)
                parts += [gap, digit[:, ink[0] : ink[-1] + 1]]
            image = np.concatenate([*parts, np.zeros((DIGIT_SIZE, 2), np.uint8)], 1)
            yield image, "".join(str(labels[index]) for index in chosen)


def distort(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Slants, turns, resizes and moves an image at random, each by a little.

    Args:
        image: (28, 28), uint8, with at least one pixel that is not 0.
        random: draws the slant, up to 0.3 columns per row; the angle, up to 10 degrees; the height
            and the width, 0.8 to 1.15 times the original ones; and the vertical shift, up to 3
            rows.

    Returns: the image, (28, 56), uint8, centred between 14 more columns on each side.
    """
    slant, angle = random.uniform(-0.3, 0.3), random.uniform(-np.pi / 18, np.pi / 18)
    height, width = random.uniform(0.8, 1.15, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = turn @ np.array([[height, 0.0], [slant * height, width]])
    middle = (DIGIT_SIZE - 1) / 2
    rows, columns = np.mgrid[:DIGIT_SIZE, : 2 * DIGIT_SIZE].astype(float)
    targets = np.stack([rows - middle - random.uniform(-3, 3), columns - middle - DIGIT_SIZE / 2])
    # Where each pixel comes from, in an image with a margin of two empty pixels on each side.
    sources = np.tensordot(np.linalg.inv(shape), targets, 1) + middle + 2
    sources = np.clip(sources, 0, DIGIT_SIZE + 2)
    (top, left), (down, right) = sources.astype(int), sources % 1
    padded = np.pad(image.astype(float), 2)
    upper = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    lower = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    return np.rint(upper * (1 - down) + lower * down).astype(np.uint8)
