"""A document: in brief first, then each passage beside its page."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import flask
from flask import request
from pydantic import ValidationError
from werkzeug.wrappers import Response

from functions.console.app import me, needs
from shared.api.keys import Scope
from shared.api.models import PassagesQuery
from shared.api.requests import not_found
from shared.api.stored import list_passages
from shared.documents import outcomes
from shared.documents.figures import known, tables_of
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import Documents
from shared.documents.views import PASSAGE_FIELDS, document_view, passage_view
from shared.platform.clients import firestore_client, where
from shared.platform.logs import get_logger
from shared.platform.records import DOCUMENT_ID, TERMINAL
from shared.platform.tables import is_total
from shared.text.datapoints import directions, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.documents.figures import DocumentTable, KnownFigure
    from shared.documents.model import Document

AT_ONCE = 40
"""Passages of a part of the reader, where a document has no pages."""
MAX_ON_PAGE = 400
"""Passages that one page of the reader shows."""
PERIODS = 4
"""Latest periods of the table of key figures."""
MAX_CODED = 4_000
SECONDS = 20.0
IMAGE_SECONDS = 3600
"""How long a browser may keep the image of a page; its address names the run."""
NOT_PLAIN = ("target", "change", "base year")
_SHOWN = [field for field in PASSAGE_FIELDS if field not in {"embedding", "space"}]

pages = flask.Blueprint("document", __name__, url_prefix="/documents/<identifier>")


class KeyFigure(NamedTuple):
    """A data point of a document: its figure of each period."""

    code: str
    name: str
    unit: str | None
    values: dict[str, KnownFigure]
    points: list[tuple[str, float]]
    """What the chart shows: periods in order, and values."""
    better: bool | None
    """Whether the last change is for the better; None: not known."""


@pages.get("")
def index(identifier: str) -> str:
    """Show what a document says in brief; the reader comes after it."""
    document = _document(identifier)
    if _is_drawn(document) and me().can(Scope.ORIGINALS):
        _prepare()
    key_figures, periods = _key_figures(identifier) if document.published_run else ([], [])
    return flask.render_template(
        "document.html",
        document=document,
        view=document_view(document.model_dump()),
        key_figures=key_figures,
        periods=periods,
        cells=_cells(identifier) if document.published_run else {},
        initiatives=_by_action(document),
        place={name: request.args[name] for name in ("page", "from", "passage") if name in request.args},
    )


@pages.get("/state")
def state(identifier: str) -> Response | str:
    """Show how far a document is, and have the page loaded again once it is done."""
    document, after = _document(identifier), _number("after", 0)
    if document.state in TERMINAL and document.run > after:
        return Response(headers={"HX-Redirect": f"/documents/{identifier}"})
    return flask.render_template("document_state.html", document=document, after=after)


@pages.get("/read")
def read(identifier: str) -> str:
    """Show a page of the reader; of a document without pages some passages from the one asked for."""
    document = _document(identifier)
    if document.published_run is None:
        raise not_found("Nothing of this document is published yet.")
    last = document.pages or 0
    if last:
        page = min(max(_number("page", 1), 1), last)
        passages = _on_page(document, page)
        part = {"page": page, "last": last, "before": page - 1, "after": page + 1 if page < last else 0}
    else:
        start = max(_number("from", _number("passage", 0)), 0)
        found = _from(document, start, AT_ONCE + 1)
        passages = found[:AT_ONCE]
        part = {"start": start, "before": max(start - AT_ONCE, 0), "more": len(found) > AT_ONCE}
    tables = _tables(identifier, document.published_run, document.figures or 0)
    shown = {table.number: table for table in tables if table.number in {p.get("table") for p in passages}}
    return flask.render_template(
        "reader.html",
        document=document,
        passages=passages,
        tables=shown,
        part=part,
        on=_number("passage", -1),
        is_drawn=_is_drawn(document),
    )


@pages.get("/places")
@needs(Scope.ORIGINALS)
def places(identifier: str) -> str:
    """Show where the passages of a page stand on its image."""
    from shared.intake.pages import page_places

    document, page = _document(identifier), _number("page", 1)
    passages = _on_page(document, page)
    ends = [each for each in _on_page(document, page - 1) if each["kind"] == "text"][-1:] if page > 1 else []
    found = zip([*passages, *ends], page_places(document, page, [*passages, *ends]), strict=True)
    return flask.render_template("places.html", places=list(found), on=_number("passage", -1))


@pages.get("/<int:run>/pages/<int:page>")
@needs(Scope.ORIGINALS)
def image(identifier: str, run: int, page: int) -> Response:
    """Send the image of a page as it was before redaction, and log who saw it."""
    from shared.intake.pages import WIDTHS, page_image

    document = _document(identifier)
    width = _number("width", 800)
    if run != document.published_run or width not in WIDTHS:
        raise not_found("There is no such image.")
    drawn = page_image(document, page, width)
    get_logger("console").info("original shown", document=identifier, run=run, page=page, by=me().id)
    headers = {"Cache-Control": f"private, max-age={IMAGE_SECONDS}"}
    return Response(drawn.data, headers=headers, content_type=drawn.media_type)


@pages.get("/passages")
def passages(identifier: str) -> str:
    """Show passages of a topic, an outcome or an action, what matters most first."""
    try:
        asked = PassagesQuery.model_validate({"order": "salience", "page_size": 30} | request.args.to_dict())
    except ValidationError:
        raise not_found("There is no such list.") from None
    document = _document(identifier)
    found = list_passages(firestore_client(), document.model_dump(), asked)
    filters = {name: value for name, value in request.args.items() if name != "page_token"}
    return flask.render_template(
        "passages.html",
        document=document,
        filters=filters,
        passages=found["passages"],
        next_page_token=found["next_page_token"],
    )


@pages.get("/passages/<int:number>/scores")
def scores(identifier: str, number: int) -> str:
    """Show how sure the model is of a passage."""
    document = _document(identifier)
    reference = Documents(firestore_client()).reference(identifier).collection(PASSAGES)
    stored = reference.document(f"{document.published_run}-{number}").get(_SHOWN, timeout=SECONDS).to_dict()
    if stored is None:
        raise not_found("There is no such passage.")
    return flask.render_template("scores.html", passage=passage_view(stored))


def _document(identifier: str) -> Document:
    found = Documents(firestore_client()).get(identifier) if re.fullmatch(DOCUMENT_ID, identifier) else None
    if found is None:
        raise not_found("There is no such document. It may have been erased.")
    return found


def _is_drawn(document: Document) -> bool:
    """Whether its pages have images."""
    return bool(document.pages) and document.media_type == "application/pdf"


@lru_cache(maxsize=1)
def _prepare() -> None:
    """Start the process that draws, once, while the page above the reader is read."""
    from shared.intake.pages import prepare

    threading.Thread(target=prepare, daemon=True).start()


def _number(name: str, default: int) -> int:
    value = request.args.get(name, "")
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else default


def _on_page(document: Document, page: int) -> list[dict[str, Any]]:
    passages = Documents(firestore_client()).reference(document.id).collection(PASSAGES)
    query = where(passages, ("run", "==", document.published_run), ("page", "==", page)).order_by("index")
    found = query.select(_SHOWN).limit(MAX_ON_PAGE).get(timeout=SECONDS)
    return [passage_view(each.to_dict()) for each in found]


def _from(document: Document, start: int, most: int) -> list[dict[str, Any]]:
    passages = Documents(firestore_client()).reference(document.id).collection(PASSAGES)
    query = where(passages, ("run", "==", document.published_run)).order_by("index")
    found = query.start_at({"index": start}).select(_SHOWN).limit(most).get(timeout=SECONDS)
    return [passage_view(each.to_dict()) for each in found]


@lru_cache(maxsize=4)
def _tables(identifier: str, run: int, _figures: int) -> list[DocumentTable]:
    """The tables of a run, which never change; a long report has some hundred."""
    return tables_of(firestore_client(), identifier, run)


def _cells(identifier: str) -> dict[str, Any]:
    """Passages by topic, outcome and action."""
    reference = firestore_client().collection(outcomes.COLLECTION).document(identifier)
    stored = reference.get(["topics"], timeout=SECONDS).to_dict() or {}
    return stored.get("topics") or {}


def _by_action(document: Document) -> list[tuple[str, list[Any]]]:
    """The initiatives that were done, and those that are planned; each best first."""
    listed = document.initiatives_top
    done = [each for each in listed if each.action != "planned"]
    return [("Done", done), ("Planned", [each for each in listed if each.action == "planned"])]


def _key_figures(identifier: str) -> tuple[list[KeyFigure], list[str]]:
    """Data points by their latest periods: of each the total, where several figures say it."""
    found = known(firestore_client(), documents=[identifier], limit=MAX_CODED).figures
    grouped: dict[tuple[str, str | None], list[KnownFigure]] = defaultdict(list)
    for figure in found:
        if figure.datapoint and figure.period and not (figure.qualifier or "").startswith(NOT_PLAIN):
            grouped[figure.datapoint, figure.unit].append(figure)
    main = _main_units(grouped)
    counts: dict[str, int] = defaultdict(int)
    for key in main:
        for period in {figure.period or "" for figure in grouped[key]}:
            counts[period] += 1
    often = [period for period, count in counts.items() if count * 10 >= len(main)]
    periods = sorted(often)[-PERIODS:]
    made = [_key_figure(*key, grouped[key], periods) for key in main]
    return [each for each in made if each.values], periods


def _main_units(grouped: dict[tuple[str, str | None], list[KnownFigure]]) -> list[tuple[str, str | None]]:
    """The unit in which each data point is given most often."""
    best: dict[str, str | None] = {}
    for (code, unit), figures in sorted(grouped.items(), key=lambda item: len(item[1])):
        if unit is not None or code not in best or not figures:
            best[code] = unit
    return sorted(best.items())


def _key_figure(
    code: str, unit: str | None, figures: Iterable[KnownFigure], periods: Sequence[str]
) -> KeyFigure:
    values: dict[str, KnownFigure] = {}
    for figure in figures:
        period = figure.period or ""
        if period in periods and (period not in values or _claim(figure) > _claim(values[period])):
            values[period] = figure
    points = [(period, values[period].value) for period in periods if period in values]
    better = None
    if len(points) > 1 and points[-1][1] != points[-2][1] and code in directions():
        better = (points[-1][1] < points[-2][1]) == (directions()[code] == "lower")
    return KeyFigure(code, names().get(code, code), unit, values, points, better)


def _claim(figure: KnownFigure) -> tuple[int, float, int]:
    """Return how good a figure stands for its data point: totals first, then the surest, then the first."""
    whole = 2 if is_total(figure.qualifier) else 0 if figure.qualifier else 1
    return whole, figure.confidence, -figure.passage
