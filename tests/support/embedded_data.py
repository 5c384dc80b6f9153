"""The built-in data sets, prepared once for all processes and for later runs of the tests."""

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
    """Prepares data sets in pytest's cache, in a folder that is left when their code changes."""

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
        """The folder, once it contains the data set `name`."""
        from seqzoo.zoo import datasets

        # One process prepares it, and the others wait.
        with open(self.folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            datasets.load(name, self.folder)
        return self.folder
