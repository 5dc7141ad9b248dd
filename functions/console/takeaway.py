"""Take away what is shown as a file: documents, as the API exports them."""

from __future__ import annotations

import re
import unicodedata
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask
from flask import request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from functions.console.documents import FILTERS
from functions.console.show import file_name
from functions.console.upstream import ask_api
from shared.api.models import MAX_PAGE
from shared.api.requests import Problem, not_found
from shared.documents.contents import BLOCK, MEDIA_TYPES
from shared.documents.store import Documents
from shared.platform.clients import firestore_client
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

EXPORT_SECONDS = 240.0
"""How long the API may take to write a workbook, before it sends any of it."""
MAX_MARKED = MAX_PAGE
"""Documents that are named one by one, as many as the API takes."""
MAX_STEM = 80
"""Characters of a file's name before its ending."""

pages = flask.Blueprint("takeaway", __name__)


@pages.route("/export", methods=["GET", "POST"])
def documents() -> Response:
    """Send documents: those that are named or marked, or else all that the filters leave."""
    form = next((form for form in MEDIA_TYPES if form == request.args.get("format")), None)
    marked = list(dict.fromkeys(request.values.getlist("id")))
    if form is None or not all(re.fullmatch(DOCUMENT_ID, each) for each in marked):
        raise not_found("There is no such file.")
    if len(marked) > MAX_MARKED:
        detail = f"At most {MAX_MARKED} marked documents are taken at once. Filter the list instead."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "too-many", detail)
    names = () if marked else (*FILTERS, "sort")
    asked = {name: value for name in ("rows", *names) if (value := request.args.get(name, "").strip())}
    query = urlencode([("format", form), *asked.items(), *(("document", each) for each in marked)])
    answer = ask_api(f"/v1/exports?{query}", seconds=EXPORT_SECONDS)
    stem = _title(marked[0]) if len(marked) == 1 else "documents"
    kind = asked.get("rows", "figures") if form in {"csv", "parquet"} else ""
    headers = attachment(f"{stem}-{kind}" if kind else stem, form)
    if notes := answer.headers.get("X-Headrace-Notes"):
        headers["X-Headrace-Notes"] = notes
    response = Response(_blocks(answer), headers=headers, content_type=MEDIA_TYPES[form])
    response.call_on_close(answer.close)
    return response


def attachment(stem: str, ending: str) -> Headers:
    """Return headers that have a file saved under a name that every system takes, whatever it is made of."""
    plain = unicodedata.normalize("NFC", stem)
    safe = re.sub(r"[^\w.-]+", "-", plain)[:MAX_STEM].strip("-._")
    headers = Headers()
    headers.set("Content-Disposition", "attachment", filename=f"headrace-{safe or 'file'}.{ending}")
    return headers


def _title(identifier: str) -> str:
    document = Documents(firestore_client()).get(identifier)
    return (document.title or file_name(document.name)) if document else identifier


def _blocks(answer: HTTPResponse) -> Iterator[bytes]:
    """Yield the file as it comes; where it breaks off, so does the download."""
    while block := answer.read(BLOCK):
        yield block
