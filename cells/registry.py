"""The registry of cells: literal data, which help and completion read without importing Keras."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One cell, as `seqzoo list cells` shows it."""

    location: str
    """Module and class, "module:Class"."""

    family: str
    """Family, the name of the folder that holds the cell."""

    year: int
    """Year of publication."""

    summary: str
    """What sets it apart, in one line."""

    products: int = 1
    """Matrix products with a state in one time step, one for all gates that share it."""

    parallel: bool = False
    """Whether the recurrence is linear in the state, so that time steps need not wait."""


REGISTRY: dict[str, Entry] = {
    "vanilla": Entry(
        "seqzoo.cells.simple.vanilla:VanillaCell",
        "simple",
        1990,
        "One product and one nonlinearity: the state machine of the textbooks",
    ),
    "gated": Entry(
        "seqzoo.cells.simple.gated:GatedCell",
        "simple",
        2016,
        "One gate mixes the old state with a candidate",
    ),
    "lstm": Entry(
        "seqzoo.cells.lstm.lstm:LSTMCell",
        "lstm",
        2000,
        "A memory that is added to, with input, forget and output gates",
    ),
    "gru": Entry(
        "seqzoo.cells.gru.gru:GRUCell",
        "gru",
        2014,
        "Update and reset gates, in both published forms",
    ),
}
