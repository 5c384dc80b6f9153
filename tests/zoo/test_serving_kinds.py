"""Each kind of model on the server: predictions, and sessions that end as the whole does."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
from cell_names import BEFORE_RELEASES  # noqa: E402
from export_cases import make_run  # noqa: E402
from serving_cases import cases, runs_of, service_of, serving  # noqa: E402

from seqzoo.tasks import Examples, ManyToOne, TimedSeries  # noqa: E402
from seqzoo.tasks.errors import SeqzooError  # noqa: E402
from seqzoo.zoo.serving.answers import prediction  # noqa: E402

CASES = cases()
DIFFERENT = ("rows", "series", "tags", "names")
"""Kinds whose inputs or predictions have a form of their own."""

QUICK = ("characters", "audio", "language", "images")
"""Those of test_serving.py."""


def _marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow if name in DIFFERENT else BEFORE_RELEASES)


@pytest.mark.slow
def test_the_times_of_steps_are_read_by_time_aware_cells(tmp_path: pathlib.Path) -> None:
    random = np.random.default_rng(0)
    series = [
        TimedSeries(
            random.normal(size=(size, 2)), np.array([0.0, *random.exponential(size=size)])[:-1]
        )
        for size in (3, 5, 4, 6)
    ]
    template = ManyToOne("series", "value", cell="cfc", units=4)
    run = make_run(tmp_path / "run", template, Examples(series, [0.0, 1.0, 2.0, 3.0]))
    instances = [
        {"values": item.values.tolist(), "times": np.cumsum(item.elapsed).tolist()}
        for item in series
    ]
    with serving({"timed": run}) as client:
        url = "/v1/models/timed"
        result = client.post(f"{url}:predict", json={"instances": instances})
        assert result.status_code == 200, result.text
        answers = [item["answer"] for item in result.json()["predictions"]]
        assert answers == pytest.approx([item.value for item in run.predict(series)], rel=1e-5)
        described = client.get(f"{url}/metadata").json()["metadata"]
        assert described["parameters"] == []
        assert described["instance"]["required"] == ["values", "times"]
        for instance, message in (
            ([[0.1, 0.2]], 'must be {"values": a list of steps, "times"'),
            ({"values": [[0.1, 0.2]], "times": [0, 1]}, "must have one time per step"),
            ({"values": [[0.1, "2"]], "times": [0]}, "must contain numbers"),
            ({"values": [[0.1, 0.2]], "times": [True]}, "must contain numbers"),
        ):
            result = client.post(f"{url}:predict", json={"instances": [instance]})
            assert result.status_code == 400 and message in result.json()["error"], result.text


@pytest.mark.slow
def test_sessions_open_however_short_the_inputs_of_a_model_are(tmp_path: pathlib.Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (4, 3, 2)).astype(np.uint8)
    series = random.normal(size=(4, 3, 1))
    short = ManyToOne("series", cell="vanilla", units=4, maximum_length=2)
    pixels = ManyToOne("pixels", cell="vanilla", units=4)
    runs = {
        "short": make_run(tmp_path / "short", short, Examples(list(series), [*"xyxy"])),
        "pixels": make_run(tmp_path / "pixels", pixels, Examples(images, [*"xyxy"])),
    }
    with serving(runs) as client:
        for name, whole in (("short", series[0][:2]), ("pixels", images[0])):
            described = client.get(f"/v1/models/{name}/metadata").json()["metadata"]
            assert described["sessions"], name
            url = client.post(f"/v1/models/{name}/sessions").headers["location"]
            for part in (whole[:1], whole[1:]):
                answer = client.post(f"{url}:step", json={"part": part.tolist()}).json()
            (expected,) = runs[name].predict([whole])
            found = answer["prediction"]["probability"]
            assert found == pytest.approx(expected.probability, rel=1e-5)


@pytest.mark.parametrize("name", [_marked(name) for name in CASES if name not in QUICK])
def test_a_kind_of_model_is_served(name: str, tmp_path: pathlib.Path) -> None:
    run = runs_of(tmp_path, [name])[name]
    values = [item for item in CASES[name][2] if len(item)]
    instances = [item.tolist() if isinstance(item, np.ndarray) else item for item in values]
    with serving({name: run}) as client:
        model = service_of(client).models[name]
        body = {"instances": instances, "parameters": {}}
        random = model.generates and run.task.decoding.method == "sample"
        if random:
            body["parameters"] = {"seed": 5}
        result = client.post(f"/v1/models/{name}:predict", json=body)
        assert result.status_code == 200, result.text
        options = model.options(body["parameters"])
        answers = run.predict(values, options)
        expected = [prediction(run, *item, 1) for item in zip(values, answers, strict=True)]
        assert result.json()["predictions"] == json.loads(json.dumps(expected))
        if name in ("steps", "forecast"):
            ranked = client.post(
                f"/v1/models/{name}:predict", json=body | {"parameters": {"top": 2}}
            )
            assert ranked.status_code == 400
            assert "`top` ranks several" in ranked.json()["error"]
        for wrong in ["1", True] if name in ("series", "steps", "forecast") else []:
            *before, last = instances[0]
            last = [wrong, *last[1:]] if isinstance(last, list) else wrong
            body = {"instances": [instances[0], [*before, last]]}
            refused = client.post(f"/v1/models/{name}:predict", json=body)
            assert refused.status_code == 400
            message = f"Instance 1 must contain numbers, but {json.dumps(wrong)} is not a number."
            assert refused.json()["error"] == message
        opened = client.post(f"/v1/models/{name}/sessions")
        try:
            run.session()
        except SeqzooError as error:
            assert (opened.status_code, opened.json()["error"]) == (400, str(error))
            return
        (whole,) = run.predict([values[0]], options)
        url, value = f"{opened.headers['location']}:step", values[0]
        if name == "lines":  # whose steps are columns
            parts = [item.tolist() for item in (value[:, :2], value[:, 2:])]
        else:
            parts = [instances[0][: len(value) // 2], instances[0][len(value) // 2 :]]
        for part in parts:
            answer = client.post(url, json={"part": part}).json()["prediction"]["answer"]
        if name in ("steps", "convolved", "forecast", "words-language"):  # see `Session`
            assert answer
        else:
            value = whole.value
            assert answer == (value if isinstance(value, str) else pytest.approx(value, rel=1e-5))
