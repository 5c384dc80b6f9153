"""Finds cuDNN operations, and operations that need XLA, in a graph."""

from collections.abc import Iterator
from typing import Any


def nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a GraphDef, including those of its functions."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def cudnn_operations(graph: Any) -> set[str]:
    """Names of the cuDNN operations in a GraphDef."""
    return {node.op for node in nodes(graph) if "cudnn" in node.op.lower()}


def must_compile(graph: Any) -> list[str]:
    """The operations and functions in a GraphDef that run only under XLA."""
    results = [node.name for node in nodes(graph) if node.op.startswith("Xla")]
    for owner in (*nodes(graph), *graph.library.function):
        if "_XlaMustCompile" in owner.attr and owner.attr["_XlaMustCompile"].b:
            results.append(str(owner))
    return results
