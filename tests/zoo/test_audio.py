"""Sound files of many kinds, and sample rates that differ."""

import dataclasses
import struct

import numpy as np
import pytest
import soundfile
from cli_cases import seqzoo
from source_cases import csv_source, open_source, sound, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import audio
from seqzoo.zoo.data.audio import read_audio, resampled
from seqzoo.zoo.data.source import Source

TONE = np.sin(np.arange(1600) / 5) / 2


def extensible(samples: np.ndarray, tag: int) -> bytes:
    """A WAV file with a WAVE_FORMAT_EXTENSIBLE header, as sox and ffmpeg write it.

    Args:
        samples: of one channel, 8,000 a second.
        tag: what the samples are: 1 for PCM, 3 for floats.
    """
    size = samples.itemsize
    header = struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 8000 * size, size, 8 * size)
    header += struct.pack("<HHI", 22, 8 * size, 4)
    header += struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")
    data = samples.tobytes()
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("dtype, tag", [("<i2", 1), ("<i4", 1), ("<f4", 3), ("<f8", 3)])
def test_extensible_headers(tmp_path, dtype, tag) -> None:
    scale = 1 if tag == 3 else 2 ** (8 * np.dtype(dtype).itemsize - 1)
    path = write(tmp_path / "s.wav", extensible((TONE * scale).astype(dtype), tag))
    samples, rate = read_audio(path)
    assert rate == 8000 and samples.dtype == np.float32
    np.testing.assert_allclose(samples, TONE, atol=1e-4)


@pytest.mark.parametrize("ending, kind", [("flac", "PCM_16"), ("ogg", "VORBIS"), ("wav", "FLOAT")])
def test_other_files(tmp_path, ending, kind) -> None:
    path = tmp_path / f"s.{ending}"
    soundfile.write(path, np.stack([TONE, np.zeros(1600)], 1), 16000, subtype=kind)
    samples, rate = read_audio(path)
    assert rate == 16000 and samples.shape == (1600,)
    lossy = kind == "VORBIS"
    np.testing.assert_allclose(samples, TONE / 2, atol=0.1 if lossy else 1e-4)
    assert np.corrcoef(samples, TONE)[0, 1] > 0.99


def test_files_that_are_not_audio(tmp_path) -> None:
    with pytest.raises(
        SeqzooError, match=r"s\.wav is not a WAV, FLAC or OGG file that can be read \("
    ):
        read_audio(write(tmp_path / "s.wav", b"RIFF"))
    soundfile.write(tmp_path / "n.wav", np.array([0.1, np.nan]), 8000, subtype="FLOAT")
    with pytest.raises(SeqzooError, match=r"n\.wav contains samples that are NaN or infinite"):
        read_audio(tmp_path / "n.wav")


@pytest.mark.parametrize("rate", [1, 99, 768_001])
def test_a_sample_rate_that_no_audio_has_is_refused_without_decoding(
    rate, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "s.wav"
    soundfile.write(path, TONE, rate)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    message = rf"s\.wav has a sample rate of {rate:,} Hz; it must be from 100 to 768,000 Hz"
    with pytest.raises(SeqzooError, match=message):
        read_audio(path)
    with pytest.raises(SeqzooError, match=f"a sample rate of {rate:,} Hz"):
        read_audio(path.read_bytes())
    np.savez(tmp_path / "a.npz", inputs=np.float32(TONE[None]), targets=["a"], sample_rate=rate)
    with pytest.raises(SeqzooError, match=rf"a\.npz has a sample rate of {rate:,} Hz"):
        open_source(Source(str(tmp_path / "a.npz"), "audio", "class"))


def test_audio_that_unpacks_to_far_more_than_its_size_is_refused_without_decoding(
    tmp_path, monkeypatch
) -> None:
    path = tmp_path / "s.flac"
    soundfile.write(path, np.zeros(1_000_000, np.int16), 16_000)
    monkeypatch.setattr(audio, "LARGE_ARRAY", 4_000_000)
    assert len(read_audio(path)[0]) == 1_000_000
    monkeypatch.setattr(audio, "LARGE_ARRAY", 3_999_999)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(SeqzooError, match=r"s\.flac unpacks to 4,000,000 bytes, over 200 times"):
        read_audio(path)


def test_another_sample_rate_is_the_same_audio() -> None:
    seconds = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    result = resampled(tone, 16000, 8000)
    assert result.shape == (8000,) and result.dtype == np.float32
    np.testing.assert_allclose(result[200:-200], tone[::2][200:-200], atol=1e-3)
    assert resampled(tone, 16000, 16000) is tone
    assert resampled(tone[:1], 48000, 8000).shape == (1,)


@pytest.fixture
def mixed(tmp_path):
    """A table of sounds, of which one in six has another rate."""
    draw = np.random.default_rng(0)
    rows = []
    for i in range(24):
        rate = 16000 if i % 6 == 3 else 8000
        pitch = 300 if i % 2 else 1200
        time = np.arange(rate // 5) / rate
        wave = np.sin(2 * np.pi * pitch * time + draw.uniform(0, 6)) * 9999
        rows.append(f"{sound(tmp_path / f'{i}.wav', wave, rate=rate)}\t{'hl'[i % 2]}\n")
    return write(tmp_path / "t.tsv", "text\tlabel\n" + "".join(rows))


def test_audio_is_resampled_to_one_rate(mixed) -> None:
    with pytest.raises(SeqzooError, match=r"line 5: .* expected .*; --resample converts all audio"):
        open_source(csv_source(mixed, kind="audio"))
    splits, source = open_source(csv_source(mixed, kind="audio", resample=True))
    assert source.sample_rate == 8000
    assert {len(item) for item in splits.train.inputs} == {1600}
    splits, source = open_source(csv_source(mixed, kind="audio", resample=True, sample_rate=4000))
    assert source.sample_rate == 4000 and {len(item) for item in splits.train.inputs} == {800}


@pytest.mark.slow
def test_a_model_resamples_other_rates_on_request(mixed, tmp_path) -> None:
    run = tmp_path / "run"
    columns = ["--kind", "audio", "--input", "text", "--target", "label", "--mel-bins", 8]
    small = ["--units", 4, "--epochs", 1, "--batch-size", 8]
    command = ["train", "many-to-one", "--data", mixed, *columns, *small, "--run", run]
    refused = seqzoo(*command)
    assert refused.exit_code == 2 and "--resample" in refused.stderr
    trained = seqzoo(*command, "--resample")
    assert trained.exit_code == 0, trained.output
    # What was chosen in training applies to predictions.
    low, high = (
        seqzoo("predict", run, tmp_path / "1.wav"),
        seqzoo("predict", run, tmp_path / "3.wav"),
    )
    assert low.exit_code == high.exit_code == 0
    refused = seqzoo("evaluate", run, "--data", mixed, "--no-resample")
    assert refused.exit_code == 2 and "--resample converts all audio" in refused.stderr


@pytest.mark.slow
def test_predictions_name_the_option(tmp_path) -> None:
    pitches = [sound(tmp_path / f"{i}.wav", TONE * (9999 - 99 * i)) for i in range(12)]
    rows = "".join(f"{name}\t{'hl'[i % 2]}\n" for i, name in enumerate(pitches))
    data = write(tmp_path / "t.tsv", "text\tlabel\n" + rows)
    columns = ["--kind", "audio", "--input", "text", "--target", "label", "--mel-bins", 8]
    small = ["--units", 4, "--epochs", 1, "--batch-size", 8, "--run", tmp_path / "run"]
    trained = seqzoo("train", "many-to-one", "--data", data, *columns, *small)
    assert trained.exit_code == 0, trained.output
    other = tmp_path / "other.wav"
    sound(other, np.repeat(TONE, 2) * 9999, rate=16000)
    refused = seqzoo("predict", tmp_path / "run", other)
    assert refused.exit_code == 2
    assert refused.stderr == (
        "Input 1 has 16,000 samples per second, but the model was trained with 8,000; --resample "
        "converts it.\n"
    )
    answered = seqzoo("predict", tmp_path / "run", other, "--resample")
    assert answered.exit_code == 0 and answered.stdout[0] in "hl"
    arrays = tmp_path / "a.npz"
    np.savez(arrays, text=np.float32(TONE[None]), sample_rate=16000)
    refused = seqzoo("predict", tmp_path / "run", "--input-file", arrays)
    assert "16,000 samples per second, expected 8,000; --resample" in refused.stderr
    assert seqzoo("predict", tmp_path / "run", "--input-file", arrays, "--resample").exit_code == 0


def test_further_inputs_leave_the_sample_rate(tmp_path) -> None:
    rows = [f"{sound(tmp_path / f'{i}.wav', TONE * (99 + i), rate=8000)}\t{i}" for i in range(12)]
    slow = sound(tmp_path / "slow.wav", TONE, rate=4000)
    lines = [f"{row}\t{'ab'[i % 2]}\t{slow}" for i, row in enumerate(rows)]
    path = write(tmp_path / "t.tsv", "\n".join(["text\tage\tlabel\tother", *lines]) + "\n")
    _, source = open_source(csv_source(path, kind="audio", further_inputs={"age": "number"}))
    assert source.sample_rate == 8000
    two = csv_source(path, kind="audio", further_inputs={"other": "audio"})
    with pytest.raises(SeqzooError, match="4,000 samples per second, expected 8,000; --resample"):
        open_source(two)
    splits, source = open_source(dataclasses.replace(two, resample=True))
    assert source.sample_rate == 8000 and len(splits.train.inputs[0]["other"]) == 3200
