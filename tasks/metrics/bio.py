"""Tags that mark entities in a sequence: BIO and BIOES, and the spans that they mark."""

from collections.abc import Sequence

from seqzoo.tasks.errors import SeqzooError


def split_tag(name: str) -> tuple[str, str]:
    """Prefix and type of a tag: "B-PER" -> ("B", "PER"), "B" -> ("B", ""), "O" -> ("O", "").

    Raises:
        SeqzooError: the name is not a BIO or BIOES tag.
    """
    prefix, dash, kind = name.partition("-")
    if prefix not in ("O", "B", "I", "E", "S") or (prefix == "O" and dash):
        raise SeqzooError(
            "A tag must be 'O', or 'B', 'I', 'E' or 'S', which a hyphen and a type may follow, "
            f"as in 'B-PER', got {name!r}."
        )
    return prefix, kind


def entity_spans(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities of one sequence, as conlleval defines them.

    A tag continues an entity if it is an I or E of the same type right after a B or I. Any other
    tag ends that entity and, unless it is O, begins a new one. So the entities of any sequence of
    tags are defined, even if it is not well formed.

    Source: conlleval.pl of the CoNLL-2000 shared task.

    Returns:
        (type, first step, last step) of each entity, in order; the type is "" for tags without one.

    Raises:
        SeqzooError: a tag is not a BIO or BIOES tag.
    """
    spans = []
    before, kind, first = "O", "", 0
    for step, name in enumerate([*tags, "O"]):
        prefix, new_kind = split_tag(name)
        continues = prefix in ("I", "E") and before in ("B", "I") and new_kind == kind
        if not continues:
            if before != "O":
                spans.append((kind, first, step - 1))
            kind, first = new_kind, step
        before = prefix
    return spans


def bio_constraints(names: Sequence[str]) -> tuple[list[list[bool]], list[bool], list[bool]]:
    """The constraints that well-formed tags satisfy, for `CRF`.

    Tags are read as BIOES if there are names with an E or S, otherwise as BIO. In BIO, an I
    continues an entity of its type. In BIOES, an E does so too, an S is an entity of one step, and
    an entity that begins with a B must end with an E.

    Args:
        names: names of all tags, in the order of their ids.

    Returns:
        Which tag (row) may come before which (column), shape (tags, tags); which may begin a
        sequence, (tags,); which may end it, (tags,).

    Raises:
        SeqzooError: a name is not a BIO or BIOES tag, or occurs twice.
    """
    if len(set(names)) < len(names):
        raise SeqzooError(f"Tag names must be unique, got {list(names)}.")
    tags = [split_tag(name) for name in names]
    is_bioes = any(prefix in ("E", "S") for prefix, _ in tags)

    def continues(before: tuple[str, str], tag: tuple[str, str]) -> bool:
        return before[0] in ("B", "I") and tag[0] in ("I", "E") and before[1] == tag[1]

    starts = [prefix in ("O", "B", "S") for prefix, _ in tags]
    ends = [not is_bioes or prefix in ("O", "E", "S") for prefix, _ in tags]
    moves = [
        [continues(before, tag) or (end and start) for tag, start in zip(tags, starts, strict=True)]
        for before, end in zip(tags, ends, strict=True)
    ]
    return moves, starts, ends
