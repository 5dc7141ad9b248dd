"""Check what a request brings before anything is computed: its type, its size, its shape.

Errors are RFC 9457 problem documents.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar, get_origin
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from werkzeug.datastructures import MultiDict
    from werkzeug.wrappers import Request

CONTENT_TYPE = "application/problem+json"
MAX_FAULTS = 20
"""Faults of one request that are listed."""


class Fault(Record):
    """A fault in a request."""

    detail: str
    pointer: str | None = None
    """JSON Pointer into the body, as a URI fragment (RFC 6901): `#/texts/3`."""
    parameter: str | None = None
    """Name of a query parameter."""


class ProblemDocument(Record):
    """The body of an error (RFC 9457)."""

    type: str
    """The kind of problem; stable across releases."""
    title: str
    status: int
    detail: str
    instance: str
    """Identifies this occurrence, also in the service's log."""
    errors: list[Fault] | None = None


class Problem(Exception):
    """An error that is the answer to a request."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        """`code` is stable and in kebab case, `detail` a sentence; `headers` are added to the answer's."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.faults = list(faults)
        self.instance = f"urn:uuid:{uuid4()}"

    def body(self) -> bytes:
        """Return the problem document as JSON."""
        document = ProblemDocument(
            type=f"urn:headrace:problem:{self.code}",
            title=self.status.phrase,
            status=self.status,
            detail=self.detail,
            instance=self.instance,
            errors=self.faults or None,
        )
        return document.model_dump_json(exclude_none=True).encode()


def invalid_body(error: ValidationError) -> Problem:
    """The problem for a body that does not parse: 400 if it is not JSON, else 422."""
    errors = error.errors()
    if errors[0]["type"] == "json_invalid":
        return Problem(
            HTTPStatus.BAD_REQUEST, "not-json", f"The body cannot be read as JSON: {errors[0]['msg']}."
        )
    faults = []
    for item in errors[:MAX_FAULTS]:
        parts = (str(part).replace("~", "~0").replace("/", "~1") for part in item["loc"])
        faults.append(Fault(detail=item["msg"], pointer="#" + "".join(f"/{part}" for part in parts)))
    return invalid(faults)


def invalid(faults: Sequence[Fault]) -> Problem:
    """422: the request can be read and not be served."""
    place = faults[0].parameter or faults[0].pointer or "the request"
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", f"{place}: {faults[0].detail}", faults=faults[:MAX_FAULTS]
    )


def not_found(detail: str) -> Problem:
    """404: there is no such thing."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", detail)


B = TypeVar("B", bound=BaseModel)
KEY_HEADER = "X-API-Key"
MEDIA_TYPE = "application/json"


def read_body(request: Request, model: type[B], max_bytes: int) -> B:
    """Read a body of at most `max_bytes`, whether its length was announced or it came in chunks.

    Raises:
        Problem: 413, 415, 400 if it is not JSON or not whole, 422 if it has another shape.
    """
    if request.mimetype != MEDIA_TYPE:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            f"The body must be {MEDIA_TYPE}.",
            headers={"Accept": MEDIA_TYPE},
        )
    body = read_bytes(request, max_bytes)
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise invalid_body(error) from None


def read_query(arguments: MultiDict[str, str], model: type[B]) -> B:
    """Read the parameters of a query string.

    Raises:
        Problem: 422, with each parameter that is unknown, missing, invalid, or repeated and no list.
    """
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    repeated = [name for name, values in arguments.lists() if len(values) > 1 and name not in lists]
    if repeated:
        raise invalid([Fault(detail="is given more than once", parameter=name) for name in repeated])
    try:
        given = {name: values if name in lists else values[0] for name, values in arguments.lists()}
        return model.model_validate(given)
    except ValidationError as error:
        faults = [Fault(detail=item["msg"], parameter=str(item["loc"][0])) for item in error.errors()]
        raise invalid(faults) from None


def read_bytes(request: Request, max_bytes: int) -> bytes:
    """Read a body of at most `max_bytes`, whether its length was announced or it came in chunks.

    Raises:
        Problem: 413; 400 if it did not arrive whole.
    """
    too_large = Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"The body has more than {max_bytes:,} bytes."
    )
    if (request.content_length or 0) > max_bytes:
        raise too_large
    # Werkzeug cuts a body that comes in chunks at this length, and does not say whether there was more.
    request.max_content_length = max_bytes + 1
    try:
        body = request.get_data()
    except Exception:  # noqa: BLE001 - every server has its own exceptions for broken chunks
        raise Problem(HTTPStatus.BAD_REQUEST, "incomplete", "The body did not arrive whole.") from None
    if len(body) > max_bytes:
        raise too_large
    return body
