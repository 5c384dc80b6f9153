"""Errors: their fields and their text, which no code needs to parse."""

import ast
import pathlib
import pickle
import re

import click
import click.testing
import pytest
from cli_cases import seqzoo

from seqzoo.cli import main
from seqzoo.tasks import ManyToManyAligned, ManyToOne, OneToMany, SeqzooError, TrainingSettings
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import NOTHING, called, check_same, command, not_importable
from seqzoo.zoo.data.source import Source

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_text_is_made_of_the_parts_where_there_is_no_message() -> None:
    error = SeqzooError(field="units", expected="at least 1", got=0)
    assert str(error) == "`units` must be at least 1, got 0."
    assert str(error.at("a.toml, line 7")) == "a.toml, line 7: `units` must be at least 1, got 0."
    error = SeqzooError(expected="two columns", got=None, location="a.csv", hint="add one")
    assert str(error) == "a.csv: two columns, got None; add one."
    assert str(SeqzooError(field="cell", expected="known", hint="a gru?")) == (
        "`cell` must be known; a gru?"
    )
    assert str(SeqzooError("A sentence.", field="units")) == "A sentence."


def test_parts_survive_a_place_and_a_process() -> None:
    error = SeqzooError(field="units", expected="at least 1", got=0, hint="try 8").at("x.toml")
    for item in (error, pickle.loads(pickle.dumps(error))):
        parts = (item.field, item.location, item.expected, item.got, item.hint)
        assert parts == ("units", "x.toml", "at least 1", 0, "try 8")
        assert str(item) == "x.toml: `units` must be at least 1, got 0; try 8."
    assert SeqzooError("A sentence.").got is NOTHING


@pytest.mark.parametrize(
    "kind, choices, field",
    [
        (ManyToOne, {"units": 0}, "units"),
        (ManyToOne, {"ngrams": 2, "input": "series"}, "ngrams"),
        (ManyToOne, {"input": "series", "bag": True}, "bag"),
        (ManyToOne, {"pooling": "meen"}, "pooling"),
        (ManyToOne, {"ngram_buckets": 10**6}, "ngram_buckets"),
        (OneToMany, {"image_size": (3,)}, "image_size"),
        (OneToMany, {"frozen": True}, "frozen"),
        (OneToMany, {"filters": ()}, "filters"),
        (ManyToManyAligned, {"target": "next", "bidirectional": True}, "bidirectional"),
        (ManyToManyAligned, {"target": "next", "bidirectional": False, "crf": True}, "crf"),
        (TrainingSettings, {"clip_norm": 0.0}, "clip_norm"),
        (TrainingSettings, {"seed": 2**32}, "seed"),
        (Decoding, {"top_p": 2.0}, "top_p"),
        (Decoding, {"minimum_length": 900}, "minimum_length"),
        (Source, {"delimiter": ";;"}, "delimiter"),
        (Source, {"validation": 0.5, "test": 0.5}, "validation"),
        (Source, {"whole": True}, "whole"),
    ],
)
def test_an_invalid_option_is_named_by_its_field(kind, choices, field) -> None:
    needed = {Source: {"data": "a.csv", "kind": "words", "target_kind": "class"}}.get(kind, {})
    if kind is ManyToOne:
        needed = {"input": "words"}
    with pytest.raises(SeqzooError) as error:
        kind(**{**needed, **choices})
    assert error.value.field == field and f"`{field}`" in str(error.value)


def test_commands_are_named_as_the_program_was_called(monkeypatch) -> None:
    assert command("train --resume") == "seqzoo train --resume"
    with called("python cli.py"):
        assert command("train") == "python cli.py train"
    assert command("train") == "seqzoo train"
    monkeypatch.setattr("sys.argv", ["some/cli.py"])
    runner = click.testing.CliRunner()
    for words, expected in (
        (["train", "many-to-one"], "train --help"),
        (["train", "no.toml"], "init NAME"),
        (["predict", "nowhere"], "train"),
        (["generate", "language-id", "a"], "predict"),
        (["show", "nothing"], "list"),
        (["predict", "date-form"], "train"),
    ):
        result = runner.invoke(main, words, prog_name="cli.py")
        assert result.exit_code == 2 and f"`python some/cli.py {expected}`" in result.stderr, words
        assert "seqzoo" not in result.stderr
        assert f"`seqzoo {expected}`" in seqzoo(*words).stderr


def test_no_error_hard_codes_the_name_of_the_program() -> None:
    commands = "|".join(main.list_commands(click.Context(main)))
    assert "train" in commands
    for path in [ROOT / "cli.py", *ROOT.glob("tasks/**/*.py"), *ROOT.glob("zoo/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Raise):
                continue
            for item in ast.walk(node):
                if isinstance(item, ast.Constant) and isinstance(item.value, str):
                    assert not re.search(rf"\bseqzoo ({commands})\b", item.value), (
                        path,
                        item.value,
                    )


def test_extras_are_installed_by_name_or_in_the_checkout(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    error = not_importable("The server", ["starlette", "uvicorn"], "serve")
    assert str(error) == (
        "The server needs starlette and uvicorn, which cannot be imported; install the extra in "
        "the checkout: python -m pip install '.[serve]'."
    )
    (tmp_path / "seqzoo-0.1.0.dist-info").mkdir()
    error = not_importable("A search", ["optuna"], "search")
    assert str(error) == (
        "A search needs optuna, which cannot be imported; install the extra: python -m pip install "
        "'seqzoo[search]'."
    )


def test_a_run_that_continues_keeps_its_options(tmp_path) -> None:
    check_same(tmp_path, {"units": 8}, {"units": 8, "new": 1}, "begin again")
    for now in ({"units": 9}, {}):
        with pytest.raises(
            SeqzooError, match="was started with units=8, got .*; begin ag"
        ) as error:
            check_same(tmp_path, {"epochs": 1, "units": 8}, {"epochs": 1, **now}, "begin again")
        assert (error.value.field, error.value.location) == ("units", str(tmp_path))
