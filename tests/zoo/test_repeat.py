"""Repeated training runs: with several seeds, and on folds of the examples."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cli_cases import COLUMNS, MANY_TO_ONE, SMALL, seqzoo

import seqzoo.zoo as zoo
from seqzoo.tasks import Examples, Interrupted, SeqzooError, Splits
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo.config.resolve import chosen
from seqzoo.zoo.data.folds import hold_out
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.training import repeat as repeating
from seqzoo.zoo.training.repeat import Repetition


def test_folds_part_the_examples_with_their_classes() -> None:
    texts = [f"text {n}" for n in range(100)] + ["text 0"] * 3 + ["alone"]
    labels = ["a" if n % 10 else "b" for n in range(100)] + ["b"] * 3 + ["c"]
    everything = Examples(texts, labels)
    splits = Splits(
        everything.pick(range(20, 104)), everything.pick(range(20)), Examples(["test"], ["a"])
    )
    held: Counter = Counter()
    for number in range(1, 6):
        result = hold_out(splits, f"{number}/5", "class", seed=0)
        assert result.validation and result.test
        parts = [result.train, result.validation, result.test]
        inputs = [text for part in parts for text in part.inputs]
        assert sorted(inputs) == sorted(texts)  # all but the test examples, each once
        sets = [set(part.inputs) for part in parts]
        assert sum(map(len, sets)) == len(set(texts))  # equal inputs are together
        assert "alone" in sets[0]  # the only example of its class
        shares = [
            len(
                {
                    text
                    for text, target in zip(part.inputs, part.targets, strict=True)
                    if target == "b"
                }
            )
            for part in parts
        ]
        assert shares[2] == 2 and len(sets[2]) in (20, 21)
        # 20 of 104 examples were for validation.
        assert len(sets[1]) == pytest.approx(20 / 104 * 81, abs=1)
        held.update(sets[2])
    assert set(held.values()) == {1} and len(held) == 100
    one, other = (hold_out(splits, "1/5", "class", seed).test for seed in (0, 1))
    assert one and other and set(one.inputs) != set(other.inputs)
    with pytest.raises(SeqzooError, match="`folds` must be at most 101, got 102"):
        hold_out(splits, "1/102", "class", 0)
    with pytest.raises(SeqzooError, match="a fold such as 2/5, got '6/5'"):
        hold_out(splits, "6/5", "class", 0)


def test_scores_are_summed_up(tmp_path) -> None:
    metrics = {f"seed-{n}": {"mae": mae, "loss": 1.0} for n, mae in enumerate((2.0, 1.0, 6.0))}
    result = Repetition(tmp_path, "mae", -1, "test", metrics)
    report = result.to_json()
    assert report["mean"] == 3 and report["standard_deviation"] == pytest.approx(7**0.5)
    assert report["best"] == {"run": "seed-1", "score": 1.0}
    assert report["worst"] == {"run": "seed-2", "score": 6.0}
    assert report["metrics"]["loss"] == {"mean": 1.0, "standard_deviation": 0.0}
    text = "mae 3.0000 ± 2.6458 over 3 training runs; best 1.0000 (seed-1), worst 6.0000 (seed-2)."
    assert result.text().endswith(text)
    assert "standard deviation\t2.6458\t0.0000" in result.text()


@pytest.mark.parametrize("metrics", [{"loss": 2.0}, {"loss": 2.0, "token error": None}])
def test_a_score_without_a_value_is_the_loss(metrics: dict[str, Any]) -> None:
    record = {"metric": "token error", "better": -1, "split": "test", "metrics": metrics}
    assert repeating._score(record) == "loss 2.0000"


@pytest.mark.slow
def test_seeds_are_resumed(trained, tmp_path, monkeypatch) -> None:
    done = []
    run_plan = repeating.run_plan

    def train(plan, **options):
        if done == ["seed-3"]:
            done.append("stopped")
            raise Interrupted("Stopped.")
        done.append(plan.folder.name)
        return run_plan(plan, **options)

    monkeypatch.setattr(repeating, "run_plan", train)
    folder = tmp_path / "twice"
    words = [*MANY_TO_ONE, "--data", trained / "data.csv", "--run", folder, "--repeat", 2]
    result = seqzoo(*words, "--seed", 3, "--quiet")
    assert result.exit_code == 130 and f"train --resume --run {folder} --repeat 2" in result.stderr
    again = seqzoo("train", "--resume", "--run", folder, "--repeat", 2, "--json")
    assert again.exit_code == 0, again.stderr
    assert done == ["seed-3", "stopped", "seed-4"] and "seed-3: accuracy" in again.stderr
    report = json.loads(again.stdout)
    assert report == json.loads((folder / "repetition.json").read_text())
    # The first is the training that the same options without --repeat give.
    one, two = report["runs"]["seed-3"], report["runs"]["seed-4"]
    alone = json.loads((trained / "run" / "scores" / "evaluation.json").read_text())
    assert one["loss"] == pytest.approx(alone["loss"], rel=1e-6) and one["loss"] != two["loss"]
    assert report["metrics"]["loss"]["mean"] == pytest.approx(np.mean([one["loss"], two["loss"]]))

    for more, message in (
        (["--repeat", 2], "already exists"),
        (["--repeat", 2, "--resume", "--seed", 4], "was started with seed=3, got 4"),
        (["--repeat", 2, "--folds", 2], "not both"),
        (["--repeat", 2, "--workers", 2], "cannot be combined with --from"),
        (["--repeat", 1], "at least 2"),
    ):
        result = seqzoo(*words[:-2], *([] if "--seed" in more else ["--seed", 3]), *more)
        assert result.exit_code == 2 and message in result.stderr, result.stderr
    with pytest.raises(SeqzooError, match="has no repeated training to resume"):
        zoo.repeat(None, seeds=2, folder=trained / "run", resume=True)


def test_seeds_are_not_resumed_as_folds(tmp_path) -> None:
    (tmp_path / "seed-0").mkdir()
    repeating._check_kind(tmp_path, "repeat", 2)
    with pytest.raises(SeqzooError, match="were started with --repeat, got --folds; resume them"):
        repeating._check_kind(tmp_path, "folds", 2)
    (tmp_path / "seed-0").rename(tmp_path / "fold-1-of-2")
    with pytest.raises(SeqzooError, match="were started with --folds, got --repeat; resume them"):
        repeating._check_kind(tmp_path, "repeat", 2)


def test_folds_are_resumed_with_their_number(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(repeating, "run_plan", None)  # nothing is trained
    repeating._base(tmp_path, "language-id", {}, resume=False)
    (tmp_path / "fold-1-of-10").mkdir()
    (tmp_path / "fold-1-of-10.json").touch()
    repeating._check_kind(tmp_path, "folds", 10)
    with pytest.raises(SeqzooError) as error:
        zoo.repeat(None, folds=4, folder=tmp_path, resume=True)
    assert str(error.value) == (
        f"The training runs in {tmp_path} were started with --folds 10, got 4; resume them with "
        "--folds 10, or name a new folder with --run."
    )


def test_a_folder_of_several_runs_is_no_run(tmp_path) -> None:
    (tmp_path / "seed-0").mkdir()
    (tmp_path / "seed-0" / "config.json").write_text("{}")
    (tmp_path / repeating.REPETITION).write_text("")
    for command in (["predict", tmp_path, "a"], ["evaluate", tmp_path]):
        assert f"name one of the 1 in it, such as {tmp_path}/seed-0" in seqzoo(*command).stderr
    with pytest.raises(SeqzooError, match="it has no config.json; name one of the 1 in it"):
        Run.open(tmp_path)
    result = seqzoo("train", "--resume", "--run", tmp_path)
    assert result.exit_code == 2 and "resume them with --repeat or --folds" in result.stderr


@pytest.mark.parametrize(
    "content, reason",
    [
        ("{}", "'metric' is missing or has the wrong type"),
        ("[]", "it contains [] instead of an object"),
        ("null", "it contains None instead of an object"),
        ('{"metrics": {}}', "'metric' is missing or has the wrong type"),
        (
            '{"metric": "f1", "better": 1, "split": "test", "seconds": [1.0], "metrics": {}}',
            "'loss' is missing or has the wrong type",
        ),
        (
            '{"metric": "f1", "better": 1, "split": "test", "seconds": [], "figures": {"f1": "1"}}',
            "'f1' is missing or has the wrong type",
        ),
    ],
)
def test_a_damaged_result_is_named(tmp_path, content, reason) -> None:
    file = tmp_path / "seed-0.json"
    file.write_text(content)
    with pytest.raises(SeqzooError) as error:
        repeating._train(
            tmp_path / "seed-0", chosen("language-id", {}), quiet=True, device=None, print_fn=print
        )
    assert str(error.value) == f"{file} is damaged: {reason}; delete it and run the command again."


def test_a_mistake_in_the_data_leaves_no_folder(tmp_path) -> None:
    (tmp_path / "data.csv").write_text("text\nabc\n")
    words = [*MANY_TO_ONE, "--data", tmp_path / "data.csv", "--run", tmp_path / "runs"]
    result = seqzoo(*words, "--repeat", 2)
    assert result.exit_code == 2 and "must name a column of" in result.stderr, result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"seeds": 2, "validation": 0, "test": 0}, "No examples are held out"),
        (
            {"seeds": 10**11},
            "`repeat` must be a whole number of at least 2 .* 1,000, got 100000000000",
        ),
        ({"folds": 2, "target_kind": "next", "whole": True, "target": None}, "Folds are for indep"),
    ],
)
def test_what_cannot_be_repeated_leaves_no_folder(tmp_path, choices, message) -> None:
    (tmp_path / "data.csv").write_text("text,label\nabc,a\nxyz,b\n")
    data: dict[str, Any] = {"data": str(tmp_path / "data.csv"), "kind": "characters"}
    data |= {"input": "text", "target": "label", **choices}
    template = "many-to-one" if "seeds" in choices else "many-to-many-aligned"
    with pytest.raises(SeqzooError, match=message):
        zoo.repeat(template, folder=tmp_path / "runs", **data)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_each_fold_is_scored_by_a_run_that_held_it_out(trained, tmp_path) -> None:
    names = dict(zip(SMALL[::2], map(int, SMALL[1::2]), strict=True))
    options: dict[str, Any] = {name[2:].replace("-", "_"): value for name, value in names.items()}
    kind, text, label = COLUMNS[1::2]
    options |= {"data": str(trained / "data.csv"), "kind": kind, "input": text, "target": label}
    folder = tmp_path / "folds"
    messages: list[str] = []
    result = zoo.repeat("many-to-one", folds=2, folder=folder, print_fn=messages.append, **options)
    assert messages[-1].startswith("2/2  fold-2-of-2: accuracy ") and result.split == "test"
    held = []
    for name, metrics in result.metrics.items():
        run = Run.open(folder / name)
        splits, _ = zoo.open_source(Source.of_run(run))
        assert splits.test
        held += splits.test.inputs
        assert run.evaluate(splits.test)["loss"] == pytest.approx(metrics["loss"], rel=1e-5)
        scored = json.loads(seqzoo("evaluate", folder / name, "--json").stdout)
        assert scored["loss"] == pytest.approx(metrics["loss"], rel=1e-5)
    plain, _ = zoo.open_source(Source.of_run(Run.open(trained / "run")))
    assert plain.validation and plain.test
    assert sorted(held) == sorted([*plain.train.inputs, *plain.validation.inputs])
    # Together they are scored on what neither has seen.
    runs = [folder / "fold-1-of-2", "--with", folder / "fold-2-of-2"]
    scored = json.loads(seqzoo("evaluate", *runs, "--json").stdout)
    assert scored["examples"] == len(plain.test)
    refused = seqzoo("evaluate", *runs, "--split", "validation")
    assert refused.exit_code == 2 and "Runs on different folds" in refused.stderr


def test_folds_keep_the_weights_of_a_validation_file(tmp_path) -> None:
    for name, weight in (("train", 2), ("validation", 5)):
        rows = "".join(f"{name} {n},{'ab'[n % 2]},{weight}\n" for n in range(10))
        (tmp_path / f"{name}.csv").write_text("text,label,weight\n" + rows)
    source = Source(
        str(tmp_path / "train.csv"),
        kind="words",
        input="text",
        target="label",
        weight_column="weight",
        validation=str(tmp_path / "validation.csv"),
        test=0.0,
        fold="1/2",
    )
    train = open_source(source)[0].train
    for text, weight in zip(train.inputs, train.weights, strict=True):
        assert weight == (2 if text.startswith("train") else 5)
    plain = tmp_path / "validation.csv"
    plain.write_text(plain.read_text().replace(",weight", "").replace(",5", ""))
    message = r"got 'weight'.* With --folds, models train on the validation file, too; add the"
    with pytest.raises(SeqzooError, match=message):
        open_source(source)
    assert open_source(replace(source, fold=None))[0].validation


def test_folds_of_images_of_several_sizes(tmp_path) -> None:
    sizes = {"train": 8, "validation": 9}
    parts: dict[str, Any] = {
        name: Examples(np.arange(12 * size**2).reshape(12, size, size), list("ab" * 6))
        for name, size in sizes.items()
    }
    splits = hold_out(Splits(**parts), "1/3", "class", 0)
    assert {len(image) for image in splits.train.inputs} == {8, 9}
