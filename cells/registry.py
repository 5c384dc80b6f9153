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
    "lstm-1997": Entry(
        "seqzoo.cells.lstm.lstm_1997:LSTM1997Cell",
        "lstm",
        1997,
        "The first LSTM, which never forgets: input and output gates only",
    ),
    "peephole-lstm": Entry(
        "seqzoo.cells.lstm.peephole_lstm:PeepholeLSTMCell",
        "lstm",
        2000,
        "An LSTM whose gates see the memory, for timing and counting",
    ),
    "coupled-lstm": Entry(
        "seqzoo.cells.lstm.coupled_lstm:CoupledLSTMCell",
        "lstm",
        2017,
        "An LSTM that forgets as much as it takes in (CIFG)",
    ),
    "janet": Entry(
        "seqzoo.cells.lstm.janet:JANETCell",
        "lstm",
        2018,
        "An LSTM with a forget gate only",
    ),
    "gru": Entry(
        "seqzoo.cells.gru.gru:GRUCell",
        "gru",
        2014,
        "Update and reset gates, in both published forms",
    ),
    "mgu": Entry(
        "seqzoo.cells.gru.mgu:MGUCell",
        "gru",
        2016,
        "The minimal gated unit: one gate to update and to reset",
        products=2,
    ),
    "light-gru": Entry(
        "seqzoo.cells.gru.light_gru:LightGRUCell",
        "gru",
        2018,
        "A GRU without a reset gate and with rectified candidates",
    ),
    "ugrnn": Entry(
        "seqzoo.cells.gru.ugrnn:UGRNNCell",
        "gru",
        2017,
        "A vanilla network behind one update gate",
    ),
    "irnn": Entry(
        "seqzoo.cells.long_memory.irnn:IRNNCell",
        "long-memory",
        2015,
        "Vanilla with ReLU, begun at the identity",
    ),
    "indrnn": Entry(
        "seqzoo.cells.long_memory.indrnn:IndRNNCell",
        "long-memory",
        2018,
        "Each unit hears of itself alone",
        products=0,
    ),
    "antisymmetric": Entry(
        "seqzoo.cells.long_memory.antisymmetric:AntisymmetricRNNCell",
        "long-memory",
        2019,
        "An Euler step with an antisymmetric matrix",
    ),
    "gated-antisymmetric": Entry(
        "seqzoo.cells.long_memory.gated_antisymmetric:GatedAntisymmetricRNNCell",
        "long-memory",
        2019,
        "The antisymmetric recurrence with a gate",
    ),
    "cornn": Entry(
        "seqzoo.cells.long_memory.cornn:CoRNNCell",
        "long-memory",
        2021,
        "Damped oscillators that drive one another",
    ),
    "unicornn": Entry(
        "seqzoo.cells.long_memory.unicornn:UnICORNNCell",
        "long-memory",
        2021,
        "Independent undamped oscillators with learnt time steps",
        products=0,
    ),
    "lem": Entry(
        "seqzoo.cells.long_memory.lem:LEMCell",
        "long-memory",
        2022,
        "Two states at different, learnt speeds",
        products=2,
    ),
    "lipschitz": Entry(
        "seqzoo.cells.long_memory.lipschitz:LipschitzRNNCell",
        "long-memory",
        2021,
        "A linear and a nonlinear part with bounded spectra",
    ),
    "fastrnn": Entry(
        "seqzoo.cells.long_memory.fastrnn:FastRNNCell",
        "long-memory",
        2018,
        "Vanilla with a weighted residual connection",
    ),
    "fastgrnn": Entry(
        "seqzoo.cells.long_memory.fastgrnn:FastGRNNCell",
        "long-memory",
        2018,
        "A gate that shares the candidate's matrices",
    ),
    "star": Entry(
        "seqzoo.cells.long_memory.star:STARCell",
        "long-memory",
        2019,
        "One gate, made for deep stacks",
    ),
    "highway": Entry(
        "seqzoo.cells.long_memory.highway:RecurrentHighwayCell",
        "long-memory",
        2017,
        "Several highway layers within a time step",
        products=3,
    ),
    "scrn": Entry(
        "seqzoo.cells.long_memory.scrn:SCRNCell",
        "long-memory",
        2014,
        "Slow context units beside fast hidden ones",
        products=3,
    ),
    "orthogonal": Entry(
        "seqzoo.cells.long_memory.orthogonal:OrthogonalCell",
        "long-memory",
        2019,
        "An orthogonal matrix by exponential or Cayley transform",
    ),
    "lmu": Entry(
        "seqzoo.cells.long_memory.lmu:LMUCell",
        "long-memory",
        2019,
        "A sliding window kept in Legendre polynomials",
        products=5,
    ),
    "plrnn": Entry(
        "seqzoo.cells.long_memory.plrnn:PLRNNCell",
        "long-memory",
        2017,
        "Piecewise linear, for dynamical systems",
    ),
    "mingru": Entry(
        "seqzoo.cells.parallel.mingru:MinGRUCell",
        "parallel",
        2024,
        "The GRU without recurrent products",
        products=0,
        parallel=True,
    ),
    "minlstm": Entry(
        "seqzoo.cells.parallel.minlstm:MinLSTMCell",
        "parallel",
        2024,
        "Forget and input gates from the input alone, summing to one",
        products=0,
        parallel=True,
    ),
    "qrnn": Entry(
        "seqzoo.cells.parallel.qrnn:QRNNCell",
        "parallel",
        2017,
        "Convolutions over time and a pointwise recurrence",
        products=0,
        parallel=True,
    ),
    "sru": Entry(
        "seqzoo.cells.parallel.sru:SRUCell",
        "parallel",
        2018,
        "Matrices see the input alone, vectors the memory",
        products=0,
    ),
    "rg-lru": Entry(
        "seqzoo.cells.parallel.rg_lru:RGLRUCell",
        "parallel",
        2024,
        "Griffin's gated decay of each unit",
        products=0,
        parallel=True,
    ),
    "lru": Entry(
        "seqzoo.cells.parallel.lru:LRUCell",
        "parallel",
        2023,
        "Complex, diagonal and linear",
        products=1,
        parallel=True,
    ),
    "slstm": Entry(
        "seqzoo.cells.parallel.slstm:SLSTMCell",
        "parallel",
        2024,
        "xLSTM's LSTM with exponential gates",
    ),
    "echo-state": Entry(
        "seqzoo.cells.reservoir.echo_state:EchoStateCell",
        "reservoir",
        2001,
        "A random reservoir that is never trained",
    ),
}
