"""`seqzoo init` and the files it writes: nothing is lost, and errors name the line."""

import json
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields, replace
from typing import Any

import pytest
from cli_cases import MANY_TO_ONE, ROOT, files, seqzoo

from seqzoo.tasks import TEMPLATES, ManyToManyAligned, ManyToOne, OneToMany, TrainingSettings
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.commands.options import _class_weight, _named_values
from seqzoo.zoo.config import docstrings, toml_writer
from seqzoo.zoo.config.command_line import as_options
from seqzoo.zoo.config.field_types import WrongType, converted
from seqzoo.zoo.config.resolve import Choices, chosen
from seqzoo.zoo.config.toml_reader import read_config, read_search_table
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.training.train import plan_new, plan_resumed


def written(choices: Choices, path) -> str:
    text = toml_writer.config(choices, "From a test.", "file.toml", "a file")
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", [*PRESETS, *TEMPLATES])
def test_what_is_written_is_read_again(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = seqzoo("init", name)
    assert result.exit_code == 0 and result.stdout.startswith(f"{name}.toml "), result.output
    assert read_config(f"{name}.toml") == chosen(name, {}, complete=False)
    typed = seqzoo("init", name, "--units", 7, "--data", "a b.csv", "--output", "other.toml")
    assert typed.exit_code == 0
    expected = chosen(name, {"units": 7, "data": "a b.csv"}, complete=False)
    assert read_config("other.toml") == expected
    assert (expected.task.units, expected.source.data) == (7, "a b.csv")
    again = seqzoo("init", "other.toml", "--output", "-").stdout
    assert again.partition("\n\n")[2] == (tmp_path / "other.toml").read_text().partition("\n\n")[2]


def test_every_value_that_is_not_the_default_is_kept(tmp_path) -> None:
    unusual = {
        "characters": 'a "quoted" \\ text with\ttabs, \x7f and ü',
        "columns": ["a", "b#c", "d = e"],
        "options": {
            "use_bias": False,
            "activation": "relu",
            "kernel_initializer": {"class_name": "Constant", "config": {"value": 2.5}},
        },
    }
    task = OneToMany(
        encoder="MobileNetV2",
        filters=(3,),
        image_size=(5, 7),
        encoder_weights=unusual["characters"],
        cell_options=unusual["options"],
        dropout=1e-5,
        frozen=True,
    )
    source = Source(
        unusual["characters"],
        "image",
        "words",
        columns=unusual["columns"],
        delimiter="\t",
        separator="]",
        validation="x.csv",
        test=0.0,
        seed=9,
        limit=3,
    )
    settings = TrainingSettings(clip_norm=None, patience=2, learning_rate=1e-16, seed=2**32 - 1)
    choices = Choices(task, settings, source)
    assert read_config(written(choices, tmp_path / "file.toml")) == choices
    aligned = replace(choices, task=ManyToManyAligned(bidirectional=False, crf=True))
    aligned = replace(aligned, source=Source("x", "words", "tags"))
    assert read_config(written(aligned, tmp_path / "file.toml")) == aligned
    odd = {"odd name.": {"x": [1, 2.5]}}  # no cell has such an option
    path = written(replace(choices, task=replace(task, cell_options=odd)), tmp_path / "odd.toml")
    assert tomllib.loads(pathlib.Path(path).read_text())["task"]["cell_options"] == odd


def test_omitted_settings_have_their_defaults(tmp_path) -> None:
    path = tmp_path / "small.toml"
    path.write_text('template = "many-to-one"\n[task]\ninput = "series"\ntarget = "value"\n')
    expected = Choices(
        ManyToOne(input="series", target="value"), TrainingSettings(), Source("", "series", "value")
    )
    assert read_config(str(path)) == expected
    path.write_text(path.read_text() + "dropout = 0\n[training]\nclip_norm = 'none'")
    assert read_config(str(path)).settings == TrainingSettings(clip_norm=None)


@pytest.mark.parametrize("kind", [*TEMPLATES.values(), TrainingSettings, Source])
def test_every_option_is_explained(kind) -> None:
    described = docstrings.choices(kind)
    assert list(described) and set(described) == {field.name for field in fields(kind)}
    assert all(text.endswith(".") and "\n" not in text for text in described.values()), described


def test_entries_of_a_docstring() -> None:
    text = (
        "One.\n\nArgs:\n    a: first: one.\n        and more\n    **b: two.\n\nRaises:\n    E: x.\n"
    )
    assert docstrings.entries(text, "Args") == {"a": "first: one. and more", "**b": "two."}
    assert docstrings.entries(text, "Attributes") == {}
    assert docstrings.split_sections(text + "Reference: A, 1999.")[1]["Reference"] == ["A, 1999."]


# name: (what is replaced, by what, the line and the field of the error, words of it)
BAD: dict[str, tuple[str, str, int | None, str, str]] = {
    "unknown key": ("units = 5", "unit = 5", 7, "unit", "did you mean 'units'?"),
    "moved key": ('data = "x.csv"', 'kind = "words"', 3, "kind", "`input` in [task]"),
    "unknown table": ("[training]", "[trainig]", 9, "trainig", "did you mean 'training'?"),
    "key at the top": ("[source]", "units = 3\n[source]", 2, "units", "at the top"),
    "text for a number": ("units = 5", 'units = "5"', 7, "units", "a whole number"),
    "truth for a number": ("units = 5", "units = true", 7, "units", "a whole number"),
    "part of a unit": ("units = 5", "units = 5.5", 7, "units", "a whole number"),
    "number for truth": ("units = 5", "bidirectional = 1", 7, "bidirectional", "true or false"),
    "list for text": ('data = "x.csv"', 'data = ["x"]', 3, "data", "text"),
    "unknown choice": ("units = 5", 'pooling = "meen"', 7, "pooling", "did you mean 'mean'?"),
    "out of range": ("units = 5", "units = 0", 7, "units", "at least 1"),
    "does not fit": ("units = 5", "ngrams = 2", 7, "ngrams", "characters, words and subwords"),
    "out of range of a source": (
        'data = "x.csv"',
        'data = "x.csv"\nlimit = 0',
        4,
        "limit",
        "at least 1",
    ),
    "out of range of training": ("epochs = 2", "epochs = 0", 10, "epochs", "at least 1"),
    "option of the cell": (
        "units = 5",
        'cell = "lstm"\n[task.cell_options]\nseed = 1\nforget_bias = 2.0',
        10,
        "",
        "did you mean 'unit_forget_bias'?",
    ),
    "option of the cell in a line": (
        "units = 5",
        'cell_options = {activation = "nope"}',
        7,
        "",
        "Keras' activations",
    ),
    "option of the template": (
        "units = 5",
        "[task.cell_options]\nunits = 3",
        7,
        "cell_options",
        "use `units` instead",
    ),
    "required": ('input = "series"', "", 5, "input", "missing"),
    "value for a table": ("[training]\nepochs = 2", "[task.training]", 9, "training", "[task]"),
    "unknown template": ("many-to-one", "many-to-won", 1, "template", "mean 'many-to-one'"),
    "no template": ('template = "many-to-one"', "", None, "", "`template` is missing"),
    "no TOML": ("units = 5", "units = ", None, "", "line 7"),
}
GOOD = """template = "many-to-one"
[source]
data = "x.csv"

[task]
input = "series"
units = 5

[training]
epochs = 2
"""


@pytest.mark.parametrize("old, new, line, field, words", BAD.values(), ids=BAD)
def test_mistakes_in_a_file_are_reported_by_line(tmp_path, old, new, line, field, words) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(SeqzooError) as caught:
        read_config(str(path))
    assert (caught.value.field, caught.value.location) == (
        field,
        f"{path}, line {line}" if line else "",
    )
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_a_table_may_be_left_out_of_a_file(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("[training]\nepochs = 2", ""))
    assert read_config(str(path)).settings == TrainingSettings()


def test_a_file_keeps_its_place(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert seqzoo("init", "mnist-rows").exit_code == 0
    (tmp_path / "mnist-rows.toml").write_text("mine")
    result = seqzoo("init", "mnist-rows")
    assert (
        result.exit_code == 2 and "already exists" in result.stderr and "--force" in result.stderr
    )
    assert (tmp_path / "mnist-rows.toml").read_text() == "mine"
    assert seqzoo("init", "mnist-rows", "--force").exit_code == 0
    assert read_config("mnist-rows.toml").task == PRESETS["mnist-rows"].task
    assert "must end in .toml" in seqzoo("init", "mnist-rows", "--output", "a.txt").stderr
    assert seqzoo("init", "mnist-rows", "--output", "new/a.toml").exit_code == 0
    assert "no preset or template 'mnist-row'" in seqzoo("init", "mnist-row").stderr
    assert "`seqzoo init NAME`" in seqzoo("train", "none.toml").stderr
    assert files(tmp_path) == ["mnist-rows.toml", "new", "new/a.toml"]


def test_what_a_file_cannot_represent_is_reported(tmp_path) -> None:
    choices = chosen("mnist-rows", {"cell_options": {"seed": None}})
    with pytest.raises(SeqzooError, match="cannot represent None"):
        written(choices, tmp_path / "file.toml")
    with pytest.raises(SeqzooError, match="not Unicode"):
        written(chosen("mnist-rows", {"data_dir": "\udcff"}), tmp_path / "file.toml")


@pytest.mark.slow
def test_a_file_trains_as_the_options_do_and_typed_ones_override_it(
    trained, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = ["--data", trained / "data.csv", "--seed", 3]
    assert seqzoo("init", *MANY_TO_ONE[1:], *data, "--output", "all.toml").exit_code == 0
    result = seqzoo("train", "all.toml", "--quiet")
    assert result.stdout == "runs/all\n", result.output

    def stored(run):
        config = json.loads((run / "config.json").read_text())
        return config["task"], config["training"], config["source"]

    assert stored(tmp_path / "runs/all") == stored(trained / "run")

    def scores(run):
        return json.loads((run / "scores/evaluation.json").read_text())["loss"]

    assert scores(tmp_path / "runs/all") == pytest.approx(scores(trained / "run"), rel=1e-5)
    plan = plan_new("all.toml", None, {"units": 9, "epochs": 4})
    assert (plan.choices.task.units, plan.choices.settings.epochs) == (9, 4)
    assert str(plan.folder) == "runs/all-2"

    # A run can be written as a file, too, and is resumed with that file, not with one that differs.
    assert seqzoo("init", "runs/all", "--output", "run.toml").exit_code == 0
    resumed = plan_resumed(None, "runs/all", {}).choices
    assert read_config("run.toml") == resumed
    assert plan_resumed("run.toml", "runs/all", {}).choices == resumed
    assert plan_resumed("all.toml", None, {}).choices == resumed
    with pytest.raises(SeqzooError, match="started with units=6, got 5"):
        plan_resumed("all.toml", "runs/all", {"units": 5})
    (tmp_path / "all.toml").write_text(
        re.sub("(?m)^dropout = .*", "dropout = 0.5", (tmp_path / "all.toml").read_text())
    )
    with pytest.raises(SeqzooError, match="started with dropout=0.0, got 0.5"):
        plan_resumed("all.toml", "runs/all", {})


def test_settings_are_shown_as_the_options_that_give_them() -> None:
    given = {
        "data": "a b.csv",
        "kind": "words",
        "cell": "lstm",
        "cell_options": {"use_bias": False, "unit_forget_bias": True},
        "bidirectional": True,
        "clip_norm": None,
        "class_weight": {"a": 2.0, "b": 1.0},
    }
    assert as_options(chosen("many-to-one", given)) == (
        "--data 'a b.csv' --kind words --target-kind class --cell lstm --bidirectional "
        "--cell-option use_bias=false --cell-option unit_forget_bias=true --clip-norm none "
        "--class-weight a=2.0,b=1.0"
    )


def test_shown_options_are_read_as_the_settings_they_show() -> None:
    given = {
        "cell_options": {"a": "1", "b": "x", "c": None, "d": "true", "e": True},
        "class_weight": {"a,b": 1.0, "c=d": 2.0},
    }
    shown = shlex.split(
        as_options(chosen("many-to-many-aligned", given | {"kind": "words", "data": "a.csv"}))
    )
    assert "--kind" in shown
    values = dict(zip(shown, shown[1:], strict=False))
    anything: Any = None
    pairs = zip(shown, shown[1:], strict=False)
    typed = tuple(word for name, word in pairs if name == "--cell-option")
    assert _named_values(anything, anything, typed) == given["cell_options"]
    assert _class_weight(anything, anything, values["--class-weight"]) == given["class_weight"]
    assert _named_values(anything, anything, ("a=False",)) == {"a": False}


def test_init_keeps_the_search_table_and_dots_of_names(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v1.5.toml").write_text(
        "template = 'many-to-one'\n[source]\ndata = 'a.csv'\n[task]\ninput = 'words'\n"
        "[search]\nunits = [8, 16]\ncell_options.use_bias = [true, false]\n"
    )
    for name in ("v2.0.toml", "-"):
        result = seqzoo("init", "v1.5.toml", "--output", name)
        assert result.exit_code == 0, result.stderr
    again, _ = read_search_table("v2.0.toml")
    assert again == read_search_table("v1.5.toml")[0]
    assert result.stdout.endswith("cell_options = {use_bias = [true, false]}\n")
    assert seqzoo("init", "v1.5.toml").exit_code == 2  # it would replace itself


def test_a_double_bracket_is_located(tmp_path) -> None:
    path = tmp_path / "m.toml"
    path.write_text("template = 'many-to-one'\n[[task]]\ninput = 'words'\n")
    with pytest.raises(SeqzooError, match="`task` must be a table") as caught:
        read_config(str(path))
    assert "line 2" in str(caught.value)


def test_init_imports_no_tensorflow() -> None:
    program = (
        "import sys, seqzoo.cli\n"
        "seqzoo.cli.main(['init', 'language-id', '--output', '-'], standalone_mode=False)\n"
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.endswith("\n[]\n"), result


def test_a_number_too_large_for_any_float_is_reported() -> None:
    with pytest.raises(WrongType, match="must be a number"):
        converted(10**400, float)
