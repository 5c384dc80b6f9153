"""`seqzoo predict` on raw sentences: words with their tags, as CoNLL, CoNLL-U and JSON."""

import json
import pathlib

import pytest
from cli_cases import seqzoo

from seqzoo.tasks import Examples, ManyToManyAligned, TrainingSettings
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe


@pytest.fixture(scope="module")
def tagger(tmp_path_factory) -> pathlib.Path:
    """A run with random weights, of words with French contractions."""
    template = ManyToManyAligned(units=3, embedding=2, minimum_count=1, crf=True)
    words = [("l'", "homme", "est", "là", "."), ("qu'", "il", "est", ",", "là")]
    task = template.adapt(Examples(words, [list("DNVAP"), list("DNVPA")]))
    folder = tmp_path_factory.mktemp("tagger") / "run"
    source = {"data": "x.conll", "kind": "words", "target_kind": "tags"}
    config = describe(template, task, TrainingSettings(), source, Padding([8], []))
    Run.create(folder, config, task)
    task.build("float32").save(folder / "model.keras")
    return folder


def test_a_sentence_is_split_as_in_training_and_written_beside_its_tags(tagger, tmp_path) -> None:
    words = ["L'", "homme", "est", "là", "."]
    shown = seqzoo("predict", tagger, "--format", "conll", "L'homme est là.", "l'homme")
    first, second, rest = shown.stdout.split("\n\n")
    rows = [line.split("\t") for line in first.splitlines()]
    assert [row[0] for row in rows] == words and not rest.strip()
    assert [line.split("\t")[0] for line in second.splitlines()] == ["l'", "homme"]
    result = json.loads(seqzoo("predict", tagger, "--json", "L'homme est là.").stdout)
    assert result["words"] == words and result["answer"] == [row[1] for row in rows]
    assert [f"{item:.4f}" for item in result["probabilities"]] == [row[2] for row in rows]
    shown = seqzoo("predict", tagger, "--format", "conllu", stdin="L'homme est là.\n").stdout
    comment, *lines = shown.rstrip("\n").split("\n")
    assert comment == "# text = L' homme est là ."
    fields = [line.split("\t") for line in lines]
    assert {len(field) for field in fields} == {10} and [field[1] for field in fields] == words
    assert fields[2][0] == "3" and fields[2][3] == rows[2][1]
    assert fields[2][9] == f"Probability={rows[2][2]}"
    line = seqzoo("predict", tagger, "--top", 3, "l'homme").stdout.rstrip("\n").split("\t")
    assert len(set(line[::2])) == 3 and line[1::2] == sorted(line[1::2], reverse=True)
    # It can be read again.
    (tmp_path / "again.conllu").write_text(shown)
    shown = seqzoo(
        "predict", tagger, "--format", "conll", "--input-file", tmp_path / "again.conllu"
    )
    assert shown.stdout.strip() == first.strip()
    shown = seqzoo(
        "predict", tagger, "--format", "conll", "--tokenize", "whitespace", "L'homme est là."
    )
    assert [line.split("\t")[0] for line in shown.stdout.split("\n")[:3]] == [
        "L'homme",
        "est",
        "là.",
    ]


def test_what_is_not_for_tags_is_said(trained) -> None:
    for words in (["--format", "conll"], ["--tokenize", "auto"]):
        result = seqzoo("predict", trained / "run", *words, "axyz")
        assert result.exit_code == 2 and f"{words[0]}" in result.stderr and "tags" in result.stderr
