"""Likely label errors among held-out predictions, by confident learning."""

import numpy as np


def likely_label_errors(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """Examples whose label is likely to be wrong.

    A class is confidently predicted if its probability is at least the mean probability that it
    has for the examples with its label. An example is listed if its most probable confidently
    predicted class is more probable than its label. (In the paper, it need only differ from it; of
    a rare class, which is predicted confidently at a low probability, that lists many examples
    whose label the model agrees with.)

    Args:
        probabilities: predictions of a model that was not trained on these examples, (examples,
            classes).
        labels: indices of classes, (examples,).

    Returns:
        Pairs of an example and its more likely class; those whose class exceeds the label most in
        probability come first.

    Source: Northcutt, Jiang and Chuang 2021, "Confident Learning", section 3.1 (the confident
    joint), ranked by the margin of section 3.3.
    """
    count = probabilities.shape[1]
    thresholds = np.full(count, np.inf)  # a class without examples is never confidently predicted
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    likely = confident.argmax(1)
    rows = np.arange(len(labels))
    listed = np.flatnonzero(confident[rows, likely] > probabilities[rows, labels])
    margins = probabilities[listed, labels[listed]] - probabilities[listed, likely[listed]]
    return [(int(n), int(likely[n])) for n in listed[np.argsort(margins, kind="stable")]]
