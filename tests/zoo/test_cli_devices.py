"""`--device` and `train --json`."""

import json

import pytest
from cli_cases import MANY_TO_ONE, files, seqzoo

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo import devices
from seqzoo.zoo.comparison import processes


@pytest.mark.slow
def test_a_missing_gpu_is_an_error(trained, tmp_path, monkeypatch) -> None:
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    new = [*MANY_TO_ONE, "--data", trained / "data.csv", "--run", tmp_path / "run"]
    for words in (
        new,
        ["train", "--resume", "--run", trained / "run"],
        ["evaluate", trained / "run"],
        ["predict", trained / "run", "axyz"],
        ["generate", trained / "run", "axyz"],
        ["export", trained / "run", tmp_path / "exported"],
    ):
        result = seqzoo(*words, "--device", "gpu")
        assert (result.exit_code, result.stdout) == (2, ""), words
        assert result.stderr.startswith(
            "Error: --device gpu: TensorFlow sees no GPU; leave --device out"
        )
    assert files(tmp_path) == []


def test_the_cpu_option_hides_gpus(monkeypatch) -> None:
    import tensorflow as tf

    calls = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a GPU"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *given: calls.append(given))
    devices.choose("gpu")
    devices.choose(None)
    assert calls == []
    devices.choose("cpu")
    assert calls == [([], "GPU")]

    def late(*given):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", late)
    with pytest.raises(SeqzooError, match="already using a GPU"):
        devices.choose("cpu")


def test_all_commands_take_the_device_option(trained) -> None:
    for command, words in (("evaluate", []), ("predict", ["axyz"])):
        both = [
            seqzoo(command, trained / "run", *words, *item) for item in ([], ["--device", "cpu"])
        ]
        assert both[0].stdout == both[1].stdout and both[1].exit_code == 0


@pytest.mark.slow
def test_training_reports_to_programs_what_it_reports_to_people(trained, tmp_path) -> None:
    data = ["--data", trained / "data.csv", "--seed", 3, "--run", tmp_path / "run"]
    result = seqzoo(*MANY_TO_ONE, *data, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["run"], report["split"]) == (str(tmp_path / "run"), "test")
    assert (report["metric"], report["better"], len(report["seconds"])) == ("accuracy", 1, 2)
    assert "epoch 2/2" in result.stderr and "training examples" in result.stderr
    stored = json.loads((tmp_path / "run/scores/evaluation.json").read_text())
    assert report["metrics"] == stored
    from seqzoo.tasks.runs.run import Run

    weights = Run.open(tmp_path / "run").model.get_weights()
    assert report["parameters"] == sum(weight.size for weight in weights)


def test_other_processes_import_this_very_package(monkeypatch) -> None:
    import seqzoo

    monkeypatch.setenv("PYTHONPATH", "/other")
    monkeypatch.setattr(seqzoo, "__file__", "/checkout/seqzoo.py")
    assert processes.environment()["PYTHONPATH"] == "/checkout:/other"
    monkeypatch.setattr(seqzoo, "__file__", "/site/seqzoo/__init__.py")
    monkeypatch.delenv("PYTHONPATH")
    assert processes.environment()["PYTHONPATH"] == "/site"
