"""The history of a training run, one row per epoch: as a table, and for TensorBoard."""

import csv
import pathlib
from typing import Any

import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError


def read_history(path: pathlib.Path) -> list[dict[str, Any]]:
    """Reads a history; it is empty if there is no file.

    Raises:
        SeqzooError: it is damaged.
    """
    if not path.exists():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                {key: int(value) if key == "epoch" else float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, csv.Error) as error:
        raise SeqzooError(f"{path} is damaged: {error}.") from error


class Scalars:
    """Writes the metrics of each epoch for TensorBoard, which need not be installed.

    Args:
        folder: folder of the event files.
    """

    def __init__(self, folder: pathlib.Path):
        self._writer = tf.summary.create_file_writer(str(folder))

    def row(self, row: dict[str, Any]) -> None:
        """Writes one row of the history."""
        metadata = tf.compat.v1.SummaryMetadata(
            plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        )
        with self._writer.as_default():
            for name, value in row.items():
                if name != "epoch":
                    number = tf.constant(value, tf.float32)
                    tf.summary.write(name, number, step=row["epoch"], metadata=metadata)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()
