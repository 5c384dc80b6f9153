"""Trained models in the package: they need no other files, and packing loses little accuracy."""

import concurrent.futures
import json
import pathlib
import subprocess
import sys
from dataclasses import replace

import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqzoo.cli import main
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs import predictor
from seqzoo.zoo import card, list_trained, load
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import FOLDER

EMBEDDED = [name for name, preset in PRESETS.items() if preset.source.data in DATASETS]


def test_every_preset_on_embedded_data_has_a_small_model() -> None:
    assert list_trained() == EMBEDDED
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(sizes) < 20e6


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_card_describes_a_model(name: str) -> None:
    facts = card(name)
    assert facts["preset"] == name and facts["data"] == PRESETS[name].source.data
    assert facts["command"] == f"seqzoo train {name}" and facts["split"] == "test"
    assert facts["licence"] and facts["scores"]["examples"] > 20 and facts["training_seconds"] > 9
    # The current preset is the one that was trained.
    config = json.loads((FOLDER / name / "config.json").read_text(encoding="utf-8"))
    assert PRESETS[name].task.from_config(config["task"]) == PRESETS[name].task
    assert config["source"]["data_dir"] is None and str(pathlib.Path.home()) not in str(config)


@pytest.mark.slow
def test_dates_are_answered_at_once() -> None:
    program = """
import time
from seqzoo import zoo
run = zoo.load("date-normaliser")
began = time.monotonic()
answers = run.predict(["3 mars 2021", "03.03.21", "Dienstag, 4. Mai 1999"])
print(time.monotonic() - began)
print(*(answer.label for answer in answers))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    seconds, answers = done.stdout.splitlines()
    assert answers == "2021-03-03 2021-03-03 1999-05-04", done.stderr
    assert float(seconds) < 20  # two on a machine that does nothing else


@pytest.mark.parametrize("wrong, got", [(None, "NoneType"), (5, "int"), (iter(["a"]), "iterator")])
def test_a_value_that_is_not_a_list_is_an_error(wrong, got) -> None:
    with pytest.raises(SeqzooError, match=f"must be a list of inputs, got .*{got}"):
        load("date-normaliser").predict(wrong)


def test_a_run_folder_is_opened_otherwise(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SeqzooError, match="is a run folder; open it with seqzoo.tasks.Run.op"):
        load(str(tmp_path))
    with pytest.raises(SeqzooError, match="must be the name of a preset, got NoneType"):
        load(None)  # pyright: ignore[reportArgumentType]


def test_the_command_line_takes_the_name_of_a_model() -> None:
    result = CliRunner().invoke(main, ["predict", "language-id", "Zuid-Korea"])
    assert result.exit_code == 0 and result.stdout.startswith("Dutch\t"), result.output
    result = CliRunner().invoke(main, ["predict", "shakespeare", "To be"])
    assert result.exit_code == 2
    assert "shakespeare has no pretrained model" in result.stderr
    assert "train it with" in result.stderr


def test_one_text_is_predicted_without_a_pipeline_or_a_new_graph(monkeypatch) -> None:
    run = load("date-normaliser")
    run.predict(["3 mars 2021"])
    graphs = run._inference._graphs

    def traced() -> int:
        return sum(graph.experimental_get_tracing_count() for graph in graphs.values())

    before = traced()
    monkeypatch.setattr(tf.data.Dataset, "from_tensor_slices", None)
    for texts in (["03.03.21"], ["Dienstag, 4. Mai 1999", "1/2/2003", "5 mai 2001"]):
        assert len(run.predict(texts)) == len(texts)
    assert traced() == before == 1


@pytest.mark.slow
def test_threads_may_share_one_model() -> None:
    texts = ["3 mars 2021", "03.03.21", "Dienstag, 4. Mai 1999", "7 April 1987"] * 3
    one = load("date-normaliser")
    alone = [one.predict([text])[0].label for text in texts]
    run = load("date-normaliser")  # which has no graph yet, so that all threads trace one
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: run.predict([text])[0].label, texts))
    assert together == alone
    assert len(run._inference._graphs) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param("date-normaliser", marks=pytest.mark.exhaustive), "python-source"]
)
def test_frequent_predictions_are_compiled_once_and_stay_the_same(name, monkeypatch) -> None:
    texts = {"date-normaliser": ["3 mars 2021", "03.03.21", "Dienstag, 4. Mai 1999"]}
    inputs = texts.get(name, ["def f(x):", "import ", "    return"]) * 3
    options = PredictionOptions(seed=5)
    if name == "python-source":
        options = replace(options, decoding=Decoding("sample", count=2, maximum_length=20))
    run = load(name)
    before = run.predict(inputs, options)
    graphs = run._inference._graphs
    assert len(graphs) == 1
    monkeypatch.setattr(predictor, "PATIENCE", 0.0)
    after = run.predict(inputs, options)
    assert [answer.label for answer in after] == [answer.label for answer in before]
    assert [answer.alternatives for answer in after] == [
        tuple((text, pytest.approx(share, rel=1e-3)) for text, share in answer.alternatives)
        for answer in before
    ]
    # Ten rows, as nine are filled up to, and one are shapes of one graph.
    run.predict([*inputs, inputs[0]], options)
    run.predict(inputs[:1], options)
    assert len(graphs) == 2
    assert all(graph.experimental_get_tracing_count() == 1 for graph in graphs.values())
