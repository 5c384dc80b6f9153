"""The page of the server in a real browser, for each kind of model, wide and narrow."""

import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
from export_cases import make_run  # noqa: E402
from serving_cases import cases, listening, runs_of  # noqa: E402

from seqzoo.tasks import Examples, ManyToOne, TimedSeries  # noqa: E402

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NAMES = ["characters", "tags", "forecast", "language", "images", "audio"]
WIDTHS = (1200, 400)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("page")
    series = [TimedSeries([1.0, 2.0, 4.0][:size], [0.0, 1.0, 2.0][:size]) for size in (2, 3)]
    template = ManyToOne("series", "value", cell="cfc", units=4)
    timed = make_run(folder / "timed", template, Examples(series * 2, [0.0, 1.0, 0.0, 1.0]))
    return {**runs_of(folder, NAMES), "timed": timed}


@pytest.fixture(scope="module")
def page(runs: dict[str, Any]) -> Iterator[Any]:
    with listening(runs) as address, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        playwright.expect.set_options(timeout=30_000)  # the first prediction is traced
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda line: line.type == "error" and page.problems.append(line.text))
        page.goto(address)
        yield page
        browser.close()


def _choose(page: Any, name: str) -> None:
    page.select_option("#model", name)
    page.wait_for_selector(f"body[data-ready={name}]")


def _fits(page: Any) -> None:
    """Nothing is cut off at the side, at any width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.problems == []


def test_texts_are_classified_as_they_are_typed(page: Any, runs: dict[str, Any]) -> None:
    _choose(page, "characters")
    page.fill("textarea", "the dogs")
    (expected,) = runs["characters"].predict(["the dogs"])
    playwright.expect(page.locator("#output .answer")).to_have_text(expected.label)
    assert page.locator("#output .bar").count() == len(expected.alternatives)
    assert ":predict" in page.locator("#curl").text_content()
    _fits(page)


def test_labels_that_are_numbers_are_in_the_order_of_their_probabilities(page: Any) -> None:
    alternatives = {"7": 0.9, "2": 0.0999, "5": 0.00005}  # JavaScript sorts such names
    answer = {"answer": "7", "probability": 0.9, "alternatives": alternatives}
    page.route("**/*:predict", lambda route: route.fulfill(json={"predictions": [answer]}))
    try:
        _choose(page, "characters")
        page.fill("textarea", "any")
        bars = page.locator("#output .bar")
        playwright.expect(bars).to_have_text(["790.0%", "29.99%", "5< 0.01%"])
    finally:
        page.unroute("**/*:predict")


def test_tags_are_in_colour(page: Any, runs: dict[str, Any]) -> None:
    _choose(page, "tags")
    page.fill("textarea", "the dogs' 'quoted' words")
    (expected,) = runs["tags"].predict(["the dogs' 'quoted' words"])
    playwright.expect(page.locator(".tags .tag")).to_have_text(
        ["the", "dogs'", "'quoted'", "words"]
    )
    shown = page.eval_on_selector_all(".tags .tag", "all => all.map(tag => tag.title)")
    assert tuple(shown) == expected.value
    colours = page.eval_on_selector_all(
        ".tags .tag", "all => all.map(tag => getComputedStyle(tag).backgroundColor)"
    )
    outside = [colour == "rgba(0, 0, 0, 0)" for colour in colours]
    assert outside == [tag == "O" for tag in expected.value]
    _fits(page)


def test_a_series_is_drawn_with_its_forecast(page: Any) -> None:
    _choose(page, "forecast")
    page.click("text=Example")
    page.click("#go")
    page.wait_for_selector("#output svg")
    assert page.locator("#output polyline.next").count() == 2
    options = page.locator("#fields input, #fields select")
    assert [field.get_attribute("name") for field in options.all()] == ["maximum_length"]
    assert page.locator("#output pre").first.text_content().count("\n") == 4
    page.fill("textarea", "1 2\n3")
    page.click("#go")
    playwright.expect(page.locator("#output .error")).to_be_visible()
    page.fill("textarea", "1 x")  # while it is typed, too
    page.click("#go")
    playwright.expect(page.locator("#output .error")).to_have_text("x is not a number.")
    page.fill("textarea", "1 2")
    _fits_after_errors(page)


def test_the_times_of_steps_come_first(page: Any, runs: dict[str, Any]) -> None:
    _choose(page, "timed")
    page.click("text=Example")
    page.click("#go")
    playwright.expect(page.locator("#output .answer")).to_be_visible()
    page.fill("textarea", "0 1\n1 2\n3 4")
    page.click("#go")
    (expected,) = runs["timed"].predict([TimedSeries([1.0, 2.0, 4.0], [0.0, 1.0, 2.0])])
    playwright.expect(page.locator("#output .answer")).to_contain_text(str(expected.value)[:5])
    assert page.locator("#input polyline").count() == 1
    _fits(page)


def _fits_after_errors(page: Any) -> None:
    # The browser logs the status 400, too.
    page.problems[:] = [problem for problem in page.problems if "400" not in problem]
    _fits(page)


def test_generated_text_streams_in(page: Any, runs: dict[str, Any]) -> None:
    _choose(page, "language")
    page.fill("textarea", "the ")
    page.evaluate("document.getElementById('options').open = true")
    page.select_option("select[name=method]", "greedy")
    page.fill("input[name=maximum_length]", "9")
    page.click("#go")
    from seqzoo.tasks.base import PredictionOptions
    from seqzoo.tasks.decoding import Decoding

    options = PredictionOptions(1, Decoding("greedy", maximum_length=9))
    (expected,) = runs["language"].predict(["the "], options)
    text = page.locator("#output pre.text")
    playwright.expect(page.locator("#time")).to_contain_text("ms")
    assert text.text_content() == "the " + expected.value
    _fits(page)


def test_images_are_uploaded(page: Any, runs: dict[str, Any], tmp_path: pathlib.Path) -> None:
    import tensorflow as tf

    features = runs["images"].task.features
    shape = (*features.shape[:2], features.channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    file = tmp_path / "image.png"
    file.write_bytes(tf.io.encode_png(pixels).numpy())
    _choose(page, "images")
    page.set_input_files("input[type=file]", str(file))
    (expected,) = runs["images"].predict([file.read_bytes()])
    playwright.expect(page.locator("#output pre.text")).to_have_text(expected.label)
    assert page.eval_on_selector("#input img", "own => own.naturalWidth") == shape[1]
    _fits(page)


def test_audio_is_uploaded(page: Any, runs: dict[str, Any], tmp_path: pathlib.Path) -> None:
    wave = cases()["audio"][2][1]
    soundfile.write(tmp_path / "sound.wav", wave, 8000, "FLOAT")
    _choose(page, "audio")
    page.set_input_files("input[type=file]", str(tmp_path / "sound.wav"))
    (expected,) = runs["audio"].predict([wave])
    playwright.expect(page.locator("#output .answer")).to_have_text(expected.label)
    assert page.locator("audio").is_visible() and page.locator("canvas.wave").is_visible()
    _fits(page)
    (tmp_path / "other.wav").write_bytes(b"no sound")
    page.set_input_files("input[type=file]", str(tmp_path / "other.wav"))
    message = "The input of 8 bytes is not a WAV, FLAC or OGG file"
    playwright.expect(page.locator("#output .error")).to_contain_text(message)
    assert page.locator("audio").is_hidden() and page.locator("canvas.wave").is_hidden()
    _fits_after_errors(page)
