"""A baseline for `languages`: character n-grams and scikit-learn's logistic regression.

    python -m benchmarks.baseline_languages        # from the checkout

Takes a few minutes on one core and needs scikit-learn (`pip install -e '.[dev]'`).
"""

import time

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline

from seqzoo.zoo import datasets


def macro_accuracy(labels: np.ndarray, predictions: np.ndarray) -> float:
    """The accuracy of each language, averaged over the languages."""
    accuracies = [
        float(np.mean(predictions[labels == label] == label)) for label in np.unique(labels)
    ]
    return float(np.mean(accuracies))


def main() -> None:
    """Trains on the training split, and prints accuracy and macro accuracy on the other two."""
    builder = datasets.load("languages")
    splits = {}
    for split in ("train", "validation", "test"):
        data = builder.as_dataset(split=split, batch_size=-1)
        texts = [text.decode("utf-8") for text in data["text"].numpy()]
        splits[split] = texts, data["language"].numpy()

    started = time.perf_counter()
    # Chosen by validation accuracy: n-grams within words or across them, with or without upper
    # case, and the strength of the regularisation.
    model = make_pipeline(
        TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(1, 4),
            min_df=2,
            lowercase=False,
            sublinear_tf=True,
            dtype=np.float32,
        ),
        SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=6, tol=None, random_state=0),
    )
    model.fit(*splits["train"])
    seconds = time.perf_counter() - started

    languages = len(builder.info.features["language"].names)
    print(f"languages {builder.version}, {languages} languages, trained in {seconds:.0f} s")
    for split in ("validation", "test"):
        texts, labels = splits[split]
        predictions = model.predict(texts)
        print(
            f"{split:10}  {len(labels):6} names   accuracy {np.mean(predictions == labels):.2%}   "
            f"macro accuracy {macro_accuracy(labels, predictions):.2%}"
        )


if __name__ == "__main__":
    main()
