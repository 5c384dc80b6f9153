"""The layout of folders that `save_to_disk` of Hugging Face's `datasets` writes.

Nothing here imports pyarrow.
"""

import json
import pathlib

from seqzoo.tasks.errors import SeqzooError

STATE = "state.json"
"""The file that lists the files of a data set, in its folder."""

SPLITS = "dataset_dict.json"
"""The file that lists the splits of a data set; each has its own folder."""

SPLIT_COLUMN = "split"
"""The column that is added to the rows of a data set with splits."""


def is_dataset(folder: pathlib.Path) -> bool:
    """Whether a folder contains a data set, or one per split."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def splits_of(folder: pathlib.Path) -> list[str] | None:
    """The names of a data set's splits; None if it has none.

    Raises:
        SeqzooError: the file that lists them is damaged.
    """
    path = folder / SPLITS
    if not path.is_file():
        return None
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["splits"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SeqzooError(f"{path} does not list the splits.") from error
    if not isinstance(names, list) or not all(
        isinstance(name, str) and pathlib.Path(name).name == name for name in names
    ):
        raise SeqzooError(f"{path} must list folders next to it, got {names!r}.")
    return names


def files_of(folder: pathlib.Path) -> list[tuple[pathlib.Path, str | None]]:
    """The Arrow files of a data set, each with the name of its split; None if it has no splits.

    Raises:
        SeqzooError: the folder is incomplete.
    """
    splits = splits_of(folder)
    parts = [(folder, None)] if splits is None else [(folder / name, name) for name in splits]
    results = []
    for part, split in parts:
        try:
            state = json.loads((part / STATE).read_text(encoding="utf-8"))
            names = [item["filename"] for item in state["_data_files"]]
            indices = state.get("_indices_data_files")
        except OSError as error:
            raise SeqzooError(
                f"{part / STATE} cannot be read: {error.strerror or error}."
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SeqzooError(f"{part / STATE} does not list the data files.") from error
        if indices:
            raise SeqzooError(
                f"{part} contains a selection of rows; write them with "
                "`dataset.flatten_indices().save_to_disk(...)`."
            )
        for name in names:
            if not isinstance(name, str) or pathlib.Path(name).name != name:
                raise SeqzooError(f"{part / STATE} must name files in its folder, got {name!r}.")
            results.append((part / name, split))
    if not results:
        raise SeqzooError(f"{folder} contains no Arrow files.")
    return results
