# %% [markdown]
# # A cell of your own in a Keras model
#
# This notebook writes a new recurrent cell, checks it against NumPy, trains it in a plain Keras
# model with `fit`, saves that model and loads it again. It takes about half a minute on two cores.
#
# ## The recurrence
# The cell is a leaky unit that learns how fast it leaks. Each unit moves a fraction `a` of the way
# from its old state to a new candidate at every step:
#
#     n = tanh(W x + U h + b)
#     a = sigmoid(rate)
#     h = (1 - a) * h + a * n
#
# `rate` is a weight with one number per unit. With a small `a` a unit remembers for a long time;
# its time constant is about `1 / a` steps.
#
# ## The cell
# A subclass of `RecurrentCell` names its gates, the parts that have a column block in the weights
# `W` and `U`; here that is only the candidate. Weights with one number per unit are listed in
# `unit_weights`. The method `step` computes one time step from the projected input `x`, the
# recurrent product `r` and the states. Batching, masks, gradients, dropout, saving and the compiled
# loop are inherited.

# %%
import keras
import numpy as np
from keras import ops

from seqzoo.cells import Recurrent, RecurrentCell

keras.utils.set_random_seed(0)


@keras.saving.register_keras_serializable()
class LeakyCell(RecurrentCell):
    """n = tanh(W x + U h + b);  a = sigmoid(rate);  h = (1 - a) * h + a * n"""

    gates = ("candidate",)
    unit_weights = ("rate",)

    def initial_unit_weight(self, name, shape, dtype=None):
        return ops.cast(ops.linspace(-4.0, 2.0, shape[0]), dtype)  # from slow to fast units

    def step(self, x, r, states, weights):
        (h,) = states
        n = self.activation(x.candidate + r.candidate)
        a = ops.sigmoid(weights.rate)
        h = (1 - a) * h + a * n
        return h, [h]


# %% [markdown]
# ## Check the step
# The same equations in NumPy, with the weights of the layer:

# %%
layer = Recurrent(LeakyCell(5), return_sequences=True)
x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
outputs = ops.convert_to_numpy(layer(x))

W, U, b, rate = (ops.convert_to_numpy(weight) for weight in layer.cell.weights)
a = 1 / (1 + np.exp(-rate))
h = np.zeros((2, 5))
for step in range(7):
    h = (1 - a) * h + a * np.tanh(x[:, step] @ W + h @ U + b)
    np.testing.assert_allclose(outputs[:, step], h, atol=1e-6)
print("equal at all steps")

# %% [markdown]
# The layer says which code runs the cell on this machine:

# %%
print(layer.execution_path())

# %% [markdown]
# ## Train it
# The input is noise. The two targets are its moving averages with time constants of 5 and of 20
# steps, at every step, so the units have to remember for different lengths of time.

# %%
random = np.random.default_rng(1)
noise = random.normal(size=(512, 60, 1)).astype("float32")
averages = np.zeros((512, 60, 2), "float32")
for step in range(60):
    for column, steps in enumerate((5, 20)):
        before = averages[:, step - 1, column] if step else 0
        averages[:, step, column] = before + (noise[:, step, 0] - before) / steps

inputs = keras.Input((None, 1))
hidden = Recurrent(LeakyCell(16), return_sequences=True, name="leaky")(inputs)
model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
model.compile(keras.optimizers.Adam(0.01), "mse")
losses = model.fit(noise, averages, batch_size=32, epochs=12, verbose=0).history["loss"]
print(f"mean squared error: {losses[0]:.4f} in the first epoch, {losses[-1]:.4f} in the last")
print(f"variance of the targets: {averages.var():.4f}")
assert losses[-1] < averages.var() / 10

# %% [markdown]
# Sequences may be longer than in training:

# %%
long = random.normal(size=(1, 500, 1)).astype("float32")
print(model.predict(long, verbose=0).shape)

# %% [markdown]
# What the units have learned is easy to read: their time constants, in steps.

# %%
rate = ops.convert_to_numpy(model.get_layer("leaky").cell.rate)
print(np.sort(1 + np.exp(-rate)).round(1))

# %% [markdown]
# ## Save and load
# The decorator `register_keras_serializable` is what lets Keras find the class again.

# %%
model.save("leaky.keras")
loaded = keras.saving.load_model("leaky.keras")
np.testing.assert_allclose(
    loaded.predict(long, verbose=0), model.predict(long, verbose=0), atol=1e-6
)
print("the loaded model predicts the same")

# %% [markdown]
# ## Deploy
# An exported graph has plain TensorFlow operations, so the program that serves it needs neither
# the class nor seqzoo:

# %%
import tensorflow as tf

model.export("leaky", verbose=False)
served = tf.saved_model.load("leaky")
np.testing.assert_allclose(served.serve(long), model.predict(long, verbose=0), atol=1e-5)
print("the exported model predicts the same")

# %% [markdown]
# ## Next steps
# - A hand-written gradient makes a step about a quarter faster: see `step_gradient` in the
#   [API reference](../api.md).
# - A cell whose step is more than one recurrent product overrides `advance`.
# - CONTRIBUTING.md explains how to contribute a cell to seqzoo, with its tests.
