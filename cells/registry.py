"""The registry of cells: literal data, which help and completion read without importing Keras."""

from typing import NamedTuple


class Entry(NamedTuple):
    """The facts about a cell, as `seqzoo list cells` shows them."""

    location: str
    """Module and class, "module:Class"."""

    family: str
    """Family, the name of the folder that holds the cell."""

    year: int
    """Year of publication."""

    summary: str
    """What distinguishes it, in one line."""

    products: int = 1
    """Number of matrix products with a state per time step; gates that share one count once."""

    parallel: bool = False
    """Whether the recurrence is linear in the state, so that it can run in parallel."""


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
    "projection-lstm": Entry(
        "seqzoo.cells.lstm.projection_lstm:ProjectionLSTMCell",
        "lstm",
        2014,
        "A large memory and a small, projected output (LSTMP)",
        products=2,
    ),
    "multiplicative-lstm": Entry(
        "seqzoo.cells.lstm.multiplicative_lstm:MultiplicativeLSTMCell",
        "lstm",
        2016,
        "Each input has a recurrent matrix of its own",
        products=2,
    ),
    "residual-lstm": Entry(
        "seqzoo.cells.lstm.residual_lstm:ResidualLSTMCell",
        "lstm",
        2017,
        "A shortcut from input to output, for deep stacks",
        products=2,
    ),
    "nas": Entry(
        "seqzoo.cells.lstm.nas:NASCell",
        "lstm",
        2017,
        "The tree of eight projections that architecture search found",
    ),
    "working-memory-lstm": Entry(
        "seqzoo.cells.lstm.working_memory_lstm:WorkingMemoryLSTMCell",
        "lstm",
        2021,
        "Gates see a squashed projection of the memory",
        products=3,
    ),
    "mass-conserving-lstm": Entry(
        "seqzoo.cells.lstm.mass_conserving_lstm:MassConservingLSTMCell",
        "lstm",
        2021,
        "What comes in is stored, moved or given out: nothing is lost",
        products=2,
    ),
    "e-lstm": Entry(
        "seqzoo.cells.lstm.e_lstm:ELSTMCell",
        "lstm",
        2024,
        "The memory feeds back unit by unit, for learning online",
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
    "mgu1": Entry(
        "seqzoo.cells.gru.mgu_reductions:MGU1Cell",
        "gru",
        2017,
        "A minimal gated unit whose gate sees the state and a bias",
        products=2,
    ),
    "mgu2": Entry(
        "seqzoo.cells.gru.mgu_reductions:MGU2Cell",
        "gru",
        2017,
        "A minimal gated unit whose gate sees the state alone",
        products=2,
    ),
    "mgu3": Entry(
        "seqzoo.cells.gru.mgu_reductions:MGU3Cell",
        "gru",
        2017,
        "A minimal gated unit whose gate is a bias alone",
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
    "light-ru": Entry(
        "seqzoo.cells.gru.light_ru:LightRUCell",
        "gru",
        2024,
        "One gate, and a candidate that sees the input alone",
    ),
    "mut1": Entry(
        "seqzoo.cells.gru.mut:MUT1Cell",
        "gru",
        2015,
        "Found by evolution: an update gate that sees the input alone",
        products=2,
    ),
    "mut2": Entry(
        "seqzoo.cells.gru.mut:MUT2Cell",
        "gru",
        2015,
        "Found by evolution: a reset gate that sees the input as it is",
        products=2,
    ),
    "mut3": Entry(
        "seqzoo.cells.gru.mut:MUT3Cell",
        "gru",
        2015,
        "Found by evolution: an update gate that sees the squashed state",
        products=3,
    ),
    "minimal-rnn": Entry(
        "seqzoo.cells.gru.minimal_rnn:MinimalRNNCell",
        "gru",
        2017,
        "A gate mixes the state with an encoding of the input",
    ),
    "simple-gated-rnn": Entry(
        "seqzoo.cells.gru.simple_gated_rnn:SimpleGatedRNNCell",
        "gru",
        2021,
        "Gate and candidate share one projection of the input",
    ),
    "sgu": Entry(
        "seqzoo.cells.gru.sgu:SGUCell",
        "gru",
        2016,
        "The input gates the state, which becomes the candidate",
        products=2,
    ),
    "dsgu": Entry(
        "seqzoo.cells.gru.sgu:DSGUCell",
        "gru",
        2016,
        "A simple gated unit with a layer before its candidate",
        products=3,
    ),
    "atr": Entry(
        "seqzoo.cells.gru.atr:ATRCell",
        "gru",
        2018,
        "Twin gates: the sum and the difference of two projections",
    ),
    "ran": Entry(
        "seqzoo.cells.gru.ran:RANCell",
        "gru",
        2017,
        "A memory that is a weighted sum of projected inputs",
    ),
    "cfn": Entry(
        "seqzoo.cells.gru.cfn:CFNCell",
        "gru",
        2017,
        "Two gates, and dynamics that are never chaotic",
    ),
    "miru1": Entry(
        "seqzoo.cells.gru.miru:MiRU1Cell",
        "gru",
        2025,
        "A GRU whose update gate is a constant",
        products=2,
    ),
    "miru2": Entry(
        "seqzoo.cells.gru.miru:MiRU2Cell",
        "gru",
        2025,
        "A GRU whose gates are constants: a leaky vanilla network",
    ),
    "tau-gru": Entry(
        "seqzoo.cells.gru.tau_gru:TauGRUCell",
        "gru",
        2022,
        "A gated cell that also hears its state of some steps ago",
        products=2,
    ),
    "brc": Entry(
        "seqzoo.cells.bistable.brc:BRCCell",
        "bistable",
        2021,
        "Each unit feeds back to itself and can keep its sign for ever",
        products=0,
    ),
    "nbrc": Entry(
        "seqzoo.cells.bistable.nbrc:NBRCCell",
        "bistable",
        2021,
        "Bistable units that set one another's feedback",
    ),
    "t-rnn": Entry(
        "seqzoo.cells.typed.t_rnn:TRNNCell",
        "typed",
        2016,
        "A running mean of projected inputs",
        products=0,
        parallel=True,
    ),
    "t-gru": Entry(
        "seqzoo.cells.typed.t_gru:TGRUCell",
        "typed",
        2016,
        "A gated sum of features of two inputs in a row",
        products=0,
        parallel=True,
    ),
    "t-lstm": Entry(
        "seqzoo.cells.typed.t_lstm:TLSTMCell",
        "typed",
        2016,
        "A memory of features of two inputs in a row",
        products=0,
        parallel=True,
    ),
    "intersection-rnn": Entry(
        "seqzoo.cells.intersection.intersection_rnn:IntersectionRNNCell",
        "intersection",
        2017,
        "+RNN: gated in time and in depth",
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
    "s5": Entry(
        "seqzoo.cells.parallel.s5:S5Cell",
        "parallel",
        2023,
        "A diagonal state space model for all features at once",
        products=1,
        parallel=True,
    ),
    "slstm": Entry(
        "seqzoo.cells.parallel.slstm:SLSTMCell",
        "parallel",
        2024,
        "xLSTM's LSTM with exponential gates",
    ),
    "cfc": Entry(
        "seqzoo.cells.continuous_time.cfc:CfCCell",
        "continuous-time",
        2022,
        "A liquid network in closed form: time enters a gate",
    ),
    "ltc": Entry(
        "seqzoo.cells.continuous_time.ltc:LTCCell",
        "continuous-time",
        2021,
        "A differential equation with a time constant that depends on the input",
        products=6,
    ),
    "gru-d": Entry(
        "seqzoo.cells.continuous_time.gru_d:GRUDCell",
        "continuous-time",
        2018,
        "A GRU for missing values, which decay to their mean",
        products=3,
    ),
    "conv-lstm": Entry(
        "seqzoo.cells.convolutional.conv_lstm:ConvLSTMCell",
        "convolutional",
        2015,
        "An LSTM of maps, with convolutions and peepholes",
    ),
    "conv-gru": Entry(
        "seqzoo.cells.convolutional.conv_gru:ConvGRUCell",
        "convolutional",
        2016,
        "A GRU of maps, with convolutions",
        products=2,
    ),
    "echo-state": Entry(
        "seqzoo.cells.reservoir.echo_state:EchoStateCell",
        "reservoir",
        2001,
        "A random reservoir that is never trained",
    ),
}
