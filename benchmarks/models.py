"""Packs the models of preset runs as the pretrained models of the package, and scores them.

    python -m benchmarks.models RUNS [NAME ...]

RUNS is the folder that `benchmarks.quality` filled. The scores on a card are those of the packed
model, whose weights are stored with fewer bits.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil

from seqzoo.tasks.runs.compact_weights import pack
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.pretrained import FOLDER

LICENCES = {
    "languages": "Unicode License v3 (CLDR, from Babel)",
    "dates": "Unicode License v3 (CLDR, from Babel)",
    "glyphs": "Bitstream Vera and DejaVu licence (the typefaces), Unicode License v3 (the names)",
    "python_tokens": "PSF License 2 (Python's standard library)",
    "text_lines": "Bitstream Vera and DejaVu licence (the typefaces), PSF License 2 (the words)",
    "python_source": "PSF License 2 (Python's standard library)",
}
"""Licences of the data of presets that need no files."""

METRICS = ("examples", "loss", "accuracy", "macro_f1", "exact_match", "token_error", "chrf", "bits")
METRICS += ("nats", "perplexity", "bits_per_character", "character_error")
"""Metrics of the evaluation that the card includes."""


def package(name: str, runs: pathlib.Path) -> dict:
    """Packs a run and returns its card."""
    run = Run.open(runs / name)
    card = {
        "preset": name,
        "data": run.source["data"],
        "licence": LICENCES[run.source["data"]],
        "split": "test",
        "command": f"seqzoo train {name}",
        "seed": run.settings.seed,
        "training_seconds": json.loads((runs / name / "quality.json").read_text())["seconds"],
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
    }
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    pack(run, FOLDER / name, card)
    splits, _ = open_source(Source.of_run(run))
    scores = Run.open(FOLDER / name).evaluate(splits.test or splits.validation or splits.train)
    card["scores"] = {key: scores[key] for key in METRICS if scores.get(key) is not None}
    (FOLDER / name / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def main() -> None:
    """Packs the models, and prints their cards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", type=pathlib.Path, help="folder with a run for each preset")
    parser.add_argument("names", nargs="*", help="presets; by default all that are trained")
    args = parser.parse_args()
    for name in args.names or sorted(path.name for path in args.runs.iterdir()):
        print(json.dumps(package(name, args.runs)), flush=True)


if __name__ == "__main__":
    main()
