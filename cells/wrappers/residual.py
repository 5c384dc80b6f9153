"""A residual connection around a cell."""

import keras

from seqzoo.cells.wrappers.wrapper import OutputWrapper


@keras.saving.register_keras_serializable(package="seqzoo")
class ResidualCell(OutputWrapper):
    """The input is added to the cell's output.

        h, s = cell(x, s)
        y = h + x

    States are y, which is not fed back, and those of the cell. If the number of features differs
    from the number of units, x is projected first, by `shortcut_kernel`. Any cell with vector
    inputs can be wrapped, except time-aware ones (`cfc`, `gru-d`, `ltc`).

    For deep stacks: the paper's translation system has eight LSTM layers, six of them residual.

    Reference: Wu et al., "Google's Neural Machine Translation System", arXiv 1609.08144, 2016,
    section 3.1, equation 6.

    Args:
        units: size of the output and of the inner cell.
        **kwargs: see `WrapperCell`.
    """

    def combine(self, outputs, inputs):
        return outputs + self.shortcut(inputs)
