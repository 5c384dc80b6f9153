"""What a model answers with: how answers become numbers to learn from, and numbers answers."""

from typing import Any

from seqzoo.tasks.targets.base import Targets
from seqzoo.tasks.targets.classes import ClassTargets
from seqzoo.tasks.targets.labels import LabelTargets
from seqzoo.tasks.targets.values import ValueTargets

TARGETS: dict[str, type[Targets]] = {
    "class": ClassTargets,
    "labels": LabelTargets,
    "value": ValueTargets,
}


def learn(template: Any, examples: Any) -> Targets:
    """Targets for a template's `target`, with all that they learn from training examples."""
    return TARGETS[template.target].learn(template, examples)


__all__ = ["TARGETS", "Targets", "learn"]
