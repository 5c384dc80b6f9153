"""The mistakes that `python -m benchmarks.mutations` puts into the code, by file."""

from benchmarks.mutation_groups import cells, tasks, zoo
from benchmarks.mutation_groups.group import Group

__all__ = ["GROUPS", "Group"]

GROUPS = [*cells.GROUPS, *tasks.GROUPS, *zoo.GROUPS]
