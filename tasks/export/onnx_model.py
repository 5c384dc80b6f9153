"""A trained model as ONNX files, one per part, with a plain Python script that turns raw inputs
into tensors and tensors into predictions."""

import logging
import pathlib
from typing import Any

import tensorflow as tf

import seqzoo.cells
from seqzoo.cells.engine.runners import run_by
from seqzoo.tasks.export.checking import check_parts
from seqzoo.tasks.export.description import write_description
from seqzoo.tasks.export.formats import Export
from seqzoo.tasks.export.onnx_graph import OPSET, Translator, Writer, element_type
from seqzoo.tasks.export.onnx_recurrence import Recurrences
from seqzoo.tasks.export.parts import Part, in_float32, parts_of

IR_VERSION = 10
"""Version of the file format; readers accept versions up to their own."""


def onnx_model(part: Part, name: str = "model") -> Any:
    """Converts a part to an `onnx.ModelProto`.

    Args:
        part: the part.
        name: the name of the ONNX graph.

    Raises:
        SeqzooError: an operation has no translation.
    """
    import onnx
    from onnx import helper

    recurrences = Recurrences()

    def run(*tensors: Any) -> dict[str, Any]:
        names = [spec.name for spec in part.inputs]
        return part.run(**dict(zip(names, tensors, strict=True)))

    with run_by(recurrences), seqzoo.cells.portable():
        function = tf.function(run, autograph=False).get_concrete_function(*part.inputs)
    writer = Writer()
    placeholders = function.inputs[: len(part.inputs)]
    names = {
        placeholder.op.name: spec.name
        for placeholder, spec in zip(placeholders, part.inputs, strict=True)
    }
    translator = Translator(function, writer, names, recurrences.replaced)
    outputs = []
    # Results by name, in the order in which TensorFlow flattens them.
    for key, tensor in zip(sorted(function.structured_outputs), function.outputs, strict=True):
        result = translator.translate(tensor)
        writer.nodes.append(helper.make_node("Identity", [result], [key]))
        outputs.append(_described(key, tensor))
    graph = helper.make_graph(
        writer.nodes,
        name,
        [_described(spec.name, spec) for spec in part.inputs],
        outputs,
        list(writer.constants.values()),
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="seqzoo"
    )
    onnx.checker.check_model(model)
    return model


def _described(name: str, spec: Any) -> Any:
    from onnx import helper

    shape = [f"{name}_axis_{n}" if item is None else item for n, item in enumerate(spec.shape)]
    if shape and isinstance(shape[0], str):
        shape[0] = "batch"
    return helper.make_tensor_value_info(name, element_type(spec.dtype), shape)


def write(wanted: Export, folder: pathlib.Path) -> float | None:
    """Writes one file per part, model.json and predict.py; see `seqzoo.tasks.export.formats`.

    Raises:
        SeqzooError: an operation has no translation, or the results of the files differ from the
            model's.
    """
    import onnx

    task = wanted.task
    model = in_float32(task, wanted.model)
    parts = parts_of(task, model)
    written = {name: onnx_model(part, name) for name, part in parts.items()}
    files = {name: f"{name}.onnx" for name in parts}
    for name, value in written.items():
        onnx.save(value, str(folder / files[name]))
        if wanted.precision == "int8":
            _quantise(folder / files[name])
    write_description(
        folder,
        task,
        model,
        wanted.options,
        format="onnx",
        precision=wanted.precision,
        parts=parts,
        files=files,
        outputs={name: [item.name for item in p.graph.output] for name, p in written.items()},
    )
    return check_parts(wanted, folder, "onnx", task, parts) if wanted.check else None


def _quantise(path: pathlib.Path) -> None:
    """Quantises weights to 8-bit integers; activations are quantised dynamically, at run time.
    Matrix products whose logarithm is taken, as in audio spectra, are left out: the range of 8 bits
    is too small for them."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # onnxruntime warns about operations that it leaves unchanged
    try:
        model = onnx.load(str(path))
        kept = _before_logarithms(model.graph)
        quantize_dynamic(model, str(path), weight_type=QuantType.QInt8, nodes_to_exclude=kept)
    finally:
        logger.setLevel(level)


def _before_logarithms(graph: Any) -> list[str]:
    """The names of all nodes that a logarithm depends on; nodes without a name get one."""
    producers, names = {}, set()
    for number, node in enumerate(graph.node):
        node.name = node.name or f"node_{number}"
        producers |= dict.fromkeys(node.output, node)
    waiting = [node for node in graph.node if node.op_type == "Log"]
    while waiting:
        for name in waiting.pop().input:
            node = producers.get(name)
            if node is not None and node.name not in names:
                names.add(node.name)
                waiting.append(node)
    return sorted(names)
