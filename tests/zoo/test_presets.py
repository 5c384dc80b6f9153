"""Every preset can be trained in a small form and predicts; names and records are consistent."""

import json
import pathlib
import re
import wave
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES
from cli_cases import ROOT
from click.testing import CliRunner

from seqzoo.cli import main
from seqzoo.tasks import TEMPLATES, ManyToOne, TrainingSettings
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo import presets
from seqzoo.zoo.config.resolve import chosen, chosen_from
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS

pytestmark = pytest.mark.fast_loops


@pytest.mark.parametrize("name", PRESETS)
def test_preset_fits_together(name) -> None:
    preset = PRESETS[name]
    assert preset.description and not preset.description.endswith(".")
    assert preset.source.kind == preset.task.input
    assert preset.source.target_kind == preset.task.target
    assert bool(preset.needs) == (not preset.source.data)
    assert not preset.needs.endswith(".")
    base, small = preset.sized("base").to_config(), preset.sized("small").to_config()
    assert base == preset.task.to_config() and small["units"] < base["units"]


@pytest.mark.parametrize("name", PRESETS)
def test_fine_tuning_a_preset_reads_its_columns(name: str) -> None:
    run = SimpleNamespace(template=PRESETS[name].sized("base"))
    given = {"data": "other.tsv"}
    assert chosen_from(run, name, given).parts()[1:] == chosen(name, given).parts()[1:]


def test_fine_tuning_keeps_what_applies_to_the_new_target() -> None:
    settings = TrainingSettings(
        epochs=7,
        class_weight={"a": 2.0},
        calibrate=True,
        initialization="orthogonal",
        freeze=["embedding"],
    )
    old = ManyToOne("words", "class", label_smoothing=0.1, units=8)
    run = SimpleNamespace(template=old, settings=settings)
    given = {"data": "other.tsv", "target_kind": "class"}
    unchanged = replace(settings, initialization=None, freeze=None)
    assert chosen_from(run, None, {"data": "other.tsv"}).settings == unchanged
    task, kept, _ = chosen_from(run, None, given | {"target_kind": "value"}).parts()
    assert kept == TrainingSettings(epochs=7) and task.label_smoothing == 0
    run.template = replace(old, target="value", label_smoothing=0, loss="poisson")
    assert chosen_from(run, None, given).parts()[0] == replace(old, label_smoothing=0)


def test_no_preset_hides_another_one_of_its_name() -> None:
    parts = [
        presets.many_to_one,
        presets.one_to_many,
        presets.many_to_many_aligned,
        presets.many_to_many_unaligned,
        presets.many_to_many_encoder_decoder,
        presets.forecast,
    ]
    assert sum(len(part.PRESETS) for part in parts) == len(PRESETS)


def _pictures(folder: pathlib.Path) -> pathlib.Path:
    random = np.random.default_rng(0)
    lines = ["file\tcaption"]
    for index in range(12):
        png = tf.io.encode_png(random.integers(0, 256, (40, 40, 3)).astype(np.uint8)).numpy()
        (folder / f"{index}.png").write_bytes(png)
        lines.append(f"{index}.png\t{'a cat' if index % 2 else 'a dog: small'}")
    (folder / "captions.tsv").write_text("\n".join(lines) + "\n")
    return folder / "captions.tsv"


def _numbers(folder: pathlib.Path) -> pathlib.Path:
    random = np.random.default_rng(0)
    lines = ["file\ttext"]
    for index in range(30):
        image = random.integers(0, 256, (28, 30 + index, 1)).astype(np.uint8)
        (folder / f"{index}.png").write_bytes(tf.io.encode_png(image).numpy())
        lines.append(f"{index}.png\t{index}")
    (folder / "numbers.tsv").write_text("\n".join(lines) + "\n")
    return folder / "numbers.tsv"


def _sentences(folder: pathlib.Path) -> pathlib.Path:
    lines = []
    for index in range(30):
        rows = (("The", "DET"), (f"dog{index}", "NOUN"), ("barks", "VERB"))
        lines += [f"{n}\t{word}\t_\t{tag}" + "\t_" * 6 for n, (word, tag) in enumerate(rows, 1)]
        lines.append("")
    (folder / "some.conllu").write_text("\n".join(lines))
    return folder / "some.conllu"


def _entities(folder: pathlib.Path) -> pathlib.Path:
    sentences = [f"In O\nNew B-place\nYork{index} I-place\nit O\nrains O\n" for index in range(30)]
    (folder / "some.conll").write_text("\n".join(sentences))
    return folder / "some.conll"


def _pairs(folder: pathlib.Path) -> pathlib.Path:
    lines = [f"I see {i} dogs.\tJe vois {i} chiens." for i in range(30)]
    (folder / "pairs.tsv").write_text("\n".join(["english\tfrench", *lines]) + "\n")
    return folder / "pairs.tsv"


def _forms(folder: pathlib.Path) -> pathlib.Path:
    lines = [f"Tag{i}\tTage{i}\tN;NOM;PL\n" for i in range(30)]
    (folder / "forms.tsv").write_text("".join(lines))
    return folder / "forms.tsv"


def _table(head: str, cells: tuple[str, str]) -> Callable[[pathlib.Path], pathlib.Path]:
    """Writes a table of two columns and two kinds of lines."""

    def make(folder: pathlib.Path) -> pathlib.Path:
        lines = [f"{cells[i % 2].replace('%', str(i))}" for i in range(40)]
        (folder / "table.tsv").write_text("\n".join([head, *lines]) + "\n")
        return folder / "table.tsv"

    return make


def _sounds(folder: pathlib.Path) -> pathlib.Path:
    random = np.random.default_rng(0)
    lines = ["file\tdigit"]
    for index in range(30):
        with wave.open(str(folder / f"{index}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(random.integers(-999, 999, 900).astype("<i2").tobytes())
        lines.append(f"{index}.wav\t{index % 2}")
    (folder / "digits.tsv").write_text("\n".join(lines) + "\n")
    return folder / "digits.tsv"


def _series(folder: pathlib.Path) -> pathlib.Path:
    np.savez(folder / "waves.npz", inputs=np.sin(np.arange(900) / 5))
    return folder / "waves.npz"


def _days(folder: pathlib.Path) -> pathlib.Path:
    days = np.arange("2016-07-01", "2018-03-01", dtype="datetime64[D]")
    lines = [f"{day},{np.sin(step / 5):.3f}\n" for step, day in enumerate(days)]
    (folder / "days.csv").write_text("date,height\n" + "".join(lines))
    return folder / "days.csv"


def _text(folder: pathlib.Path) -> pathlib.Path:
    (folder / "text.txt").write_text("To be, or not to be: that is the question.\n" * 60)
    return folder / "text.txt"


def _words(folder: pathlib.Path) -> pathlib.Path:
    lines = [f"{'ab'[i % 2]}{i}\t{'AE B'[i % 2 :]} T" for i in range(30)]
    (folder / "words.tsv").write_text("\n".join(["word\tphonemes", *lines]) + "\n")
    return folder / "words.tsv"


def _frames(folder: pathlib.Path) -> pathlib.Path:
    random = np.random.default_rng(0)
    songs = [random.integers(0, 2, (9, 4)).tolist() for _ in range(20)]
    lines = [json.dumps({"notes": song}) + "\n" for song in songs]
    (folder / "songs.jsonl").write_text("".join(lines))
    return folder / "songs.jsonl"


FILES = {
    "chorales": _frames,
    "emoji-captioner": _pictures,
    "entity-tagger": _entities,
    "upos-tagger": _sentences,
    "shakespeare": _text,
    "number-reader": _numbers,
    "pronunciation": _words,
    "name-nationality": _table("name\tnationality", ("Anov%\tRussian", "O'B%\tIrish")),
    "spam-filter": _table("label\ttext", ("ham\tsee you at %", "spam\twin % now")),
    "spoken-digits": _sounds,
    "forecaster": _series,
    "english-french": _pairs,
    "inflection": _forms,
    "etth1": _days,
}
"""Small files of the kind that a preset needs."""


COMPILED = {
    "many-to-one": "spam-filter",
    "one-to-many": "emoji-captioner",
    "many-to-many-aligned": "upos-tagger",
    "many-to-many-unaligned": "line-reader",
    "many-to-many-encoder-decoder": "pronunciation",
    "forecast": "etth1",
}
"""One preset of each template, trained by the fast loops, which are compiled."""

QUICK = COMPILED["many-to-one"]
"""The only preset that is not left to the slow tests."""

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ON_PAGES = {
    name
    for page in PAGES
    for name in re.findall(r"seqzoo train ([\w-]+)", page.read_text(encoding="utf-8"))
}
"""Presets that test_docs_blocks.py trains, as small as here, and predicts with."""


VARIANTS = ("line-reader", "entity-tagger", "imdb-sentiment", "name-nationality", "mnist-pixels")
"""Presets left to releases: one whose data take ten seconds to draw (test_unaligned.py trains such
a model on a few), and those with the kinds of input and target of another preset."""


def _marks(name: str) -> list:
    if name == QUICK:
        return []
    if name in VARIANTS:
        return BEFORE_RELEASES
    on_page = name in ON_PAGES and name not in COMPILED.values()
    return BEFORE_RELEASES if on_page else [pytest.mark.slow]


def test_each_template_has_a_preset_whose_loops_are_compiled() -> None:
    assert {PRESETS[name].task.name: name for name in COMPILED.values()} == COMPILED
    assert set(COMPILED) == set(TEMPLATES)


@pytest.mark.parametrize("name", [pytest.param(name, marks=_marks(name)) for name in PRESETS])
def test_preset_trains_in_a_tiny_size(name, request, tmp_path: pathlib.Path) -> None:
    if name not in COMPILED.values():
        request.getfixturevalue("plain_loop")
    preset = PRESETS[name]
    words = ["train", name, "--epochs", "1", "--units", "4", "--quiet"]
    words += ["--limit", "2" if preset.task.target == "next" else "32"]
    if preset.needs:
        words += ["--data", str(FILES[name](tmp_path))]
    else:
        if preset.source.data in DATASETS:
            folder = request.getfixturevalue("embedded")(preset.source.data)
        else:
            folder = request.getfixturevalue("tfds_data_dir")
        words += ["--data-dir", str(folder)]
    if preset.source.kind == "words" and preset.task.name == "many-to-one":
        words += ["--maximum-length", "12"]
    if name == "number-reader":  # whose own data are a folder of tfds, with features to guess
        words += ["--input", "file", "--target", "text"]
    words += ["--run", str(tmp_path / "run")]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "model.keras").exists()
    assert (tmp_path / "run" / "scores" / "evaluation.json").exists()
    sizes = [_parameters(tmp_path / "run", preset, size) for size in ("base", "small")]
    assert sizes[1] < sizes[0]


def _parameters(folder: pathlib.Path, preset: presets.Preset, size: presets.Size) -> int:
    """Builds the preset's model in a size, as the run knows its data, with another cell."""
    run, sized = Run.open(folder), preset.sized(size)
    choices = {name: getattr(sized, name) for name in {"units", *preset.small}}
    task = replace(run.template, cell="lstm" if run.template.cell == "gru" else "gru", **choices)
    prepared = task.restore(run.task.to_config(), run.task.vocabularies)
    return prepared.build("float32").count_params()


def test_a_preset_says_which_file_it_needs() -> None:
    result = CliRunner().invoke(main, ["train", "upos-tagger"])
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: upos-tagger needs --data: a CoNLL-U file, such as en_ewt-ud-train.conllu.\n"
    )


def test_an_unknown_preset_suggests_the_nearest() -> None:
    assert presets.get("language-id") is PRESETS["language-id"]
    with pytest.raises(SeqzooError, match="no preset 'mnist-row'; did you mean 'mnist-rows'"):
        presets.get("mnist-row")


def test_list_presets() -> None:
    assert presets.list_presets() == list(PRESETS)
    assert presets.list_presets("mnist-r*") == ["mnist-rows"]
