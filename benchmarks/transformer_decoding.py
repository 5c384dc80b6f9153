"""Decodes with a Transformer of random weights in CTranslate2; benchmarks.decoding_speed runs this.

    python transformer_decoding.py FOLDER VOCABULARY LENGTH BEAM BATCH

It needs only ctranslate2 and NumPy, so it can have an environment of its own. The model, in FOLDER,
is written first if it is missing. The last line is JSON: the seconds of a call (a median), the
maximum resident memory in bytes, and the number of parameters.
"""

import importlib
import json
import pathlib
import resource
import statistics
import sys
import time
from typing import Any

import numpy as np

ctranslate2: Any = importlib.import_module("ctranslate2")

LAYERS, HEADS, SIZE = 2, 4, 160
"""Layers of the encoder and of the decoder, heads, and size of the vectors; the feed-forward layers
have four times that size."""

SECONDS = 3.0


def write_model(folder: pathlib.Path, vocabulary: int) -> None:
    """Writes a model whose weights are random."""
    spec = ctranslate2.specs.TransformerSpec.from_config((LAYERS, LAYERS), HEADS)
    random = np.random.default_rng(0)

    def linear(layer: Any, rows: int, columns: int) -> None:
        weight = random.normal(size=(rows, columns)) / columns**0.5
        layer.weight, layer.bias = weight.astype("float32"), np.zeros(rows, "float32")

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(SIZE, "float32"), np.zeros(SIZE, "float32")

    def attention(layer: Any, sizes: tuple[int, ...]) -> None:
        norm(layer.layer_norm)
        for part, rows in zip(layer.linear, sizes, strict=True):
            linear(part, rows, SIZE)

    for part in (spec.encoder, spec.decoder):
        norm(part.layer_norm)
        embeddings = part.embeddings
        table = embeddings[0] if isinstance(embeddings, list) else embeddings
        table.weight = random.normal(size=(vocabulary, SIZE)).astype("float32") / SIZE**0.5
        for layer in part.layer:
            attention(layer.self_attention, (3 * SIZE, SIZE))
            if part is spec.decoder:
                attention(layer.attention, (SIZE, 2 * SIZE, SIZE))
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, 4 * SIZE, SIZE)
            linear(layer.ffn.linear_1, SIZE, 4 * SIZE)
    linear(spec.decoder.projection, vocabulary, SIZE)
    tokens = ["<blank>", "<unk>", "<s>", "</s>", *(f"w{item}" for item in range(vocabulary - 4))]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def main() -> None:
    """Measures one setting."""
    folder = pathlib.Path(sys.argv[1])
    vocabulary, length, beam, batch = map(int, sys.argv[2:])
    if not (folder / "model.bin").exists():
        write_model(folder, vocabulary)
    translator = ctranslate2.Translator(
        str(folder), device="cpu", compute_type="float32", inter_threads=1, intra_threads=2
    )
    ids = np.random.default_rng(0).integers(vocabulary - 4, size=(batch, length))
    texts = [[f"w{item}" for item in row] for row in ids]

    def call() -> None:
        results = translator.translate_batch(
            texts, beam_size=beam, min_decoding_length=length, max_decoding_length=length
        )
        assert all(len(result.hypotheses[0]) == length for result in results)

    call()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = (folder / "model.bin").stat().st_size // 4
    print(json.dumps({"seconds": statistics.median(times), "memory": memory, "parameters": size}))


if __name__ == "__main__":
    main()
