"""The documents: dropped, watched, found, begun again, erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

import flask
from flask import request
from pydantic import ValidationError

from functions.console.app import local_path, needs
from shared.api.keys import Scope
from shared.documents.catalogue import ROW, BadCursor, Filters, Sort, count, list_documents
from shared.documents.store import fields_of
from shared.platform.clients import firestore_client
from shared.platform.errors import Permanent
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

TITLE = "Documents"
PER_PAGE = 40
MAX_POLLED = 200
"""Documents whose state is asked for at once."""
MAX_CHOSEN = 200
"""Documents of one replay or erasure."""
FILTERS = ("text", "state", "organisation", "year", "topic", "tag", "language")
SECONDS = 20.0

pages = flask.Blueprint("documents", __name__)


@pages.get("/")
def index() -> str:
    """Show the documents; alone their table, where htmx asks for it."""
    asked = {name: value for name in FILTERS if (value := request.args.get(name, "").strip())}
    sort = request.args.get("sort", "newest")
    problem, filters = None, Filters()
    try:
        filters = Filters.model_validate(asked)
    except ValidationError as error:
        problem = f"{error.errors()[0]['loc'][0]}: {error.errors()[0]['msg']}"
    chosen = cast("Sort", sort if sort in get_args(Sort) else "newest")
    client = firestore_client()
    try:
        page = list_documents(
            client, filters, sort=chosen, cursor=request.args.get("cursor") or None, limit=PER_PAGE
        )
    except BadCursor:
        page = list_documents(client, filters, sort=chosen, limit=PER_PAGE)
    is_part = request.headers.get("HX-Target") == "list"
    return flask.render_template(
        "documents_list.html" if is_part else "documents.html",
        rows=page.rows,
        cursor=page.cursor,
        total=count(client, filters),
        asked=asked,
        sort=chosen,
        problem=problem,
        later="cursor" in request.args,
        begun=request.args.get("begun", type=int),
        here=_here(),
    )


@pages.get("/rows")
def rows() -> str:
    """Show how far documents are that are under way: the rows that changed, for htmx to put in place."""
    found = _read(_identifiers(request.args.getlist("id"), MAX_POLLED))
    return flask.render_template("documents_rows.html", rows=found)


@pages.get("/uploads")
@needs(Scope.UPLOAD)
def states() -> dict[str, Any]:
    """Return how far uploads are: `{id: {state, text, error}}`; what has no record yet is left out."""
    found = _read(_identifiers(request.args.getlist("id"), MAX_POLLED))
    return {
        row["id"]: {
            "state": row["state"],
            "passages": row.get("passages"),
            "error": (row.get("error") or {}).get("message"),
        }
        for row in found
    }


@pages.post("/uploads")
@needs(Scope.UPLOAD)
def upload() -> dict[str, Any] | tuple[dict[str, Any], int]:
    """Return where the browser sends a file; or why there is no place for it."""
    from shared.intake.uploads import NewUpload, begin_upload

    try:
        wanted = NewUpload.model_validate(request.get_json())
        begun = begin_upload(wanted, origin=request.headers.get("Origin"))
    except ValidationError as error:
        return {
            "error": f"The name cannot be used: it {error.errors()[0]['msg'].removeprefix('Value error, ')}."
        }, 422
    except Permanent as error:
        return {"error": f"{error.message} {error.hint}"}, 422
    return begun.model_dump(mode="json", include={"id", "url", "headers"})


@pages.post("/replay")
@needs(Scope.OPERATE)
def replay() -> Response:
    """Begin documents again."""
    from shared.documents.replay import replay as begin

    chosen = _identifiers(request.form.getlist("id"), MAX_CHOSEN)
    if chosen:
        begin(chosen)
    back = local_path(request.form.get("back"))
    return flask.redirect(f"{back}{'&' if '?' in back else '?'}begun={len(chosen)}", 303)


@pages.post("/erase")
@needs(Scope.OPERATE)
def erase() -> str | Response:
    """Ask whether documents are to be erased; and erase them once that was confirmed."""
    from shared.api.erasing import erase as carry_out
    from shared.api.erasing import subjects

    chosen = _identifiers(request.form.getlist("id"), MAX_CHOSEN)
    if not chosen:
        return flask.redirect("/", 303)
    with_file = request.form.get("with_file") == "yes"
    found = subjects(chosen, with_file=with_file)
    if request.form.get("confirmed") != "yes":
        return flask.render_template("erase.html", subjects=found, chosen=chosen)
    return flask.render_template("erased.html", erased=carry_out(found))


def _here() -> str:
    """The address of this list, without what was just done to it."""
    kept = {name: value for name, value in request.args.items() if value and name != "begun"}
    return flask.url_for("documents.index", **cast("Any", kept))


def _identifiers(given: Sequence[str], most: int) -> list[str]:
    import re

    return [each for each in dict.fromkeys(given) if re.fullmatch(DOCUMENT_ID, each)][:most]


def _read(identifiers: Sequence[str]) -> list[dict[str, Any]]:
    """Read rows of documents, in the order of their ids; those that are gone are left out."""
    found = fields_of(firestore_client(), identifiers, ROW, timeout=SECONDS)
    return [found[each] for each in identifiers if each in found]
