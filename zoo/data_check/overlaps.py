"""Equal and nearly equal inputs: within a split, between splits, and with different targets."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from seqzoo.tasks.wording import agreed
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part, letters_of
from seqzoo.zoo.finding import Finding
from seqzoo.zoo.output import shortened


def overlaps(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    """Findings on inputs that occur more than once."""
    yield from _within(parts)
    yield from _between(parts, source)
    yield from _contradictions(parts, source)
    yield from _nearly_equal(parts)


def _within(parts: Mapping[str, Part]) -> Iterator[Finding]:
    for name, part in parts.items():
        repeated = len(part.keys) - len(set(part.keys))
        if repeated:
            share = repeated / len(part.keys)
            yield Finding(
                "duplicates",
                f"{repeated:,} of {len(part.keys):,} inputs in {name} ({share:.1%})",
                "note" if share > 0.01 else "ok",
                values={"split": name, "repeated": repeated, "share": share},
            )


def _between(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    later: dict[bytes, str] = {}
    for name in ("test", "validation", "train"):
        if name not in parts:
            continue
        common = Counter(later[key] for key in parts[name].keys if key in later)
        for other, count in common.items():
            dropped = source.duplicates == "drop"
            inputs = f"input in {name} also occurs"
            if count > 1:
                inputs = f"inputs in {name} also occur"
            yield Finding(
                "leaks",
                f"{count:,} {inputs} in {other}",
                "note",
                "training leaves them out (use `--duplicates keep` to keep them)"
                if dropped
                else "scores will be too high; --duplicates drop leaves them out of training",
                {"split": name, "other": other, "inputs": count},
            )
        later.update(dict.fromkeys(parts[name].keys, name))


def _contradictions(parts: Mapping[str, Part], source: Source) -> Iterator[Finding]:
    """Equal inputs with different labels."""
    in_order = source.target_kind != "labels"
    targets: dict[bytes, set[tuple[str, ...]]] = defaultdict(set)
    where: dict[bytes, list[str]] = defaultdict(list)
    for part in parts.values():
        for index, (key, labels) in enumerate(zip(part.keys, part.labels or (), strict=False)):
            targets[key].add(tuple(labels if in_order else sorted(labels)))
            where[key].append(part.examples.location(index))
    wrong = [key for key, target in targets.items() if len(target) > 1]
    if not wrong:
        return
    first = wrong[0]
    examples = sum(len(where[key]) for key in wrong)
    labels = " or ".join(sorted(", ".join(item) for item in targets[first])[:3])
    yield Finding(
        "labels",
        f"{len(wrong):,} input{'s have' if len(wrong) > 1 else ' has'} different targets, in "
        f"{examples:,} examples: "
        f"{' and '.join(where[first][:3])} are equal and labelled {shortened(labels)}",
        "note",
        "no model can get all of them right; decide which label is correct",
        {"inputs": len(wrong), "examples": examples, "locations": where[first]},
    )


def _nearly_equal(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Held-out texts that differ from training texts only in case, spaces and punctuation."""
    train = parts["train"].examples.inputs
    if isinstance(train, np.ndarray) or not all(isinstance(item, str) for item in train[:100]):
        return
    exact = set(train)
    known = {letters_of(item) for item in train} - {""}
    for name in ("validation", "test"):
        if name in parts:
            held = parts[name].examples.inputs
            alike = sum(item not in exact and letters_of(item) in known for item in held)
            if alike:
                yield Finding(
                    "leaks",
                    f"{alike:,} of {len(held):,} texts in {name} "
                    f"{agreed(alike, 'differs', 'differ')} from a training text only in case, "
                    f"spaces or punctuation ({alike / len(held):.1%})",
                    "note",
                    "scores are higher than on new texts; keep such texts in one split",
                    {"split": name, "texts": alike, "share": alike / len(held)},
                )
