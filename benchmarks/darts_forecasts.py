"""Compares `forecast` with a GRU of Darts: errors, and time from the table to scores.

    python -m benchmarks.darts_forecasts TABLE --python DARTS/bin/python

TABLE is daily-min-temperatures.csv. Darts, with PyTorch and Lightning, has an environment of its
own. All contestants read the last 56 days and forecast the next 14 with a GRU of 32 units. They
train on the same windows in batches of 32 for as many epochs, minimise the absolute error with Adam
at the same initial learning rate (seqzoo with its default schedule and clipping, Darts with its
own constant rate), keep the best epoch of the same validation split, and are scored on the
same windows of the test split. They take turns, each in a process of its own, on one core.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from typing import Any

LOOK_BACK, HORIZON, UNITS, BATCH, LEARNING_RATE = 56, 14, 32, 32, 3e-3
DATE, VALUE = "Date", "Temp"
SPLIT_AT = ("1989-01-01", "1990-01-01")
"""First days of the validation and the test split."""


def seqzoo(table: str, epochs: int, segment: int | None) -> dict[str, Any]:
    """Trains and scores a `Forecast` with segments of the given length, in days."""
    from seqzoo.tasks import Forecast, TrainingSettings, train
    from seqzoo.zoo.data.histories import open_histories
    from seqzoo.zoo.data.source import Source

    source = Source(
        table, "history", "horizon", target=VALUE, date_column=DATE, split_at=list(SPLIT_AT)
    )
    splits, _ = open_histories(source)
    assert splits.test is not None
    template = Forecast(
        look_back=LOOK_BACK,
        horizon=HORIZON,
        segment=segment,
        units=UNITS,
        dropout=0.0,
        calendar=False,
        window_normalization="none",
    )
    settings = TrainingSettings(
        epochs=epochs, batch_size=BATCH, learning_rate=LEARNING_RATE, best_by="loss"
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = train(template, splits, settings, pathlib.Path(folder) / "run")
        seconds = time.perf_counter() - start
        metrics = run.evaluate(splits.test)
    return {
        "mse": metrics["mse"],
        "mae": metrics["mae"],
        "windows": metrics["examples"],
        "seconds": seconds,
    }


def darts(table: str, epochs: int) -> dict[str, Any]:
    """Trains and scores a `BlockRNNModel`, in the environment of Darts."""
    import logging

    import numpy as np
    import pandas as pd  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]
    from darts import TimeSeries  # pyright: ignore[reportMissingImports]
    from darts.models import BlockRNNModel  # pyright: ignore[reportMissingImports]

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    frame = pd.read_csv(table)
    frame[DATE] = pd.to_datetime(frame[DATE])
    # Two days are missing; Darts has no mask for them.
    values = frame.set_index(DATE)[VALUE].asfreq("D").interpolate().astype("float32")
    validation, test = (values.index.get_loc(pd.Timestamp(date)) for date in SPLIT_AT)
    mean, scale = values.iloc[:validation].mean(), values.iloc[:validation].std(ddof=0)
    series = TimeSeries.from_series((values - mean) / scale)
    with tempfile.TemporaryDirectory() as folder:
        model = BlockRNNModel(
            LOOK_BACK,
            HORIZON,
            model="GRU",
            hidden_dim=UNITS,
            batch_size=BATCH,
            n_epochs=epochs,
            loss_fn=torch.nn.L1Loss(),
            optimizer_kwargs={"lr": LEARNING_RATE},
            random_state=0,
            save_checkpoints=True,
            model_name="gru",
            work_dir=folder,
            pl_trainer_kwargs={
                "accelerator": "cpu",
                "enable_progress_bar": False,
                "enable_model_summary": False,
            },
        )
        start = time.perf_counter()
        # Validation windows look back at training steps, too.
        model.fit(series[:validation], val_series=series[validation - LOOK_BACK : test])
        seconds = time.perf_counter() - start
        model = BlockRNNModel.load_from_checkpoint("gru", folder, best=True)
        forecasts = model.historical_forecasts(
            series,
            start=pd.Timestamp(SPLIT_AT[1]),
            forecast_horizon=HORIZON,
            retrain=False,
            last_points_only=False,
            overlap_end=False,
        )
    first = series.get_index_at_point(forecasts[0].start_time())
    assert first == test, first
    truth = np.lib.stride_tricks.sliding_window_view(series.values()[test:, 0], HORIZON)
    errors = np.stack([item.values()[:, 0] for item in forecasts]) - truth
    return {
        "mse": float(np.square(errors).mean()),
        "mae": float(np.abs(errors).mean()),
        "windows": len(errors),
        "seconds": seconds,
    }


CONTESTANTS = {
    "Darts, BlockRNNModel": lambda table, epochs: darts(table, epochs),
    "seqzoo, segments of 7 days": lambda table, epochs: seqzoo(table, epochs, None),
    "seqzoo, segments of 1 day": lambda table, epochs: seqzoo(table, epochs, 1),
}
"""Functions that train and score a contestant, given the table and the number of epochs."""


def _measured(name: str, table: pathlib.Path, epochs: int, python: str) -> dict[str, Any]:
    """Runs a contestant in a new process on one core."""
    root = str(pathlib.Path(__file__).resolve().parents[1])
    variables = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    # By path, because the other environment lacks what `benchmarks` imports.
    words = [python, __file__, str(table), "--epochs", str(epochs), "--only", name]
    start = time.perf_counter()
    result = subprocess.run(words, env=variables, capture_output=True, text=True)
    total = time.perf_counter() - start
    if result.returncode:
        sys.exit(result.stderr)
    return {**json.loads(result.stdout.splitlines()[-1]), "total": total}


def main() -> None:
    """Runs the comparison from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", type=pathlib.Path, help="daily-min-temperatures.csv")
    parser.add_argument("--python", default=sys.executable, help="Python with Darts")
    parser.add_argument("--epochs", type=int, default=12, help="number of epochs")
    parser.add_argument("--rounds", type=int, default=3, help="number of runs of each contestant")
    parser.add_argument("--only", choices=list(CONTESTANTS), help="run one contestant, print JSON")
    args = parser.parse_args()
    if args.only:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(json.dumps(CONTESTANTS[args.only](str(args.table), args.epochs)))
        return
    results: dict[str, list] = {name: [] for name in CONTESTANTS}
    for _ in range(args.rounds):
        for name, rows in results.items():
            python = args.python if name.startswith("Darts") else sys.executable
            rows.append(_measured(name, args.table.resolve(), args.epochs, python))
    print("| model | windows | MSE | MAE | training, s | process, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, rows in results.items():
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        print(
            f"| {name} | {middle['windows']:.0f} | {middle['mse']:.3f} | {middle['mae']:.3f} | "
            f"{middle['seconds']:.1f} | {middle['total']:.1f} |"
        )


if __name__ == "__main__":
    main()
