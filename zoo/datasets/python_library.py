"""The source of the standard library of the running interpreter.

The raw material of `python_source` and `python_tokens`. Needs only Python.
"""

import pathlib
import sys
import sysconfig
import tokenize
from collections.abc import Iterator

from seqzoo.tasks.errors import SeqzooError

# Tests, third-party packages, and generated tables: the character maps of `encodings` and the help
# texts of `pydoc_data`, which make up a sixth of the library.
LEFT_OUT = frozenset(
    "test tests idle_test site-packages dist-packages __pycache__ encodings pydoc_data".split()
)
VERSION = "1.{}{:02d}.{}".format(*sys.version_info[:3])
"""Version of the data sets, 1.311.7 for Python 3.11.7: the library differs between releases."""


def sources(folder: pathlib.Path | None = None) -> Iterator[tuple[str, str]]:
    """Each file of the library: its path below `folder`, such as "json/decoder.py", and its text.

    Tests, files of tables, empty files, and files generated for this machine when Python was built
    are left out. Lines end in "\\n". Sorted by path.

    Args:
        folder: where to look; by default the library of the running interpreter.

    Raises:
        SeqzooError: there is no source, for example because the library is in an archive.
    """
    folder = folder or pathlib.Path(sysconfig.get_path("stdlib"))
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    kept = [name for name in names if not _is_left_out(name)]
    if not kept:
        raise SeqzooError(
            f"Python's library must be a folder of .py files, got {str(folder)!r}, which has none; "
            f"use a Python installation that includes the source."
        )
    for name in kept:
        try:
            with tokenize.open(folder / name) as file:
                text = file.read()
        except (SyntaxError, UnicodeDecodeError):
            continue
        if text.strip():
            yield name, text


def _is_left_out(name: str) -> bool:
    *folders, file = name.split("/")
    return (
        not LEFT_OUT.isdisjoint(folders)
        or file.startswith("_sysconfigdata")
        or bool(folders and folders[0].startswith("config-"))
    )
