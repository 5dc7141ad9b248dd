"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

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
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem(
            HTTPStatus.BAD_REQUEST, "not-json", f"The body cannot be read as JSON: {found[0]['msg']}."
        )
    faults = [
        Fault(detail=item["msg"], pointer="#" + "".join(f"/{_escaped(part)}" for part in item["loc"]))
        for item in found[:MAX_FAULTS]
    ]
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


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
