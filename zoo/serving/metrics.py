"""The metrics of a server in Prometheus' text format, version 0.0.4."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the durations of requests."""

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Upper bounds of batch sizes."""

Labels = tuple[tuple[str, str], ...]


class Counter:
    """A number that only increases, for each set of labels."""

    kind = "counter"

    def __init__(self, name: str, help: str):
        self.name = name
        self.help = help
        self._values: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        """Increases the number for these labels."""
        key = tuple(labels.items())
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def lines(self) -> Iterable[str]:
        """The samples in the text format, one per line."""
        with self._lock:
            values = sorted(self._values.items())
        return [f"{self.name}{_labels(key)} {value:.15g}" for key, value in values]


class Gauge:
    """A number that is read on demand, for each set of labels."""

    kind = "gauge"

    def __init__(self, name: str, help: str, read: Callable[[], Mapping[Labels, float]]):
        self.name = name
        self.help = help
        self._read = read

    def lines(self) -> Iterable[str]:
        """The samples in the text format, one per line."""
        return [f"{self.name}{_labels(key)} {value:.10g}" for key, value in self._read().items()]


class Histogram:
    """The number of values up to each of several bounds, for each set of labels."""

    kind = "histogram"

    def __init__(self, name: str, help: str, bounds: Sequence[float]):
        self.name = name
        self.help = help
        self._bounds = bounds
        self._values: dict[Labels, list[float]] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, **labels: str) -> None:
        """Records a value."""
        key = tuple(labels.items())
        with self._lock:
            counts = self._values.setdefault(key, [0.0] * (len(self._bounds) + 2))
            counts[-2] += 1
            counts[-1] += value
            for position, bound in enumerate(self._bounds):
                counts[position] += value <= bound

    def lines(self) -> Iterable[str]:
        """The samples in the text format, one per line."""
        with self._lock:
            values = [(key, list(counts)) for key, counts in sorted(self._values.items())]
        for key, counts in values:
            for bound, count in zip((*self._bounds, "+Inf"), counts, strict=False):
                yield f"{self.name}_bucket{_labels((*key, ('le', str(bound))))} {count:.15g}"
            yield f"{self.name}_sum{_labels(key)} {counts[-1]:.10g}"
            yield f"{self.name}_count{_labels(key)} {counts[-2]:.15g}"


def resident_memory() -> Mapping[Labels, float]:
    """The memory of this process in bytes; empty unless the system reports it in /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return {(): int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")}
    except OSError:
        return {}


def exposition(metrics: Iterable[Counter | Gauge | Histogram]) -> str:
    """All metrics as text."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += metric.lines()
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = (
        (name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n"))
        for name, value in labels
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
