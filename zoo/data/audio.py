"""Reads WAV, FLAC, OGG and other files that libsndfile supports as mono samples."""

import io
import pathlib

import numpy as np

from seqzoo.tasks.data.npz_members import LARGE_ARRAY, MAX_COMPRESSION_RATIO
from seqzoo.tasks.errors import SeqzooError

RATES = range(100, 768_001)
"""Sample rates that are accepted, in hertz. Resampling audio of a far lower rate would fill the
memory."""


def read_audio(file: pathlib.Path | bytes) -> tuple[np.ndarray, int]:
    """Reads the samples of a file; its channels are averaged.

    Args:
        file: the path or the bytes of a WAV file (8- to 32-bit PCM or floats, with a plain or an
            extensible header), or of a FLAC, OGG, MP3, AIFF or other file that libsndfile supports.

    Returns: float32 of shape (samples,), PCM between -1 and 1, and the sample rate.

    Raises:
        SeqzooError: it cannot be read, is empty, has a sample rate outside `RATES`, would unpack
            to far more than its size, or has samples that are not finite; the caller adds the
            location.
    """
    import soundfile  # deferred, because it loads a native library

    data = isinstance(file, bytes)
    path = f"of {len(file):,} bytes" if data else file
    try:
        with soundfile.SoundFile(io.BytesIO(file) if data else file) as sound:
            rate = sound.samplerate
            if wrong := unsuitable_rate(rate):
                raise SeqzooError(f"{path} {wrong}")
            size = sound.frames * sound.channels * np.dtype(np.float32).itemsize
            stored = len(file) if data else file.stat().st_size
            if size > max(LARGE_ARRAY, MAX_COMPRESSION_RATIO * stored):
                raise SeqzooError(
                    f"{path} unpacks to {size:,} bytes, over {MAX_COMPRESSION_RATIO} times its "
                    "size; save it as a WAV file"
                )
            samples = sound.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        reason = getattr(error, "error_string", None) or str(error)
        raise SeqzooError(
            f"{path} is not a WAV, FLAC or OGG file that can be read ({reason.strip().rstrip('.')})"
        ) from error
    if not len(samples):
        raise SeqzooError(f"{path} has no samples")
    if not np.isfinite(samples).all():
        raise SeqzooError(f"{path} contains samples that are NaN or infinite")
    return samples.mean(axis=1, dtype=np.float32), rate


def unsuitable_rate(rate: int) -> str:
    """Why a sample rate is not accepted, as the end of a sentence; empty if it is."""
    if rate in RATES:
        return ""
    return (
        f"has a sample rate of {rate:,} Hz; it must be from {RATES.start:,} to {RATES.stop - 1:,} "
        "Hz"
    )


def resampled(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resamples audio to a different sample rate.

    Args:
        samples: float32, (samples,).
        rate: their sample rate.
        new_rate: the sample rate to convert to.
    """
    if rate == new_rate:
        return samples
    import soxr

    result = soxr.resample(samples, rate, new_rate).astype(np.float32)
    return result if len(result) else samples[:1]  # not even one sample at the new rate
