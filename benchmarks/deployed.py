"""Measures an exported model in a process that has only its runtime.

`benchmarks.deployment` runs this program and reads the JSON line that it prints.

    python -I deployed.py times|quality FORMAT FOLDER REQUEST.json
"""

import importlib.util
import json
import pathlib
import resource
import sys
import time

import numpy as np

SECONDS = 0.7
"""Seconds for which each time is measured."""


def percentiles(call, seconds=SECONDS):
    """Median and 99th percentile of the time of a call, in milliseconds."""
    for _ in range(5):
        call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return [float(np.percentile(times, 50)), float(np.percentile(times, 99))]


def memory():
    """Peak memory of the process, in MB; on Linux excluding that of its parent process."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        (line,) = [item for item in status.read_text().splitlines() if item.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def arrays(specs, rows):
    """Zeros for the arguments of a step."""
    return {
        spec["name"]: np.zeros(
            [rows, *(1 if n is None else n for n in spec["shape"][1:])], spec["dtype"]
        )
        for spec in specs
    }


def saved_model(folder, description):
    """Loads a SavedModel.

    Returns:
        The start time, the memory after the imports, and functions (rows) -> a call without
        arguments, for requests and for steps.
    """
    import tensorflow as tf

    imported = memory()
    start = time.perf_counter()
    signatures = tf.saved_model.load(folder).signatures
    serve, step = signatures["serving_default"], signatures.get("step")

    def request(rows):
        inputs = {
            name: tf.constant(np.array(value["values"] * rows, value["dtype"]))
            for name, value in description["raw"].items()
        }
        return lambda: serve(**inputs)

    def one_step(rows):
        if step is None:
            return None
        inputs = {
            name: tf.zeros([rows, *(1 if n is None else n for n in value.shape[1:])], value.dtype)
            for name, value in step.structured_input_signature[1].items()
        }
        return lambda: step(**inputs)

    request(1)()
    return start, imported, request, one_step


def standalone(folder, description):
    """The same as `saved_model`, for ONNX or LiteRT files with predict.py."""
    spec = importlib.util.spec_from_file_location("predict", pathlib.Path(folder) / "predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    imported = memory()
    start = time.perf_counter()
    model = predict.Model(folder)
    inputs = description["inputs"]
    if not isinstance(inputs[0], str):
        inputs = [np.array(item, description["dtype"]) for item in inputs]

    def request(rows):
        batch = (inputs * rows)[:rows]
        return lambda: model.predict(batch)

    def one_step(rows):
        if "step" not in model.names:
            return None
        inputs = arrays(model.about["parts"]["step"]["inputs"], rows)
        part = model.parts["step"]
        if hasattr(part, "session"):
            return lambda: part.session.run(part.outputs, inputs)
        if rows > 1:
            return lambda: model.run("step", **inputs)
        return lambda: part.runner(**inputs)

    request(1)()
    return start, imported, request, one_step


def main(what, format, folder, description):
    """Prints the measurements of an export as a JSON line.

    Args:
        what: "times" or "quality".
        format: format of the export.
        folder: folder of the export.
        description: path of the JSON file with the inputs.
    """
    description = json.loads(pathlib.Path(description).read_text(encoding="utf-8"))
    if what == "quality":
        print(
            json.dumps(
                {"right": quality(format, folder, description) if description["held_out"] else ""}
            )
        )
        return
    opened = saved_model if format == "saved-model" else standalone
    start, imported, request, one_step = opened(folder, description)
    figures: dict = {"load_ms": 1000 * (time.perf_counter() - start)}
    for rows in (1, 64):
        step = one_step(rows)
        figures[f"step_{rows}"] = None if step is None else percentiles(step)
        figures[f"request_{rows}"] = percentiles(request(rows))
    figures["memory_mb"] = memory()
    figures["runtime_mb"] = imported
    print(json.dumps(figures))


def quality(format, folder, description):
    """Accuracy on held-out labels and texts; for tags and language models, per token."""
    targets = description["held_out"]
    predict = saved_predictions if format == "saved-model" else standalone_predictions
    correct = [
        [a == b for a, b in zip(predicted, true, strict=True)]
        if isinstance(true, list)
        else predicted == true
        for predicted, true in zip(predict(folder, description, targets), targets, strict=True)
    ]
    return float(np.mean(np.concatenate([np.atleast_1d(item) for item in correct])))


def saved_predictions(folder, description, targets):
    """Predictions of a SavedModel: labels, texts, or lists of tags or of next tokens."""
    import tensorflow as tf

    signatures = tf.saved_model.load(folder).signatures
    if "start" in description:
        lengths = [len(target) for target in targets]
        tokens = np.zeros((len(targets), max(lengths)), np.int32)
        for row, target in zip(tokens, targets, strict=True):
            row[: len(target)] = [description["start"], *target[:-1]]
        states = signatures["initial_state"](batch=tf.constant(len(targets)))
        logits = signatures["chunk"](tokens=tf.constant(tokens), **states)["logits"].numpy()
        ids = logits.argmax(-1)
        return [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]
    with np.load(description["arrays"]) as file:
        raw = {name[4:]: file[name] for name in file.files if name.startswith("raw/")}
    inputs = {name: tf.constant(value) for name, value in raw.items()}
    result = signatures["serving_default"](**inputs)
    if "tags" in result:
        rows = zip(result["tags"].numpy(), result["lengths"].numpy(), strict=True)
        return [[item.decode() for item in row[:length]] for row, length in rows]
    return [item.decode() for item in result.get("label", result.get("text")).numpy()]


def standalone_predictions(folder, description, targets):
    """Predictions of predict.py; see `saved_predictions`."""
    spec = importlib.util.spec_from_file_location("predict", f"{folder}/predict.py")
    assert spec is not None and spec.loader is not None
    predict = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(predict)
    model = predict.Model(folder)
    if "start" not in description:
        inputs = description["held_out_inputs"]
        if not inputs:
            with np.load(description["arrays"]) as file:
                inputs = [file[f"input/{n}"] for n in range(len(targets))]
        return [item["value"] for item in model.predict(inputs)]
    results = []
    for ids in targets:
        tokens = np.array([[description["start"], *ids[:-1]]], np.int32)
        if model.about["precision"] == "full-int8":
            states, predicted = model.initial_states(), []
            for token in tokens[0]:
                outputs, states = model.step(states, tokens=np.array([token]))
                predicted.append(int(outputs["logits"].argmax()))
            results.append(predicted)
            continue
        inputs = {"values": tokens, "lengths": np.array([len(ids)], np.int32)}
        results.append(model.run("serving", **inputs)["logits"][0].argmax(-1).tolist())
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
