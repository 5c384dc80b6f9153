"""The server answers like `Run.predict`, and every mistake has its status code."""

import asyncio
import base64
import concurrent.futures
import io
import json
import struct
import threading
import zlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
from serving_cases import cases, events, joined, runs_of, service_of, serving  # noqa: E402

from seqzoo.tasks.base import PredictionOptions  # noqa: E402
from seqzoo.tasks.decoding import Decoding  # noqa: E402
from seqzoo.tasks.errors import SeqzooError  # noqa: E402
from seqzoo.tasks.runs.session import _rows as rows_of_part  # noqa: E402
from seqzoo.tasks.seq2seq.task import text_predictions  # noqa: E402
from seqzoo.zoo.data.image_size import HUGE, pixel_count  # noqa: E402
from seqzoo.zoo.serving.answers import prediction  # noqa: E402
from seqzoo.zoo.serving.guard import own_names  # noqa: E402
from seqzoo.zoo.serving.metrics import Counter, Histogram, exposition  # noqa: E402
from seqzoo.zoo.serving.sessions import Sessions  # noqa: E402
from seqzoo.zoo.serving.settings import ServingSettings  # noqa: E402
from seqzoo.zoo.serving.worker import Full, Job, Worker  # noqa: E402

CASES = cases()
NAMES = ["characters", "audio", "language", "images"]
PREDICT = "/v1/models/characters:predict"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return runs_of(tmp_path_factory.mktemp("served"), NAMES)


@pytest.fixture(scope="module")
def client(runs: dict[str, Any]) -> Any:
    with serving(runs, body_size=0.2, length=100, sessions=2, instances=8) as client:
        yield client


def _expected(run: Any, values: list, top: int = 1, **choices: Any) -> list[dict[str, Any]]:
    decoding = Decoding(**choices) if choices else None
    options = PredictionOptions(top, decoding, 7 if choices else None)
    if not hasattr(run.task, "texts"):
        options = PredictionOptions(top)
    answers = run.predict(values, options)
    results = [prediction(run, *pair, top) for pair in zip(values, answers, strict=True)]
    return json.loads(json.dumps(results))


def _png(height: int, width: int) -> str:
    import tensorflow as tf

    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 1)).astype(np.uint8)
    return base64.b64encode(tf.io.encode_png(pixels).numpy()).decode()


def test_predictions_are_exactly_those_of_the_run(client: Any, runs: dict[str, Any]) -> None:
    for top in (1, 3):
        body = {"instances": CASES["characters"][2], "parameters": {"top": top}}
        result = client.post(PREDICT, json=body)
        assert result.status_code == 200, result.text
        expected = _expected(runs["characters"], CASES["characters"][2], top)
        assert result.json() == {"predictions": expected}
    versioned = client.post(PREDICT.replace(":", "/versions/1:"), json=body)
    assert versioned.json() == result.json()
    assert client.get("/v1/models/characters/versions/1").status_code == 200
    assert client.post(PREDICT.replace(":", "/versions/2:"), json=body).status_code == 404
    waves = CASES["audio"][2]
    file = io.BytesIO()
    soundfile.write(file, waves[0], 8000, "FLOAT", format="WAV")
    instances = [{"b64": base64.b64encode(file.getvalue()).decode()}, waves[1].tolist()]
    result = client.post("/v1/models/audio:predict", json={"instances": instances})
    assert result.json() == {"predictions": _expected(runs["audio"], waves[:2])}


def test_images_come_as_files_and_as_rows(client: Any, runs: dict[str, Any]) -> None:
    features = runs["images"].task.features
    height, width = features.shape[:2]
    body: dict[str, Any] = {"instances": [np.zeros(features.shape, int).tolist()]}
    result = client.post("/v1/models/images:predict", json=body)
    zeros = np.zeros(features.shape, np.uint8)
    assert result.json() == {"predictions": _expected(runs["images"], [zeros])}
    if features.channels == 1:
        encoded = _png(height, width)
        result = client.post("/v1/models/images:predict", json={"instances": [{"b64": encoded}]})
        expected = _expected(runs["images"], [base64.b64decode(encoded)])
        assert result.json() == {"predictions": expected}
    body["instances"][0] = [[256] * width] * height
    assert "from 0 to 255" in client.post("/v1/models/images:predict", json=body).json()["error"]


def test_a_text_streams_in_and_ends_as_it_is_predicted(client: Any, runs: dict[str, Any]) -> None:
    choices = {"method": "sample", "temperature": 0.8, "maximum_length": 12}
    body = {"instance": "the ", "parameters": {**choices, "seed": 7}}
    result = events(client, "/v1/models/language:stream", body)
    assert [event.get("done", False) for event in result] == [False] * (len(result) - 1) + [True]
    (expected,) = _expected(runs["language"], ["the "], **choices)
    assert joined(result) == result[-1]["text"] == expected["answer"] != ""
    one = client.post(
        "/v1/models/language:predict",
        json={"instances": ["the "], "parameters": body["parameters"]},
    )
    assert one.json() == {"predictions": [expected]}
    beam = {"instance": "the ", "parameters": {"method": "beam"}}
    assert client.post("/v1/models/language:stream", json=beam).status_code == 400


def test_another_seed_or_number_of_labels_traces_no_graph(runs: dict[str, Any]) -> None:
    run = runs["language"]
    decoding = Decoding("sample", maximum_length=6)
    texts = {run.predict(["a"], PredictionOptions(1, decoding, 1))[0].label}
    graphs = len(run._inference._graphs)
    for seed in (2, 3, 4, 2**40):
        texts.add(run.predict(["a"], PredictionOptions(1, decoding, seed))[0].label)
    assert len(texts) > 1
    assert len(run._inference._graphs) == graphs
    runs["characters"].predict(["a"], PredictionOptions(1))
    before = len(runs["characters"]._inference._graphs)
    runs["characters"].predict(["a"], PredictionOptions(2))
    assert len(runs["characters"]._inference._graphs) == before


def test_a_session_ends_with_the_answer_of_the_whole(client: Any, runs: dict[str, Any]) -> None:
    (wave,) = CASES["audio"][2][2:3]
    opened = client.post("/v1/models/audio/sessions", json={"parameters": {"top": 3}})
    assert opened.status_code == 201
    url = opened.headers["location"]
    assert url.endswith(opened.json()["session"])
    for start, stop in ((0, 90), (90, 91), (91, 640), (640, len(wave))):
        result = client.post(f"{url}:step", json={"part": wave[start:stop].tolist()}).json()
        (whole,) = runs["audio"].predict([wave[:stop]], PredictionOptions(3))
        assert result["prediction"]["answer"] == whole.label
        assert result["prediction"]["probability"] == pytest.approx(whole.probability, rel=1e-4)
    assert client.get(url).json() == {"steps": result["steps"]}
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == client.delete(url).status_code == 404


def test_a_session_of_a_language_model_predicts_the_next_tokens(client: Any, runs: dict) -> None:
    sampled = {"parameters": {"top": 2, "temperature": 0.5}}
    refused = client.post("/v1/models/language/sessions", json=sampled)
    assert refused.status_code == 400 and "`temperature` has no effect" in refused.json()["error"]
    url = client.post("/v1/models/language/sessions", json={}).headers["location"]
    result = client.post(f"{url}:step", json={"part": "the d"}).json()
    result = client.post(f"{url}:step", json={"part": "ogs"}).json()
    greedy = Decoding("greedy", maximum_length=1, minimum_length=1)
    (expected,) = runs["language"].predict(["the dogs"], PredictionOptions(1, greedy))
    if result["prediction"]["answer"]:  # and not the end
        assert result["prediction"]["answer"] == expected.label
    other = client.post("/v1/models/language/sessions").headers["location"]
    full = client.post("/v1/models/language/sessions")
    assert full.status_code == 503 and int(full.headers["retry-after"]) > 0
    for item in (url, other):
        client.delete(item)


ERRORS: dict[str, tuple[int, Any, str]] = {
    "no JSON": (400, b"{", "The body is not JSON: "),
    "no UTF-8": (400, b"\xff{}", "The body is not UTF-8: byte 1"),
    "NaN": (400, b'{"instances": [NaN]}', "NaN is not JSON"),
    "depth": (400, b"[" * 100_000, "The body cannot be read"),
    "digits": (400, b'{"instances": [%s]}' % (b"1" * 5000), "The body cannot be read"),
    "list": (400, [], "The body must be a JSON object, got a list."),
    "nothing": (400, {}, "`instances` must contain at least one input."),
    "field": (400, {"instance": ["a"]}, "There is no field 'instance'"),
    "text": (400, {"instances": "a"}, "`instances` must be a list, got text."),
    "columns": (400, {"inputs": ["a"]}, "`inputs` is not supported"),
    "signature": (400, {"instances": ["a"], "signature_name": "x"}, "must be 'serving_default'"),
    "number": (400, {"instances": ["a", 7]}, "Instance 1 must be text, got 7."),
    "empty": (
        400,
        {"instances": ["a", "a", " "]},
        "Instance 2 is empty; fill it in",
    ),
    "half": (400, b'{"instances": ["\\ud800"]}', "Instance 0 is not Unicode text"),
    "long": (400, {"instances": ["a" * 101]}, "Instance 0 has 101 characters; at most 100 are"),
    "many": (413, {"instances": ["a"] * 9}, "`instances` has 9 inputs; at most 8 are allowed."),
    "large": (413, {"instances": ["a" * 300_000]}, "A request may have at most 200,000 bytes."),
    "unknown": (400, {"instances": ["a"], "parameters": {"tpo": 1}}, "did you mean 'top'?"),
    "range": (400, {"instances": ["a"], "parameters": {"top": 0}}, "`top` must be from 1 to 20"),
    "type": (400, {"instances": ["a"], "parameters": {"top": "1"}}, "must be a whole number"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_gets_one_line_and_its_status(name: str, client: Any) -> None:
    status, body, message = ERRORS[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    result = client.post(PREDICT, content=content)
    assert result.status_code == status, result.text
    assert message in result.json()["error"] and "\n" not in result.json()["error"]


def test_other_errors_get_theirs(client: Any) -> None:
    def error(status: int, method: str, path: str, **given: Any) -> str:
        found = client.request(method, path, **given)
        assert found.status_code == status, found.text
        return found.json()["error"]

    assert "did you mean 'audio'" in error(404, "GET", "/v1/models/adio")
    assert "There is nothing at /v2" in error(404, "GET", "/v2")
    assert "does not accept GET" in error(405, "GET", PREDICT)
    error(405, "DELETE", "/v1/models/audio")
    assert "both directions" in error(400, "POST", "/v1/models/characters/sessions", json={})
    assert "does not generate text" in error(
        400, "POST", "/v1/models/audio:stream", json={"instance": "a"}
    )
    body: dict[str, Any] = {"instances": ["../../etc/passwd"]}
    for name in ("audio", "images"):
        assert "b64" in error(400, "POST", f"/v1/models/{name}:predict", json=body)
    for name, numbers in (("audio", [0.1, "1"]), ("images", [[1, 2], [3, "1"]])):
        message = 'Instance 0 must contain numbers, but "1" is not a number.'
        path, body = f"/v1/models/{name}:predict", {"instances": [numbers]}
        assert message in error(400, "POST", path, json=body)
    body = {"instances": [[0, 32767]]}
    message = "Instance 0 must contain samples between -1 and 1, got 32767."
    assert message in error(400, "POST", "/v1/models/audio:predict", json=body)
    session = client.post("/v1/models/audio/sessions", json={}).headers["location"]
    message = "must contain samples between -1 and 1, got 8."
    assert message in error(400, "POST", f"{session}:step", json={"part": [-8.0]})
    assert client.delete(session).status_code == 204
    body = {"instances": [[[1, True]]]}
    assert "but true is not a number." in error(400, "POST", "/v1/models/images:predict", json=body)
    body = {"instances": [{"b64": "?"}]}
    assert "is not base64" in error(400, "POST", "/v1/models/images:predict", json=body)
    for size, number, message in (
        (60_000, 1, "Instance 0 has 3,600,000,000 pixels; at most 25,000,000 are allowed"),
        (5_000, 5, "Instance 4 is too much: the images of a request may have 100,000,000 pixels"),
    ):
        bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", size, size)
        encoded = base64.b64encode(bomb + b"\x08\0\0\0\0").decode()
        body = {"instances": [{"b64": encoded}] * number}
        assert message in error(400, "POST", "/v1/models/images:predict", json=body)
    body = {"instances": [{"b64": base64.b64encode(b"\xff\xd8\xff\0").decode()}]}
    message = "Instance 0 of 4 bytes has a damaged header or is an animated WebP; save it again"
    assert message in error(400, "POST", "/v1/models/images:predict", json=body)
    body = {"instances": [{"b64": base64.b64encode(b"RIFF").decode()}]}
    assert "not a WAV" in error(400, "POST", "/v1/models/audio:predict", json=body)
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(8000 * 70, np.int16), 8000, format="FLAC")
    body = {"instances": [{"b64": base64.b64encode(silence.getvalue()).decode()}]}
    assert "lasts 70.0 s" in error(400, "POST", "/v1/models/audio:predict", json=body)


def test_pages_of_other_origins_and_other_names_are_refused(client: Any) -> None:
    body = {"instances": ["a"]}
    ours = {"Origin": "http://localhost:8501"}
    result = client.post(PREDICT, json=body, headers=ours)
    assert result.status_code == 200
    assert not [name for name in result.headers if name.startswith("access-control")]
    for origin in ("https://elsewhere.example", "null", "http://["):
        headers = {"Origin": origin}
        assert client.post(PREDICT, json=body, headers=headers).status_code == 403
    assert client.get("/", headers={"Host": "rebound.example:8501"}).status_code == 403
    assert client.get("/", headers={"Host": "[::1]:8501"}).status_code == 200


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and policy.count("'sha256-") == 2
    assert "http" not in page.text.replace("http://www.w3.org/2000/svg", "")
    assert page.headers["x-content-type-options"] == "nosniff"


def test_state_metadata_and_counts(client: Any, runs: dict[str, Any]) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    state = client.get("/v1/models/audio").json()["model_version_status"][0]
    assert (state["version"], state["state"]) == ("1", "AVAILABLE")
    result = client.get("/v1/models/audio/metadata").json()
    assert result["model_spec"]["name"] == "audio"
    assert result["metadata"]["sample_rate"] == 8000 and result["metadata"]["sessions"]
    assert result["metadata"]["labels"] == runs["audio"].task.targets.names
    assert {item["name"] for item in client.get("/v1/models").json()["models"]} == set(NAMES)
    client.post(PREDICT, json={"instances": ["a", "b"]})
    assert client.get("/v1/models/no-such-name:predict").status_code == 405
    text = client.get("/metrics").text
    assert "no-such-name" not in text
    labels = 'route="predict",model="characters",method="POST",status="200"'
    assert f"seqzoo_requests_total{{{labels}}} " in text
    assert 'seqzoo_batch_instances_bucket{model="characters",le="2"} ' in text
    assert 'seqzoo_ready{model="audio"} 1' in text
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/models/language:stream", "/v1/models/audio/sessions"} <= set(paths)
    assert "/v1/models/characters/sessions" not in paths


def test_concurrent_requests_share_batches_and_none_is_lost(runs: dict[str, Any]) -> None:
    texts = [f"the {n} dogs" for n in range(60)]
    expected = _expected(runs["characters"], texts)
    with serving({"characters": runs["characters"]}, batch_wait=5.0) as client:

        def one(number: int) -> Any:
            body = {"instances": [texts[number]]}
            return client.post(PREDICT, json=body).json()["predictions"][0]

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            results = list(pool.map(one, range(60)))
        service = service_of(client)
    assert [item["answer"] for item in results] == [item["answer"] for item in expected]
    probabilities = [item["probability"] for item in expected]
    np.testing.assert_allclose([item["probability"] for item in results], probabilities, rtol=1e-4)
    (counts,) = service.batches._values.values()
    assert counts[-1] == 60 and counts[-2] < 60


def test_a_full_queue_and_a_slow_model_get_503_and_504(runs: dict[str, Any]) -> None:
    with serving({"characters": runs["characters"]}, queue_size=1, timeout=0.3) as client:
        worker = service_of(client).models["characters"].worker
        held, started = threading.Event(), threading.Event()
        worker.call(lambda: (started.set(), held.wait(20)))
        assert started.wait(5)
        slow = client.post(PREDICT, json={"instances": ["a"]})
        assert (slow.status_code, slow.json()["error"]) == (
            504,
            "There was no prediction within 0.3 s.",
        )
        # The request without a response is still waiting.
        full = client.post(PREDICT, json={"instances": ["a"]})
        assert full.status_code == 503 and full.headers["retry-after"] == "1"
        held.set()


def test_options_that_leave_no_text_are_an_error_of_the_request() -> None:
    results = {"texts": [[b"a"]], "log_probabilities": [[-np.inf]], "token_probabilities": [[0.0]]}
    with pytest.raises(SeqzooError, match="No text has a finite log-probability"):
        text_predictions(results)


def test_a_worker_batches_what_fits_and_separates_what_is_invalid() -> None:
    held, batches = threading.Event(), []

    def compute(inputs: Any, key: Any) -> list[int]:
        batches.append((key, list(inputs)))
        if 13 in inputs:
            raise SeqzooError("13 is invalid.")
        return [item * 2 for item in inputs]

    worker = Worker("test", compute, queue_size=9, batch_size=4, wait=0)
    worker.start()
    worker.call(held.wait)
    jobs = [
        Job([1, 2], "a"),
        Job([3], "b"),
        Job([4, 5, 6], "a"),
        Job([13], "a"),
        Job([7], "a", True),
    ]
    futures = [worker.submit(job) for job in jobs]
    cancelled = worker.submit(Job([8], "c"))
    cancelled.cancel()
    held.set()
    worker.stop()
    assert [future.result() for future in futures[:3]] == [[2, 4], [6], [8, 10, 12]]
    with pytest.raises(SeqzooError, match="13 is invalid"):
        futures[3].result()
    assert futures[4].result() == [14]
    assert batches == [
        ("a", [1, 2, 13]), ("a", [1, 2]), ("a", [13]), ("b", [3]), ("a", [4, 5, 6]), ("a", [7])
    ]  # fmt: skip
    with pytest.raises(Full):
        worker.submit(Job([1], "a"))


def test_idle_sessions_end() -> None:
    now = [0.0]
    sessions = Sessions(2, 10.0, lambda: now[0])
    first, second = sessions.add("first"), sessions.add("second")
    assert sessions.add("third") is None
    now[0] = 9.0
    assert sessions.get(first or "") == "first"
    now[0] = 15.0
    assert len(sessions) == 1 and sessions.get(second or "") is None
    assert sessions.remove(first or "") and not sessions.remove(first or "")


def test_metrics_are_those_of_prometheus() -> None:
    counter, histogram = Counter("a_total", "A."), Histogram("b", "B.", (1, 5))
    counter.add(path='x"\n')
    counter.add(2, path='x"\n')
    for value in (0.5, 3, 7):
        histogram.observe(value)
    assert exposition([counter, histogram]) == (
        '# HELP a_total A.\n# TYPE a_total counter\na_total{path="x\\"\\n"} 3\n'
        '# HELP b B.\n# TYPE b histogram\nb_bucket{le="1"} 1\nb_bucket{le="5"} 2\n'
        'b_bucket{le="+Inf"} 3\nb_sum 10.5\nb_count 3\n'
    )
    counter.add(12_345_678, path="y")
    assert 'a_total{path="y"} 12345678' in counter.lines()


def test_sizes_of_images_are_read_from_their_headers() -> None:
    import tensorflow as tf

    pixels = np.zeros((7, 9, 3), np.uint8)
    assert pixel_count(tf.io.encode_png(pixels).numpy()) == 63
    jpeg = tf.io.encode_jpeg(pixels).numpy()
    assert pixel_count(jpeg) == 63 and pixel_count(jpeg[:30]) == HUGE
    assert pixel_count(b"BM" + bytes(16) + struct.pack("<ii", 9, -7)) == 63
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 9, 7, 0) + b"\x02\x01\x00\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", 9, 7, 0x80, 0, 0) + bytes(6)
    extension = b"\x21\xf9\x02\x00\x00\x00"
    for end in (b"\x3b", b""):  # the end may be missing
        assert pixel_count(head + extension + frame + frame + end) == 3 * 63
    assert pixel_count(b"text") == 0
    # Of WebP, without losses, with them, and with other parts around the image.
    lossless, lossy = b"VP8L" + bytes(4) + b"\x2f", b"VP8 " + bytes(10)
    size = struct.pack("<I", 8 | 6 << 14)
    assert pixel_count(b"RIFF\0\0\0\0WEBP" + lossless + size) == 63
    assert pixel_count(b"RIFF\0\0\0\0WEBP" + lossy + struct.pack("<HH", 9, 7)) == 63
    for flags, pixels in ((0, 63), (2, HUGE)):  # an animation has any number of frames
        extended = b"VP8X" + bytes(4) + bytes([flags, 0, 0, 0]) + b"\x08\0\0\x06\0\0"
        assert pixel_count(b"RIFF\0\0\0\0WEBP" + extended) == pixels
    assert pixel_count(b"RIFF\0\0\0\0WEBPVP8 ") == HUGE


def test_what_decoders_skip_does_not_hide_the_size_of_an_image() -> None:
    import tensorflow as tf

    pixels = np.zeros((7, 9, 3), np.uint8)
    jpeg, png = tf.io.encode_jpeg(pixels).numpy(), tf.io.encode_png(pixels).numpy()
    scan = jpeg.index(b"\xff\xda")
    size = bytes.fromhex("ffc0000b080001000101011100")
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(size))
    # What a reader that takes FF 00 for a segment would skip ends before a false size.
    length = 2 + scan - 2 + len(comment)
    hidden = b"\xff\x00" + struct.pack(">H", length) + jpeg[2:scan] + comment + size
    assert tf.io.decode_jpeg(jpeg[:2] + hidden + jpeg[scan:]).shape == (7, 9, 3)
    assert pixel_count(jpeg[:2] + hidden + jpeg[scan:]) == HUGE
    # An unknown marker, a length without itself, bytes between segments, and the end of the image.
    for part in (b"\xff\x02\0\x02", b"\xff\xfe\0\0", b"\0", b"\xff\xd8", b"\xff\xd9"):
        assert pixel_count(jpeg[:2] + part + jpeg[2:]) == HUGE, part
    for part in (b"\xff\xff", b"\xff\x01", b"\xff\xd7", b"\xff\xfe\0\x04\xff\xc0"):
        assert pixel_count(jpeg[:2] + part + jpeg[2:]) == 63, part
    chunk = struct.pack(">I4sII", 8, b"abCd", 1, 1)
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    assert tf.io.decode_png(png[:8] + chunk + png[8:]).shape == (7, 9, 3)
    assert pixel_count(png[:8] + chunk + png[8:]) == HUGE
    frame = bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HHHH", 9, 7, 1, 1)
    assert pixel_count(b"RIFF\0\0\0\0WEBP" + frame) == HUGE


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True, "exif": b"Exif\0\0" + bytes(99), "comment": b"\xff\xc0 a comment"},
        {"icc_profile": b"\xff\xd8" * 70_000, "restart_marker_blocks": 1, "optimize": True},
    ],
)
def test_sizes_of_jpeg_files_with_further_segments(options: dict[str, Any]) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    file = io.BytesIO()
    image.new("RGB", (90, 70)).save(file, "JPEG", **options)
    assert pixel_count(file.getvalue()) == 6300


@pytest.mark.parametrize(
    "host, origins, accepted, refused",
    [
        ("127.0.0.1", [], ["localhost", "::1"], ["evil.example"]),
        ("127.0.0.2", [], ["127.0.0.2", "localhost"], ["evil.example"]),
        ("127.0.0.1", ["https://example.org"], ["example.org"], ["evil.example"]),
    ],
)
def test_a_server_on_its_own_machine_has_its_own_names(host, origins, accepted, refused) -> None:
    names = own_names(ServingSettings(host=host, origins=origins))
    assert {*accepted} <= {*names} and names and not {*refused} & {*names}
    for everywhere in ("0.0.0.0", "models.example"):
        assert own_names(ServingSettings(host=everywhere)) == ()


def test_the_maximum_of_tokens_applies_to_requests_that_name_none(client: Any) -> None:
    model = service_of(client).models["language"]
    limited = replace(model.settings, tokens=5)
    before, model.settings = model.settings, limited
    try:
        decoding = model.options({"minimum_length": 9}).decoding
        assert (decoding.maximum_length, decoding.minimum_length) == (5, 5)
        assert model.options({"maximum_length": 3}).decoding.maximum_length == 3
    finally:
        model.settings = before


@pytest.mark.parametrize(
    "part, expected",
    [
        ([[1, 2, 3], [4, 5, 6]], (2, 3)),
        ([1, 2, 3], (1, 3)),
        ([[1, 2], [3, 4], [5, 6]], "rows of length 3, .* got the shape"),
        ([1, 2, 3, 4, 5, 6], "rows of length 3, .* got the shape"),
        ([[10**400, 2, 3]], "numbers in rows of length 3"),
        ([[0.5, 2, 3]], "whole numbers from 0 to 255"),
        ([], "rows of length 3|at least one row"),
    ],
)
def test_a_part_of_an_image_consists_of_rows(part: list, expected: Any) -> None:
    features: Any = SimpleNamespace(step=((3,), "uint8"), shape=(4, 3))
    if isinstance(expected, tuple):
        assert rows_of_part(part, features).shape == expected
        return
    with pytest.raises(SeqzooError, match=expected):
        rows_of_part(part, features)


def test_the_rows_of_an_image_are_a_part_for_a_model_that_reads_pixels() -> None:
    features: Any = SimpleNamespace(step=((1,), "uint8"), shape=(4, 3))
    rows = np.arange(6).reshape(2, 3)
    for part in (rows, rows.ravel(), rows.reshape(-1, 1)):
        assert rows_of_part(part, features).tolist() == [[n] for n in range(6)]
    with pytest.raises(SeqzooError, match=r"rows of length 1, \(rows, 1\), got the shape \(3, 2\)"):
        rows_of_part(rows.T, features)


def test_a_connection_without_complete_headers_is_closed(monkeypatch: Any) -> None:
    uvicorn = pytest.importorskip("uvicorn")
    protocol = pytest.importorskip("seqzoo.zoo.serving.protocol")
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.4)  # an answer may take longer
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def ask(port: int, *parts: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.15)
        try:
            return await asyncio.wait_for(reader.read(1000), 5)
        finally:
            writer.close()

    async def check() -> None:
        config = uvicorn.Config(app, http=protocol.Protocol, lifespan="off")
        config.load()
        state = uvicorn.server.ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: protocol.Protocol(config=config, server_state=state, app_state={}),
            "127.0.0.1",
            0,
        )
        port = server.sockets[0].getsockname()[1]
        head = b"GET / HTTP/1.1\r\nHost: a\r\n"
        assert await ask(port, head) == b""
        assert await ask(port, head, b"A: b\r\n", b"C: d\r\n") == b""
        assert await ask(port) == b""
        assert b"done" in await ask(port, head + b"\r\n")
        server.close()
        await asyncio.sleep(0.1)  # until the last connection is closed

    asyncio.run(check())
