"""Errors as RFC 9457 problem documents: everything that is not an answer."""

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
"""Of one request that are listed."""


class Fault(Record):
    """One thing wrong with a request."""

    detail: str
    pointer: str | None = None
    """JSON Pointer into the body, as a URI fragment (RFC 6901): `#/texts/3`."""
    parameter: str | None = None
    """Name of a query parameter."""


class ProblemDocument(Record):
    """RFC 9457."""

    type: str
    """Names the kind of problem; it does not change between releases."""
    title: str
    status: int
    detail: str
    instance: str
    """Names this occurrence; the service's log line has the same."""
    errors: list[Fault] | None = None


class Problem(Exception):
    """A request that gets no answer but this."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
    ) -> None:
        """`code` is stable and kebab-case; `detail` is a sentence for a person; `headers` are added."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.faults = list(faults)
        self.instance = f"urn:uuid:{uuid4()}"

    def body(self) -> bytes:
        """The document as JSON."""
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
    """What a body that does not parse is answered with: 400 where it is no JSON, else 422."""
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
    """422: what was sent can be read, and cannot be done."""
    place = faults[0].parameter or faults[0].pointer or "the request"
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", f"{place}: {faults[0].detail}", faults=faults[:MAX_FAULTS]
    )


def not_found(detail: str) -> Problem:
    """404."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", detail)


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
