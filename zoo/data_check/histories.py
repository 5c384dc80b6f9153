"""Checks of tables with dates: order, gaps, numbers, covariates, and the splits by time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.column_names import split_names
from seqzoo.tasks.data.frequency import shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.wording import agreed, counted
from seqzoo.zoo.data.date_parsing import joined_dates, parse_dates
from seqzoo.zoo.data.histories import dates_of, read_histories, split_by_time
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.time_zones import may_be_set_back, to_utc
from seqzoo.zoo.data_check import columns
from seqzoo.zoo.data_check.outliers import OUTLIER, outliers
from seqzoo.zoo.data_check.suggestion import Suggestion, flags
from seqzoo.zoo.finding import Finding
from seqzoo.zoo.presets import PRESETS

SEASON = 12
"""Horizon to suggest for steps without a usual season."""

LOOK_BACK = 4
"""Length of the look-back window to suggest, in horizons, if the series are long enough."""

LEAK = 0.999
"""Correlation with a target from which a covariate gives it away."""

IMPLIED = ("kind", "target_kind")
"""Inferred fields that the suggested command does not need."""


def findings(
    guess: columns.Guess, preset: str | None, given: Mapping[str, Any], *, timing: bool
) -> Iterator[Finding | Suggestion]:
    """The findings on a table with dates, and a first forecast to train.

    Args:
        guess: the source, with inferred columns.
        preset: the name of the preset whose data are checked; None for your own data.
        given: fields of the source that were given.
        timing: see `seqzoo.zoo.data_check.check.check`.
    """
    inferred = {name: value for name, value in guess.guessed.items() if name not in IMPLIED}
    if inferred:
        yield Finding("guessed", " ".join(flags(inferred)), values=dict(guess.guessed))
    try:
        yield from _order(guess.source)
        histories, source, notes = read_histories(guess.source.absolute())
        yield _rows(histories, source)
        for note in notes:
            yield Finding("values", note.removesuffix("."), "note")
        yield from _numbers(histories, source)
        yield from _covariates(histories, source)
        splits, more = split_by_time(histories, source)
        short = " ".join(more).removesuffix(".")
        yield Finding("splits", dates_of(splits), "note" if short else "ok", short)
    except SeqzooError as error:
        yield Finding("dates", str(error).removesuffix("."), "broken")
        return
    from seqzoo.tasks.startup import start_devices, start_tensorflow

    start_tensorflow()
    start_devices()
    from seqzoo.zoo.data_check import suggestion

    template: Any = PRESETS[preset].task if preset else _template(splits, histories[0])
    try:
        for remark in template.adapt(splits.train).features.remarks:
            yield Finding("series", remark.removesuffix("."), "note")
    except SeqzooError as error:
        yield Finding("examples", str(error).removesuffix("."), "broken")
        return
    if preset is not None:
        first = suggestion.of_preset(preset)
    else:
        windows = min(sum(map(len, splits.train.inputs)), template.windows)
        first = suggestion.of_data(template, guess.source, {**inferred, **given}, windows)
    yield suggestion.timed(first, template, splits.train) if timing else first


def _order(source: Source) -> Iterator[Finding]:
    """A finding if rows are not in the order of their dates; they are sorted when they are read."""
    table = columns.read_columns(source)
    parts = split_names(str(source.date_column), list(table))
    if not set(parts) <= set(table):
        return
    texts = joined_dates({name: table[name].values for name in parts}, source.date_format)
    owners = np.array(
        list(map(str, table[source.series_column].values))
        if source.series_column in table
        else [""] * len(texts)
    )
    try:
        dates = parse_dates(texts, str, "", source.date_format, source.timezone)
        if source.timezone is not None:
            dates = to_utc(dates, owners.tolist(), source.timezone, str)
    except SeqzooError:  # `read_histories` raises it with the location in the file
        return
    backwards = sum(
        int((np.diff(dates[owners == name]) < np.timedelta64(0, "s")).sum())
        for name in np.unique(owners)
    )
    repeated = len(dates) - len(set(zip(owners.tolist(), dates.tolist(), strict=True)))
    if repeated:
        unique, counts = np.unique(dates, return_counts=True)
        set_back = source.timezone is None and may_be_set_back(unique[counts.argmax()])
        yield Finding(
            "dates",
            f"{counted(repeated, 'row')} {agreed(repeated, 'repeats', 'repeat')} a date"
            f"{' of the same series' if source.series_column else ''}",
            "broken",
            "keep one of each; training stops at the first one"
            + ("" if source.series_column else ", or name the series with --series-column")
            + (", or the time zone with --timezone, if clocks went back" if set_back else ""),
            {"repeated": repeated},
        )
    if backwards:
        yield Finding(
            "dates",
            f"{counted(backwards, 'row')} {agreed(backwards, 'is', 'are')} earlier than the "
            "previous row; rows are sorted by date when they are read",
            "note",
            "check that no two exports were joined",
            {"backwards": backwards},
        )


def _rows(histories: Sequence[History], source: Source) -> Finding:
    """The number and the lengths of the series, their dates and their frequency."""
    lengths = [history.end for history in histories]
    first = min(history.dates[0] for history in histories)
    last = max(history.dates[max(history.end - 1, 0)] for history in histories)
    steps = counted(max(lengths), "step")
    if min(lengths) < max(lengths):
        steps = f"{min(lengths):,} to {steps}"
    shown = shown_dates(np.array([first, last]))
    return Finding(
        "rows",
        f"{len(histories):,} series of {steps}, one per {source.frequency}, from {shown[0]} to "
        f"{shown[1]}; to forecast: {source.target}",
        values={
            "series": len(histories),
            "steps": [min(lengths), max(lengths)],
            "frequency": str(source.frequency),
            "targets": split_names(str(source.target)),
        },
    )


def _numbers(histories: Sequence[History], source: Source) -> Iterator[Finding]:
    """Findings on the targets of each series: constant ones, and outliers."""
    for column, target in enumerate(split_names(str(source.target))):
        constant, far, first = [], 0, ""
        for history in histories:
            values = history.values[:, column]
            steps = np.flatnonzero(np.isfinite(values))
            present = values[steps]
            if len(present) > 1 and (present == present[0]).all():
                constant.append(history.name)
            if not len(present):
                continue
            places = steps[outliers(present)]
            if len(places):
                step = places[np.argmax(np.abs(values[places] - np.median(present)))]
                whose = f" of series {history.name!r}" if history.name else ""
                date = shown_dates(history.dates[[step]])[0]
                first = first or f"{values[step]:.6g} on {date}{whose}"
                far += len(places)
        if constant:
            which = f" ({', '.join(map(repr, constant[:3]))})" if constant != [""] else ""
            yield Finding(
                "numbers",
                f"{target!r} is constant in {len(constant):,} of {len(histories):,} series{which}",
                "note",
                "check how it was recorded",
                {"target": target, "series": constant},
            )
        if far:
            yield Finding(
                "numbers",
                f"{target!r}: {counted(far, 'number')} {agreed(far, 'is', 'are')} more than "
                f"{OUTLIER:g} interquartile ranges from the median, such as {first}",
                "note",
                "look for recording errors, or for codes for missing values such as -999",
                {"target": target, "numbers": far},
            )


def _covariates(histories: Sequence[History], source: Source) -> Iterator[Finding]:
    """Findings on covariates: constant ones, and future ones that give a target away."""
    for role in ("past", "known"):
        for column, name in enumerate(getattr(source, f"{role}_columns") or ()):
            series = [getattr(history, role)[:, column] for history in histories]
            values = np.concatenate(series)
            present = values[np.isfinite(values)]
            if len(present) and (present == present[0]).all():
                yield Finding("covariates", f"{name!r} is constant", "note", "leave it out")
            elif role == "known":
                yield from _giving_away(name, series, histories, source)


def _giving_away(
    name: str, series: Sequence[np.ndarray], histories: Sequence[History], source: Source
) -> Iterator[Finding]:
    """Findings on the targets that a covariate, with its values in each series, gives away."""
    for column, target in enumerate(split_names(str(source.target))):
        pairs = zip(series, histories, strict=True)
        correlations = [_correlation(one, history.values[:, column]) for one, history in pairs]
        present = [item for item in correlations if item is not None]
        if not present:
            continue
        # Each series has a level of its own, which would dominate a correlation over all of them.
        correlation = present[0] if len(present) == 1 else float(np.median(np.abs(present)))
        if abs(correlation) > LEAK:
            which = "their" if len(present) == 1 else "within a series, their median"
            yield Finding(
                "leaks",
                f"{name!r} gives {target!r} away: {which} correlation is {correlation:.4f}",
                "note",
                "check that its future values are really known beforehand; if not, make "
                "it one of --past-columns",
                {"column": name, "target": target, "correlation": correlation},
            )


def _correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """The correlation of two columns of a series; None if it has too few values, or equal ones."""
    pair = np.array([one, other], np.float64)
    pair = pair[:, np.isfinite(pair).all(0)]
    if pair.shape[1] < 3 or not np.ptp(pair, axis=1).all():
        return None
    return float(np.corrcoef(*pair)[0, 1])


def _template(splits: Any, history: History) -> Any:
    """A forecast of one season, from a few seasons."""
    from seqzoo.tasks import Forecast

    held_out = [item for item in (splits.validation, splits.test) if item is not None]
    ends = [[item.end - item.since for item in part.inputs] for part in held_out]
    longest = max(item.end for item in splits.train.inputs)
    assert history.frequency is not None
    season = history.frequency.season
    horizon = season if season > 1 else SEASON
    horizon = max(1, min([horizon, longest // 2, *map(max, ends)]))
    look_back = max(1, min(LOOK_BACK * horizon, longest - horizon))
    return Forecast(horizon=horizon, look_back=look_back)
