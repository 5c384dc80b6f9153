"""The built-in data sets, prepared once for all processes and for later test runs."""

import fcntl
import hashlib
import importlib.metadata
import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("babel", "matplotlib", "numpy", "pillow", "tensorflow-datasets")
"""Packages, other than Python's own, that the data sets are made from or written with."""


def digest() -> str:
    """A digest of everything that the prepared data depend on."""
    found = hashlib.sha256(sys.version.encode())
    for path in sorted((ROOT / "zoo" / "datasets").glob("*.py")):
        found.update(path.name.encode() + path.read_bytes())
    for package in PACKAGES:
        found.update(f"{package}={importlib.metadata.version(package)}".encode())
    return found.hexdigest()[:16]


class EmbeddedData:
    """Prepares data sets in pytest's cache, in a folder that is replaced if their code changes."""

    def __init__(self, config: pytest.Config, factory: pytest.TempPathFactory):
        name = f"embedded-{digest()}"
        if getattr(config, "cache", None) is None:  # with `-p no:cacheprovider`
            self.folder = factory.mktemp(name, numbered=False)
            return
        self.folder = config.cache.mkdir(name)
        for old in self.folder.parent.glob("embedded-*"):
            if old != self.folder:
                shutil.rmtree(old, ignore_errors=True)

    def __call__(self, name: str) -> pathlib.Path:
        """Prepares the data set `name` if needed; returns the folder of data sets."""
        from seqzoo.zoo import datasets

        # One process prepares it while the others wait.
        with open(self.folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            datasets.load(name, self.folder)
        return self.folder
