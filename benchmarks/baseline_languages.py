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


def macro_accuracy(labels: np.ndarray, answers: np.ndarray) -> float:
    """The accuracy of each language, averaged over the languages."""
    right = [float(np.mean(answers[labels == label] == label)) for label in np.unique(labels)]
    return float(np.mean(right))


def main() -> None:
    """Trains on the training split, and prints accuracy and macro accuracy on the other two."""
    builder = datasets.load("languages")
    splits = {}
    for split in ("train", "validation", "test"):
        data = builder.as_dataset(split=split, batch_size=-1)
        texts = [text.decode("utf-8") for text in data["text"].numpy()]
        splits[split] = texts, data["language"].numpy()

    started = time.perf_counter()
    # Chosen by validation accuracy, out of: n-grams across words or within them, upper case kept
    # or not, and the strength of the regularisation.
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
        answers = model.predict(texts)
        print(
            f"{split:10}  {len(labels):6} names   accuracy {np.mean(answers == labels):.2%}   "
            f"macro accuracy {macro_accuracy(labels, answers):.2%}"
        )


if __name__ == "__main__":
    main()
