"""Files of lemmas, forms and features, and how lemmas become steps."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from source_cases import open_source, write
from table_cases import of_file

from seqzoo.tasks import Examples, ManyToManyEncoderDecoder, Splits, TrainingSettings, train
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.predict.lemmas import LemmaReader
from seqzoo.tasks.fine_tuning.start import Start
from seqzoo.tasks.many_to_many_encoder_decoder.task import EncoderDecoderTask
from seqzoo.tasks.preprocessing.lemmas import split_lemmas
from seqzoo.zoo.data.formats import format_of
from seqzoo.zoo.data.prediction_inputs import File
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.unimorph import SEGMENTATION_IGNORED

KIND = {"kind": "lemma", "target_kind": "characters"}

LINES = "absetzen\tsetzten ab\tV;PST;1;PL\n\nad hoc\tad hoc\tADV\nVers\tVerse\tN;NOM;PL\n" * 4


def source(path, **choices) -> Source:
    return Source(str(path), "lemma", "characters", duplicates="keep", **choices)


@pytest.mark.parametrize("name", ["german-train-high", "german.tsv", "german.txt", "deu.trn"])
def test_a_file_of_any_name_is_read(tmp_path, name) -> None:
    path = write(tmp_path / name, LINES)
    splits, resolved = open_source(source(path, validation=0, test=0))
    assert list(splits.train.inputs[:3]) == ["absetzen V;PST;1;PL", "ad hoc ADV", "Vers N;NOM;PL"]
    assert list(splits.train.targets[:3]) == ["setzten ab", "ad hoc", "Verse"]
    assert splits.train.lines[:3] == [1, 3, 4]
    assert resolved.input is None


def test_tables_of_lemmas_have_columns_as_ever(tmp_path) -> None:
    rows = "".join(f"Vers{n} N;PL\tVerse\n" for n in range(9))
    path = write(tmp_path / "t.tsv", "input\tform\n" + rows)
    splits, _ = open_source(source(path, input="input", target="form"))
    assert splits.train.targets[0] == "Verse" and splits.train.inputs[0].endswith(" N;PL")
    assert format_of("a.csv", lemmas=True) == "csv" and format_of("a.parquet", lemmas=True)
    with pytest.raises(SeqzooError, match="save it as .csv"):
        format_of("a.xlsx", lemmas=True)


@pytest.mark.parametrize(
    "line, fault",
    [
        ("a\tb", "has 2 fields separated by tabs, expected 3 (lemma, form, features)"),
        ("a\tb\tV\tc", "has 'c' as its fourth field, expected the segmentation of the form"),
        ("moral\tamoral\tADJ:ADJ\ta-", "has 'a-' as its fourth field, expected the segmentation"),
        ("a\tb\tV\tb\tc", "has 5 fields separated by tabs, expected 3 (lemma, form, features)"),
        ("a\t\tV", "has no form"),
        ("\tb\tV", "has no lemma"),
        ("a\tb\tV PST", "has features 'V PST' that contain a space"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, fault) -> None:
    path = write(tmp_path / "t.tsv", f"{LINES}{line}\n")
    with pytest.raises(SeqzooError) as caught:
        open_source(source(path))
    assert fault in str(caught.value) and caught.value.location == f"{path}, line 17"


IN_2016 = "absetzen\tpos=V,tense=PST\tsetzten ab\nVers\tpos=N\tVerse\nja\tpos=X\tja\n"


@pytest.mark.parametrize(
    "lines, order, pairs",
    [
        (IN_2016, None, [("absetzen pos=V;tense=PST", "setzten ab"), ("Vers pos=N", "Verse")]),
        ("Vers\tN;PL\tVerse\na\tN\tb\nc;d\tV\te\n", None, [("Vers N;PL", "Verse"), ("a N", "b")]),
        ("a\tb\tN\nVers\tVerse\tN;PL\nc;d\te\tV\n", None, [("a N", "b"), ("Vers N;PL", "Verse")]),
        ("a\tb\tN\nc\td\tADV\ne\tf\tV\n", None, [("a N", "b"), ("c ADV", "d")]),
        ("N;PL\tb;c\ta\n" * 3, ("features", "form", "lemma"), [("a N;PL", "b;c")] * 2),
    ],
)
def test_the_order_of_the_columns_is_found(tmp_path, lines, order, pairs) -> None:
    path = write(tmp_path / "german-train", lines)
    splits, _ = open_source(source(path, validation=0, test=0, columns=order))
    assert list(zip(splits.train.inputs, splits.train.targets, strict=True))[:2] == pairs


SEGMENTED = "walk\twalked\tV|PST\twalk|ed\nsheep\tsheep\tN;PL\tsheep\nrun\tran\tV;PST\t-\n"


def test_segmentations_are_ignored_with_a_note(tmp_path) -> None:
    path = write(tmp_path / "eng.segmentations", SEGMENTED + "go\twent\tV;PST\t\n")
    splits, _ = open_source(source(path, validation=0, test=0))
    assert list(splits.train.inputs) == ["walk V;PST", "sheep N;PL", "run V;PST", "go V;PST"]
    assert list(splits.train.targets) == ["walked", "sheep", "ran", "went"]
    assert splits.description.count(SEGMENTATION_IGNORED) == 1
    asked = list(of_file(File(path), KIND))
    assert [item.field for item in asked] == list(splits.train.inputs)
    splits, _ = open_source(source(write(tmp_path / "t.tsv", LINES), validation=0, test=0))
    assert SEGMENTATION_IGNORED not in splits.description


def test_an_unclear_order_of_the_columns_is_refused(tmp_path) -> None:
    path = write(tmp_path / "t.tsv", "a\tb;c\tN;PL\n" * 4)
    with pytest.raises(SeqzooError, match="features in 4 lines; set it with --columns lem"):
        open_source(source(path))
    asked = list(of_file(File(write(tmp_path / "x", IN_2016 + "y\tpos=N\n")), KIND))
    fields = ["absetzen pos=V;tense=PST", "Vers pos=N", "ja pos=X", "y pos=N"]
    assert [item.field for item in asked] == fields


def test_predictions_need_no_forms(tmp_path) -> None:
    path = write(tmp_path / "covered", "absetzen\tV;PST\nVers\tVerse\tN;PL\nVers\n")
    asked = list(of_file(File(path), KIND))
    assert [item.field for item in asked[:2]] == ["absetzen V;PST", "Vers N;PL"]
    assert "has 1 field" in str(asked[2].wrong)


def test_features_are_steps_before_the_characters() -> None:
    texts = ["Vé 3 V;3;SG", "ab\t;N;;PL ", "ab", "", " V", "a b", "a N\u202fx\u3000;PL"]
    tokens = [
        [*(f";{name}" for name in names), *lemma]
        for names, lemma in [
            (["V", "3", "SG"], "Vé 3"),
            (["N", "PL"], "ab"),
            ([], "ab"),
            ([], ""),
            ([], " V"),
            (["b"], "a"),
            (["N\u202fx\u3000", "PL"], "a"),
        ]
    ]
    found = split_lemmas(tf.constant(texts)).to_list()
    assert [[token.decode() for token in row] for row in found] == tokens
    reader = LemmaReader({"vocabulary": []})
    assert [reader.split(text) for text in texts] == tokens


def test_features_are_also_summed_apart_from_the_characters() -> None:
    """The sum is beside each step and in the decoder's initial states."""
    words = ["ab N;PL", "ba V;PST", "ab V;PL"]
    template = ManyToManyEncoderDecoder("lemma", units=3, embedding=2, minimum_count=1)
    task: Any = EncoderDecoderTask.learn(template, Examples(words, ["abs", "baed", "ab"]))
    tokens = task.features.first.vocabulary.tokens
    ids = task.features.first.feature_ids
    assert sorted(tokens[index - 2] for index in ids) == [";N", ";PL", ";PST", ";V"]
    encoder = task.build().encoder
    table = np.random.default_rng(0).normal(size=(len(tokens) + 2, 2)).astype(np.float32)
    encoder.feature_sum.embeddings.assign(table)
    batch = task.features.tensors(*task.features.raw(words, words))
    memory, _, summaries = encoder(batch["values"], batch["lengths"])
    for row, names in enumerate([(";N", ";PL"), (";V", ";PST"), (";V", ";PL")]):
        wanted = sum(table[tokens.index(name) + 2] for name in names)
        beside = np.asarray(memory)[row]
        np.testing.assert_allclose(beside[:, :2], np.tile(wanted, (len(beside), 1)), rtol=1e-5)
        np.testing.assert_allclose(summaries[0][row, :2], wanted, rtol=1e-5)


@pytest.mark.slow
def test_fine_tuning_keeps_the_vectors_of_features(tmp_path) -> None:
    template = ManyToManyEncoderDecoder("lemma", units=3, embedding=2, minimum_count=1, copy=True)
    settings = TrainingSettings(epochs=1, batch_size=3)
    words = ["ab N;PL", "ba V;PST", "ab V;PL"]
    splits = Splits(Examples(words, ["abs", "baed", "ab"]))
    run = train(template, splits, settings, tmp_path / "first")
    start = Start(run)
    examples = Examples([*words, "ca A;PL"], ["abs", "baed", "ab", "cas"])
    task: Any = start.adapt(template, examples)
    model = task.build()
    assert "feature_sum" in start.transfer(task, model)["taken"]
    old, new = (item.encoder.feature_sum for item in (run.model, model))
    assert set(new.ids) > set(old.ids)
    before, after = (np.asarray(layer.embeddings)[old.ids] for layer in (old, new))
    np.testing.assert_array_equal(before, after)
