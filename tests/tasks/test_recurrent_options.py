"""Options of recurrent layers that reach every network that a template makes."""

import numpy as np
import pytest

from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
)
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection.layers import recurrent_layers
from seqzoo.tasks.training.initialization import initialize_layers

SERIES = [np.ones((4, 2)), np.zeros((3, 2))]
SMALL = {"units": 3, "cell": "lstm"}
CASES = [
    (ManyToOne("series", "value", recompute=2, **SMALL), Examples(SERIES, [1.0, 0.0])),
    (ManyToManyAligned("series", "next", recompute=2, **SMALL), Examples(SERIES)),
    (
        ManyToManyEncoderDecoder("characters", "characters", recompute=2, **SMALL),
        Examples(["ab", "ba"], ["bb", "aa"]),
    ),
]


@pytest.mark.parametrize("template, examples", CASES, ids=lambda each: type(each).__name__)
def test_layers_recompute_and_are_initialised(template, examples):
    model = template.adapt(examples).build("float32")
    initialize_layers(model, "identity,forget-bias:2", 0)
    layers = recurrent_layers(model)
    assert layers
    for layer in layers.values():
        assert layer.recompute == 2
        cell = layer.cell
        np.testing.assert_array_equal(cell.recurrent_kernel, np.tile(np.eye(3), 4))
        np.testing.assert_array_equal(np.array(cell.bias)[3:6], np.full(3, 2.0))


def test_invalid_options_are_refused():
    template = ManyToOne("series", "value", cell="lru", units=3, recompute=2)
    with pytest.raises(SeqzooError, match="`recompute=2` has no effect here: LRUCell"):
        template.adapt(Examples(SERIES, [1.0, 0.0]))
    model = (
        ManyToOne("series", "value", cell="vanilla", units=3).adapt(CASES[0][1]).build("float32")
    )
    with pytest.raises(SeqzooError, match="retain or forget a state, which VanillaCell"):
        initialize_layers(model, "chrono:9", 0)
    for names in ("identity:abc", "orthogonal:"):
        with pytest.raises(SeqzooError, match=f"followed by a number, .*, got {names}"):
            initialize_layers(model, names, 0)
