"""`seqzoo show` and `list`: they describe everything, and listing does not import TensorFlow."""

import inspect
import json
import re
import runpy
import subprocess
import sys
from dataclasses import replace

import pytest
from cli_cases import ROOT, seqzoo

from seqzoo.tasks import TEMPLATES
from seqzoo.zoo.catalogue import describe, source_docs
from seqzoo.zoo.catalogue.citation import bibtex
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS


def shown(name: str, *words: object) -> dict:
    result = seqzoo("show", name, *words, "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    return found


def test_what_is_read_from_the_source_is_what_there_is() -> None:
    import pkgutil

    from seqzoo.cells import CELLS

    assert source_docs.cells() == {name: inspect.getdoc(kind) for name, kind in CELLS.items()}
    assert source_docs.datasets() == {
        name: inspect.getdoc(pkgutil.resolve_name(target)) for name, target in DATASETS.items()
    }
    assert list(source_docs.cells()) == list(CELLS)


def test_listing_imports_nothing_heavy() -> None:
    program = (
        "import sys, seqzoo.cli\n"
        "seqzoo.cli.main(['list'], standalone_mode=False)\n"
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.endswith("\n[]\n") and "\ngru\t" in result.stdout, result


def test_list_as_json() -> None:
    result = json.loads(seqzoo("list", "--json").stdout)
    assert {kind: list(names) for kind, names in result.items()} == {
        "cells": list(source_docs.cells()),
        "templates": list(TEMPLATES),
        "presets": list(PRESETS),
        "datasets": list(DATASETS),
    }
    assert json.loads(seqzoo("list", "cells", "gr?", "--json").stdout) == {
        "cells": {"gru": source_docs.registry()["gru"].summary}
    }


def test_list_of_a_family() -> None:
    result = seqzoo("list", "cells", "--family", "long-memory").stdout.splitlines()
    assert result[0].split("\t")[:5] == ["cell", "family", "year", "products", "parallel"]
    # W, u and b of 64 features and 128 units
    size = f"1\t{64 * 128 + 128 + 128:,}"
    about = "Each unit sees only its own past state"
    assert f"indrnn\tlong-memory\t2018\t0\t\t{size}\t{about}" in result
    assert {line.split("\t")[1] for line in result[1:]} == {"long-memory"}
    wrong = seqzoo("list", "--family", "long-memry")
    assert wrong.exit_code == 2 and "did you mean 'long-memory'?" in wrong.stderr
    assert seqzoo("list", "presets", "--family", "gru").exit_code == 2


PARAMETERS = {
    "vanilla": lambda f, u: f * u + u * u + u,
    "lstm": lambda f, u: 4 * (f * u + u * u + u),
    "gru": lambda f, u: 3 * (f * u + u * u + 2 * u),
}


@pytest.mark.parametrize("name", source_docs.cells())
def test_cell(name) -> None:
    from seqzoo.cells import CELLS, create

    details = shown(name, "--features", 6, "--units", 7)
    kind = CELLS[name]
    assert details["gates"] == list(create(name, 7).gates)
    if name in PARAMETERS:
        assert details["parameters"] == PARAMETERS[name](6, 7)
    built = create(name, 7)
    built.build((None, *(8, 8)[: built.input_rank - 2], 6 + built.takes_time))
    sizes = built.state_size
    sizes = [sizes] if isinstance(sizes, int) else sizes
    assert details["states"] == json.loads(json.dumps(sizes))
    assert all(option["meaning"] for option in details["options"])
    # Its options are those that it takes, with the defaults that it has.
    defaults = {option["name"]: option["default"] for option in details["options"]}
    assert {"activation", "dropout"} - {*kind.unused_options} <= defaults.keys()
    assert not {*kind.unused_options} & defaults.keys()
    one, other = create(name, 7), create(name, 7, **defaults)
    assert one.get_config().keys() >= defaults.keys()
    for option in defaults:
        assert one.get_config()[option] == other.get_config()[option], option
    text = seqzoo("show", name).stdout
    for line in (inspect.getdoc(kind) or "").partition("\nArgs:")[0].splitlines():
        if "Reference" not in line and "  " in line:  # the equations
            assert line in text


def test_options_of_a_cell_end_where_it_hands_none_on() -> None:
    class Base:
        def __init__(self, units, *, hidden=1):
            pass

    class Own(Base):
        """Own.

        Args:
            shown: what is told.
        """

        def __init__(self, units, wanted, *, shown=2):
            super().__init__(units)

    Base.__module__ = Own.__module__ = "seqzoo.test"
    assert describe.cell_options(Own) == [
        {"name": "wanted", "default": None, "required": True, "meaning": ""},
        {"name": "shown", "default": 2, "required": False, "meaning": "what is told."},
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_template(name) -> None:
    details = shown(name)
    template = TEMPLATES[name]
    chosen = {row["name"]: row["default"] for row in details["options"] if not row["required"]}
    if any(row["required"] for row in details["options"]):
        chosen["input"] = "rows"
    assert template(**chosen) == template(**({"input": "rows"} if name == "many-to-one" else {}))
    options = {row["name"]: row["option"] for row in details["options"]}
    assert options["units"] == "--units" and options["input"] == "--kind"
    assert options["target"] == "--target-kind" and options["cell_options"] == "--cell-option"
    assert details["presets"] == [
        key for key, preset in PRESETS.items() if preset.task.name == name
    ]
    text = seqzoo("show", name).stdout
    for row in details["options"]:
        assert re.search(rf"^{row['name']}\t{row['option']}\t.*{row['type']}", text, re.M), row


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_its_template_with_the_options_shown(name) -> None:
    from seqzoo.tasks import TrainingSettings
    from seqzoo.zoo.data.source import Source

    details, preset = shown(name), PRESETS[name]
    assert TEMPLATES[details["template"]](**details["task"]) == preset.task
    assert TrainingSettings(**details["training"]) == preset.training
    source = Source(details["data"], preset.task.input, preset.task.target, **details["source"])
    assert source == replace(preset.source)
    assert details["command"].startswith(f"seqzoo train {name}")
    assert details["command"].endswith(" --data FILE") == bool(preset.needs)
    text = seqzoo("show", name).stdout
    assert preset.description in text and preset.score in text
    assert (preset.needs or f"Data: {preset.source.data}.") in " ".join(text.split())


@pytest.mark.slow
def test_data_set(languages_data_dir) -> None:
    details = shown("languages", "--data-dir", languages_data_dir)
    assert details["features"] == {"text": "text", "language": "class label, 163 classes"}
    assert (
        set(details["splits"]) == {"train", "validation", "test"}
        and details["splits"]["train"] > 1e5
    )
    assert details["presets"] == ["language-id"] and "CLDR" in details["description"]
    text = seqzoo("show", "languages", "--data-dir", languages_data_dir).stdout
    assert f"train\t{details['splits']['train']:,}\n" in text and "Unicode License" in text


def test_data_set_that_is_not_prepared_is_not_prepared_for_this(tmp_path) -> None:
    details = shown("glyphs", "--data-dir", tmp_path)
    assert (details["splits"], details["prepared"], list(tmp_path.iterdir())) == ({}, None, [])
    assert details["features"]["image"] == "image (40, 40, 1)"
    assert shown("python_tokens", "--data-dir", tmp_path)["features"]["labels"].startswith(
        "sequence of class label, "
    )
    assert "Not prepared yet" in seqzoo("show", "glyphs", "--data-dir", tmp_path).stdout


def test_a_name_of_several_kinds_is_shown_as_all_of_them(monkeypatch) -> None:
    monkeypatch.setitem(PRESETS, "gru", PRESETS["language-id"])
    result = json.loads(seqzoo("show", "gru", "--json").stdout)
    assert [item["kind"] for item in result] == ["cell", "preset"]
    text = seqzoo("show", "gru").stdout
    assert "gru, a cell: " in text and "gru, a preset: " in text


def test_how_to_train_with_a_cell() -> None:
    lines = {
        "lem": "To train with it: seqzoo train NAME --cell lem",
        "cfc": "To train with it: seqzoo train NAME --cell cfc --time-column COLUMN",
        "conv-gru": "use Recurrent(ConvGRUCell(...)) in a Keras model.",
    }
    for name, line in lines.items():
        assert seqzoo("show", name).stdout.rstrip().endswith(line)


def test_unknown_names_suggest_the_nearest() -> None:
    for typed, near in (("langage-id", "language-id"), ("lstn", "lstm"), ("python_sorce", "")):
        result = seqzoo("show", typed)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{typed!r}" in result.stderr and near in result.stderr.partition("mean")[2]
    assert result.stderr.endswith("did you mean 'python_source'?\n")


def test_sizes_of_cells_are_those_that_they_have() -> None:
    # Otherwise write them again: python -m docs.write_cell_sizes
    sizes = runpy.run_path(str(ROOT / "docs" / "write_cell_sizes.py"))["sizes"]
    listed = source_docs.sizes()
    assert listed.keys() == source_docs.cells().keys()
    for name in listed:
        assert listed[name] == sizes(name), name


def test_a_paper_is_cited_as_bibtex() -> None:
    cited = shown("lstm")["citation"].splitlines()
    assert cited[0] == "@misc{lstm-2000,"
    assert "  author = {Gers and Schmidhuber and Cummins}," in cited
    assert "  title = {{Learning to Forget}}," in cited
    assert "  year = {2000}," in cited and cited[-1] == "}"
    assert "@misc{gru-" in seqzoo("show", "gru").stdout
    assert bibtex("x", 'Wu et al., "A Title", arXiv 1, 2016, section 3').splitlines()[1:4] == [
        "  author = {Wu and others},",
        "  title = {{A Title}},",
        "  howpublished = {arXiv 1, 2016},",
    ]
    assert bibtex("x", "by nobody") == ""
