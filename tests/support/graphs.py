"""Contents of a graph: operations of cuDNN, and functions that XLA must compile."""

from collections.abc import Iterator
from typing import Any


def nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a GraphDef, those of its functions included."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def cudnn_operations(graph: Any) -> set[str]:
    """Names of cuDNN's operations in a GraphDef."""
    return {node.op for node in nodes(graph) if "cudnn" in node.op.lower()}


def must_compile(graph: Any) -> list[str]:
    """Names of the operations in a GraphDef that only run under XLA."""
    results = [node.name for node in nodes(graph) if node.op.startswith("Xla")]
    for owner in (*nodes(graph), *graph.library.function):
        if "_XlaMustCompile" in owner.attr and owner.attr["_XlaMustCompile"].b:
            results.append(str(owner))
    return results
