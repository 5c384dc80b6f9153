"""`seqzoo doctor`: it finds what is broken, and only that."""

import json
import re
import tomllib

import numpy as np
import pytest
from cli_cases import ROOT, seqzoo

from seqzoo.zoo.diagnostics import doctor

pytestmark = pytest.mark.fast_loops


@pytest.fixture
def complete(monkeypatch) -> dict[str, str | None]:
    """Versions of packages as if the minimum version of each were installed; to be changed."""
    versions: dict[str, str | None] = {
        name: required.removeprefix(">=").partition(",")[0]
        for name, required in doctor.REQUIRED.items()
    }
    versions |= dict.fromkeys(doctor.OPTIONAL, "1.0")
    monkeypatch.setattr(doctor, "_version", versions.get)
    return versions


def test_packages_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [f"{name}{versions}" for name, versions in doctor.REQUIRED.items()]
    assert wanted == project["dependencies"]
    for versions in doctor.REQUIRED.values():
        assert re.fullmatch(r">=[\d.]+(,<[\d.]+)?", versions)  # what the check understands
    assert project["requires-python"] == ">=" + ".".join(map(str, doctor.PYTHON))


@pytest.mark.slow
def test_all_is_well(complete, tmp_path, monkeypatch) -> None:
    (tmp_path / "names" / "1.2.3").mkdir(parents=True)
    (tmp_path / "names" / "1.2.3" / "dataset_info.json").touch()
    (tmp_path / "other" / "small" / "0.1.0").mkdir(parents=True)
    (tmp_path / "other" / "small" / "0.1.0" / "dataset_info.json").touch()
    (tmp_path / "half" / "1.0.0.incomplete").mkdir(parents=True)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    result = seqzoo("doctor")
    assert result.exit_code == 0, result.output
    assert "BROKEN" not in result.stdout
    assert result.stdout.endswith("All required checks passed.\n")
    for words in ("Keras backend: tensorflow", r"\d cores?, ", "GiB", "gpu: ", "fast scan"):
        assert re.search(words, result.stdout), words
    assert f"data in {tmp_path}: names/1.2.3, other/small/0.1.0\n" in result.stdout


@pytest.mark.slow
def test_json(complete) -> None:
    from seqzoo.cells import CELLS

    result = seqzoo("doctor", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["healthy"]) == (0, True)
    results = {finding["subject"]: finding for finding in report["findings"]}
    assert results["tensorflow"]["values"] == {"version": "2.21", "required": ">=2.21,<3"}
    assert results["processor"]["values"]["cores"] >= 1
    assert results["memory"]["values"]["bytes"] > results["memory"]["values"]["free_bytes"] > 0
    layers = [value["values"] for name, value in results.items() if name.startswith("layers of ")]
    assert sorted(cell for layer in layers for cell in layer["cells"]) == sorted(CELLS)
    # A cell of each path is run, not each cell.
    assert len(layers) == len({layer["path"] for layer in layers}) < 8
    # Two orders of summing are never quite equal: the paths were two. Frames take the plain one.
    compiled = [layer for layer in layers if "conv-lstm" not in layer["cells"]]
    assert all(item["difference"] > 0 for item in compiled) and len(compiled) == len(layers) - 1


@pytest.mark.parametrize(
    "name, version, state, message",
    [
        ("keras", "3.9.2", "broken", "3.9.2 is older than 3.15"),
        ("keras", "3.15.0rc1", "ok", "3.15.0rc1"),
        ("keras", "3.100", "ok", "3.100"),
        ("keras", "4.0", "broken", "4.0 is too new; it must be below 4"),
        ("babel", "2.18.3", "ok", "2.18.3"),
        ("babel", "2.19.0", "broken", "2.19.0 is too new; it must be below 2.19"),
        ("numpy", "10.0", "ok", "10.0"),
        ("click", "8.1.8", "broken", "8.1.8 is older than 8.2"),
        ("rich", None, "broken", "not installed"),
        ("tensorboard", None, "note", "not installed"),
    ],
)
def test_packages(complete, name, version, state, message) -> None:
    complete[name] = version
    results = {finding.subject: finding for finding in doctor._packages()}
    assert (results[name].state, results[name].message[: len(message)]) == (state, message)
    assert ("pip install" in results[name].fix) == (state != "ok") and name in results[
        name
    ].fix + name
    assert all(finding.state == "ok" for key, finding in results.items() if key != name)


def test_the_fix_installs_a_version_that_the_project_allows(complete) -> None:
    complete["babel"] = None
    (broken,) = [finding for finding in doctor._packages() if finding.state == "broken"]
    assert broken.fix == 'python -m pip install "babel>=2.18,<2.19"'


@pytest.mark.slow
def test_a_wrong_result_is_found(complete, monkeypatch) -> None:
    from seqzoo.cells.simple.vanilla import VanillaCell

    right = VanillaCell.step_gradient

    def wrong(self, values, d_states):
        x, r, states = right(self, values, d_states)
        return [item * 1.01 for item in x], r, states

    monkeypatch.setattr(VanillaCell, "step_gradient", wrong)
    result = seqzoo("doctor")
    assert result.exit_code == 1
    assert re.search(r"BROKEN  layers of vanilla.* differs from the plain loop by", result.stdout)
    assert result.stdout.endswith("At least one check failed.\n")


def test_what_cannot_be_checked_is_a_finding(complete, monkeypatch) -> None:
    def fail() -> None:
        raise ImportError("libcuda is of the wrong release\nand more")

    monkeypatch.setattr(doctor, "start_tensorflow", fail)
    result = seqzoo("doctor", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert not report["healthy"]
    (broken,) = [item for item in report["findings"] if item["state"] == "broken"]
    assert broken["subject"] == "tensorflow" and broken["fix"]
    assert broken["message"] == "ImportError: libcuda is of the wrong release"


@pytest.mark.slow
def test_layers_differ_by_what_they_compute() -> None:
    from seqzoo.zoo.diagnostics import layer_check

    one, other = (layer_check._results("gru", fast=fast) for fast in (True, False))
    assert [item.shape for item in one] == [(3, 6, 4), (5, 12), (4, 12), (2, 12)]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
        assert np.abs(a).max() > 0.1
