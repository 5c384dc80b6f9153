"""The text of errors as people read it: commands and what they print, stored in a file.

The file is rewritten by

    SEQZOO_WRITE_ERRORS=1 python -m pytest tests/zoo/test_rendered_errors.py

Other tests look at an error's parts (`field`, `location`, `expected`, `got`, `hint`), so that a
sentence can be reworded only here.
"""

import gzip
import os
import pathlib

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.tasks import TEMPLATES
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.data.formats import SUFFIXES
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS

STORED = pathlib.Path(__file__).with_suffix(".txt")
GOOD = "text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20))
TRAIN = "train many-to-one --kind words --input text --target label --data"
SERIES = "train many-to-one --kind series --input text --target label --data"
PREDICT = "predict language-id --input-file"

FILES: dict[str, str | bytes] = {
    "good.csv": GOOD,
    "empty.csv": "",
    "header.csv": "text,label\n",
    "bytes.csv": GOOD.encode() + b"caf\xe9,a\n",
    "utf16.csv": GOOD.encode("utf-16"),
    "fields.csv": f"{GOOD}a,b,c\n",
    "quote.csv": f'{GOOD}"no end,a\n',
    "blank.csv": f"{GOOD},a\n",
    "twice.csv": "text,text\na,b\n",
    "semicolon.csv": "text;label\na;b\n",
    "one-class.csv": GOOD.replace(",b", ",a"),
    "numbers.csv": "text,label\n1 2,a\n1 nan,b\n",
    "ragged.jsonl": '{"text": [[1, 2]], "label": "a"}\n{"text": [[1]], "label": "b"}\n',
    "broken.jsonl": '{"text": "a", "label": "x"}\n{"text": \n',
    "key.jsonl": '{"text": "a", "label": "x"}\n{"text": "b"}\n',
    "list.jsonl": "[1]\n",
    "damaged.csv.gz": gzip.compress(b"text\n", mtime=0)[:12],
    "plain.txt": "a text\n",
    "table.xlsx": "x",
    "short.conll": "a O\nb\n",
    "wrong.toml": 'template = "many-to-one"\n[task]\ninput = "words"\nunit = 3\n',
    "type.toml": 'template = "many-to-one"\n[task]\ninput = "words"\nunits = "three"\n',
    "range.toml": 'template = "many-to-one"\n[task]\ninput = "words"\ndropout = 1.0\n',
    "broken.toml": "template = \n",
    "new.csv": 'text\nZuid-Korea\n\n"no end\n',
    "new.jsonl": '{"text": 3}\n{"txt": "a"}\nno\n',
}
COMMANDS = [
    # What is typed
    "trian",
    "train",
    "train langage-id",
    "train many-to-one --kind words",
    "train language-id --units x",
    "train language-id --units 0",
    "train language-id --dropout 1",
    "train language-id --precision float23",
    "train language-id --cell-option bias",
    "train language-id --cell grru",
    "train language-id --crf",
    "train language-id --seed 4294967296",
    "train language-id --test 0.9 --validation 0.2",
    "train language-id --run .",
    "train --resume",
    "train --resume --run .",
    "predict nowhere text",
    "predict . text --top 0",
    "predict language-id text --input text",
    "compare language-id --cells grru",
    "show grruu",
    "list presets zzz*",
    "list presets --family lstm",
    "export . folder",
    # Configuration files
    "train no.toml",
    "train wrong.toml",
    "train type.toml",
    "train range.toml",
    "train broken.toml",
    "init language-id --output file.txt",
    # Data
    f"{TRAIN} langauges",
    f"{TRAIN} no.csv",
    f"{TRAIN} good.csv --input txt",
    *(f"{TRAIN} {name}" for name in list(FILES)[1:11]),
    f"{TRAIN} good.csv --target-kind value",
    f"{SERIES} numbers.csv",
    f"{SERIES} ragged.jsonl",
    *(f"{TRAIN} {name}" for name in ("broken.jsonl", "key.jsonl", "list.jsonl")),
    *(f"{TRAIN} {name}" for name in ("damaged.csv.gz", "plain.txt", "table.xlsx", "object.npz")),
    "train many-to-many-aligned --kind words --data short.conll",
    # Predictions
    f"{PREDICT} no.csv",
    f"{PREDICT} good.csv --input txt",
    f"{PREDICT} new.csv --input text",
    f"{PREDICT} new.jsonl --input text",
    "predict language-id text --method beam",
]


def _rendered(folder: pathlib.Path) -> str:
    parts = []
    for command in COMMANDS:
        result = seqzoo(*command.split())
        assert result.exit_code == 2, (command, result.output)
        parts.append(f"$ seqzoo {command}\n{result.stderr}")
    text = "\n".join(parts).replace(f"{folder}/", "").replace(str(folder), ".")
    # What is registered may grow without touching a message.
    for name, registered in (
        ("PRESETS AND TEMPLATES", [*PRESETS, *TEMPLATES]),
        ("CELLS", source_docs.registry()),
        ("DATA SETS", DATASETS),
        ("SUFFIXES", SUFFIXES),
    ):
        text = text.replace(", ".join(registered), f"<{name}>")
    return text


def test_errors_read_as_they_are_stored(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    np.savez(tmp_path / "object.npz", text=np.array([[1], [2, 3]], object), label=np.arange(2))
    result = _rendered(tmp_path)
    if os.environ.get("SEQZOO_WRITE_ERRORS"):
        STORED.write_text(result, encoding="utf-8")
    assert result == STORED.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_error_is_stored_as_one_line_each(command) -> None:
    stored = STORED.read_text(encoding="utf-8")
    (text,) = [item for item in stored.split("$ seqzoo ") if item.startswith(f"{command}\n")]
    lines = text.strip().splitlines()[1:]
    assert lines and all(item.endswith((".", "?")) for item in lines), lines
    if not command.startswith(PREDICT):
        (line,) = lines
        assert line.startswith("Error: ")
