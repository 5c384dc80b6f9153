"""One stack trace for all operations of the graphs that the tests trace.

TensorFlow notes where in Python each operation is made, which takes a twentieth of the tests' time:
their stacks are deep. It is only shown in TensorFlow's own errors of a graph, below the message.
"""

import sys
from typing import Any


def share() -> None:
    """From now on each operation has the trace of this call, if TensorFlow is imported."""
    stacks: Any = sys.modules.get("tensorflow.python.util.tf_stack")
    if stacks is not None:
        trace = stacks.extract_stack()
        stacks.extract_stack = lambda stacklevel=1: trace
