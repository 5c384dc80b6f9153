"""`seqzoo.zoo` from Python: its exports, its import time, and the results of its calls."""

import subprocess
import sys

import pytest
from cli_cases import ROOT

import seqzoo.zoo as zoo
from seqzoo.tasks import SeqzooError
from seqzoo.zoo.comparison import compare as comparing
from seqzoo.zoo.comparison.processes import Ended
from seqzoo.zoo.finding import Finding


def test_every_name_is_there_with_a_docstring() -> None:
    assert set(zoo.__all__) == set(zoo._LOCATIONS) and set(zoo.__all__) <= set(dir(zoo))
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for name in zoo.__all__:
        assert getattr(zoo, name).__doc__, name
        assert f"::: seqzoo.zoo.{name}\n" in page, name
    with pytest.raises(AttributeError, match="no attribute 'compete'"):
        _ = zoo.compete


def test_importing_everything_imports_no_tensorflow() -> None:
    program = (
        "import sys\n"
        "from seqzoo import zoo\n"
        "light = [name for name in sys.modules if name.startswith('seqzoo.tasks')]\n"
        "[getattr(zoo, name) for name in zoo.__all__]\n"
        "heavy = ('tensorflow', 'keras', 'tensorflow_datasets')\n"
        "print(light, [name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert result.stdout == "[] []\n", result


def test_a_source_is_opened(tmp_path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text,label\n" + "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20)))
    source = zoo.Source(str(path), "words", input="text", target="label")
    splits, opened = zoo.open_source(source)
    assert [len(splits.train), len(splits.validation or ()), len(splits.test or ())] == [16, 2, 2]
    assert opened.data == str(path)
    with pytest.raises(SeqzooError, match="did you mean 'text'"):
        zoo.open_source(zoo.Source(str(path), "words", input="txt", target="label"))


def test_cells_are_compared(tmp_path, monkeypatch) -> None:
    commands = []

    def run(words, _):
        """A training run that scores 0.5 with the LSTM and 0.25 with the GRU; the sizes are
        given."""
        commands.append(words)
        if "seqzoo.zoo.comparison.sizing" in words:
            sizes = {
                cell: f'{{"units": {units}, "parameters": 100, "options": {{}}}}'
                for cell, units in (("gru", 8), ("lstm", 7))
            }
            output = "{" + ", ".join(f'"{cell}": {size}' for cell, size in sizes.items()) + "}"
            return Ended(0, output, "", 0)
        score = 0.5 if "lstm" in words[words.index("train") + 1] else 0.25
        record = (
            f'{{"metric": "accuracy", "better": 1, "split": "test", "seconds": [1, 1],'
            f' "metrics": {{"accuracy": {score}}}}}'
        )
        return Ended(0, record, "", 2**20)

    monkeypatch.setattr(comparing, "run", run)
    lines = []
    results = zoo.compare(
        "language-id",
        ["gru", "lstm"],
        seeds=2,
        folder=tmp_path / "new",
        print_fn=lines.append,
        epochs=1,
    )
    assert [(result.cell, result.units, result.mean) for result in results.results] == [
        ("lstm", 7, 0.5),
        ("gru", 8, 0.25),
    ]
    assert results.folder == tmp_path / "new" and (results.folder / "comparison.md").exists()
    assert len(lines) == 4 and lines[-1] == "4/4  lstm with 7 units, seed 1: accuracy 0.5000"
    assert len(commands) == 5
    assert "epochs = 1\n" in (tmp_path / "new" / "lstm.toml").read_text()
    with pytest.raises(SeqzooError, match="did you mean 'gru'"):
        zoo.compare("language-id", ["grru"])
    with pytest.raises(SeqzooError, match="no option --epoch"):
        zoo.compare("language-id", ["gru"], folder=tmp_path / "other", epoch=1)


def test_doctor_returns_its_findings(monkeypatch) -> None:
    from seqzoo.zoo.diagnostics import doctor

    def fail() -> None:
        raise ImportError("libcuda is of the wrong release")

    monkeypatch.setattr(doctor, "start_tensorflow", fail)
    findings = zoo.doctor()
    assert all(isinstance(finding, Finding) for finding in findings)
    (broken,) = [finding for finding in findings if finding.state == "broken"]
    assert broken.message == "ImportError: libcuda is of the wrong release"
    assert broken.text().startswith("BROKEN  tensorflow: ImportError: libcuda")
