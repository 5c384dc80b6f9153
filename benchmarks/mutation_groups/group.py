"""What a group of mutations consists of."""

from typing import NamedTuple


class Group(NamedTuple):
    """Mutations of one file.

    Attributes:
        file: path from the root.
        tests: test files, separated by spaces.
        only: pytest's `-k`, an expression of the tests' names; empty for all.
        mutations: text in the file -> what replaces it.
    """

    file: str
    tests: str
    only: str
    mutations: dict[str, str]
