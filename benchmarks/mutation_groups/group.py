"""The data structure of a group of mutations."""

from typing import NamedTuple


class Group(NamedTuple):
    """Mutations of one file.

    Attributes:
        file: path relative to the root of the repository.
        tests: test files, separated by spaces.
        only: expression for pytest's `-k` that selects tests by name; "" for all.
        mutations: replacements by the text that they replace.
    """

    file: str
    tests: str
    only: str
    mutations: dict[str, str]
