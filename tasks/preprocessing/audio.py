"""Converts waveforms to log-mel spectrograms with TensorFlow operations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, empty, finite, with_a_step
from seqzoo.tasks.preprocessing.series import pad

WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.010
LOWEST_HERTZ = 20.0
FLOOR = 1e-5
"""Added to energies before taking the logarithm, for each sample of a window; samples are between
-1 and 1. It is above the rounding errors of a Fourier transform in single precision, which would
otherwise dominate silent bands, and 88 dB below a sine at full scale."""

LEAST_SCALE = 0.5
"""Least divisor of a band. One without content, as above half of the rate that recordings had
before they were resampled, would be divided by its rounding errors; others vary by 1.5 to 2.5."""

FIRST_FLOOR = 1e-6
"""The floor of runs that do not store theirs."""


class AudioFeatures(Features):
    """Standardised log-mel energies of 25 ms windows, with one step every 10 ms.

    With mean normalisation the mean of each band over the recording is subtracted first, and with
    it what a microphone or a room adds to all steps.

    Args:
        template: a template with `sample_rate`, `mel_bins`, `mean_normalization` and
            `maximum_length` (in steps).
        mean: mean of each band in training.
        scale: standard deviation of each band in training.
        floor: added to energies before taking the logarithm.
    """

    chunk = 64

    def __init__(self, template: Any, mean: list, scale: list, floor: float = FIRST_FLOOR):
        self.template = template
        self.floor = floor
        self.mean = mean
        self.scale = scale
        self.window = round(template.sample_rate * WINDOW_SECONDS)
        self.hop = round(template.sample_rate * HOP_SECONDS)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "AudioFeatures":
        unscaled = cls(template, [0.0] * template.mel_bins, [1.0] * template.mel_bins)
        unscaled.floor = FLOOR * unscaled.window
        flat = unscaled.encode(examples).flat.astype(np.float64)
        scale = np.maximum(flat.std(0), LEAST_SCALE).tolist()
        return cls(template, flat.mean(0).tolist(), scale, unscaled.floor)

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        waves = []
        for wave, location in zip(inputs, locations, strict=True):
            wave = np.asarray(wave)
            if wave.ndim != 1 or wave.dtype.kind != "f":
                raise SeqzooError(
                    "A waveform must be an array of floats of shape (samples,), between -1 and 1, "
                    f"but {location} is {wave.dtype} of shape {wave.shape}.",
                    location=location,
                )
            if not len(wave):
                raise empty(location)
            waves.append(finite(wave, location))
        return pad(waves)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        waves, lengths = raw
        # Samples beyond the end of a waveform become silence, however the caller padded it.
        waves = tf.where(tf.sequence_mask(lengths, tf.shape(waves)[1]), waves, 0.0)
        size = 1 << (self.window - 1).bit_length()
        # In single precision, its rounding errors are seven times those of `_energies`.
        exact = tf.cast(waves, tf.float64)
        spectrum = tf.abs(tf.signal.stft(exact, self.window, self.hop, size, pad_end=True))
        spectrum = tf.cast(spectrum, tf.float32)
        rate = self.template.sample_rate
        weights = tf.signal.linear_to_mel_weight_matrix(
            self.template.mel_bins, size // 2 + 1, rate, LOWEST_HERTZ, rate / 2
        )
        energies = tf.math.log(tf.tensordot(spectrum, weights, 1) + self.floor)
        energies.set_shape((None, None, self.template.mel_bins))
        values, steps = self._normalized(energies, lengths)
        return with_a_step(values, 0.0), steps

    def transform_by_products(self, waves: Any, lengths: Any) -> tuple[Any, Any]:
        """`transform` without a Fourier transform operation, for runtimes that have none."""
        waves = tf.where(tf.range(tf.shape(waves)[1]) < lengths[:, None], waves, 0.0)
        count = (tf.shape(waves)[1] + self.hop - 1) // self.hop
        positions = tf.range(count)[:, None] * self.hop + tf.range(self.window)
        waves = tf.pad(waves, [[0, 0], [0, self.window]])
        return self._normalized(self._energies(tf.gather(waves, positions, axis=1)), lengths)

    def transform_windows(self, frames: Any) -> Any:
        """Windows (..., samples) -> standardised log-mel energies (..., bands), without mean
        normalisation, which needs the whole recording."""
        return self._standardized(self._energies(frames))

    def _normalized(self, energies: Any, lengths: Any) -> tuple[Any, Any]:
        """Log-mel energies (batch, time, bands) of waveforms of `lengths` samples -> values and
        numbers of steps."""
        steps = (lengths + self.hop - 1) // self.hop
        if self.template.mean_normalization:
            inside = tf.range(tf.shape(energies)[1])[None, :, None] < steps[:, None, None]
            total = tf.reduce_sum(tf.where(inside, energies, 0.0), 1, keepdims=True)
            energies -= total / tf.cast(tf.maximum(steps, 1), tf.float32)[:, None, None]
        values = self._standardized(energies)
        limit = self.template.maximum_length
        if limit is not None:
            values, steps = values[:, :limit], tf.minimum(steps, limit)
        return values, steps

    def _standardized(self, energies: Any) -> Any:
        return (energies - tf.constant(self.mean)) / tf.constant(self.scale)

    def _energies(self, frames: Any) -> Any:
        """Log-mel energies of windows: (..., samples) -> (..., bands).

        The Fourier transform is computed as a product with a matrix that includes the Hann window.
        """
        size = 1 << (self.window - 1).bit_length()
        samples, bins = np.arange(self.window)[:, None], np.arange(size // 2 + 1)
        # As TensorFlow's window, which is periodic only for even numbers of samples.
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * samples / (self.window - self.window % 2))
        angles = 2 * np.pi * (samples * bins % size) / size
        matrix = np.concatenate([hann * np.cos(angles), hann * np.sin(angles)], 1)
        real, imaginary = tf.split(tf.matmul(frames, tf.constant(matrix, tf.float32)), 2, -1)
        rate = self.template.sample_rate
        weights = tf.signal.linear_to_mel_weight_matrix(
            self.template.mel_bins, size // 2 + 1, rate, LOWEST_HERTZ, rate / 2
        )
        spectrum = tf.sqrt(real * real + imaginary * imaginary)
        return tf.math.log(tf.matmul(spectrum, weights) + self.floor)

    @property
    def signature(self) -> list:
        return [
            tf.TensorSpec((None, None), tf.float32, "waveforms"),
            tf.TensorSpec((None,), tf.int32, "lengths"),
        ]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (self.template.mel_bins,), "float32"

    @property
    def frame(self) -> tuple[int, int, int]:
        return 1, self.template.mel_bins, 1

    def to_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale, "floor": self.floor}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "AudioFeatures":
        return cls(template, **config)
