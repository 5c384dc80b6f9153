"""The routes of the server, as an ASGI application."""

import asyncio
import contextlib
import functools
import hashlib
import importlib.resources
import json
import re
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.protocols import Transcribes
from seqzoo.zoo.serving.answers import prediction
from seqzoo.zoo.serving.guard import Guard
from seqzoo.zoo.serving.metrics import (
    SECONDS,
    SIZES,
    Counter,
    Gauge,
    Histogram,
    exposition,
    resident_memory,
)
from seqzoo.zoo.serving.model import ServedModel
from seqzoo.zoo.serving.openapi import description
from seqzoo.zoo.serving.requests import Refusal, busy, error_response, read_json
from seqzoo.zoo.serving.sessions import Sessions
from seqzoo.zoo.serving.settings import ServingSettings
from seqzoo.zoo.serving.worker import Full, Job

VERSION = "1"
"""The version of each model in TensorFlow Serving's responses."""

PIECE_SECONDS = 0.02
"""Seconds for which text is generated before it is sent and other requests get their turn."""

ANY = (dict, list, str, int, float, type(None))
"""The types of JSON values."""


class Service:
    """Answers requests to several models.

    Args:
        runs: opened runs by name.
        settings: the settings.
        failed: called with the error if a model cannot be loaded.
    """

    def __init__(
        self,
        runs: Mapping[str, Any],
        settings: ServingSettings,
        failed: Callable[[Exception], None] = lambda _: None,
    ):
        self.settings = settings
        self.failed = failed
        self.requests = Counter("seqzoo_requests_total", "Requests by route, model and status.")
        self.seconds = Histogram("seqzoo_request_seconds", "Durations of requests.", SECONDS)
        self.batches = Histogram(
            "seqzoo_batch_instances", "Inputs that were predicted together.", SIZES
        )
        self.models = {
            name: ServedModel(
                name, run, settings, functools.partial(self.batches.observe, model=name)
            )
            for name, run in runs.items()
        }
        self.sessions = {
            name: Sessions(settings.sessions, settings.session_seconds) for name in runs
        }
        self.metrics = [
            self.requests,
            self.seconds,
            self.batches,
            Gauge("seqzoo_queue_requests", "Requests waiting for a model.", self._queues),
            Gauge("seqzoo_sessions", "Open sessions.", self._open_sessions),
            Gauge("seqzoo_ready", "Whether a model is ready.", self._ready),
            Gauge("process_resident_memory_bytes", "Resident memory.", resident_memory),
        ]

    def _queues(self) -> dict:
        return {(("model", name),): len(model.worker) for name, model in self.models.items()}

    def _open_sessions(self) -> dict:
        return {(("model", name),): len(session) for name, session in self.sessions.items()}

    def _ready(self) -> dict:
        return {
            (("model", name),): model.state == "AVAILABLE" for name, model in self.models.items()
        }

    @contextlib.asynccontextmanager
    async def running(self, _: Any) -> AsyncIterator[None]:
        """A context in which the threads of all models run."""
        for model in self.models.values():
            model.start(self.failed)
        try:
            yield
        finally:
            for model in self.models.values():
                await asyncio.to_thread(model.worker.stop)

    def model(self, request: Request, *, ready: bool = True) -> ServedModel:
        """The model that a request names.

        Raises:
            Refusal: there is none, or it is not ready.
        """
        name = request.path_params["name"]
        if name not in self.models:
            known = ", ".join(self.models)
            raise Refusal(
                404, f"There is no model {name!r}, only {known}{nearest(name, self.models)}"
            )
        model = self.models[name]
        if ready and model.state != "AVAILABLE":
            raise busy(f"The model {name!r} is not ready.", 2)
        return model

    async def body(self, request: Request, **allowed: Any) -> dict[str, Any]:
        """The JSON object of a request; see `read_json`."""
        max_bytes = int(self.settings.body_size * 1_000_000)
        return await read_json(request, allowed, max_bytes, self.settings.timeout)

    async def done(self, submit: Callable[[], Future]) -> Any:
        """The result of a job on a model's thread.

        Raises:
            Refusal: too many requests are waiting, the input is invalid, or the job takes too long.
        """
        seconds = self.settings.timeout
        try:
            return await asyncio.wait_for(asyncio.wrap_future(submit()), seconds)
        except Full as error:
            raise busy("Too many requests are waiting; try again later.") from error
        except TimeoutError as error:
            raise Refusal(504, f"There was no prediction within {seconds:g} s.") from error
        except SeqzooError as error:
            raise Refusal(400, str(error)) from error
        except Exception as error:
            if not isinstance(error, MemoryError) and "ResourceExhausted" not in repr(type(error)):
                raise
            raise busy("There is not enough memory for this request.") from error

    async def predict(self, request: Request) -> Response:
        """Predictions for "instances"."""
        model = self.model(request)
        body = await self.body(
            request, instances=list, parameters=dict, signature_name=str, inputs=ANY
        )
        if "inputs" in body:
            raise Refusal(400, "`inputs` is not supported; give a list of `instances`.")
        if body.get("signature_name", "serving_default") != "serving_default":
            raise Refusal(400, "`signature_name` must be 'serving_default'.")
        instances, maximum = body.get("instances"), self.settings.instances
        if not instances:
            raise Refusal(400, "`instances` must contain at least one input.")
        if len(instances) > maximum:
            raise Refusal(
                413, f"`instances` has {len(instances):,} inputs; at most {maximum} are allowed."
            )
        options = self.options(model, body)
        # With a seed, samples depend on the position of an input in the batch.
        job = Job(instances, options, alone=options.seed is not None)
        predictions = await self.done(lambda: model.worker.submit(job))
        return JSONResponse({"predictions": predictions})

    def options(self, model: ServedModel, body: Mapping[str, Any]) -> Any:
        """The prediction options from the "parameters" of a request."""
        try:
            return model.options(body.get("parameters", {}))
        except SeqzooError as error:
            raise Refusal(400, str(error)) from error

    async def stream(self, request: Request) -> Response:
        """The text that is generated for an "instance", as server-sent events."""
        model = self.model(request)
        body = await self.body(request, instance=ANY, parameters=dict)
        if not model.streams:
            raise Refusal(400, f"{model.name} does not generate text; use {model.name}:predict.")
        if "instance" not in body:
            raise Refusal(400, "`instance` is missing: the input to generate text from.")
        options = self.options(model, body)

        def begin() -> tuple[Any, Iterator[str]]:
            (value,) = model.read([body["instance"]])
            return value, model.run.stream(value, options, unit="instance")

        _, texts = await self.done(lambda: model.worker.call(begin))
        first = await self.done(lambda: model.worker.call(lambda: _piece(texts), queued=True))
        events = self._events(model, texts, first)
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(events, headers=headers, media_type="text/event-stream")

    async def _events(
        self, model: ServedModel, texts: Iterator[str], piece: tuple[str | None, bool]
    ) -> AsyncIterator[bytes]:
        """Events with a "delta" to append to the text so far, or with the complete "text" so far;
        the last event also has "done"."""
        sent, until = "", time.monotonic() + self.settings.timeout
        while True:
            text, ended = piece
            text = sent if text is None else text
            event: dict[str, Any] = {}
            if ended:
                event = {"text": text, "done": True}
            elif text.startswith(sent):
                event = {"delta": text[len(sent) :]}
            else:
                event = {"text": text}
            sent = text
            yield _event(event)
            if ended:
                return
            if time.monotonic() > until:
                yield _event(
                    {
                        "error": f"The text was not complete within the time limit of "
                        f"{self.settings.timeout:g} s."
                    }
                )
                return
            try:
                piece = await self.done(
                    lambda: model.worker.call(lambda: _piece(texts), queued=True)
                )
            except Refusal as refusal:
                yield _event({"error": refusal.message})
                return

    async def open_session(self, request: Request) -> Response:
        """Opens a session."""
        model = self.model(request)
        body = await self.body(request, parameters=dict)
        if model.no_session is not None:
            raise Refusal(400, model.no_session)
        given = sorted({*body.get("parameters", {})} - {"top"})
        if given and model.generates and not isinstance(model.run.task, Transcribes):
            raise Refusal(
                400,
                f"`{given[0]}` has no effect on a session, which answers with the most probable "
                "next steps; leave it out.",
            )
        options = self.options(model, body)
        session = await self.done(lambda: model.worker.call(lambda: model.run.session(options)))
        name = self.sessions[model.name].add(session)
        if name is None:
            raise busy(
                f"The maximum number of sessions ({self.settings.sessions}) is open; end one.", 10
            )
        path = f"/v1/models/{model.name}/sessions/{name}"
        results = {"session": name, "expires_after": self.settings.session_seconds}
        return JSONResponse(results, 201, {"Location": path})

    def session(self, request: Request) -> Any:
        """The session that a request names."""
        model = self.model(request)
        session = self.sessions[model.name].get(request.path_params["session"])
        if session is None:
            raise Refusal(404, "There is no such session; it may have expired.")
        return model, session

    async def step(self, request: Request) -> Response:
        """Feeds a "part" to a session."""
        model, session = self.session(request)
        body = await self.body(request, part=ANY)
        if "part" not in body:
            raise Refusal(400, "`part` is missing: the next part of the input.")

        def feed() -> dict[str, Any]:
            (part,) = model.read([body["part"]], part=True)
            result = prediction(model.run, part, session.feed(part), session.options.top)
            return {"prediction": result, "steps": session.steps}

        return JSONResponse(await self.done(lambda: model.worker.call(feed)))

    async def show_or_end_session(self, request: Request) -> Response:
        """The number of steps that a session has read; DELETE ends it."""
        model, session = self.session(request)
        if request.method != "DELETE":
            return JSONResponse({"steps": session.steps})
        if not self.sessions[model.name].remove(request.path_params["session"]):
            raise Refusal(404, "There is no such session; it may have expired.")
        return Response(status_code=204)

    async def list_models(self, _: Request) -> Response:
        """The names and states of all models."""
        models = [{"name": name, "state": model.state} for name, model in self.models.items()]
        return JSONResponse({"models": models})

    async def status(self, request: Request) -> Response:
        """The state of a model, as TensorFlow Serving reports it."""
        model = self.model(request, ready=False)
        failed = model.state == "FAILED"
        version = {
            "version": VERSION,
            "state": "END" if failed else model.state,
            "status": {
                "error_code": "UNKNOWN" if failed else "OK",
                "error_message": str(model.error) if failed else "",
            },
        }
        return JSONResponse({"model_version_status": [version]})

    async def metadata(self, request: Request) -> Response:
        """A model's description and the inputs that it takes."""
        model = self.model(request)
        spec = {"name": model.name, "signature_name": "serving_default", "version": VERSION}
        return JSONResponse({"model_spec": spec, "metadata": model.metadata()})

    async def health(self, _: Request) -> Response:
        """Reports that the process is alive."""
        return JSONResponse({"status": "ok"})

    async def readiness(self, _: Request) -> Response:
        """Reports whether all models are loaded and warm."""
        loading = [name for name, model in self.models.items() if model.state != "AVAILABLE"]
        if loading:
            raise busy(f"Not ready: {', '.join(loading)}.", 2)
        return JSONResponse({"status": "ready"})

    async def show_metrics(self, _: Request) -> Response:
        """Metrics for Prometheus."""
        return Response(exposition(self.metrics), media_type="text/plain; version=0.0.4")

    async def openapi(self, _: Request) -> Response:
        """The description of all routes."""
        return JSONResponse(description(self.models, self.settings))

    async def page(self, _: Request) -> Response:
        """The page for trying out the models."""
        body, policy = _page()
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        return Response(body, headers=headers, media_type="text/html; charset=utf-8")


def create_app(
    runs: Mapping[str, Any],
    settings: ServingSettings | None = None,
    failed: Callable[[Exception], None] = lambda _: None,
) -> Starlette:
    """An ASGI application that serves runs; its `state.service` is the `Service`.

    Args:
        runs: opened runs by their names in the routes.
        settings: the settings; None for the defaults.
        failed: called with the error if a model cannot be loaded.
    """
    settings = settings or ServingSettings()
    service = Service(runs, settings, failed)
    register_url_convertor("name", _Name())
    one = "/v1/models/{name:name}"
    session = f"{one}/sessions/{{session:name}}"
    version = f"{one}/versions/{VERSION}"
    routes = [
        Route("/", service.page),
        Route("/healthz", service.health),
        Route("/readyz", service.readiness),
        Route("/metrics", service.show_metrics),
        Route("/openapi.json", service.openapi),
        Route("/v1/models", service.list_models),
        Route(f"{one}:predict", service.predict, methods=["POST"]),
        Route(f"{one}:stream", service.stream, methods=["POST"]),
        Route(one, service.status),
        Route(f"{one}/metadata", service.metadata),
        Route(f"{version}:predict", service.predict, methods=["POST"]),
        Route(version, service.status),
        Route(f"{version}/metadata", service.metadata),
        Route(f"{one}/sessions", service.open_session, methods=["POST"]),
        Route(f"{session}:step", service.step, methods=["POST"]),
        Route(session, service.show_or_end_session, methods=["GET", "DELETE"]),
    ]
    middleware = [Middleware(Guard, settings, service.requests, service.seconds)]
    if settings.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(settings.origins),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Content-Type"],
            )
        )
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http_error,
            Exception: _unexpected,
        },
        lifespan=service.running,
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


class _Name(Convertor[str]):
    """A part of a URL path that ends before the colon in front of a verb."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


async def _refused(_: Request, error: Any) -> Response:
    return error_response(error.status, error.message, error.headers)


async def _http_error(request: Request, error: Any) -> Response:
    message = {
        404: f"There is nothing at {request.url.path}; /openapi.json lists all routes.",
        405: f"{request.url.path} does not accept {request.method}.",
    }.get(error.status_code, error.detail)
    return error_response(error.status_code, str(message), error.headers)


async def _unexpected(_: Request, error: Exception) -> Response:
    return error_response(500, f"The server failed ({type(error).__name__}); see its log.")


def _piece(texts: Iterator[str]) -> tuple[str | None, bool]:
    """The text after some more tokens (None if there are no more), and whether it is complete."""
    text, until = None, time.monotonic() + PIECE_SECONDS
    for text in texts:
        if time.monotonic() >= until:
            return text, False
    return text, True


def _event(fields: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode()


@functools.cache
def _page() -> tuple[bytes, str]:
    """The page, and a content security policy that allows only its own scripts and styles."""
    body = importlib.resources.files("seqzoo.zoo.serving").joinpath("page.html").read_bytes()

    def hashes(tag: bytes) -> str:
        parts = re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), body, re.DOTALL)
        digests = (b64encode(hashlib.sha256(part).digest()).decode() for part in parts)
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    policy = (
        f"default-src 'none'; script-src {hashes(b'script')}; style-src {hashes(b'style')}; "
        "img-src data: blob:; media-src blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return body, policy
