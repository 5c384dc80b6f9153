"""Times one exported model in a process that has its runtime alone; `benchmarks.deployment` starts
it and reads the JSON line that it prints.

    python -I deployed.py FORMAT FOLDER ASKED.json
"""

import importlib.util
import json
import pathlib
import resource
import sys
import time

import numpy as np

SECONDS = 0.7
"""How long each figure is measured."""


def percentiles(call, seconds=SECONDS):
    """Median and 99th percentile of a call's milliseconds."""
    for _ in range(5):
        call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return [float(np.percentile(times, 50)), float(np.percentile(times, 99))]


def memory():
    """The most memory that the process had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def arrays(specs, rows):
    """Zeros for the arguments of a step."""
    return {
        own["name"]: np.zeros(
            [rows, *(1 if n is None else n for n in own["shape"][1:])], own["dtype"]
        )
        for own in specs
    }


def saved_model(folder, asked):
    """A SavedModel: its requests, and its step."""
    import tensorflow as tf

    imported = memory()
    start = time.perf_counter()
    signatures = tf.saved_model.load(folder).signatures
    serve, step = signatures["serving_default"], signatures.get("step")

    def request(rows):
        given = {
            name: tf.constant(np.array(own["values"] * rows, own["dtype"]))
            for name, own in asked["raw"].items()
        }
        return lambda: serve(**given)

    def one_step(rows):
        if step is None:
            return None
        given = {
            name: tf.zeros([rows, *(1 if n is None else n for n in own.shape[1:])], own.dtype)
            for name, own in step.structured_input_signature[1].items()
        }
        return lambda: step(**given)

    request(1)()
    return start, imported, request, one_step


def standalone(folder, asked):
    """ONNX or LiteRT files with predict.py: requests from raw inputs, and a bare step."""
    spec = importlib.util.spec_from_file_location("predict", pathlib.Path(folder) / "predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    imported = memory()
    start = time.perf_counter()
    model = predict.Model(folder)
    inputs = asked["inputs"]
    if not isinstance(inputs[0], str):
        inputs = [np.array(own, asked["dtype"]) for own in inputs]

    def request(rows):
        given = (inputs * rows)[:rows]
        return lambda: model.predict(given)

    def one_step(rows):
        if "step" not in model.names:
            return None
        given = arrays(model.about["parts"]["step"]["inputs"], rows)
        part = model._parts["step"]
        if hasattr(part, "session"):
            return lambda: part.session.run(part.outputs, given)
        if rows > 1:
            return lambda: model.run("step", **given)
        return lambda: part.runner(**given)

    request(1)()
    return start, imported, request, one_step


def main(format, folder, asked):
    asked = json.loads(pathlib.Path(asked).read_text(encoding="utf-8"))
    opened = saved_model if format == "saved-model" else standalone
    start, imported, request, one_step = opened(folder, asked)
    figures: dict = {"load_ms": 1000 * (time.perf_counter() - start)}
    for rows in (1, 64):
        step = one_step(rows)
        figures[f"step_{rows}"] = None if step is None else percentiles(step)
        figures[f"request_{rows}"] = percentiles(request(rows))
    figures["memory_mb"] = memory()
    figures["runtime_mb"] = imported
    if asked["held_out"]:
        figures["right"] = quality(format, folder, asked)
    print(json.dumps(figures))


def quality(format, folder, asked):
    """The share of held-out texts and recordings that get the right label."""
    inputs, targets = zip(*asked["held_out"], strict=True)
    texts = isinstance(inputs[0], str)
    if not texts:
        inputs = [np.array(own, np.float32) for own in inputs]
    if format == "saved-model":
        import tensorflow as tf

        serve = tf.saved_model.load(folder).signatures["serving_default"]
        if texts:
            found = serve(tf.constant(list(inputs)))
        else:
            lengths = np.array([len(own) for own in inputs], np.int32)
            padded = np.zeros((len(inputs), lengths.max()), np.float32)
            for row, own in zip(padded, inputs, strict=True):
                row[: len(own)] = own
            found = serve(waveforms=tf.constant(padded), lengths=tf.constant(lengths))
        labels = [own.decode() for own in found.get("label", found.get("text")).numpy()]
    else:
        spec = importlib.util.spec_from_file_location("predict", f"{folder}/predict.py")
        assert spec is not None and spec.loader is not None
        predict = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(predict)
        labels = [own["label"] for own in predict.Model(folder).predict(inputs)]
    return float(np.mean([said == true for said, true in zip(labels, targets, strict=True)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
