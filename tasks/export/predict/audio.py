"""Audio as input: samples, or .wav files."""

import pathlib
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.numbers import SeriesReader
from seqzoo.tasks.preprocessing.sample_range import range_fault


class AudioReader(SeriesReader):
    """Reads audio, (time,), at the sample rate of the model."""

    files = ".npy or .wav"

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Samples between -1 and 1 -> a padded batch by name, and "lengths", (batch,)."""
        result = super().tensors(inputs)
        if wrong := range_fault(result[self.about["name"]]):
            raise ValueError(f"an input {wrong}")
        return result

    def from_argument(self, argument: str) -> np.ndarray:
        """The samples in a file that is named on the command line; those of a .wav file are scaled
        to the range from -1 to 1 and averaged over the channels."""
        if pathlib.Path(argument).suffix != ".wav":
            return super().from_argument(argument)
        # The module `wave` reads only PCM; some of its versions read no extensible header.
        try:
            with wave.open(argument) as file:
                rate, width = file.getframerate(), file.getsampwidth()
                channels = file.getnchannels()
                samples = file.readframes(file.getnframes())
        except (wave.Error, EOFError) as error:
            reason = str(error) or "it ends early"
            raise ValueError(
                f"{argument} is not a PCM WAV file with a plain header ({reason}); save it as "
                "16-bit PCM, or its samples as .npy"
            ) from error
        if (rate, width) != (self.about["sample_rate"], 2):
            raise ValueError(
                f"this model reads 16-bit audio at {self.about['sample_rate']} Hz, but "
                f"{argument} has {8 * width} bits at {rate} Hz; convert it"
            )
        return np.frombuffer(samples, "<i2").reshape(-1, channels).mean(1, dtype=np.float32) / 32768
