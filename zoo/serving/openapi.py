"""The description of all routes in OpenAPI 3.1, with the inputs of each model."""

import typing
from collections.abc import Mapping
from typing import Any, Literal

from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.fields import Range, hints_of, note
from seqzoo.zoo.config import docstrings
from seqzoo.zoo.serving.model import BEAMS, TOP, ServedModel
from seqzoo.zoo.serving.settings import ServingSettings

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, on one line."}},
}

ANY_NUMBER = {"type": ["number", "null"]}

PREDICTION = {
    "type": "object",
    "required": ["answer", "probability"],
    "properties": {
        "answer": {"description": "A text, a number, or a list of these."},
        "probability": ANY_NUMBER,
        "token_probability": ANY_NUMBER,
        "alternatives": {"type": "object", "additionalProperties": ANY_NUMBER},
        "tokens": {"type": "array", "items": {"type": "string"}},
    },
}

REASONS = {
    400: "The request is invalid.",
    403: "The page or the host may not call this server.",
    404: "There is no such model or session.",
    408: "The request did not arrive in time.",
    413: "The request is too large.",
    500: "The server failed.",
    503: "The server is not ready or is overloaded; Retry-After says when to try again.",
    504: "The request was not completed in time.",
}


def description(models: Mapping[str, ServedModel], settings: ServingSettings) -> dict[str, Any]:
    """The description as JSON."""
    paths: dict[str, Any] = {
        "/": {"get": _operation("page", "A page for trying out the models.", media="text/html")},
        "/healthz": {"get": _operation("health", "The process is alive.", _object("status"))},
        "/readyz": {
            "get": _operation("ready", "All models are ready.", _object("status"), errors=(503,))
        },
        "/metrics": {"get": _operation("metrics", "Metrics for Prometheus.", media="text/plain")},
        "/openapi.json": {"get": _operation("openapi", "This description.", {"type": "object"})},
        "/v1/models": {"get": _operation("models", "All models.", _object("models"))},
    }
    for name, model in models.items():
        paths |= _model(name, model, settings)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "seqzoo",
            "version": "1",
            "description": "Predictions of recurrent sequence models.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": ERROR, "Prediction": PREDICTION}},
    }


def _model(name: str, model: ServedModel, settings: ServingSettings) -> dict[str, Any]:
    one, instance, reference = f"/v1/models/{name}", model.inputs.schema(), "Prediction"
    predictions = {
        "type": "object",
        "required": ["predictions"],
        "properties": {
            "predictions": {"type": "array", "items": {"$ref": f"#/components/schemas/{reference}"}}
        },
    }
    instances = {
        "type": "array",
        "items": instance,
        "minItems": 1,
        "maxItems": settings.instances,
    }
    parameters = _parameters(model, settings)
    request = {"instances": instances, "parameters": parameters}
    paths = {
        one: {
            "get": _operation(
                f"{name} state", "State of the model.", _object("model_version_status")
            )
        },
        f"{one}/metadata": {
            "get": _operation(
                f"{name} metadata", "Description and inputs of the model.", _object("metadata")
            )
        },
        f"{one}:predict": {
            "post": _operation(
                f"{name} predict", "Predictions.", predictions, _body(request, "instances")
            )
        },
    }
    if model.streams:
        paths[f"{one}:stream"] = {
            "post": _operation(
                f"{name} stream",
                'A text as it is generated: events with "delta" or "text", the last with "done".',
                None,
                _body({"instance": instance, "parameters": parameters}, "instance"),
                media="text/event-stream",
            )
        }
    if model.no_session is None:
        paths |= _sessions(name, one, instance, parameters)
    return paths


def _sessions(name: str, one: str, instance: Any, parameters: Any) -> dict[str, Any]:
    path_parameters = [
        {"name": "session", "in": "path", "required": True, "schema": {"type": "string"}}
    ]
    step = {
        "type": "object",
        "required": ["prediction", "steps"],
        "properties": {
            "prediction": {"$ref": "#/components/schemas/Prediction"},
            "steps": {"type": "integer"},
        },
    }
    opened = _operation(
        f"{name} open session",
        "Opens a session, which reads an input part by part.",
        _object("session"),
        _body({"parameters": parameters}),
        status=201,
    )
    opened["responses"]["201"]["links"] = {
        "step": {
            "operationId": f"{name} step",
            "parameters": {"session": "$response.body#/session"},
        }
    }
    state = _operation(f"{name} session", "The state of a session.", _object("steps"))
    ended = _operation(f"{name} end session", "Ends a session.", None, status=204)
    fed = _operation(
        f"{name} step", "Feeds a part to a session.", step, _body({"part": instance}, "part")
    )
    return {
        f"{one}/sessions": {"post": opened},
        f"{one}/sessions/{{session}}": {
            "parameters": path_parameters,
            "get": state,
            "delete": ended,
        },
        f"{one}/sessions/{{session}}:step": {"parameters": path_parameters, "post": fed},
    }


def _parameters(model: ServedModel, settings: ServingSettings) -> dict[str, Any]:
    """The schema of a request's parameters."""
    texts, hints = docstrings.choices(Decoding), hints_of(Decoding)
    maxima = {"top": TOP, "beam_width": BEAMS, "maximum_length": settings.tokens, "seed": 2**31 - 1}
    results = {}
    for name, type_ in model.parameters.items():
        schema = _schema(type_)
        allowed = note(hints[name], Range) if name in hints else None
        if allowed is not None:
            bounds = {
                "minimum": allowed.minimum,
                "exclusiveMinimum": allowed.above,
                "maximum": allowed.maximum,
            }
            schema |= {word: bound for word, bound in bounds.items() if bound is not None}
        if name in maxima:
            schema |= {"minimum": int(name != "seed"), "maximum": maxima[name]}
        schema["description"] = texts.get(name, "")
        results[name] = schema
    if "top" in results:
        results["top"]["description"] = "Number of predictions per input."
    return {"type": "object", "properties": results, "additionalProperties": False}


def _schema(type_: Any) -> dict[str, Any]:
    if typing.get_origin(type_) is Literal:
        return {"type": "string", "enum": list(typing.get_args(type_))}
    members = [arg for arg in typing.get_args(type_) if arg is not type(None)] or [type_]
    return {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[members[0]]}


def _object(required: str) -> dict[str, Any]:
    return {"type": "object", "required": [required]}


def _body(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    content = {"application/json": {"schema": schema}}
    return {"required": bool(required), "content": content}


def _operation(
    name: str,
    summary: str,
    schema: Any = None,
    body: Any = None,
    *,
    status: int = 200,
    media: str = "application/json",
    errors: tuple[int, ...] = (),
) -> dict[str, Any]:
    content = {media: {"schema": {"type": "string"} if schema is None else schema}}
    done: dict[str, Any] = {"description": "Done."}
    if status != 204:
        done["content"] = content
    if body is not None or "session" in name:
        errors = (400, 404, 408, 413, 503, 504)
    failed = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses = {
        str(code): {"description": REASONS[code], "content": failed}
        for code in sorted({*errors, 403, 500})
    }
    results = {
        "operationId": name,
        "summary": summary,
        "responses": {str(status): done, **responses},
    }
    return results if body is None else {**results, "requestBody": body}
