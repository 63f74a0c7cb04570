"""The service, described in OpenAPI 3.1, from the very schemas and options that the code uses."""

import json
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api import options, schemas
from version import VERSION

_REFUSALS = {
    400: "Something in the request that can't be taken; the sentence says what",
    401: "The service asks for keys, and there is none",
    403: "The key is wrong",
    404: "There is nothing at this address",
    411: "The request doesn't say how long its body is",
    413: "Too many bytes or pixels",
    415: "Not a picture in an allowed format",
    422: "An allowed format, but it can't be decoded",
    429: "More than the caller's rate allows; see Retry-After",
    500: "Our fault",
    503: "The queue is full, or a network is still being loaded; see Retry-After",
    504: "The deadline passed",
}
_UPLOAD_REFUSALS = (400, 411, 413, 415, 422, 500, 503, 504)
# What is open where keys are asked for, and what isn't counted where there are rates.
_HEALTH_AND_PAGE = (
    "/healthz",
    "/readyz",
    "/v2/health/live",
    "/v2/health/ready",
    "/",
    "/web/{name}",
)
_OPEN = (*_HEALTH_AND_PAGE, "/docs", "/openapi.json")
_NOT_COUNTED = (*_HEALTH_AND_PAGE, "/metrics")
_PHOTO = {"type": "string", "format": "binary"}
_KEY = {"type": "http", "scheme": "bearer", "description": "a key, if the service asks for one"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_PAGE_FILES = ("text/html", "text/css", "text/javascript", "image/svg+xml")

_REF = "#/components/schemas/{model}"
_SCHEMAS: tuple[type[BaseModel], ...] = (
    schemas.Predicted,
    schemas.PredictedMany,
    schemas.Refused,
    schemas.Models,
    schemas.Model,
    schemas.Labels,
    schemas.Kept,
    schemas.Explained,
    schemas.Layers,
    schemas.Extracted,
    schemas.ExtractedMany,
    schemas.InferenceRefused,
    schemas.Health,
)


@cache
def as_json() -> str:
    """The document as JSON."""
    return json.dumps(document(), ensure_ascii=False)


@cache
def document() -> dict[str, Any]:
    """The document; not to be changed."""
    _, definitions = models_json_schema(
        [(schema, "serialization") for schema in _SCHEMAS], ref_template=_REF
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shiwu 识物",
            "version": VERSION,
            "description": "A photo in, names out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path: _guarded(path, methods) for path, methods in _paths().items()},
        "components": {"schemas": definitions["$defs"], "securitySchemes": {"key": _KEY}},
    }


def _guarded(path: str, methods: dict[str, Any]) -> dict[str, Any]:
    """The operations of a path, each with what a service that has keys or rates may say as well."""
    shape = schemas.InferenceRefused if path.startswith("/v2") else schemas.Refused
    statuses = [*([] if path in _OPEN else [401, 403]), *([] if path in _NOT_COUNTED else [429])]
    refused = {str(status): _json_reply(_REFUSALS[status], shape) for status in statuses}
    # A key, or none: whether it is asked for is up to whoever runs the service.
    security: list[dict[str, Any]] = [] if path in _OPEN else [{}, {"key": []}]
    return {
        method: operation | {"security": security, "responses": operation["responses"] | refused}
        for method, operation in methods.items()
    }


def _paths() -> dict[str, Any]:
    return {
        "/predict": {
            "post": _operation(
                "predict",
                "What is on the photo, or on each of several",
                {
                    200: _json_reply(
                        "The names, most probable first", schemas.Predicted, schemas.PredictedMany
                    )
                },
                _UPLOAD_REFUSALS,
                options.PREDICT,
                body=_body(several=True, form_options=options.PREDICT),
            )
        },
        "/image": {
            "post": _operation(
                "keepImage",
                "The photo back, upright and without metadata, with its names or a heat map drawn "
                "on it if asked for, and an address to fetch it again",
                {200: _kept_reply()},
                _UPLOAD_REFUSALS,
                options.IMAGE,
                body=_body(several=False, form_options=options.IMAGE),
            ),
            "get": _operation("whichImage", "Says that a picture's address has an id", {}, (404,)),
        },
        "/image/{image_id}": {
            "get": _operation(
                "keptImage",
                "A picture that POST /image made, until it expires",
                {200: _jpeg_reply()},
                (404, 503),
                parameters=[_path_parameter("image_id")],
            )
        },
        "/explain": {
            "post": _operation(
                "explain",
                "Where on the photo the network found a class: the photo with a heat map on it, "
                "or, as Accept says, the map in numbers",
                {200: _explained_reply()},
                _UPLOAD_REFUSALS,
                options.EXPLAIN,
                body=_body(several=False, form_options=options.EXPLAIN),
            )
        },
        "/features": {
            "post": _operation(
                "features",
                "What a layer of a network says of the photo, or of each of several, as JSON or, "
                "as Accept says, in NumPy's format",
                {200: _extracted_reply()},
                _UPLOAD_REFUSALS,
                options.FEATURES,
                body=_body(several=True, form_options=options.FEATURES),
            )
        },
        "/models": _get("models", "Every network that can be served", schemas.Models, (400,)),
        "/models/{name}": {
            "get": _operation(
                "model",
                "One network that can be served",
                {200: _json_reply("The network", schemas.Model)},
                (400, 404),
                parameters=[_path_parameter("name")],
            )
        },
        "/models/{name}/layers": {
            "get": _operation(
                "layers",
                "The layers of a network that is served",
                {200: _json_reply("The layers, first to last", schemas.Layers)},
                (400, 404, 503),
                parameters=[_path_parameter("name")],
            )
        },
        "/labels": _get(
            "labels",
            "The classes of a network and their groups, in every language",
            schemas.Labels,
            (400, 503),
            options.LABELS,
        ),
        "/healthz": _get("healthz", "Whether the process is alive", schemas.Health),
        "/readyz": _get("readyz", "Whether photos are welcome", schemas.Health, (503,)),
        "/metrics": {
            "get": _operation(
                "metrics",
                "Counters and histograms, for Prometheus",
                {200: {"description": "Metrics", "content": {"text/plain": {}}}},
            )
        },
        "/openapi.json": {
            "get": _operation(
                "openapi",
                "This description, for programs",
                {200: {"description": "OpenAPI 3.1", "content": {"application/json": {}}}},
            )
        },
        **_inference_paths(),
        "/docs": _page("docs", "This description, for people"),
        "/": _page("page", "The page for people: a photo in, names out"),
        "/web/{name}": {
            "get": _operation(
                "pageFile",
                "One of the files that the page is made of",
                {200: {"description": "The file", "content": {kind: {} for kind in _PAGE_FILES}}},
                (404,),
                parameters=[_path_parameter("name")],
            )
        },
    }


def _inference_paths() -> dict[str, Any]:
    """The Open Inference Protocol's, whose own specification has the bodies in full."""
    version = _path_parameter("version")
    version["schema"] = {"type": "string", "enum": ["1"]}
    name = _path_parameter("name")

    def get(operation: str, summary: str, statuses: tuple[int, ...], *at: dict[str, Any]) -> Any:
        return {"get": _inference_operation(operation, summary, statuses, at)}

    def infer(operation: str, *at: dict[str, Any]) -> Any:
        summary = "What is on the photos, in tensors"
        statuses = (*_UPLOAD_REFUSALS, 404)
        body: dict[str, Any] = {
            kind: {} for kind in ("application/json", "application/octet-stream")
        }
        told = _inference_operation(operation, summary, statuses, at)
        return {"post": told | {"requestBody": {"required": True, "content": body}}}

    one, versioned = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    return {
        "/v2": get("v2", "This server, in the Open Inference Protocol", ()),
        "/v2/health/live": get("v2Live", "Whether the process is alive", ()),
        "/v2/health/ready": get("v2Ready", "Whether photos are welcome", (503,)),
        one: get("v2Model", "What a network takes and gives", (404,), name),
        versioned: get("v2Version", "What a network takes and gives", (404,), name, version),
        f"{one}/ready": get("v2ModelReady", "Whether it is loaded", (404, 503), name),
        f"{versioned}/ready": get(
            "v2VersionReady", "Whether it is loaded", (404, 503), name, version
        ),
        f"{one}/infer": infer("v2Infer", name),
        f"{versioned}/infer": infer("v2VersionInfer", name, version),
    }


def _inference_operation(
    name: str, summary: str, refusals: tuple[int, ...], parameters: tuple[dict[str, Any], ...]
) -> dict[str, Any]:
    kinds: dict[str, Any] = {"application/json": {}, "application/octet-stream": {}}
    reply = {"description": summary, "content": kinds}
    refused = {s: _json_reply(_REFUSALS[s], schemas.InferenceRefused) for s in refusals}
    return {
        "operationId": name,
        "summary": summary,
        "parameters": list(parameters),
        "responses": {str(status): told for status, told in ({200: reply} | refused).items()},
    }


def _page(name: str, summary: str) -> dict[str, Any]:
    html = {"description": summary, "content": {"text/html": {}}}
    return {"get": _operation(name, summary, {200: html})}


def _get(
    name: str,
    summary: str,
    schema: type[BaseModel],
    refusals: tuple[int, ...] = (),
    known: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {"get": _operation(name, summary, {200: _json_reply(summary, schema)}, refusals, known)}


def _operation(
    name: str,
    summary: str,
    replies: dict[int, Any],
    refusals: tuple[int, ...] = (),
    known: tuple[str, ...] = (),
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    refused = {status: _json_reply(_REFUSALS[status], schemas.Refused) for status in refusals}
    operation = {
        "operationId": name,
        "summary": summary,
        "parameters": [*(parameters or []), *map(_query_parameter, known)],
        "responses": {str(status): reply for status, reply in (replies | refused).items()},
    }
    return operation | ({"requestBody": body} if body else {})


def _body(*, several: bool, form_options: tuple[str, ...]) -> dict[str, Any]:
    """The three ways in which photos come."""
    named = {name: dict(options.OPTIONS[name].schema) for name in form_options}
    form: dict[str, Any] = _PHOTO
    text: dict[str, Any] = _BASE64
    if several:
        form = {"type": "array", "items": _PHOTO, "minItems": 1}
        text = {"anyOf": [_BASE64, {"type": "array", "items": _BASE64, "minItems": 1}]}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _object({"image": form, **named})},
            "application/json": {"schema": _object({"image": text, **named})},
            "image/*": {"schema": _PHOTO},
            "application/octet-stream": {"schema": _PHOTO},
        },
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": ["image"],
        "additionalProperties": False,
    }


def _query_parameter(name: str) -> dict[str, Any]:
    option = options.OPTIONS[name]
    described = f"{option.meaning}; {option.allowed}"
    return {"name": name, "in": "query", "description": described, "schema": dict(option.schema)}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _json_reply(description: str, *kinds: type[BaseModel]) -> dict[str, Any]:
    said = [{"$ref": _REF.format(model=kind.__name__)} for kind in kinds]
    schema = said[0] if len(said) == 1 else {"anyOf": said}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _jpeg_reply() -> dict[str, Any]:
    return {"description": "A JPEG without metadata", "content": {"image/jpeg": {}}}


def _kept_reply() -> dict[str, Any]:
    told = _json_reply("A JPEG without metadata, or, as Accept says, its address", schemas.Kept)
    where = {"description": "where to GET it until it expires", "schema": {"type": "string"}}
    return told | {
        "content": _jpeg_reply()["content"] | told["content"],
        "headers": {"Content-Location": where},
    }


def _explained_reply() -> dict[str, Any]:
    told = _json_reply("A JPEG, or, as Accept says, a PNG or JSON", schemas.Explained)
    return told | {"content": {"image/jpeg": {}, "image/png": {}, **told["content"]}}


def _extracted_reply() -> dict[str, Any]:
    told = _json_reply("The features", schemas.Extracted, schemas.ExtractedMany)
    return told | {"content": told["content"] | {"application/x-npy": {}}}
