"""Measures the calibration of classifiers: accuracy, mean probability and calibration error.

    seqzoo train language-id --label-smoothing 0.1 --run RUN
    python -m benchmarks.calibration RUN [RUN ...]

The calibration error is the mean absolute difference between accuracy and mean probability in
15 bins of equal width, weighted by their examples (Guo et al. 2017, section 2). Measured on test
examples.
"""

import argparse

import numpy as np

from seqzoo.tasks.metrics.calibration import calibration
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="+", help="run folders of classifiers (many-to-one)")
    for folder in parser.parse_args().runs:
        run = Run.open(folder)
        examples = open_examples(Source.of_run(run), "test")
        predictions = run.predict(examples.inputs)
        probabilities = np.array([prediction.probability for prediction in predictions])
        pairs = zip(predictions, examples.targets, strict=True)
        correct = np.array([prediction.label == target for prediction, target in pairs], float)
        error = calibration(probabilities, correct)["error"]
        print(
            f"{folder}: accuracy {correct.mean():.4f}, "
            f"mean probability {probabilities.mean():.4f}, calibration error {error:.4f}"
        )


if __name__ == "__main__":
    main()
