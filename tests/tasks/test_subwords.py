"""Subwords: the graph finds the pieces that SentencePiece finds, and restores the texts."""

import io
import pathlib
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from task_data import settings

import seqzoo.cells
from seqzoo.tasks import (
    Decoding,
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    PredictionOptions,
    SeqzooError,
    Splits,
)
from seqzoo.tasks.preprocessing.subwords import collapse_spaces, learn_subwords, split_subwords
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN, Vocabulary
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.targets.texts import TextOptions, Texts
from seqzoo.tasks.training.trainer import train

LINES = [line for text in topics.values() for line in text.split("\n") if line.strip()]
"""Python's manual: English and code."""


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return learn_subwords([collapse_spaces(tf.constant(LINES)).numpy()], 900, 1, ("\x02", "\x03"))


def pieces(texts: list[str], vocabulary: Vocabulary) -> list[list[str]]:
    split = tf.function(split_subwords)
    rows = split(tf.constant(texts, tf.string), vocabulary).to_list()
    return [[piece.decode() for piece in row] for row in rows]


@pytest.fixture(scope="module")
def reference() -> sentencepiece.SentencePieceProcessor:
    """SentencePiece's own processor of the same texts."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(line.split()) for line in LINES]),
        model_writer=model,
        vocab_size=900 - 4 + 1,
        character_coverage=1.0,
        normalization_rule_name="identity",
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


@pytest.mark.slow
def test_pieces_are_those_of_sentencepiece(vocabulary: Vocabulary, reference: Any) -> None:
    assert len(vocabulary) == 900 and vocabulary.tokens[:2] == ["\x02", "\x03"]
    assert set(vocabulary.tokens[2:]) == {reference.id_to_piece(i) for i in range(1, 897)}
    random = np.random.default_rng(0)
    # What was never seen, too: letters in any order, and very long words.
    letters = sorted(set("".join(LINES)) - {" "})
    strange = ["".join(random.choice(letters, n)) for n in random.integers(1, 60, 200)]
    for text, found in zip(LINES + strange, pieces(LINES + strange, vocabulary), strict=True):
        wanted = reference.encode(text, out_type=str)
        if found != wanted:  # of equal probability, then, but for rounding
            scores = [
                sum(reference.get_score(reference.piece_to_id(piece)) for piece in item)
                for item in (found, wanted)
            ]
            assert scores[0] == pytest.approx(scores[1], rel=1e-5), (found, wanted)


def test_unseen_characters_are_pieces_of_their_own(vocabulary: Vocabulary) -> None:
    assert pieces(["日本"], vocabulary) == [["▁", "日", "本"]]
    assert vocabulary.ids(tf.constant(["日"])).numpy() == UNKNOWN


def test_all_white_space_is_one_space(vocabulary: Vocabulary) -> None:
    texts = ["  a\t\n the\u202fclass\u3000", "a the▁class", "", " \t", "a the class"]
    result = pieces(texts, vocabulary)
    assert result[2] == result[3] == []
    assert result[0] == result[1] == result[4] != []
    assert pieces([], vocabulary) == [] and pieces([""], vocabulary) == [[]]


def test_texts_come_back() -> None:
    lines = [" ".join(line.split()) for line in LINES[:400]]
    texts = Texts.learn(TextOptions("subwords", False, 400, 1), lines, lines)
    encoded = texts.encode(lines, lines)
    assert texts.longest == max(encoded.lengths) - 1
    ids = np.zeros((len(lines), texts.longest + 1), np.int32)
    for row, item in enumerate(ids):
        item[: encoded.lengths[row]] = encoded[row]
    lengths = tf.constant(encoded.lengths) - 1
    assert [text.decode() for text in texts.join(ids, lengths).numpy()] == lines
    behind = texts.join(ids, lengths, continues=True).numpy()
    assert [text.decode() for text in behind] == [f" {line}" for line in lines]


def test_learning_is_deterministic_and_kept_in_a_file(tmp_path: pathlib.Path) -> None:
    texts = [collapse_spaces(tf.constant(LINES[:900])).numpy()]
    first, second = (learn_subwords(texts, 300) for _ in range(2))
    assert first.tokens == second.tokens and first.scores == second.scores
    first.save(tmp_path / "v.jsonl")
    again = Vocabulary.load(tmp_path / "v.jsonl", 300)
    assert pieces(LINES[:50], again) == pieces(LINES[:50], first)
    lines = (tmp_path / "v.jsonl").read_text().splitlines()
    for damaged in (lines[:-1], [*lines[:-1], '"x"'], [*lines[:-1], '["x"]'], ['["a", 1.0, 2]']):
        (tmp_path / "v.jsonl").write_text("\n".join(damaged))
        with pytest.raises(SeqzooError, match="is damaged"):
            Vocabulary.load(tmp_path / "v.jsonl", 300)


def test_a_text_of_any_length_is_learned_from() -> None:
    whole = b" ".join(collapse_spaces(tf.constant(LINES)).numpy().tolist())
    learned = learn_subwords([[whole]], 300)
    assert "▁class" in learned.tokens


def test_texts_without_spaces_and_with_any_character_are_learned_from() -> None:
    unspaced = " ".join(LINES)[:6000].replace(" ", "你")
    assert len(unspaced) > 5000
    learned = learn_subwords([[unspaced.encode()]], 200)
    assert any("你" in token for token in learned.tokens)
    marked = learn_subwords([[b"xyz \xe2\x96\x85 zyx"] * 9], 20)
    assert set("xyz") <= set("".join(marked.tokens))


def test_rare_characters_are_unknown() -> None:
    texts = [b"a b c a b", b"cab cab ba", b"x a xy"] + [b"abc"] * 99
    assert set("abcx") <= set("".join(learn_subwords([texts], 20, 2).tokens))
    assert "y" not in "".join(learn_subwords([texts], 20, 2).tokens)
    assert "x" not in "".join(learn_subwords([texts], 20, 3).tokens)


@pytest.mark.parametrize("texts", [[b""], [b"abcdefghij klmnop"]])
def test_texts_that_give_no_pieces(texts: list[bytes]) -> None:
    with pytest.raises(SeqzooError, match="8 subwords cannot .*change `vocabulary_size`"):
        learn_subwords([texts], 8)


def test_text_is_lowercased_before_pieces_are_learned() -> None:
    examples = Examples([line.upper() for line in LINES[:300]], ["a", "b"] * 150)
    choices = ManyToOne("subwords", lowercase=True, vocabulary_size=200)
    features = TextFeatures.learn(choices, examples)
    assert not any(piece != piece.lower() for piece in features.vocabulary.tokens)
    ids, lengths = features.transform(tf.constant(["THE CLASS", "the class"]))
    assert ids[0].numpy().tolist() == ids[1].numpy().tolist() and UNKNOWN not in ids.numpy()
    assert lengths.numpy().tolist() == [ids.shape[1]] * 2


def trained(template: Any, inputs: list[str], targets: list[str] | None, folder: Any) -> Run:
    first, second, third = (
        Examples(inputs[i::3], None if targets is None else targets[i::3]) for i in range(3)
    )
    with seqzoo.cells.portable():
        return train(
            template, Splits(first, second, third, "lines", "Lines."), settings(epochs=1), folder
        )


@pytest.mark.slow
@pytest.mark.exhaustive  # one of the longest
def test_translation_is_trained_used_and_exported(tmp_path: pathlib.Path, clean_tensorflow) -> None:
    lines = [" ".join(line.split()[:3]) for line in LINES[:120]]
    choices = ManyToManyEncoderDecoder(
        "subwords", "subwords", units=6, embedding=4, vocabulary_size=200
    )
    run = trained(choices, lines, [line.upper() for line in lines], tmp_path / "run")
    metrics = run.evaluate(Examples(lines[:9], [line.upper() for line in lines[:9]]))
    assert 0 <= metrics["bleu_4"] <= 100 and metrics["token_error"] > 0
    options = PredictionOptions(top=2, decoding=Decoding("beam", beam_width=2, maximum_length=9))
    requested = lines[:5]
    wanted = [answer.label for answer in Run.open(tmp_path / "run").predict(requested, options)]
    run.export(tmp_path / "exported", options, check=False)
    theirs = clean_tensorflow.answers(tmp_path / "exported", [requested])["text"]
    assert [text.decode() for text in theirs] == wanted


@pytest.mark.slow
def test_a_language_model_continues_within_a_word(tmp_path: pathlib.Path) -> None:
    choices = ManyToManyAligned("subwords", "next", units=6, embedding=4, vocabulary_size=200)
    lines = [line[:30] for line in LINES[:120]]
    run = trained(choices, lines, None, tmp_path / "run")
    metrics = run.evaluate(Examples(LINES[120:140], None))
    assert metrics["bits_per_character"] > 0
    options = PredictionOptions(decoding=Decoding("sample", maximum_length=9), seed=1)
    assert all(answer.label for answer in run.predict(["The cla", ""], options))
