"""Take away what is shown as a file: documents, as the API exports them; comparisons and what a search found.

Parquet is the API's alone: what writes it is larger than the console.
"""

from __future__ import annotations

import io
import re
import unicodedata
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import flask
from flask import request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from functions.console import search
from functions.console.documents import FILTERS
from functions.console.show import file_name
from functions.console.upstream import ask_api
from shared.api.models import MAX_PAGE
from shared.api.requests import Problem, not_found
from shared.documents.compare import MAX_SIDES, compare, parse_side
from shared.documents.contents import BLOCK, MEDIA_TYPES
from shared.documents.export import Rows, rows_csv, rows_json, rows_workbook
from shared.documents.store import Documents
from shared.platform.clients import firestore_client
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from http.client import HTTPResponse

    from shared.documents.compare import Comparison
    from shared.documents.contents import Format
    from shared.documents.export import Value

EXPORT_SECONDS = 240.0
"""How long the API may take to write a workbook, before it sends any of it."""
MAX_MARKED = MAX_PAGE
"""Documents that are named one by one, as many as the API takes."""
MAX_STEM = 80
"""Characters of a file's name before its ending."""

FIGURE = (
    *("organisation", "datapoint", "metric", "qualifier", "period", "value", "unit", "text"),
    *("confidence", "document", "name", "title", "page", "passage"),
)
PASSAGE = ("text", "score", "salience", "kind", "document", "name", "title", "page", "row", "index")
POINT = (
    *("code", "name", "part", "side", "value", "later_stated", "unit", "change", "better"),
    *("period", "document", "page", "passage"),
)
TOPIC = ("topic", "name", "side", "passages", "share", "change", "implemented", "planned")
PLAN = ("status", "side", "topics", "text", "document", "page", "now", "now_document", "now_page")

pages = flask.Blueprint("takeaway", __name__)


@pages.route("/export", methods=["GET", "POST"])
def documents() -> Response:
    """Send documents: those that are named or marked, or else all that the filters leave."""
    form = _form()
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


@pages.get("/search/export")
def found() -> Response:
    """Send the figures and passages that a search shows."""
    question, asked, only_words = search.asked_for()
    shown = search.found(question, asked, only_words=only_words)
    if shown["problem"]:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "incomplete", shown["problem"])
    return _send(f"search-{question}", rows_of_search(shown["facts"], shown["hits"]))


@pages.get("/compare/export")
def comparison() -> Response:
    """Send data points, topics and plans of a comparison."""
    sides = [parse_side(side) for side in request.args.getlist("side")[: MAX_SIDES + 1]]
    made = compare(firestore_client(), sides)
    return _send("-".join(side.label for side in made.sides), rows_of_comparison(made))


def rows_of_search(facts: Iterable[Mapping[str, Any]], hits: Iterable[Mapping[str, Any]]) -> list[Rows]:
    """Return figures and passages with where they stand."""
    return [
        Rows(name, columns, [tuple(each.get(column) for column in columns) for each in listed])
        for name, columns, listed in (("figures", FIGURE, facts), ("passages", PASSAGE, hits))
    ]


def rows_of_comparison(made: Comparison) -> list[Rows]:
    """Return a row for each data point and side, topic and side, and plan."""
    labels = [side.label for side in made.sides]
    points: list[tuple[Value, ...]] = []
    for row in made.datapoints:
        for label, cell in zip(labels, row.cells, strict=True):
            if said := cell.value or cell.restated:
                value = cell.value.value if cell.value else None
                restated = cell.restated.value if cell.restated else None
                where = (said.period, said.document, said.page, said.passage)
                change = (cell.change, cell.is_better)
                points.append(
                    (row.code, row.name, row.part, label, value, restated, row.unit, *change, *where)
                )
    topics: list[tuple[Value, ...]] = [
        (row.topic, row.name, label, cell.passages, cell.share, cell.change, cell.implemented, cell.planned)
        for row in made.topics
        for label, cell in zip(labels, row.cells, strict=True)
    ]
    plans: list[tuple[Value, ...]] = [
        (
            *(each.status, labels[each.side], " ".join(each.plan.topics), each.plan.text),
            *(each.plan.document, each.plan.page),
            *((each.now.text, each.now.document, each.now.page) if each.now else (None, None, None)),
        )
        for each in made.plans
    ]
    return [Rows("data points", POINT, points), Rows("topics", TOPIC, topics), Rows("plans", PLAN, plans)]


def _send(stem: str, lists: list[Rows]) -> Response:
    form = _form()
    if form == "csv":
        chosen = next((each for each in lists if each.name == request.args.get("rows")), None)
        if chosen is None:
            raise not_found("There is no such file.")
        data, stem = rows_csv(chosen).encode("utf-8", "replace"), f"{chosen.name}-{stem}"
    elif form == "jsonl":
        data = rows_json(lists).encode("utf-8", "replace")
    elif form == "xlsx":
        file = io.BytesIO()
        rows_workbook(lists, file)
        data = file.getvalue()
    else:
        raise not_found("There is no such file.")
    return Response(data, headers=attachment(stem, form), content_type=MEDIA_TYPES[form])


def _form() -> Format | None:
    return next((form for form in MEDIA_TYPES if form == request.args.get("format")), None)


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
