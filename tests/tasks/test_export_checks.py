"""An exporter writes no graph that only runs in this process."""

from types import SimpleNamespace
from typing import Any, cast

import keras
import pytest
import tensorflow as tf

from seqzoo.cells import Bidirectional, VanillaCell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.formats import Export, export


def task(respond: Any) -> Any:
    return SimpleNamespace(
        signature=[tf.TensorSpec((None, None, 2), tf.float32, "x")],
        signatures=lambda model, options: {},
        companions=lambda options: [],
        vocabularies={},
        features=None,
        respond=respond,
    )


def test_a_path_that_tensorflow_reads_as_a_pattern_is_refused(tmp_path) -> None:
    wanted = Export(task(None), keras.Model(), cast(Any, None), lambda *_: [], check=False)
    with pytest.raises(SeqzooError, match="cannot load a SavedModel from a path that contains"):
        export(wanted, tmp_path / "a [1]" / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Tensor Tensor:UserWarning")
def test_a_function_traced_before_is_refused_in_one_line(tmp_path) -> None:
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, Bidirectional(VanillaCell(3))(inputs))
    traced = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((None, None, 2)))
    options: Any = None

    def wanted(respond: Any) -> Export:
        return Export(task(respond), model, options, lambda *_: [], check=False)

    with pytest.raises(
        SeqzooError, match="'serving_default' cannot be served: .*PartitionedCall"
    ) as refused:
        export(wanted(lambda model, raw, _: {"y": traced(raw[0])}), tmp_path / "out")
    assert "\n" not in str(refused.value) and "seqzoo.cells.portable()" in str(refused.value)
    assert not list(tmp_path.iterdir())
    export(wanted(lambda model, raw, _: {"y": model(raw[0])}), tmp_path / "out")
    served = tf.saved_model.load(tmp_path / "out").signatures["serving_default"]
    assert served(x=tf.ones((1, 4, 2)))["y"].shape == (1, 6)
