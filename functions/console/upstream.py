"""Ask the API in the name of who is signed in: it has the model, and what writes workbooks and Parquet."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from google.auth.exceptions import GoogleAuthError

from functions.console.app import me
from shared.api.keys import passed_on
from shared.api.requests import Problem
from shared.platform.clients import identity
from shared.platform.logs import get_logger
from shared.platform.settings import settings

if TYPE_CHECKING:
    from http.client import HTTPResponse

EXPLAINED = {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS}
"""Refusals whose reason a person can do something about."""


def json_of(
    path: str, *, seconds: float, fields: set[str], body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the object that the API answers with; it has these `fields`. See `ask_api`.

    Raises:
        Problem: as `ask_api`; 502, the answer broke off, or it is no such object.
    """
    with ask_api(path, seconds=seconds, body=body) as answer:
        try:
            read = json.load(answer)
        except (OSError, HTTPException, ValueError) as error:
            raise _broken(error) from None
    if not isinstance(read, dict) or not fields <= read.keys():
        raise _broken(ValueError("It is another object."))
    return read


def ask_api(path: str, *, seconds: float, body: dict[str, Any] | None = None) -> HTTPResponse:
    """Return the API's answer, to be read and closed.

    Args:
        path: with its query.
        seconds: how long the API may be silent.
        body: what is sent as JSON by POST; None: GET.

    Raises:
        Problem: what the API says of the request; 502, what answers does not speak HTTP; 503, it does not
            answer or has too much to do.
    """
    if not settings().api_url:
        raise _silent({})
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-API-Key": passed_on(me().id), "Content-Type": "application/json"}
    try:
        headers |= identity(settings().api_url)
        asked = urllib.request.Request(f"{settings().api_url}{path}", data, headers)  # noqa: S310 - of the settings
        answer: HTTPResponse = urllib.request.urlopen(asked, timeout=seconds)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if error.code in EXPLAINED:
                raise Problem(HTTPStatus(error.code), "refused", _detail(error)) from None
            get_logger("console").warning("the API refused", status=error.code)
            raise _silent(dict(error.headers)) from None
    except HTTPException as error:
        raise _broken(error) from None
    except (OSError, GoogleAuthError) as error:
        get_logger("console").warning("the API does not answer", error=error)
        raise _silent({}) from None
    return answer


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["detail"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return "The API refused this."


def _silent(headers: dict[str, str]) -> Problem:
    waiting = {name: value for name, value in headers.items() if name == "Retry-After"}
    detail = "The API does not answer, or has too much to do. Try again in a moment."
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "api", detail, headers=waiting)


def _broken(error: Exception) -> Problem:
    get_logger("console").warning("the API's answer cannot be read", error=error)
    detail = "The answer of the API broke off, or cannot be read. Try again; if it stays, see the API's log."
    return Problem(HTTPStatus.BAD_GATEWAY, "api", detail)
