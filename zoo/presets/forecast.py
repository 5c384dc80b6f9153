"""Presets of `Forecast`: from the history of series to their future."""

from seqzoo.tasks.forecast.template import Forecast
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS: dict[str, Preset] = {
    "etth1": Preset(
        "Forecasts the temperature and the loads of an electrical transformer, 96 hours at once",
        Source(
            data="",
            kind="history",
            target_kind="horizon",
            date_column="date",
            # 12, 4 and 4 months of 30 days, as in published results.
            split_at=["2017-06-26", "2017-10-24", "2018-02-21"],
        ),
        Forecast(look_back=720, horizon=96, segment=48, dropout=0.5, linear=True),
        TrainingSettings(epochs=10, batch_size=64, learning_rate=1e-3, best_by="loss"),
        "MSE 0.358, MAE 0.390 of standardised values on ETTh1's test months, seed 0",
        needs="an hourly table that covers July 2016 to February 2018, such as ETTh1.csv",
    ),
}
