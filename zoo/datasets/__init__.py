"""The built-in data sets: `tfds` builders that need no download, prepared on first use.

Importing this package imports neither TensorFlow nor tfds; `load` imports both.
"""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import pkgutil
from typing import TYPE_CHECKING

from seqzoo.tasks.errors import SeqzooError, nearest

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

DATASETS = {
    "languages": "seqzoo.zoo.datasets.languages:Languages",
    "dates": "seqzoo.zoo.datasets.dates:Dates",
    "glyphs": "seqzoo.zoo.datasets.glyphs:Glyphs",
    "text_lines": "seqzoo.zoo.datasets.text_lines:TextLines",
    "python_tokens": "seqzoo.zoo.datasets.python_tokens:PythonTokens",
    "python_source": "seqzoo.zoo.datasets.python_source:PythonSource",
}
"""The built-in data sets: name -> location of the builder."""


def list_datasets() -> list[str]:
    """The names of the built-in data sets; `seqzoo.zoo.datasets.load` prepares one."""
    return list(DATASETS)


def load(name: str, data_dir: str | os.PathLike[str] | None = None) -> tfds.core.DatasetBuilder:
    """The builder of a built-in data set, which is prepared if needed.

    Nothing is printed. The folder is created atomically: a process that is killed leaves no partial
    data set, and two processes may prepare the same one.

    Args:
        name: a name in `DATASETS`.
        data_dir: the folder to keep it in; by default the one that the environment variable
            TFDS_DATA_DIR names, otherwise the cache folder.

    Raises:
        SeqzooError: there is no such data set, or the folder cannot be written to.
    """
    if name not in DATASETS:
        known = ", ".join(DATASETS)
        raise SeqzooError(f"`name` must be one of {known}; got {name!r}{nearest(name, DATASETS)}")
    folder = pathlib.Path(data_dir).expanduser() if data_dir else default_data_dir()
    builder_class = pkgutil.resolve_name(DATASETS[name])
    builder = builder_class(data_dir=folder)
    return builder if _is_prepared(builder) else _prepare(builder_class, folder)


def default_data_dir() -> pathlib.Path:
    """The default folder of prepared data sets: $TFDS_DATA_DIR, or the cache folder."""
    if os.environ.get("TFDS_DATA_DIR"):
        return pathlib.Path(os.environ["TFDS_DATA_DIR"]).expanduser()
    from seqzoo.tasks.data.cache import cache_folder  # imports NumPy

    return cache_folder()


def _is_prepared(builder: tfds.core.DatasetBuilder) -> bool:
    # `builder.is_prepared` logs a warning if there is no data set yet.
    return (pathlib.Path(builder.data_path) / "dataset_info.json").is_file()


def _prepare(builder_class: type, folder: pathlib.Path) -> tfds.core.DatasetBuilder:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("no permission to write")
    except OSError as error:
        raise SeqzooError(
            f"`data_dir` must be a folder that can be written to, got {str(folder)!r} "
            f"({error.strerror or error}); name another or set TFDS_DATA_DIR."
        ) from error
    try:
        # tfds writes into a folder next to the final one and renames it at the end. Its messages
        # and progress bars would interrupt those of the command that needs the data.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder_class(data_dir=folder).download_and_prepare()
    except Exception:
        # Another process may have been faster, and its folder then already exists.
        if not _is_prepared(builder_class(data_dir=folder)):
            raise
    return builder_class(data_dir=folder)
