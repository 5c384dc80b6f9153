"""The names that Keras does not publish and seqzoo rests on, in one place; tried with 3.15."""

from typing import Any

import keras.src.backend
import keras.src.layers.rnn.dropout_rnn_cell
import keras.src.models.functional

# `backend.rnn` is the loop of keras.layers.RNN, `backend.lstm` and `backend.gru` are cuDNN's
# kernels, `backend.AutocastScope` sets the precision in which variables are read.
backend: Any = keras.src.backend

# Keras resets the masks of cells of this kind before each sequence.
DropoutRNNCell: Any = keras.src.layers.rnn.dropout_rnn_cell.DropoutRNNCell

# What `keras.Model(inputs, outputs)` gives.
Functional: Any = keras.src.models.functional.Functional
