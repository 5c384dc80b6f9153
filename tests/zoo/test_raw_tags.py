"""Taggers on raw sentences: words with their tags, as CoNLL, CoNLL-U and JSON, and the same words
wherever a model predicts."""

import json
import pathlib
import unicodedata

import pytest
from cli_cases import seqzoo

from seqzoo.tasks import Examples, ManyToManyAligned, PredictionOptions, TrainingSettings
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.export.description import _input
from seqzoo.tasks.export.predict.tagged_words import TaggedWordReader
from seqzoo.tasks.inspection.subject import subject
from seqzoo.tasks.runs.ensemble import Ensemble
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe
from seqzoo.zoo.inference.surface_words import surface_words
from seqzoo.zoo.serving.model import ServedModel
from seqzoo.zoo.serving.settings import ServingSettings


@pytest.fixture(scope="module")
def tagger(tmp_path_factory) -> pathlib.Path:
    """A run with random weights, of words with French contractions."""
    template = ManyToManyAligned(units=3, embedding=2, minimum_count=1, crf=True)
    words = [("l'", "homme", "est", "là", "."), ("qu'", "il", "est", ",", "là")]
    words += [("I", "do", "n't", "know")]
    task = template.adapt(Examples(words, [list("DNVAP"), list("DNVPA"), list("NVAV")]))
    folder = tmp_path_factory.mktemp("tagger") / "run"
    source = {"data": "x.conll", "kind": "words", "target_kind": "tags"}
    config = describe(template, task, TrainingSettings(), source, Padding([8], [8]))
    Run.create(folder, config, task)
    task.build("float32").save(folder / "model.keras")
    return folder


def test_a_sentence_is_split_as_in_training_and_printed_with_its_tags(tagger, tmp_path) -> None:
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
    assert comment == "# text = L'homme est là."
    fields = [line.split("\t") for line in lines]
    assert {len(field) for field in fields} == {10} and [field[1] for field in fields] == words
    assert fields[2][0] == "3" and fields[2][3] == rows[2][1]
    assert fields[2][9] == f"Probability={rows[2][2]}"
    unspaced = [field[1] for field in fields if field[9].endswith("|SpaceAfter=No")]
    assert unspaced == ["L'", "là"]
    shown_again = seqzoo("predict", tagger, "--format", "conllu", "qu’il  est").stdout
    assert shown_again.startswith("# text = qu’il est\n1\tqu’\t")  # the typed apostrophe
    decomposed = json.loads(seqzoo("predict", tagger, "--json", "il est la\u0300.").stdout)
    assert decomposed["words"] == ["il", "est", "la\u0300", "."]  # not as in training
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


def test_formats_with_one_tag_per_word_have_no_alternatives(tagger) -> None:
    result = seqzoo("predict", tagger, "--format", "conllu", "--top", 2, "l'homme")
    assert result.exit_code == 2
    assert result.stderr == "Error: --format conllu has one tag per word; leave --top out.\n"


def test_tags_of_words_that_differ_from_the_text_are_printed_as_read() -> None:
    assert surface_words("a b", ["a", "c"]) == [("a", True), ("c", True)]
    assert surface_words(["a", "b"], ["a", "c", "b"]) == [("a", True), ("c", True), ("b", True)]
    assert surface_words("ab", None) is None


def test_words_of_a_list_are_printed_as_typed(tagger) -> None:
    typed = ["New York", "a\u202fb", "est"]
    read = ["New\u00a0York", "a\u00a0b", "est"]
    for value in (typed, tuple(typed), {"words": typed, "price": 1.0}):
        assert surface_words(value, read) == [(word, True) for word in typed]
    sentence = ["--tokenize", "whitespace", json.dumps([*typed, "a\tb\n", " c"])]
    shown = json.loads(seqzoo("predict", tagger, "--json", *sentence).stdout)
    assert shown["words"] == [*typed, "a\tb\n", " c"]
    shown = seqzoo("predict", tagger, "--format", "conll", *sentence).stdout
    rows = [line.split("\t") for line in shown.strip("\n").split("\n")]
    assert {len(row) for row in rows} == {3}
    assert [row[0] for row in rows] == [*typed, "a\u00a0b\u00a0", "\u00a0c"]


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("read", ["NFC", "NFD"])
def test_words_are_printed_in_the_unicode_form_in_which_they_were_typed(typed, read) -> None:
    spelled = ["l’", "Café", ",", "किताब़", "\u1f82", "각", "."]  # U+1F82 has four code points
    words = [unicodedata.normalize(typed, word) for word in [*spelled, "\u0958"]]
    tokens = [unicodedata.normalize(read, word).replace("’", "'") for word in [*spelled, "\u0958"]]
    text = " ".join(["".join(words[:3]), words[3], "".join(words[4:])])
    spaces = [False, False, True, True, False, False, False, True]
    assert surface_words(text, tokens) == list(zip(words, spaces, strict=True))
    assert surface_words({"text": text, "price": 1.0}, tokens) == surface_words(text, tokens)


def test_characters_that_unicode_always_decomposes_are_printed_as_typed() -> None:
    text = "\u0958िताब Cafe\u0301 है।"
    words = ["\u0915\u093cिताब", "Caf\u00e9", "है", "।"]
    typed = ["\u0958िताब", "Cafe\u0301", "है", "।"]
    assert surface_words(text, words) == list(zip(typed, [True, True, False, True], strict=True))
    assert surface_words("a" * 50_000, ["a" * 50_000]) == [("a" * 50_000, True)]


SENTENCES = {
    "L'homme est là.": ("L'", "homme", "est", "là", "."),
    "I don't know.": ("I", "do", "n't", "know", "."),
    "qu’il est": ("qu'", "il", "est"),
    "I don't , .": ("I", "don't", ",", "."),
}
"""Raw sentences, the last one already tokenised, and their words."""


@pytest.mark.slow
def test_a_string_is_a_raw_sentence_wherever_a_model_predicts(tagger, tmp_path) -> None:
    run = Run.open(tagger)
    by_words = [answer.value for answer in run.predict(list(SENTENCES.values()))]
    assert [len(tags) for tags in by_words] == [5, 5, 3, 4]
    assert [answer.value for answer in run.predict(list(SENTENCES))] == by_words
    both = Ensemble([run, run]).predict(list(SENTENCES))
    assert [len(answer.value) for answer in both] == [5, 5, 3, 4]
    served = ServedModel("tagger", run, ServingSettings())
    found = served.predict([*SENTENCES, ["I", "don't"]], PredictionOptions(top=1))
    assert [tuple(item["tokens"]) for item in found] == [*SENTENCES.values(), ("I", "don't")]
    assert [tuple(item["answer"]) for item in found[:-1]] == by_words
    reader = TaggedWordReader(_input(run.task))
    assert [tuple(reader.tokens(text)) for text in SENTENCES] == list(SENTENCES.values())
    assert reader.tokens(["I", "don't know"]) == ["I", "don't\u00a0know"]
    assert subject(run, "I don't know.").labels == SENTENCES["I don't know."]
    (tmp_path / "new.csv").write_text("x\n" + "".join(f'"{text}"\n' for text in SENTENCES))
    file = ["--input-file", tmp_path / "new.csv", "--input", "x", "--json"]
    lines = seqzoo("predict", tagger, *file).stdout.splitlines()
    typed = list(SENTENCES.values())
    typed[2] = ("qu’", "il", "est")
    assert [tuple(json.loads(line)["words"]) for line in lines] == typed
    line, *_ = seqzoo("predict", tagger, *file, "--tokenize", "whitespace").stdout.splitlines()
    assert json.loads(line)["words"] == ["L'homme", "est", "là."]


def test_a_crf_searches_for_several_sequences_only_when_asked(tagger) -> None:
    run = Run.open(tagger)
    (answer,) = run.predict(["l'homme"])
    assert answer.alternatives == ()
    # Another number of sequences needs another graph, which the first one must not stand in for.
    (other,) = run.predict(["l'homme"], PredictionOptions(top=3))
    assert len(other.alternatives) == 3 and other.value == answer.value


def test_options_not_for_tags_are_reported(trained) -> None:
    for words in (["--format", "conll"], ["--tokenize", "auto"]):
        result = seqzoo("predict", trained / "run", *words, "axyz")
        assert result.exit_code == 2 and f"{words[0]}" in result.stderr and "tags" in result.stderr
