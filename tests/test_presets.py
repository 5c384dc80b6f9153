"""Every preset trains, shrunk, and answers; their names and records are in order."""

import pathlib

import pytest
from click.testing import CliRunner

from seqzoo.cli import main
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo import presets
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_preset_fits_together(name) -> None:
    preset = PRESETS[name]
    assert preset.description and not preset.description.endswith(".")
    assert preset.source.kind == preset.task.input
    assert preset.source.target_kind == preset.task.target


@pytest.mark.parametrize("name", PRESETS)
def test_preset_trains_shrunk(name, request, tmp_path: pathlib.Path) -> None:
    embedded = PRESETS[name].source.data in DATASETS
    folder = request.getfixturevalue("languages_data_dir" if embedded else "tfds_data_dir")
    words = ["train", name, "--limit", "64", "--epochs", "1", "--units", "4", "--quiet"]
    if PRESETS[name].task.input == "words":
        words += ["--maximum-length", "12"]
    words += ["--data-dir", str(folder), "--run", str(tmp_path / "run")]
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "model.keras").exists()


def test_unknown_preset_is_answered_with_the_nearest() -> None:
    assert presets.get("language-id") is PRESETS["language-id"]
    with pytest.raises(SeqzooError, match="no preset 'mnist-row' .* did you mean 'mnist-rows'"):
        presets.get("mnist-row")


def test_list_presets() -> None:
    assert presets.list_presets() == list(PRESETS)
    assert presets.list_presets("mnist-*") == ["mnist-rows"]
