"""The mutations of `python -m benchmarks.mutations`, by file."""

from benchmarks.mutation_groups import cells, tasks, zoo
from benchmarks.mutation_groups.group import Group

__all__ = ["GROUPS", "Group"]

GROUPS = [*cells.GROUPS, *tasks.GROUPS, *zoo.GROUPS]
