"""Runs an export in a process that has only its runtime and NumPy, without seqzoo.

    python -I fresh_process.py FOLDER INPUTS OUTPUTS

FOLDER is the export. INPUTS contains arrays.npz, with arrays named "part/input", and request.json:
"format", "texts" by "part/input", "inputs" for `predict` and its "decoding". OUTPUTS is the folder
that results are written to: arrays.npz, with arrays named "part/output", texts.json and
predictions.json.
"""

import importlib.util
import json
import pathlib
import sys

import numpy as np


def _grouped(arrays):
    """Splits names: "part/name" -> {part: {name: array}}."""
    parts = {}
    for key, array in arrays.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = array
    return parts


def _saved_model(folder, parts):
    import tensorflow as tf

    signatures = tf.saved_model.load(folder).signatures
    for part, inputs in parts.items():
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        for name, value in signatures[part](**tensors).items():
            yield f"{part}/{name}", value.numpy()


def _keras(folder, parts):
    import keras

    model = keras.saving.load_model(pathlib.Path(folder) / "model.keras", compile=False)
    return {"model/outputs": np.asarray(model(parts["model"]))}


def _standalone(folder, parts, request):
    spec = importlib.util.spec_from_file_location("predict", pathlib.Path(folder) / "predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    model = predict.Model(folder)
    raw = request["inputs"]
    predictions = model.predict(raw, request["decoding"]) if raw else []
    results = {
        f"{part}/{name}": value
        for part, inputs in parts.items()
        for name, value in model.run(part, **inputs).items()
    }
    return results, predictions


def main(folder, inputs, outputs):
    inputs, outputs = pathlib.Path(inputs), pathlib.Path(outputs)
    request = json.loads((inputs / "request.json").read_text(encoding="utf-8"))
    blocked = {"saved-model": ["keras"], "keras": []}.get(
        request["format"], ["keras", "tensorflow"]
    )
    blocked.append("seqzoo")
    for name in blocked:  # makes importing these modules fail
        sys.modules[name] = None  # pyright: ignore[reportArgumentType]
    with np.load(inputs / "arrays.npz", allow_pickle=False) as file:
        arrays = dict(file)
    if request["arrays"]:  # raw inputs that are not texts
        request["inputs"] = [arrays.pop(f"raw/{n}") for n in range(request["arrays"])]
    predictions = []
    if request["format"] == "saved-model":
        texts = {key: np.array(value, object) for key, value in request["texts"].items()}
        results = dict(_saved_model(folder, _grouped({**arrays, **texts})))
    elif request["format"] == "keras":
        results = _keras(folder, _grouped(arrays))
    else:
        results, predictions = _standalone(folder, _grouped(arrays), request)
    texts = {
        key: [text.decode("utf-8") for text in value.reshape(-1)]
        for key, value in results.items()
        if value.dtype == object
    }
    numbers = {key: value for key, value in results.items() if key not in texts}
    np.savez(outputs / "arrays.npz", **numbers)  # pyright: ignore[reportArgumentType]
    (outputs / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    (outputs / "predictions.json").write_text(json.dumps(predictions), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
