"""The names that Keras does not publish and seqzoo rests on, in one place; tried with 3.15."""

# `backend.rnn` is the loop of keras.layers.RNN, `backend.lstm` and `backend.gru` are cuDNN's
# kernels, `backend.AutocastScope` sets the precision in which variables are read.
from keras.src import backend

# Keras resets the masks of cells of this kind before each sequence.
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

__all__ = ["DropoutRNNCell", "backend"]
