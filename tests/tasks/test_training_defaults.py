"""Default training settings, which suit both long and short training runs."""

import pathlib
import re

import pytest
from task_data import settings, splits
from task_data import template as template_of_names
from training_cases import CHOICES, RecordingProgress, assert_same

from seqzoo.tasks import Interrupted, ManyToManyAligned, TrainingSettings
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.optimizer import make_optimizer
from seqzoo.tasks.training.trainer import train
from seqzoo.zoo.config.resolve import chosen
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.config.toml_writer import config


@pytest.mark.parametrize(
    ("steps", "warmup"), [(1, 0), (9, 0), (10, 1), (399, 39), (2000, 200), (50_000, 200)]
)
def test_the_warmup_is_a_tenth_of_all_steps_and_at_most_200(steps: int, warmup: int) -> None:
    assert TrainingSettings().warmup_of(steps) == warmup
    # Given settings are used, however short the training run.
    assert TrainingSettings(warmup_steps=300).warmup_of(steps) == 300
    assert TrainingSettings(warmup_steps=0).warmup_of(steps) == 0


@pytest.mark.quick_for(
    "cosine-1", "cosine-9", "cosine-25", "constant-1", "constant-9", "constant-25"
)
@pytest.mark.parametrize("steps", [1, 9, 25, 4000])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_learning_rate_reaches_its_peak(steps: int, schedule) -> None:
    chosen = TrainingSettings(learning_rate=0.5, schedule=schedule)
    rates = [
        float(rate) for rate in map(make_optimizer(chosen, steps)._learning_rate, range(steps))
    ]
    peak = rates.index(max(rates))
    assert rates[peak] == pytest.approx(0.5) and peak <= min(200, steps / 10)
    assert rates[:peak] == sorted(rates[:peak]) and min(rates) >= 0
    assert rates[0] == pytest.approx(0.5 / (1 + peak))


@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop", "every_step")
def test_training_stopped_during_warmup_resumes_to_the_same_numbers(tmp_path) -> None:
    chosen = settings(batch_size=4, warmup_steps=None)  # 48 steps, 4 of them of the warm-up
    train(template_of_names(**CHOICES), splits(), chosen, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(
            template_of_names(**CHOICES),
            splits(),
            chosen,
            tmp_path / "broken",
            progress=RecordingProgress(2),
        )
    train(template_of_names(**CHOICES), splits(), chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")
    run = Run.open(tmp_path / "broken")
    assert run.settings.warmup_steps is None
    # The 24th step, after 4 of rising and 19 of 44 of falling.
    assert run.history[0]["learning_rate"] == pytest.approx(0.02 * 0.60628, rel=1e-4)


SERIES = ManyToManyAligned(input="series", target="next").default_settings


def test_series_and_notes_have_their_own_settings() -> None:
    # Ten years of days are 30 windows of 100: by what texts take, ten steps altogether.
    assert 30 // SERIES.batch_size * SERIES.epochs >= 60
    notes = ManyToManyAligned(input="notes", target="next")
    assert notes.default_settings == SERIES != TrainingSettings()
    for template in (
        ManyToManyAligned(),
        ManyToManyAligned(input="series", target="values"),
        ManyToManyAligned(input="characters", target="next"),
        template_of_names(),
    ):
        assert template.default_settings == TrainingSettings()


def test_commands_and_files_use_the_settings_of_the_template(tmp_path) -> None:
    typed = {"data": "x.npz", "kind": "series", "target_kind": "next"}
    choices = chosen("many-to-many-aligned", typed)
    assert choices.settings == SERIES
    assert chosen("many-to-many-aligned", {**typed, "epochs": 3}).settings.epochs == 3
    text = config(choices, "Here.", "FILE", "")
    assert f"default {SERIES.epochs})" in text and f"default {SERIES.batch_size})" in text
    path = tmp_path / "file.toml"
    path.write_text(text[: text.index("[training]")] + "[training]\nseed = 4\n")
    settings = read_config(str(path)).settings
    assert (settings.epochs, settings.batch_size, settings.seed) == (
        SERIES.epochs,
        SERIES.batch_size,
        4,
    )


@pytest.mark.parametrize("name", ["epochs", "batch size", "peak learning rate"])
def test_the_page_states_the_defaults(name: str) -> None:
    page = pathlib.Path(__file__).parents[2] / "docs" / "training.md"
    (row,) = re.findall(rf"^\| {name} \| (\S+) \| (\S+) \|$", page.read_text("utf-8"), re.M)
    field = "_".join(name.removeprefix("peak ").split())
    assert [float(cell) for cell in row] == [
        getattr(item, field) for item in (TrainingSettings(), SERIES)
    ]
