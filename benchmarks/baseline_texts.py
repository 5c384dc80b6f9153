"""Baselines for text classification: n-grams and scikit-learn's logistic regression.

    python -m benchmarks.baseline_texts FILES [--data-dir DIR]

FILES is the folder that `benchmarks.tables` filled, DIR one with tfds' imdb_reviews. The splits are
those of the presets; the regularisation strength is chosen on the validation split. Takes a quarter
of an hour for the reviews and half a minute for the others, on one core.
"""

import argparse
import pathlib
from dataclasses import replace

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets import get

FILES = {"name-nationality": "names.tsv", "spam-filter": "spam.tsv", "imdb-sentiment": ""}
NGRAMS = {"characters": ("char_wb", (1, 4)), "words": ("word", (1, 2))}
STRENGTHS = (1, 3, 10, 30, 100)
"""Inverse strengths of the regularisation."""


def measure(source: Source) -> tuple[float, float, int]:
    """Validation accuracy, test accuracy and the chosen inverse strength."""
    splits, _ = open_source(source)
    if splits.validation is None or splits.test is None:
        raise SystemExit(f"{source.data} has no validation or test split.")
    analyzer, size = NGRAMS[source.kind]
    vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=size, sublinear_tf=True)
    train = vectorizer.fit_transform(splits.train.inputs)
    held_out = [
        (vectorizer.transform(item.inputs), list(item.targets))
        for item in (splits.validation, splits.test)
    ]
    results = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300).fit(train, list(splits.train.targets))
        scores = [float(model.score(*item)) for item in held_out]
        results.append((scores[0], scores[1], strength))
    return max(results, key=lambda item: item[0])


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("--data-dir", help="folder of prepared tfds data sets")
    args = parser.parse_args()
    for name, file in FILES.items():
        source = replace(get(name).source, data_dir=args.data_dir)
        if file:
            source = replace(source, data=str(args.files / file))
        validation, test, strength = measure(source)
        print(f"{name}: validation {validation:.4f}, test {test:.4f} (C = {strength})", flush=True)


if __name__ == "__main__":
    main()
