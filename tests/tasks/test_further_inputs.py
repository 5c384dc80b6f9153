"""Several inputs of one example: text with categories and numbers, and pairs of texts."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES
from export_cases import make_run

from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    OneToMany,
    Splits,
    TrainingSettings,
    train,
)
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.parts import no_step
from seqzoo.tasks.export.signatures import _generate
from seqzoo.tasks.runs.run import Run

SETTINGS = TrainingSettings(epochs=6, batch_size=32, learning_rate=0.03)
OPTIONS: Any = {"cell": "sru", "units": 8, "embedding": 8, "join_units": 16, "pooling": "mean"}


def xor(count: int, seed: int) -> Examples:
    """The label is whether exactly one of two is so: the text has "up", the region is north."""
    random = np.random.default_rng(seed)
    rows, labels = [], []
    for _ in range(count):
        up, north = random.random(2) < 0.5
        words = random.permutation([*random.choice(["red", "green", "blue"], 3), "ud"[not up]])
        age = None if random.random() < 0.1 else float(random.integers(20, 60))
        region = "north" if north else "south"
        rows.append({"text": " ".join(words), "region": region, "age": age})
        labels.append("yes" if up != north else "no")
    return Examples(rows, labels)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Splits(xor(500, 0), test=xor(200, 1))


@pytest.fixture(scope="module")
def run(splits, tmp_path_factory) -> Run:
    template = ManyToOne("words", further_inputs={"region": "category", "age": "static"}, **OPTIONS)
    folder = tmp_path_factory.mktemp("joined") / "run"
    train(template, splits, SETTINGS, folder)
    return Run.open(folder)


@pytest.mark.slow
def test_a_label_that_needs_two_inputs_is_learned(run, splits):
    assert run.task.features.kinds == ("words", "category", "number")
    assert run.evaluate(splits.test)["accuracy"] > 0.95


def test_numbers_with_a_typo_become_categories_with_a_remark():
    template = ManyToOne("words", further_inputs={"age": "static"}, **OPTIONS)
    ages = [str(age) for age in range(30, 39)]
    inputs = [{"text": "u red", "age": age} for age in ages]
    labels = ["yes", "no"] * 4 + ["yes"]
    assert template.adapt(Examples(inputs, labels)).features.remarks == []
    inputs[2]["age"] = "3o"
    (remark,) = template.adapt(Examples(inputs, labels)).features.remarks
    assert remark.startswith(
        "'age': 1 of 9 static values is not a number ('3o'), so all are read as cat"
    )
    inputs = [{**item, "age": age} for item, age in zip(inputs, "ab3cdefgh", strict=True)]
    assert template.adapt(Examples(inputs, labels)).features.remarks == []


def test_numbers_with_a_comma_become_categories_with_a_remark():
    template = ManyToOne("words", further_inputs={"age": "static"}, **OPTIONS)
    inputs = [{"text": "u red", "age": age} for age in ("1930,96", "1.200,5", "12,345", "7")]
    (remark,) = template.adapt(Examples(inputs, ["yes", "no"] * 2)).features.remarks
    assert remark.startswith(
        "'age': 3 of 4 static values are numbers with a comma ('1930,96'), so all "
    )


def test_inputs_are_rows_or_columns(run):
    columns = {"age": [30.0, np.nan], "region": ["north", "nowhere"], "text": ["u red", "d"]}
    rows = [{name: column[index] for name, column in columns.items()} for index in range(2)]
    answers = run.predict(columns)
    assert answers[0].label == "no"
    for one, other in zip(answers, run.predict(rows), strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-6)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("u", "must be a dictionary with the keys text, region, age, but example 0 is of type str"),
        ({"text": "u", "regoin": "a", "age": 1}, "lacks 'region'; did you mean 'regoin'?"),
        ({"text": "u", "region": "a", "age": "old"}, "but 'age' of example 0 is 'old'; correct it"),
        ({"text": "", "region": "a", "age": 1}, "'text' of example 0 has none"),
        ({"text": "u", "region": 1.5, "age": 1}, "'region' of example 0 is 1.5"),
    ],
)
def test_invalid_inputs_are_reported_in_one_line(run, row, message):
    with pytest.raises(SeqzooError, match=message.replace("?", r"\?")):
        run.predict([row])


def test_numbers_are_standardised_and_missing_ones_flagged(run, splits):
    features = run.task.features.parts[2]
    known = np.array([row["age"] for row in splits.train.inputs if row["age"] is not None])
    values, lengths = features.transform(*features.raw([known[0], None, "n/a"], [""] * 3))
    expected = (known[0] - known.mean()) / known.std()
    np.testing.assert_allclose(values[:, 0], [[expected, 0], [0, 1], [0, 1]], rtol=1e-5)
    np.testing.assert_array_equal(lengths, [1, 1, 1])


def test_rare_and_new_categories_are_unknown(run):
    features = run.task.features.parts[1]
    (names,) = features.raw(["north", "nowhere", None], [""] * 3)
    ids, _ = features.transform(tf.constant(names))
    assert ids[0, 0] > 1 and ids[1, 0] == ids[2, 0] == 1


def test_compared_texts_share_their_encoder_and_vocabulary():
    words = ["a b", "c", "a", "b c"]
    rows = [{"one": one, "other": other, "n": 1} for one in words for other in words]
    examples = Examples(rows, [str(row["one"] == row["other"]) for row in rows])
    further = {"other": "words", "n": "number"}
    template = ManyToOne(
        "words", further_inputs=further, join="compare", minimum_count=1, **OPTIONS
    )
    task: Any = template.adapt(examples)
    assert task.vocabularies.keys() == {"vocabulary"}
    model = task.build()
    assert sum("embeddings" in weight.path for weight in model.weights) == 1
    u, v = np.array([[1.0, -2.0]]), np.array([[3.0, 1.0]])
    compared = model.get_layer("comparison")(u, v)
    np.testing.assert_allclose(compared, [[1, -2, 3, 1, 2, 3, 3, -2]])
    with pytest.raises(SeqzooError, match="`join` 'compare' needs one further input of the kind"):
        ManyToOne("words", further_inputs={"n": "number"}, join="compare")


def test_any_kind_can_accompany_any_other():
    random = np.random.default_rng(0)
    rows = [
        {
            "signal": random.normal(size=(3 + index, 2)),
            "note": ["", "a b c", "b"][index % 3],
            "picture": random.integers(0, 256, (4, 3)).astype(np.uint8),
            "vector": random.normal(size=5),
        }
        for index in range(6)
    ]
    further = {"note": "characters", "picture": "rows", "vector": "vector"}
    examples = Examples(rows, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    template = ManyToOne("series", further_inputs=further, target="value", **OPTIONS)
    task: Any = template.adapt(examples)
    model, data = task.build(), task.data(examples)
    assert [len(item) for item in data.further] == [6, 6, 6]

    def outputs(rows):
        raw = map(tf.constant, task.features.raw(rows, examples.locations))
        return task.outputs(model, task.features.tensors(*raw))

    for name, value in {"note": "c", "picture": rows[0]["picture"][::-1]}.items():
        assert not np.allclose(outputs(rows), outputs([{**row, name: value} for row in rows]))


IMAGE = {"picture": "columns"}
VARIED: Any = {"filters": (3,), "random_shift": 0.1, "columns_per_step": 2}


@pytest.mark.parametrize(
    ("kind", "options", "layers"),
    [
        (ManyToOne, {"input": "words", "further_inputs": IMAGE, **VARIED}, "convolutions"),
        (
            ManyToManyEncoderDecoder,
            {"input": "words", "further_inputs": IMAGE, **VARIED},
            "convolutions random_view",
        ),
        (
            ManyToOne,
            {"input": "series", "further_inputs": {"note": "words"}, "ngrams": 2, "bag": True},
            "ngrams bag",
        ),
        (
            ManyToOne,
            {
                "input": "series",
                "further_inputs": {"picture": "pixels"},
                "image_size": (3, 2),
                "permutation_seed": 1,
            },
            "",
        ),
    ],
    ids=["columns", "generated", "words", "pixels"],
)
def test_options_are_for_any_input_that_they_fit(kind: Any, options: dict, layers: str) -> None:
    random = np.random.default_rng(0)
    values = {"words": "a b", "series": np.ones((2, 1)), "note": "b c", "first": "a"}
    rows = []
    for index in range(4):
        row = {"first": values[options["input"]]}
        for name, kind_of_input in options["further_inputs"].items():
            image = random.integers(0, 256, (4, 5 + index)).astype(np.uint8)
            row[name] = "b c" if kind_of_input == "words" else image
        rows.append(row)
    examples = Examples(rows, ["ab", "b"] * 2)
    template = kind(cell="gru", units=4, embedding=4, minimum_count=1, **options)
    task = template.adapt(examples)
    model = task.build()
    further = task.features.parts[1]
    names = {layer.name for layer in model._flatten_layers()}
    assert {*layers.split()} <= names
    if options["further_inputs"] == IMAGE:
        assert further.frame == (2, 4, 1)
    if "image_size" in options:
        assert tuple(further.shape[:2]) == (3, 2)
    with pytest.raises(SeqzooError, match="is for .*, got inputs 'series', 'number'"):
        options = {**options, "input": "series", "further_inputs": {"age": "number"}}
        kind(cell="gru", **options)


def test_columns_of_a_frame_may_have_missing_values():
    columns = {"text": ["a", "b"], "age": [1.0, None], "label": ["x", "y"]}
    examples = Examples.from_columns(columns, input=["text", "age"], target="label")
    assert examples.inputs == [{"text": "a", "age": 1.0}, {"text": "b", "age": None}]
    with pytest.raises(SeqzooError, match="in addition to the further inputs age, got 'text'"):
        ManyToOne("words", further_inputs={"age": "number"}).adapt(
            Examples([{"text": "a", "title": "b", "age": 1}] * 2, ["x", "y"])
        )
    with pytest.raises(SeqzooError, match="'age' must be one of .*; did you mean 'number'"):
        ManyToOne("words", further_inputs={"age": "numbr"})


@pytest.mark.slow
def test_one_of_two_inputs_is_uninformative(splits, tmp_path):
    rows = [{"text": row["text"], "age": row["age"]} for row in splits.train.inputs]
    other = [{"text": row["text"], "age": row["age"]} for row in splits.test.inputs]
    alone = Splits(Examples(rows, splits.train.targets), test=Examples(other, splits.test.targets))
    template = ManyToOne("words", further_inputs={"age": "number"}, **OPTIONS)
    run = train(template, alone, SETTINGS, tmp_path / "run")
    assert alone.test is not None
    assert 0.35 < run.evaluate(alone.test)["accuracy"] < 0.65


@pytest.mark.slow
@pytest.mark.usefixtures("kept_process")
def test_a_saved_model_takes_named_inputs(run, tmp_path):
    assert run.export(tmp_path / "exported")["difference"] < 1e-5
    served = tf.saved_model.load(tmp_path / "exported").signatures["serving_default"]
    served_values = served(
        text=tf.constant(["u red"]), region=tf.constant(["south"]), age=tf.constant([np.nan])
    )
    assert served_values["label"].numpy()[0].decode() == "yes"
    with pytest.raises(SeqzooError, match="`format` must be saved-model for models with further"):
        run.export(tmp_path / "onnx", format="onnx")


NAMES = [
    "größe",
    "_x",
    "1st",
    "a b",
    "A_B",
    "class",
    "self",
    "Temperature",
    "output",
    "seed",
    "名前",
]
TENSORS = [
    *("gr__e", "input__x", "input_1st", "a_b", "A_B_", "class_", "self_", "Temperature", "output"),
    *("seed", "input___"),
]
GENERATED = {"Temperature": "Temperature_", "output": "output_", "seed": "seed_"}


@pytest.mark.parametrize("template", [ManyToOne, ManyToManyEncoderDecoder])
def test_an_exported_model_has_a_name_for_every_column(template: Any) -> None:
    rows = [{"text": "a b", **dict.fromkeys(NAMES, 1.0)}] * 2
    further: Any = dict.fromkeys(NAMES, "number")
    chosen = template("characters", further_inputs=further, minimum_count=1)
    task = chosen.adapt(Examples(rows, ["x", "y"]))
    names = [spec.name for spec in task.signature]
    if template is ManyToOne:
        assert names == ["text", *TENSORS]
        return
    assert names == ["text", *(GENERATED.get(name, name) for name in TENSORS)]
    (score,) = task.signatures(None, task.default_options).values()
    for _, specs in (score, _generate(task, None, task.default_options)):
        assert len({spec.name.lower() for spec in specs}) == len(specs)


@pytest.mark.slow
@pytest.mark.usefixtures("kept_process")
def test_a_saved_model_has_an_input_for_a_column_of_any_name(tmp_path) -> None:
    rows = [{"text": "a b", "Text": 1.0, "größe": 2.0, "class": 3.0, "1st": 4.0, "self": 5.0}] * 2
    further: Any = dict.fromkeys([*rows[0]][1:], "number")
    template = ManyToOne("characters", further_inputs=further, **TINY)
    run = make_run(tmp_path / "run", template, Examples(rows, ["x", "y"]))
    assert run.export(tmp_path / "out", examples=rows)["difference"] < 1e-5


BESIDE: Any = {"region": "category", "age": "number", "note": "characters"}
TINY: Any = {"cell": "gru", "units": 5, "embedding": 4, "minimum_count": 1}
OTHERS: dict[str, tuple[Any, list, list]] = {
    "tags": (
        ManyToManyAligned("words", "tags", further_inputs=BESIDE, characters=2, **TINY),
        [("a", "b"), ("b",), ("b", "a", "c")],
        [("x", "y"), ("y",), ("y", "x", "x")],
    ),
    "values": (
        ManyToManyAligned("series", "values", further_inputs=BESIDE, **TINY),
        [np.ones((2, 1)), np.zeros((3, 1)), np.full((1, 1), 2.0)],
        [np.ones(2), np.zeros(3), np.full(1, 5.0)],
    ),
    "encoder-decoder": (
        ManyToManyEncoderDecoder("words", "characters", further_inputs=BESIDE, **TINY),
        ["a b", "b", "c a"],
        ["xy", "y", "zx"],
    ),
    "one-to-many": (
        OneToMany("class", "characters", further_inputs=BESIDE, attention="none", **TINY),
        ["a", "b", "a"],
        ["xy", "y", "zx"],
    ),
    "unaligned": (
        ManyToManyUnaligned("characters", further_inputs=BESIDE, **TINY),
        ["abab", "bb", "cba"],
        ["xy", "y", "zx"],
    ),
}
"""The templates that predict more than one thing: options, first inputs and targets."""


def beside(inputs: list, shift: int = 0) -> list[dict[str, Any]]:
    """Rows of the inputs with others, which are moved by some rows."""
    others = [("north", 1.0, "ab"), ("south", None, ""), ("north", 30.0, "ba a")]
    return [
        {"first": value, **dict(zip(BESIDE, others[(n + shift) % 3], strict=True))}
        for n, value in enumerate(inputs)
    ]


@pytest.mark.parametrize(
    "name", ["tags", *(pytest.param(n, marks=pytest.mark.slow) for n in [*OTHERS][1:])]
)
def test_other_templates_read_further_inputs(name: str, tmp_path) -> None:
    template, inputs, targets = OTHERS[name]
    examples = Examples(beside(inputs), targets)
    run = Run.open(make_run(tmp_path / "run", template, examples).folder)
    run.padding = Padding([4, 9], [4, 9])
    loss = run.evaluate(examples, folder=tmp_path / "scores")["loss"]
    backwards = Examples(beside(inputs)[::-1], targets[::-1])
    assert run.evaluate(backwards)["loss"] == pytest.approx(loss, rel=1e-5)
    others = run.evaluate(Examples(beside(inputs, 1), targets))["loss"]
    assert abs(others - loss) > 1e-4
    assert len(run.predict(beside(inputs))) == 3
    with pytest.raises(SeqzooError, match="lacks 'age'"):
        run.predict([{"first": inputs[0], "region": "north", "note": ""}])
    assert no_step(run.task, run.model) == "it reads several inputs"


@pytest.mark.slow
def test_texts_from_several_inputs_are_scored_and_drawn(tmp_path) -> None:
    """The metric of the best epoch is that of generated texts; arrays of numbers are drawn, too."""
    further = {"numbers": "series", "note": "words"}
    template = ManyToManyEncoderDecoder("words", "words", further_inputs=further, **TINY)
    numbers = np.ones((3, 2), "float32")
    rows = [{"first": text, "numbers": numbers, "note": "b a"} for text in ("a b", "b", "c a")] * 4
    examples = Examples(rows, ["x y", "y", "z x"] * 4)
    settings = TrainingSettings(epochs=1, batch_size=4, best_by="bleu")
    run = train(template, Splits(examples, validation=examples), settings, tmp_path / "run")
    assert "validation_bleu" in (run.folder / "history.csv").read_text()
    run.evaluate(examples, folder=tmp_path / "scores")
    assert (tmp_path / "scores" / "attention.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        # Numbers are read like tags, and texts are generated from a first state with all inputs.
        pytest.param(name, marks=[] if name in ("tags", "unaligned") else BEFORE_RELEASES)
        for name in OTHERS
    ],
)
@pytest.mark.usefixtures("kept_process")
def test_other_saved_models_take_named_inputs(name: str, tmp_path) -> None:
    template, inputs, targets = OTHERS[name]
    run = make_run(tmp_path / "run", template, Examples(beside(inputs), targets))
    assert run.export(tmp_path / "out", examples=beside(inputs))["difference"] < 1e-5
    served = tf.saved_model.load(tmp_path / "out").signatures["serving_default"]
    assert {"first", "region", "age", "note"} >= {*served.structured_input_signature[1]} - {
        "first_values",
        "first_lengths",
    }
    with pytest.raises(SeqzooError, match="`format` must be saved-model for models with further"):
        run.export(tmp_path / "onnx", format="onnx")


@pytest.mark.slow
def test_tags_that_need_another_input_are_learned(tmp_path) -> None:
    random = np.random.default_rng(0)

    def examples(count: int) -> Examples:
        rows, tags = [], []
        for _ in range(count):
            region = str(random.choice(["north", "south"]))
            words = random.choice(["u", "d"], random.integers(2, 6)).tolist()
            rows.append({"text": words, "region": region})
            tags.append(["yes" if (word == "u") != (region == "north") else "no" for word in words])
        return Examples(rows, tags)

    template = ManyToManyAligned(further_inputs={"region": "category"}, **TINY)
    settings = TrainingSettings(epochs=10, batch_size=16, learning_rate=0.03, warmup_steps=0)
    run = train(template, Splits(examples(300)), settings, tmp_path / "run")
    assert run.evaluate(examples(100))["accuracy"] > 0.97


def test_models_of_what_is_next_read_one_input() -> None:
    with pytest.raises(SeqzooError, match="`further_inputs` are for all targets but 'next'"):
        ManyToManyAligned("characters", "next", further_inputs={"age": "number"})
    with pytest.raises(SeqzooError, match="cannot be 'audio' in one-to-many"):
        OneToMany("class", further_inputs={"sound": "audio"})
