"""The presets, by name."""

from fnmatch import fnmatch

from seqzoo.tasks.errors import SeqzooError, check_instance, nearest_of
from seqzoo.zoo.presets import (
    forecast,
    many_to_many_aligned,
    many_to_many_encoder_decoder,
    many_to_many_unaligned,
    many_to_one,
    one_to_many,
)
from seqzoo.zoo.presets.preset import Preset, Size

PRESETS = {
    **many_to_one.PRESETS,
    **one_to_many.PRESETS,
    **many_to_many_aligned.PRESETS,
    **many_to_many_unaligned.PRESETS,
    **many_to_many_encoder_decoder.PRESETS,
    **forecast.PRESETS,
}


def get(name: str) -> Preset:
    """Looks up a preset by name.

    Raises:
        SeqzooError: the preset does not exist.
    """
    check_instance("name", name, str, "the name of a preset")
    if name not in PRESETS:
        raise SeqzooError(f"There is no preset {name!r}{nearest_of(name, PRESETS)}")
    return PRESETS[name]


def list_presets(pattern: str = "*") -> list[str]:
    """The names of the presets that match a pattern, such as `list_presets("mnist-*")`."""
    return [name for name in PRESETS if fnmatch(name, pattern)]


__all__ = ["PRESETS", "Preset", "Size", "get", "list_presets"]
