"""What is ready to use: presets, data sets and trained models."""

from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import get, list_presets
from seqzoo.zoo.pretrained import card, list_trained, load


def list_datasets() -> list[str]:
    """The names of the embedded data sets; `seqzoo.zoo.datasets.load` prepares one."""
    return list(DATASETS)


__all__ = ["card", "get", "list_datasets", "list_presets", "list_trained", "load"]
