"""The processes of a test run share compiled Python files, even where Python is set to write none.

With PYTHONDONTWRITEBYTECODE each process that starts would compile all tests, and each that a test
starts the whole package: 8 and 2 seconds every time.
"""

import os
import sys

import pytest


def share(config: pytest.Config) -> None:
    """Keeps compiled files in pytest's cache, so that none lie in the checkout."""
    cache = getattr(config, "cache", None)  # there is none with `-p no:cacheprovider`
    if not sys.dont_write_bytecode or cache is None:
        return
    sys.pycache_prefix = str(cache.mkdir("bytecode"))
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # not set with `python -B`
