"""Frees memory between test files: compiled programs and models long outlive their tests."""

import ctypes
import gc
import sys

GROWTH = 150
"""MB that a process may grow by before releasing memory is worth the time."""

_after = 0.0


def resident() -> float:
    """Resident memory of this process, in MB; 0 if the system does not report it."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


def available() -> float:
    """Memory that new processes can use, in MB; 0 if the system does not report it."""
    try:
        with open("/proc/meminfo") as file:
            sizes = dict(line.split(":") for line in file)
    except OSError:
        return 0.0
    return int(sizes["MemAvailable"].split()[0]) * 1024 / 1e6


def release() -> None:
    """Drops the programs and cells that tests share, and returns free memory to the system."""
    global _after
    if "seqzoo.cells.engine.programs" not in sys.modules or resident() < _after + GROWTH:
        return
    from seqzoo.cells.engine import programs

    programs.SHARED.clear()
    if "cell_cases" in sys.modules:
        sys.modules["cell_cases"].forget()
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        pass
    _after = resident()
