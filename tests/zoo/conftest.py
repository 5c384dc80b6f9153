"""Settings of the tests of the zoo."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def loops(request: pytest.FixtureRequest) -> Iterator[None]:
    """Traces the plain loop, which costs no compilation, but in modules marked `fast_loops`."""
    import seqzoo.cells

    if request.node.get_closest_marker("fast_loops"):
        yield
        return
    with seqzoo.cells.portable():
        yield
