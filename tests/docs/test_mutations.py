"""The mutations of benchmarks/mutations.py match the code; running them here would take too
long."""

import pytest

from benchmarks.mutations import GROUPS, MUTATIONS, ROOT, Group, Mutation


def test_every_mutation_changes_code_that_is_there() -> None:
    assert len(MUTATIONS) >= 100
    for mutation in MUTATIONS:
        compile(mutation.source(), mutation.group.file, "exec")


def test_every_group_names_tests_that_are_there() -> None:
    for group in GROUPS:
        assert all((ROOT / name).is_file() for name in group.tests.split()), group.tests


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("ABSENT", "", "must occur once in the file, got 0"),
        ("h", "", "must occur once in the file, got"),
        ("Elman,", "Elmann,", "only a docstring or a comment is changed"),
    ],
)
def test_mutations_of_nothing_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mutation(Group("cells/simple/vanilla.py", "", "", {}), old, new).source()
