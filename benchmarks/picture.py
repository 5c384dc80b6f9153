"""Draws the picture in README, which shows the output of some commands.

python -m benchmarks.picture docs/images/answers.svg
"""

import argparse
import io
import pathlib
import shlex
import subprocess
import sys

from rich.console import Console
from rich.text import Text

ROOT = pathlib.Path(__file__).resolve().parent.parent

COMMANDS = (
    'seqzoo predict date-normaliser "3 mars 2021" "03.03.21" "Dienstag, 4. Mai 1999"',
    'seqzoo predict language-id "Zuid-Korea" "доброе утро" "buenos días"',
    'seqzoo generate python-source "def main(" --temperature 0.5 --method sample --seed 3 '
    "--maximum-length 105",
)


def answer(command: str) -> str:
    """The output of a command."""
    words = [sys.executable, str(ROOT / "cli.py"), *shlex.split(command)[1:]]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.rstrip()


def main() -> None:
    """Draws the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("picture", type=pathlib.Path, help="SVG file to write")
    picture = parser.parse_args().picture
    console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text(answer(command)), end="\n\n")
    picture.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(picture), title="seqzoo")


if __name__ == "__main__":
    main()
