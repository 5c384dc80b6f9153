"""Texts with spans of characters, as annotation tools write them: words with BIO tags."""

import json
from typing import Any

import pytest
from source_cases import write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.spans import Span, tagged_words
from seqzoo.zoo.data_check.columns import guess

TEXT = "Ada Lovelace lived in (Greater) London."

SPANS = {
    "doccano": [[0, 12, "PER"], [32, 38, "LOC"]],
    "Prodigy": [
        {"start": 32, "end": 38, "label": "LOC", "token_start": 7},
        {"start": 0, "end": 12, "label": "PER"},
    ],
    "Label Studio": [
        {"start": 0, "end": 12, "text": "Ada Lovelace", "labels": ["PER"]},
        {"start": 32, "end": 38, "text": "London", "labels": ["LOC"]},
    ],
    "doccano with relations": [
        {"id": 1, "start_offset": 0, "end_offset": 12, "label": "PER"},
        {"id": 2, "start_offset": 32, "end_offset": 38, "label": "LOC"},
    ],
    "JSON": '[[0, 12, "PER"], [32, 38, "LOC"]]',
}


@pytest.mark.parametrize("tool", SPANS)
def test_spans_are_tags_of_words(tool: str, tmp_path) -> None:
    rows = [{"id": 1, "text": TEXT, "label": SPANS[tool]}, {"id": 2, "text": "None.", "label": []}]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    source = guess(str(path), {}).source
    assert (source.kind, source.target_kind) == ("words", "tags")
    assert (source.input, source.target) == ("text", "label")
    examples = open_examples(source, "all")
    assert examples.inputs[0] == tuple("Ada Lovelace lived in ( Greater ) London .".split())
    assert examples.targets[0] == tuple("B-PER I-PER O O O O O B-LOC O".split())
    assert (examples.inputs[1], examples.targets[1]) == (("None", "."), ("O", "O"))


def test_texts_without_spans_in_a_tsv(tmp_path) -> None:
    spans = ['[[0, 3, "PER"]]', "[]", " [ ] ", '[[4, 7, "X"]]']
    rows = "".join(f"Ada met Bob{row}.\t{field}\n" for row, field in enumerate(spans))
    path = write(tmp_path / "t.tsv", "text\tlabel\n" + rows)
    source = guess(str(path), {}).source
    assert (source.kind, source.target_kind, source.target) == ("words", "tags", "label")
    targets = [" ".join(tags) for tags in open_examples(source, "all").targets]
    assert targets == ["B-PER O O O", "O O O O", "O O O O", "O B-X O O"]


def test_entities_of_spacy(tmp_path) -> None:
    row = {"text": TEXT, "annotations": {"entities": [[0, 12, "PER"]]}}
    path = write(tmp_path / "t.jsonl", json.dumps(row))
    names: dict[str, Any] = {"input": "text", "target": "annotations.entities"}
    examples = open_examples(Source(str(path), "words", "tags", **names), "all")
    assert examples.targets[0][:3] == ("B-PER", "I-PER", "O")


def test_a_span_covers_all_words_that_it_touches() -> None:
    words, tags = tagged_words("the U.S.-based firm", [Span(4, 8, "LOC")])
    assert words == ["the", "U.S.-based", "firm"]
    assert tags == ["O", "B-LOC", "O"]
    assert tagged_words("(... हिन्दी!)", [])[0] == ["(", ".", ".", ".", "हिन्दी", "!", ")"]
    text = "(now👩‍👧! 🇩🇪🇫🇷 👍🏽👮‍♀️, 1️⃣ ❤️"
    words, tags = tagged_words(text, [Span(5, 6, "A"), Span(len(text) - 1, len(text), "B")])
    assert words == ["(", "now", "👩‍👧", "!", "🇩🇪", "🇫🇷", "👍🏽", "👮‍♀️", ",", "1️⃣", "❤️"]
    assert tags == ["O", "O", "B-A", *["O"] * 7, "B-B"]
    words, tags = tagged_words("_New-York_ is a_b:__", [Span(1, 9, "LOC")])
    assert words == ["_", "New-York", "_", "is", "a_b", ":", "_", "_"]
    assert tags == ["O", "B-LOC", *["O"] * 6]
    adjacent = [Span(0, 1, "A"), Span(2, 3, "A")]
    assert tagged_words("a b", adjacent)[1] == ["B-A", "B-A"]


@pytest.mark.parametrize(
    "spans, message",
    [
        ([[0, 12, "PER"], [4, 18, "X"]], r"both with the word 'Lovelace'; a word can be in one"),
        ([[0, 99, "PER"]], r"has the span \[0, 99, 'PER'\], .* within the 39 characters"),
        ([[5, 5, "PER"]], "within the 39 characters"),
        ([[3, 4, "PER"]], "in which there is no word"),
    ],
)
def test_invalid_spans_are_named(spans: list, message: str, tmp_path) -> None:
    rows = [{"text": TEXT, "label": []}, {"text": TEXT, "label": spans}]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    source = Source(str(path), "words", "tags", input="text", target="label")
    with pytest.raises(SeqzooError, match=f"line 2: 'label' .*{message}"):
        open_examples(source, "all")
