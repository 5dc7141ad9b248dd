"""Years of an organisation beside each other, or organisations; its address is a link that can be sent."""

from __future__ import annotations

import re
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import flask
from flask import request

from functions.console.show import file_name
from shared.documents.catalogue import Filters, list_documents
from shared.documents.compare import MAX_SIDES, Comparison, DatapointRow, parse_side
from shared.documents.compare import compare as compare_sides
from shared.documents.plans import TITLES
from shared.documents.store import fields_of
from shared.platform.clients import firestore_client
from shared.platform.errors import Permanent
from shared.platform.records import DOCUMENT_ID
from shared.text.datapoints import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response

TITLE = "Compare"
MAX_SIDE = 200
"""Characters of the name of a side."""
MAX_OFFERED = 500
"""Newest documents whose organisations and years are offered."""
MAX_SUGGESTED = 8
SECONDS = 20.0

pages = flask.Blueprint("compare", __name__)


@pages.get("/compare")
def index() -> str | tuple[str, int]:
    """Show what to compare, and the comparison where the address names it."""
    asked = [side[:MAX_SIDE] for each in request.args.getlist("side") if (side := each.strip())]
    client, made, problem = firestore_client(), None, None
    try:
        if asked:
            made = compare_sides(client, [parse_side(side) for side in asked])
    except Permanent as error:
        problem = error
    years = _years(client)
    page = flask.render_template(
        "compare.html",
        asked=asked,
        marked=_titles(client, asked),
        made=made,
        problem=problem,
        sides=MAX_SIDES,
        offered=[f"{name} {year}" for name, known in years.items() for year in sorted(known, reverse=True)],
        suggested=_suggested(years),
        **(_shown(made) if made else {}),
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK


@pages.post("/compare")
def chosen() -> Response:
    """Lead to the comparison of documents that were marked in a list."""
    marked = [each for each in dict.fromkeys(request.form.getlist("id")) if re.fullmatch(DOCUMENT_ID, each)]
    return flask.redirect(flask.url_for("compare.index", side=marked[: MAX_SIDES + 1]), 303)


def _titles(client: Any, asked: list[str]) -> dict[str, str]:  # noqa: ANN401 - untyped
    """Return what people know the documents by that are compared, by their ids."""
    documents = [each for each in asked if re.fullmatch(DOCUMENT_ID, each)]
    found = fields_of(client, documents, ("name", "title"), timeout=SECONDS)
    return {each: fields["title"] or file_name(fields["name"]) for each, fields in found.items()}


def _years(client: Any) -> dict[str, set[int]]:  # noqa: ANN401 - untyped
    """Return which years there are documents about, by organisation, in their order."""
    found: dict[str, set[int]] = defaultdict(set)
    fields = ("organisation", "year", "published_run")
    for row in list_documents(client, Filters(), limit=MAX_OFFERED, fields=fields).rows:
        if row.get("organisation") and row.get("year") and row.get("published_run"):
            found[row["organisation"]].add(row["year"])
    return dict(sorted(found.items()))


def _suggested(years: Mapping[str, set[int]]) -> list[tuple[str, list[str]]]:
    """Return comparisons to begin with: the two newest years of organisations with several."""
    pairs = {name: sorted(known)[-2:] for name, known in years.items() if len(known) > 1}
    return [
        (f"{name} {older} and {newer}", [f"{name} {older}", f"{name} {newer}"])
        for name, (older, newer) in list(pairs.items())[:MAX_SUGGESTED]
    ]


def _shown(made: Comparison) -> dict[str, Any]:
    """Return what the template needs in groups: rows that can be compared, plans by status, differences."""
    return {
        "heads": [str(side.year) if made.over_time else side.label for side in made.sides],
        "comparable": [row for row in made.datapoints if _is_comparable(row)],
        "alone": [row for row in made.datapoints if not _is_comparable(row)],
        "series": _series,
        "plans": {
            title: found
            for status, title in TITLES.items()
            if (found := [each for each in made.plans if each.status == status])
        },
        "differences": [
            {
                "of": made.sides[each.side].label,
                "against": made.sides[each.against].label,
                "missing": [names().get(code, code) for code in each.missing_datapoints],
                "new": [names().get(code, code) for code in each.new_datapoints],
                "missing_topics": each.missing_topics,
                "new_topics": each.new_topics,
            }
            for each in made.differences
        ],
    }


def _is_comparable(row: DatapointRow) -> bool:
    return sum(1 for cell in row.cells if cell.value or cell.restated) > 1


def _series(row: DatapointRow) -> list[tuple[str, float]]:
    """Return the periods of a data point from the oldest, each as the last side that states it says."""
    return [
        (period, next(value for value in reversed(values) if value is not None))
        for period, values in reversed(row.periods.items())
    ]
