"""Presets, data sets and pretrained models, ready to use; comparisons and checks."""

import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqzoo.zoo.comparison.compare import compare
    from seqzoo.zoo.data.open import open_source
    from seqzoo.zoo.data.source import Source
    from seqzoo.zoo.data_check.check import check
    from seqzoo.zoo.datasets import list_datasets
    from seqzoo.zoo.diagnostics.doctor import doctor
    from seqzoo.zoo.hyperparameters.search import search
    from seqzoo.zoo.inference.open_run import ensemble
    from seqzoo.zoo.mistakes.errors import errors
    from seqzoo.zoo.presets import get, list_presets
    from seqzoo.zoo.pretrained import card, list_trained, load
    from seqzoo.zoo.training.repeat import repeat

# Imported on first use: the command line's help needs none of them.
_LOCATIONS = {
    "Source": "seqzoo.zoo.data.source:Source",
    "card": "seqzoo.zoo.pretrained:card",
    "check": "seqzoo.zoo.data_check.check:check",
    "compare": "seqzoo.zoo.comparison.compare:compare",
    "doctor": "seqzoo.zoo.diagnostics.doctor:doctor",
    "ensemble": "seqzoo.zoo.inference.open_run:ensemble",
    "errors": "seqzoo.zoo.mistakes.errors:errors",
    "get": "seqzoo.zoo.presets:get",
    "list_datasets": "seqzoo.zoo.datasets:list_datasets",
    "list_presets": "seqzoo.zoo.presets:list_presets",
    "list_trained": "seqzoo.zoo.pretrained:list_trained",
    "load": "seqzoo.zoo.pretrained:load",
    "open_source": "seqzoo.zoo.data.open:open_source",
    "repeat": "seqzoo.zoo.training.repeat:repeat",
    "search": "seqzoo.zoo.hyperparameters.search:search",
}


def __getattr__(name: str) -> Any:
    if name not in _LOCATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return pkgutil.resolve_name(_LOCATIONS[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_LOCATIONS})


__all__ = [
    "Source",
    "card",
    "check",
    "compare",
    "doctor",
    "ensemble",
    "errors",
    "get",
    "list_datasets",
    "list_presets",
    "list_trained",
    "load",
    "open_source",
    "repeat",
    "search",
]
