"""Runs commands as a terminal would, and writes a small table of texts; for tests of the CLI."""

import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from seqzoo.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = "--units 6 --embedding 4 --batch-size 16 --epochs 2 --minimum-count 1".split()
COLUMNS = ["--kind", "characters", "--input", "text", "--target", "label"]
MANY_TO_ONE = ["train", "many-to-one", *COLUMNS, *SMALL]


def seqzoo(*words: object, stdin: str | bytes | None = None) -> Result:
    """Runs a command in this process, as a terminal would."""
    result = CliRunner().invoke(main, list(map(str, words)), input=stdin, prog_name="seqzoo")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def process(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command in a separate process, without the variables that silence TensorFlow."""
    environment = {name: value for name, value in os.environ.items() if "TF_" not in name}
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


def table(path: pathlib.Path, count: int = 64) -> pathlib.Path:
    """Writes a table of texts of six characters, labelled by whether they begin with a or b."""
    draw = np.random.default_rng(0)
    texts = ["ab"[i % 2] + "".join(draw.choice(list("xyz"), 4)) + str(i % 9) for i in range(count)]
    path.write_text("text,label\n" + "".join(f"{text},{text[0]}-text\n" for text in texts))
    return path


def files(folder: pathlib.Path) -> list[str]:
    """The paths of everything in a folder, relative to it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
