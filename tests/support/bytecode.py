"""Lets the processes of a test run share compiled Python files, even if Python should write none.

With PYTHONDONTWRITEBYTECODE each new test process would compile all tests, which takes 8 seconds,
and each process that a test starts would compile the whole package, which takes 2.
"""

import os
import sys

import pytest


def share(config: pytest.Config) -> None:
    """Keeps compiled files in pytest's cache, so that none are written to the checkout."""
    cache = getattr(config, "cache", None)  # there is none with `-p no:cacheprovider`
    if not sys.dont_write_bytecode or cache is None:
        return
    sys.pycache_prefix = str(cache.mkdir("bytecode"))
    sys.dont_write_bytecode = False
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # is not set with `python -B`
