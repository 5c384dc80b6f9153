"""Translations of TensorFlow's operations to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from seqzoo.tasks.errors import SeqzooError

if TYPE_CHECKING:
    from seqzoo.tasks.export.onnx_graph import Translator

SAME_NAME = (
    "Abs Ceil Cos Elu Erf Exp Floor Log Neg Relu Round Selu Sigmoid Sign Sin Softplus Softsign "
    "Sqrt Tanh Add Sub Mul Pow Equal Less Greater"
).split()
"""Operations with the same name and inputs in TensorFlow and ONNX."""

RENAMED = {
    "AddV2": "Add",
    "BiasAdd": "Add",
    "RealDiv": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "LessEqual": "LessOrEqual",
    "GreaterEqual": "GreaterOrEqual",
    "LogicalAnd": "And",
    "LogicalOr": "Or",
    "LogicalNot": "Not",
    "SelectV2": "Where",
    "Select": "Where",
    "Inv": "Reciprocal",
    "Reciprocal": "Reciprocal",
}
"""Operations with the same inputs but a different name in ONNX."""

REDUCTIONS = {
    "Sum": "ReduceSum",
    "Mean": "ReduceMean",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "Prod": "ReduceProd",
}


def _reduce(t: Translator, op: Any) -> str:
    axes = t.constant_input(op, 1, "axes").astype(np.int64).reshape(-1)
    keep = int(op.get_attr("keep_dims"))
    if not len(axes):  # in ONNX, no axes are all axes
        return t.writer.add("Identity", [t.input(op, 0)])
    return t.writer.add(
        REDUCTIONS[op.type], [t.input(op, 0), t.writer.constant(axes)], keepdims=keep
    )


def _reduce_bool(t: Translator, op: Any) -> str:
    axes = t.constant_input(op, 1, "axes").astype(np.int64).reshape(-1)
    kind = "ReduceMin" if op.type == "All" else "ReduceMax"
    number = t.writer.cast(t.input(op, 0), np.int32)
    keep = int(op.get_attr("keep_dims"))
    return t.writer.cast(t.writer.add(kind, [number, t.writer.constant(axes)], keepdims=keep), bool)


def _product(t: Translator, op: Any) -> str:
    names = []
    for index, flags in enumerate((("transpose_a", "adj_x"), ("transpose_b", "adj_y"))):
        tensor = op.inputs[index]
        transposed = any(_attribute(op, flag) for flag in flags)
        if transposed and t.is_constant(tensor.op):
            names.append(t.writer.constant(np.swapaxes(t.value(tensor), -1, -2), "weight"))
        elif transposed:
            order = list(range(tensor.shape.rank))
            order[-2:] = [order[-1], order[-2]]
            names.append(t.writer.add("Transpose", [t.input(op, index)], perm=order))
        else:
            names.append(t.input(op, index))
    return t.writer.add("MatMul", names)


def _attribute(op: Any, name: str) -> Any:
    try:
        return op.get_attr(name)
    except ValueError:
        return None


def _concat(t: Translator, op: Any) -> str:
    axis = int(t.constant_input(op, len(op.inputs) - 1, "an axis"))
    names = [t.input(op, index) for index in range(len(op.inputs) - 1)]
    return t.writer.add("Concat", names, axis=axis)


def _split(t: Translator, op: Any) -> list[str]:
    count = op.get_attr("num_split")
    if count == 1:
        return [t.input(op, 1 if op.type == "Split" else 0)]
    if op.type == "Split":
        axis, value = int(t.constant_input(op, 0)), 1
        return _as_list(
            t.writer.add("Split", [t.input(op, value)], count, axis=axis, num_outputs=count)
        )
    sizes = t.constant_input(op, 1, "sizes").astype(np.int64)
    if (sizes < 0).any():
        axis = int(t.constant_input(op, 2))
        sizes = sizes.copy()
        sizes[sizes < 0] = op.inputs[0].shape[axis] - sizes[sizes >= 0].sum()
    axis = int(t.constant_input(op, 2))
    return _as_list(
        t.writer.add("Split", [t.input(op, 0), t.writer.constant(sizes)], count, axis=axis)
    )


def _as_list(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else names


def _unpack(t: Translator, op: Any) -> list[str]:
    axis, count = op.get_attr("axis"), op.get_attr("num")
    parts = _as_list(t.writer.add("Split", [t.input(op, 0)], count, axis=axis, num_outputs=count))
    return [t.writer.add("Squeeze", [part, t.writer.integers(axis)]) for part in parts]


def _pack(t: Translator, op: Any) -> str:
    axis = op.get_attr("axis")
    parts = [
        t.writer.add("Unsqueeze", [t.input(op, index), t.writer.integers(axis)])
        for index in range(len(op.inputs))
    ]
    return t.writer.add("Concat", parts, axis=axis)


def _strided_slice(t: Translator, op: Any) -> str:
    masks = {
        name: op.get_attr(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    strides = t.constant_input(op, 3, "strides")
    begins, ends = _entries(t, op.inputs[1], len(strides)), _entries(t, op.inputs[2], len(strides))
    rank = op.inputs[0].shape.rank
    added = bin(masks["new_axis"]).count("1")
    starts, stops, axes, steps, squeezed, new = [], [], [], [], [], []
    axis, position = 0, 0  # of the input, and of the output
    for index, stride in enumerate(strides):
        bit = 1 << index
        if masks["ellipsis"] & bit:
            skipped = rank - (len(strides) - 1 - added)
            axis, position = axis + skipped, position + skipped
            continue
        if masks["new_axis"] & bit:
            new.append(position)
            position += 1
            continue
        if masks["shrink_axis"] & bit:
            begin = begins[index]
            starts.append(begin)
            if isinstance(begin, int):
                stops.append(begin + 1 if begin != -1 else np.iinfo(np.int64).max)
            else:
                stops.append(t.writer.add("Add", [begin, t.writer.integers(1)]))
            axes.append(axis)
            steps.append(1)
            squeezed.append(axis)
            axis += 1
            continue
        if not (masks["begin"] & bit and masks["end"] & bit and stride == 1):
            far = np.iinfo(np.int64).max
            first, last = (0, far) if stride > 0 else (far, np.iinfo(np.int64).min)
            starts.append(first if masks["begin"] & bit else begins[index])
            stops.append(last if masks["end"] & bit else ends[index])
            axes.append(axis)
            steps.append(int(stride))
        axis, position = axis + 1, position + 1
    value = t.input(op, 0)
    if axes:
        parts = [_vector(t, starts), _vector(t, stops), t.writer.integers(*axes)]
        value = t.writer.add("Slice", [value, *parts, t.writer.integers(*steps)])
    if squeezed:
        value = t.writer.add("Squeeze", [value, t.writer.integers(*squeezed)])
    if new:
        value = t.writer.add("Unsqueeze", [value, t.writer.integers(*new)])
    return value


def _entries(t: Translator, tensor: Any, count: int) -> list[Any]:
    """The entries of a vector: numbers if constant, otherwise the names of vectors of size 1."""
    if t.is_constant(tensor.op):
        return [int(item) for item in t.value(tensor)]
    if tensor.op.type == "Pack":
        return [
            int(t.value(item)) if t.is_constant(item.op) else t.int64_vector(item)
            for item in tensor.op.inputs
        ]
    whole = t.int64_vector(tensor)
    return [t.writer.add("Gather", [whole, t.writer.integers(index)]) for index in range(count)]


def _vector(t: Translator, entries: list[Any]) -> str:
    if all(isinstance(entry, int) for entry in entries):
        return t.writer.integers(*entries)
    names = [t.writer.integers(entry) if isinstance(entry, int) else entry for entry in entries]
    return names[0] if len(names) == 1 else t.writer.add("Concat", names, axis=0)


def _slice(t: Translator, op: Any) -> str:
    begins = t.constant_input(op, 1, "a start index").astype(np.int64)
    sizes = t.constant_input(op, 2, "a size").astype(np.int64)
    ends = np.where(sizes < 0, np.iinfo(np.int64).max, begins + sizes)
    axes = np.arange(len(begins))
    return t.writer.add(
        "Slice",
        [
            t.input(op, 0),
            t.writer.constant(begins),
            t.writer.constant(ends),
            t.writer.constant(axes),
        ],
    )


def _pad(t: Translator, op: Any) -> str:
    widths = op.inputs[1]
    if t.is_constant(widths.op):
        both = t.writer.constant(t.value(widths).T.reshape(-1).astype(np.int64))
    else:
        transposed = t.writer.add(
            "Transpose", [t.writer.cast(t.input(op, 1), np.int64)], perm=[1, 0]
        )
        both = t.writer.add("Reshape", [transposed, t.writer.integers(-1)])
    value = [t.input(op, 2)] if op.type == "PadV2" else []
    return t.writer.add("Pad", [t.input(op, 0), both, *value])


def _gather(t: Translator, op: Any) -> str:
    axis = int(t.constant_input(op, 2)) if op.type == "GatherV2" else 0
    batched = op.get_attr("batch_dims")
    if not batched:
        return t.writer.add("Gather", [t.table(op), t.input(op, 1)], axis=axis)
    index_rank = op.inputs[1].shape.rank
    if axis == batched and index_rank == batched:  # one entry per row
        at = t.writer.add("Unsqueeze", [t.input(op, 1), t.writer.integers(index_rank)])
        at = t.writer.cast(at, np.int64)
        return t.writer.add("GatherND", [t.table(op), at], batch_dims=batched)
    if axis == batched and op.inputs[0].shape.rank == index_rank == batched + 1:
        at = t.writer.cast(t.input(op, 1), np.int64)
        return t.writer.add("GatherElements", [t.table(op), at], axis=axis)
    raise SeqzooError(f"The batched gather {op.name!r} has no translation to ONNX.")


def _gather_nd(t: Translator, op: Any) -> str:
    return t.writer.add("GatherND", [t.input(op, 0), t.writer.cast(t.input(op, 1), np.int64)])


def _cast(t: Translator, op: Any) -> str:
    return t.writer.cast(t.input(op, 0), op.get_attr("DstT"))


def _shape(t: Translator, op: Any) -> str:
    shape = t.writer.add("Shape", [t.input(op, 0)])
    return t.writer.cast(shape, op.get_attr("out_type"))


def _size(t: Translator, op: Any) -> str:
    return t.writer.cast(t.writer.add("Size", [t.input(op, 0)]), op.get_attr("out_type"))


def _reshape(t: Translator, op: Any) -> str:
    return t.writer.add("Reshape", [t.input(op, 0), t.int64_vector(op.inputs[1])], allowzero=1)


def _transpose(t: Translator, op: Any) -> str:
    order = [int(item) for item in t.constant_input(op, 1, "an order of axes")]
    return t.writer.add("Transpose", [t.input(op, 0)], perm=order)


def _squeeze(t: Translator, op: Any) -> str:
    return t.writer.add(
        "Squeeze", [t.input(op, 0), t.writer.integers(*op.get_attr("squeeze_dims"))]
    )


def _expand_dims(t: Translator, op: Any) -> str:
    return t.writer.add(
        "Unsqueeze", [t.input(op, 0), t.writer.integers(int(t.constant_input(op, 1)))]
    )


def _fill(t: Translator, op: Any) -> str:
    return t.writer.add("Expand", [t.input(op, 1), t.int64_vector(op.inputs[0])])


def _expand(t: Translator, op: Any) -> str:
    return t.writer.add("Expand", [t.input(op, 0), t.int64_vector(op.inputs[1])])


def _tile(t: Translator, op: Any) -> str:
    return t.writer.add("Tile", [t.input(op, 0), t.int64_vector(op.inputs[1])])


def _alike(t: Translator, op: Any) -> str:
    dtype = op.outputs[0].dtype.as_numpy_dtype
    value = t.writer.constant(np.array(1 if op.type == "OnesLike" else 0, dtype))
    return t.writer.add("Expand", [value, t.writer.add("Shape", [t.input(op, 0)])])


def _range(t: Translator, op: Any) -> str:
    return t.writer.add("Range", [t.input(op, index) for index in range(3)])


def _arg_max(t: Translator, op: Any) -> str:
    result = t.writer.add("ArgMax", [t.input(op, 0)], axis=int(t.constant_input(op, 1)), keepdims=0)
    return t.writer.cast(result, op.get_attr("output_type"))


def _top_k(t: Translator, op: Any) -> list[str]:
    values, positions = t.writer.add("TopK", [t.input(op, 0), t.int64_vector(op.inputs[1])], 2)
    return [values, t.writer.cast(positions, op.outputs[1].dtype)]


def _cumsum(t: Translator, op: Any) -> str:
    return t.writer.add(
        "CumSum",
        [t.input(op, 0), t.input(op, 1)],
        exclusive=int(op.get_attr("exclusive")),
        reverse=int(op.get_attr("reverse")),
    )


def _reverse(t: Translator, op: Any) -> str:
    axes = [int(item) for item in t.constant_input(op, 1)]
    far = np.iinfo(np.int64)
    count = len(axes)
    parts = ([far.max] * count, [far.min] * count, axes, [-1] * count)
    return t.writer.add("Slice", [t.input(op, 0), *(t.writer.integers(*part) for part in parts)])


def _softmax(t: Translator, op: Any) -> str:
    return t.writer.add(op.type, [t.input(op, 0)], axis=-1)


def _square(t: Translator, op: Any) -> str:
    value = t.input(op, 0)
    return t.writer.add("Mul", [value, value])


def _squared_difference(t: Translator, op: Any) -> str:
    value = t.writer.add("Sub", [t.input(op, 0), t.input(op, 1)])
    return t.writer.add("Mul", [value, value])


def _rsqrt(t: Translator, op: Any) -> str:
    return t.writer.add("Reciprocal", [t.writer.add("Sqrt", [t.input(op, 0)])])


def _relu6(t: Translator, op: Any) -> str:
    dtype = op.outputs[0].dtype.as_numpy_dtype
    bounds = [t.writer.constant(np.array(item, dtype)) for item in (0, 6)]
    return t.writer.add("Clip", [t.input(op, 0), *bounds])


def _leaky_relu(t: Translator, op: Any) -> str:
    return t.writer.add("LeakyRelu", [t.input(op, 0)], alpha=float(op.get_attr("alpha")))


def _expm1(t: Translator, op: Any) -> str:
    """exp(x) - 1, computed near zero as 2 tanh(x/2) / (1 - tanh(x/2)), which is accurate there."""
    dtype = op.outputs[0].dtype.as_numpy_dtype
    one, two = (t.writer.constant(np.array(item, dtype)) for item in (1, 2))
    value = t.input(op, 0)
    half = t.writer.add("Tanh", [t.writer.add("Div", [value, two])])
    divisor = t.writer.add("Sub", [one, half])
    small = t.writer.add("Div", [t.writer.add("Mul", [two, half]), divisor])
    large = t.writer.add("Sub", [t.writer.add("Exp", [value]), one])
    return t.writer.add("Where", [t.writer.add("Greater", [value, one]), large, small])


def _erfc(t: Translator, op: Any) -> str:
    """1 - erf(x)."""
    one = t.writer.constant(np.array(1, op.outputs[0].dtype.as_numpy_dtype))
    return t.writer.add("Sub", [one, t.writer.add("Erf", [t.input(op, 0)])])


def _log1p(t: Translator, op: Any) -> str:
    one = t.writer.constant(np.array(1, op.outputs[0].dtype.as_numpy_dtype))
    return t.writer.add("Log", [t.writer.add("Add", [one, t.input(op, 0)])])


def _floor_division(t: Translator, op: Any) -> str:
    left, right = t.input(op, 0), t.input(op, 1)
    if op.outputs[0].dtype.is_floating:
        return t.writer.add("Floor", [t.writer.add("Div", [left, right])])
    # ONNX's integer division rounds towards zero, and TensorFlow's rounds down; ONNX's remainder
    # has the sign of the divisor.
    remainder = t.writer.add("Mod", [left, right])
    return t.writer.add("Div", [t.writer.add("Sub", [left, remainder]), right])


def _not_equal(t: Translator, op: Any) -> str:
    return t.writer.add("Not", [t.writer.add("Equal", [t.input(op, 0), t.input(op, 1)])])


def _floor_mod(t: Translator, op: Any) -> str:
    x, y = t.input(op, 0), t.input(op, 1)
    if op.outputs[0].dtype.is_integer:
        return t.writer.add("Mod", [x, y])
    # ONNX's Mod of floats has the sign of x, TensorFlow's that of y.
    whole = t.writer.add("Floor", [t.writer.add("Div", [x, y])])
    return t.writer.add("Sub", [x, t.writer.add("Mul", [whole, y])])


def _one_hot(t: Translator, op: Any) -> str:
    depth = t.writer.constant(np.array([int(t.constant_input(op, 1))], np.int64))
    dtype = op.outputs[0].dtype.as_numpy_dtype
    values = np.array([t.constant_input(op, 3), t.constant_input(op, 2)], dtype)
    positions = t.writer.cast(t.input(op, 0), np.int64)
    # In ONNX, negative positions count from the end; those beyond the depth have no entry.
    negative = t.writer.add("Less", [positions, t.writer.constant(np.array(0, np.int64))])
    positions = t.writer.add("Where", [negative, depth, positions])
    axis = op.get_attr("axis")
    return t.writer.add("OneHot", [positions, depth, t.writer.constant(values)], axis=axis)


def _convolution(t: Translator, op: Any) -> str:
    """A convolution; TensorFlow has channels as the last axis, ONNX as the second."""
    kernel = np.transpose(t.constant_input(op, 1, "a kernel"), (3, 2, 0, 1))
    transposed = t.writer.add("Transpose", [t.input(op, 0)], perm=[0, 3, 1, 2])
    groups = op.inputs[0].shape[3] // kernel.shape[1]
    result = t.writer.add(
        "Conv",
        [transposed, t.writer.constant(kernel, "weight")],
        strides=list(op.get_attr("strides"))[1:3],
        dilations=list(op.get_attr("dilations"))[1:3],
        group=int(groups),
        auto_pad=_padding(op),
    )
    return t.writer.add("Transpose", [result], perm=[0, 2, 3, 1])


def _pooling(t: Translator, op: Any) -> str:
    kind = {"MaxPool": "MaxPool", "MaxPoolV2": "MaxPool", "AvgPool": "AveragePool"}[op.type]
    transposed = t.writer.add("Transpose", [t.input(op, 0)], perm=[0, 3, 1, 2])
    result = t.writer.add(
        kind,
        [transposed],
        kernel_shape=list(op.get_attr("ksize"))[1:3],
        strides=list(op.get_attr("strides"))[1:3],
        auto_pad=_padding(op),
    )
    return t.writer.add("Transpose", [result], perm=[0, 2, 3, 1])


def _padding(op: Any) -> str:
    padding = op.get_attr("padding").decode()
    if padding not in ("SAME", "VALID") or op.get_attr("data_format") != b"NHWC":
        raise SeqzooError(f"The padding or layout of {op.name!r} has no translation to ONNX.")
    return "SAME_UPPER" if padding == "SAME" else "VALID"


def _batch_normalisation(t: Translator, op: Any) -> str:
    if op.get_attr("is_training"):
        raise SeqzooError(
            f"{op.name!r} normalises with batch statistics; only batch normalisation with the "
            "statistics from training can be exported."
        )
    scale, offset, mean, variance = (t.constant_input(op, index) for index in range(1, 5))
    factor = scale / np.sqrt(variance + op.get_attr("epsilon"))
    result = t.writer.add("Mul", [t.input(op, 0), t.writer.constant(factor)])
    return t.writer.add("Add", [result, t.writer.constant(offset - mean * factor)])


def _einsum(t: Translator, op: Any) -> str:
    equation = op.get_attr("equation").decode()
    names = [t.input(op, index) for index in range(len(op.inputs))]
    return t.writer.add("Einsum", names, equation=equation)


def _is_finite(t: Translator, op: Any) -> str:
    value = t.input(op, 0)
    either = t.writer.add("Or", [t.writer.add(kind, [value]) for kind in ("IsNaN", "IsInf")])
    return t.writer.add("Not", [either])


WRITTEN: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(("All", "Any"), _reduce_bool),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product),
    "ConcatV2": _concat,
    **dict.fromkeys(("Split", "SplitV"), _split),
    "Unpack": _unpack,
    "Pack": _pack,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    **dict.fromkeys(("Pad", "PadV2"), _pad),
    **dict.fromkeys(("GatherV2", "ResourceGather"), _gather),
    "GatherNd": _gather_nd,
    "Cast": _cast,
    "Shape": _shape,
    "Size": _size,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "ExpandDims": _expand_dims,
    "Fill": _fill,
    "BroadcastTo": _expand,
    "Tile": _tile,
    **dict.fromkeys(("ZerosLike", "OnesLike"), _alike),
    "Range": _range,
    "ArgMax": _arg_max,
    "TopKV2": _top_k,
    "Cumsum": _cumsum,
    "ReverseV2": _reverse,
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Square": _square,
    "SquaredDifference": _squared_difference,
    "Rsqrt": _rsqrt,
    "Relu6": _relu6,
    "LeakyRelu": _leaky_relu,
    "Erfc": _erfc,
    "Expm1": _expm1,
    "Log1p": _log1p,
    "FloorDiv": _floor_division,
    "NotEqual": _not_equal,
    "FloorMod": _floor_mod,
    "OneHot": _one_hot,
    "Conv2D": _convolution,
    **dict.fromkeys(("MaxPool", "MaxPoolV2", "AvgPool"), _pooling),
    "FusedBatchNormV3": _batch_normalisation,
    "Einsum": _einsum,
    "IsFinite": _is_finite,
}
"""Operations that need more than a different name: functions (translator, operation) -> the names
of the outputs."""
