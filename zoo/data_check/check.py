"""Checks data before training: `seqzoo check` from Python."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seqzoo.tasks.errors import SeqzooError, check_instance, command
from seqzoo.tasks.kinds import INPUTS
from seqzoo.tasks.wording import agreed, counted
from seqzoo.zoo.data.source import HISTORY, Source, check_fields
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.data_check import columns, histories, rows
from seqzoo.zoo.data_check.contents import contents
from seqzoo.zoo.data_check.labels import targets
from seqzoo.zoo.data_check.leaks import leaks, listed
from seqzoo.zoo.data_check.overlaps import overlaps
from seqzoo.zoo.data_check.suggestion import Suggestion, flags
from seqzoo.zoo.finding import Finding
from seqzoo.zoo.presets import PRESETS

MIN_TEST_EXAMPLES = 50
"""Number of test examples below which a score is mostly noise."""


@dataclass(frozen=True)
class DataReport:
    """The results of `check`.

    Attributes:
        source: the source, with inferred fields filled in.
        guessed: the fields of the source that were inferred.
        findings: one per observation; one with `state` "broken" would make training fail.
        suggestion: a first model to train; None if training would fail.
    """

    source: Source
    guessed: Mapping[str, Any]
    findings: tuple[Finding, ...]
    suggestion: Suggestion | None

    @property
    def broken(self) -> bool:
        """Whether training would fail."""
        return any(finding.state == "broken" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "source": self.source.to_config(),
            "guessed": dict(self.guessed),
            "healthy": not self.broken,
            "findings": [asdict(finding) for finding in self.findings],
            "suggestion": self.suggestion and asdict(self.suggestion),
        }


def check(
    data: str,
    *,
    timing: bool = True,
    print_fn: Callable[[Finding], None] | None = None,
    **fields: Any,
) -> DataReport:
    """Checks data before training, and suggests what to train.

    Args:
        data: a preset, a built-in data set, tfds:NAME, or a file or folder.
        timing: whether to measure how long an epoch takes on this machine, which takes a few
            seconds.
        print_fn: called with each finding as soon as it is available.
        **fields: fields of `Source`, such as `kind` and `target`; for tables, the others are
            inferred.

    Raises:
        SeqzooError: the data do not exist or cannot be read at all, or their kinds cannot be
            inferred.
    """
    check_instance("data", data, (str, os.PathLike), "the name of data, or the path of a file")
    data = os.fspath(data)
    check_fields(fields)
    name = data if data in PRESETS else None
    if name is not None:
        preset = PRESETS[name]
        if not preset.source.data:
            raise SeqzooError(
                f"{name} needs your own data ({preset.needs}); check them instead, as in "
                f"`{command('check')} PATH`."
            )
        given = preset.source.to_config()
        data = given.pop("data")
        given.pop("seed")
        fields = {**given, **fields}
    if not columns.is_dated(fields):
        fields = columns.separate_columns(data, fields)
    guess = columns.guess(data, fields)
    if not guess.source.is_file() or INPUTS[guess.source.kind].form == "image":
        from seqzoo.tasks.startup import start_tensorflow

        # tfds and images import TensorFlow, whose messages are not part of the report.
        start_tensorflow()
    findings: list[Finding] = []
    suggestion = None
    found = _findings(guess, name, fields, timing=timing)
    if guess.source.kind == HISTORY:
        found = histories.findings(guess, name, fields, timing=timing)
    for item in found:
        if isinstance(item, Suggestion):
            suggestion = item
            continue
        findings.append(item)
        if print_fn is not None:
            print_fn(item)
    return DataReport(guess.source, guess.guessed, tuple(findings), suggestion)


def _findings(
    guess: columns.Guess, preset: str | None, fields: Mapping[str, Any], *, timing: bool
) -> Iterator[Finding | Suggestion]:
    if guess.guessed:
        yield Finding("guessed", " ".join(flags(guess.guessed)), values=dict(guess.guessed))
    if guess.left_out:
        count = len(guess.left_out)
        yield Finding(
            "columns",
            f"{listed(guess.left_out)} {agreed(count, 'is', 'are')} not taken for the target: "
            f"{agreed(count, 'its', 'their')} values are constant, are times, or identify rows",
            fix=f"choose {agreed(count, 'it', 'one')} with --target if it is the target",
            values={"columns": list(guess.left_out)},
        )
    read = rows.read(guess.source)
    source, parts = read.source, read.parts
    if not parts:
        yield from read.findings
        return
    yield _sizes(parts)
    broken = False
    checks = [iter(read.findings), overlaps(parts, source), targets(parts, source)]
    checks += [contents(parts, source)]
    if columns.is_table(source) and not source.has_steps_in_rows:
        checks.append(leaks(parts, source, columns.read_columns(source)))
    for findings in checks:
        for finding in findings:
            broken |= finding.state == "broken"
            yield finding
    try:
        from seqzoo.tasks.startup import start_devices, start_tensorflow

        start_tensorflow()
        start_devices()
        from seqzoo.zoo.data_check import encoded, suggestion

        template = PRESETS[preset].task if preset else encoded.template_of(source)
        if preset is None:
            template, notes = encoded.image_size(parts, template)
            yield from notes
        train = parts["train"].examples
        for finding in encoded.encoded(parts, template.adapt(train)):
            broken |= finding.state == "broken"
            yield finding
    except SeqzooError as error:
        yield Finding("examples", str(error).removesuffix("."), "broken")
        return
    if broken:
        return
    if preset is not None:
        first = suggestion.of_preset(preset)
    else:
        typed = {**guess.guessed, **fields, "kind": source.kind, "target_kind": source.target_kind}
        first = suggestion.of_data(template, guess.source, typed, len(train))
    yield suggestion.timed(first, template, train) if timing else first


def _sizes(parts: Mapping[str, Part]) -> Finding:
    counts = {name: len(part.keys) for name, part in parts.items()}
    shown = ", ".join(
        counted(count, f"{'training' if name == 'train' else name} example")
        for name, count in counts.items()
    )
    few = counts.get("test", MIN_TEST_EXAMPLES) < MIN_TEST_EXAMPLES and counts["train"] > 1
    return Finding(
        "rows",
        shown,
        "note" if few else "ok",
        "a score on so few test examples is imprecise; hold out or collect more" if few else "",
        counts,
    )
