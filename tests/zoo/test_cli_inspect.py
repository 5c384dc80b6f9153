"""`seqzoo inspect` and `seqzoo explain`, as a terminal would run them."""

import json
import re

import pytest
from cli_cases import seqzoo

from seqzoo.tasks.inspection.registry import ANALYSES
from seqzoo.zoo.inspection.explain import terminal_text


@pytest.mark.slow
def test_a_page_is_self_contained(trained, tmp_path) -> None:
    folder = tmp_path / "inside"
    result = seqzoo("inspect", trained / "run", "axyz1", "bzzy2", "--output", folder)
    assert result.exit_code == 0, result.stderr
    assert "Gradients of layer 1: " in result.stdout and "index.html" in result.stdout
    page = (folder / "index.html").read_text()
    assert "width=device-width" in page and "data:image/png;base64," in page
    assert "vanishing if less than 1%" in page and "units in an order of its own" in page
    # Nothing is loaded from other hosts.
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    numbers = json.loads((folder / "inspection.json").read_text())
    answers = seqzoo("predict", trained / "run", "axyz1", "bzzy2").stdout.splitlines()
    assert [item["answer"] for item in numbers["inputs"]] == [a.partition("\t")[0] for a in answers]
    gates = numbers["gates layer 1"]["gates"]
    assert list(gates) == ["update", "reset", "candidate"]
    assert len(gates["update"]["values"]) == 5
    assert len(numbers["gradients"]["layer 1"]["norms"]) == 6
    assert (folder / "gates-layer-1.png").read_bytes().startswith(b"\x89PNG")


def test_analyses_can_be_chosen(trained, tmp_path) -> None:
    words = ["--output", tmp_path, "--only", "weights", "--figures", "svg", "--json"]
    result = seqzoo("inspect", trained / "run", "axyz1", *words)
    assert result.exit_code == 0, result.stderr
    numbers = json.loads(result.stdout)
    assert set(numbers) == {"run", "inputs", "weights layer 1"}
    assert b"<svg" in (tmp_path / "weights-layer-1.svg").read_bytes()
    result = seqzoo("inspect", trained / "run", "a{links}b{sections}", *words)
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "index.html").read_text()
    assert page.count("<section id=") == 1 and "a{links}b{sections}" in page
    result = seqzoo("inspect", trained / "run", "axyz1", "--only", "gate", "--output", tmp_path)
    assert result.exit_code == 2 and "did you mean 'gates'?" in result.stderr


def test_without_an_input_held_out_examples_are_inspected(trained, tmp_path, monkeypatch) -> None:
    words = ["--only", "gradients", "--examples", 2, "--output", tmp_path / "x"]
    assert seqzoo("inspect", trained / "run", *words).exit_code == 0
    numbers = json.loads((tmp_path / "x" / "inspection.json").read_text())
    assert len(numbers["inputs"]) == 2


def test_a_data_set_is_searched_for_similar_states(trained, tmp_path) -> None:
    words = ["--only", "states", "--output", tmp_path, "--json", "--reference", 1]
    result = seqzoo("inspect", trained / "run", "axyz1", "--search", 4, *words)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["states layer 1"]["similar"]
    assert found["step"] == 1 and found["searched"]["inputs"] == 5
    assert any(item["input"] > 0 for item in found["steps"])
    similarities = [item["similarity"] for item in found["steps"]]
    assert similarities == sorted(similarities, reverse=True)
    assert all(item["context"][1] for item in found["steps"])
    words[-1] = 5
    result = seqzoo("inspect", trained / "run", "axyz1", *words)
    assert result.exit_code == 2 and "`reference` must be from 0 to 4" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["axyz1", "--search", 4], "--search is for the analysis states"),
        (["axyz1", "--reference", 0], "`reference` is for the analysis 'states'"),
        (["axyz1", "--examples", 2], "--examples is for held-out examples"),
    ],
)
def test_options_without_effect_are_refused(trained, tmp_path, words, message) -> None:
    more = ["--only", "gates", "--output", tmp_path / "x"]
    result = seqzoo("inspect", trained / "run", *words, *more)
    assert result.exit_code == 2 and message in result.stderr
    assert not (tmp_path / "x").exists()


def test_help_names_every_analysis() -> None:
    text = " ".join(seqzoo("inspect", "--help").stdout.split())
    assert all(name in text.replace("fixed- points", "fixed-points") for name in ANALYSES)
    for value in ANALYSES.values():
        assert callable(value.load()) and value.summary.endswith(".")


def test_an_answer_is_explained(trained) -> None:
    result = seqzoo("explain", trained / "run", "axyz1")
    assert result.exit_code == 0, result.stderr
    first, text, *rest = result.stdout.splitlines()
    assert first.startswith("a-text  (log-probability -") and text == "axyz1"
    (found,) = map(
        json.loads, seqzoo("explain", trained / "run", "axyz1", "--json").stdout.splitlines()
    )
    best = max(range(5), key=lambda k: found["values"][k])
    assert rest[0].startswith(f"for: {'axyz1'[best]} ({best + 1}) +{found['values'][best]:.3g}")
    assert sum(found["values"]) == pytest.approx(found["score"] - found["baseline"], abs=1e-4)


@pytest.mark.parametrize(("token", "symbol"), [(" ", "␣"), ("\n", "↵")])
def test_an_explained_token_of_whitespace_is_visible(token, symbol) -> None:
    explanation = {"explained": token, "measure": "log-probability", "score": -1.0, "baseline": -2}
    header, *_ = terminal_text({**explanation, "labels": ["x"], "values": [1.0]}, "").splitlines()
    assert header == f"{symbol}  (log-probability -1, without any input -2)"


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_no_color_is_respected(no_colour: str, monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    explanation = {"explained": "a", "measure": "log-probability", "score": -1.0, "baseline": -2}
    text = terminal_text({**explanation, "labels": ["x"], "values": [1.0]}, "")
    assert ("\x1b[" in text) != bool(no_colour) and "x" in text


def test_explanations_as_json(trained) -> None:
    words = ["--answer", "b-text", "--method", "occlusion", "--json"]
    result = seqzoo("explain", trained / "run", "axyz1", "bz", *words)
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["answer"] == "b-text" and first["labels"] == list("axyz1")
    assert len(second["values"]) == 2
    # The first letter speaks more for it in the second one.
    assert first["values"][0] < second["values"][0]


@pytest.mark.slow
def test_predictions_with_their_attention(tmp_path, trained) -> None:
    words = ["predict", "date-normaliser", "3 mars 2021", "--attention"]
    file = tmp_path / "looks.html"
    result = seqzoo(*words, "--json", "--attention-file", file)
    assert result.exit_code == 0, result.stderr
    results = json.loads(result.stdout)
    attention = results["attention"]
    assert results["answer"] == "".join(attention["tokens"]) == "2021-03-03"
    assert "".join(attention["source"]) == "3 mars 2021"
    assert all(sum(row) == pytest.approx(1, abs=0.01) for row in attention["weights"])
    assert len(attention["weights"]) == 10
    page = file.read_text()
    assert "2021-03-03" in page and page.count("data:image/png;base64,") == 1
    first, source, *rows = seqzoo(*words).stdout.splitlines()
    assert first.startswith("2021-03-03\t") and source == "   3␣mars␣2021" and len(rows) == 10
    assert seqzoo(*words, "--attention-file", "looks.gif").exit_code == 2
    result = seqzoo("predict", trained / "run", "axyz1", "--attention")
    assert result.exit_code == 2 and "has no attention; models of many" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--answer", "c-text"], "did you mean"),
        (["--step", "3"], "`step` must be from 0 to 0"),
    ],
)
def test_errors_are_one_line(trained, words, message) -> None:
    result = seqzoo("explain", trained / "run", "axyz1", *words)
    assert result.exit_code == 2 and message in result.stderr
    assert result.stderr.count("\n") == 1
