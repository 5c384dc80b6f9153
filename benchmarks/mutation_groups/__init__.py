"""The mutations of `python -m benchmarks.mutations`, by file."""

from benchmarks.mutation_groups import cells, data, tasks, training, zoo
from benchmarks.mutation_groups.group import Group

__all__ = ["GROUPS", "Group"]

GROUPS = [*cells.GROUPS, *data.GROUPS, *training.GROUPS, *tasks.GROUPS, *zoo.GROUPS]
