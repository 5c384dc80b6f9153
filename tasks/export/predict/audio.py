"""Audio as input: samples, or .wav files."""

import pathlib
import wave

import numpy as np

from seqzoo.tasks.export.predict.numbers import SeriesReader


class AudioReader(SeriesReader):
    """Reads audio, (time,), at the sample rate of the model."""

    files = ".npy or .wav"

    def from_argument(self, argument: str) -> np.ndarray:
        """The samples in a file that is named on the command line; those of a .wav file are scaled
        to the range from -1 to 1 and averaged over the channels."""
        if pathlib.Path(argument).suffix != ".wav":
            return super().from_argument(argument)
        try:
            with wave.open(argument) as file:
                rate, width = file.getframerate(), file.getsampwidth()
                channels = file.getnchannels()
                samples = file.readframes(file.getnframes())
        except (wave.Error, EOFError) as error:
            reason = str(error) or "it ends early"
            raise ValueError(f"{argument} is not a WAV file: {reason}") from error
        if (rate, width) != (self.about["sample_rate"], 2):
            raise ValueError(
                f"this model reads 16-bit audio at {self.about['sample_rate']} Hz, but "
                f"{argument} has {8 * width} bits at {rate} Hz"
            )
        return np.frombuffer(samples, "<i2").reshape(-1, channels).mean(1, dtype=np.float32) / 32768
