"""Operations: what is under way, what was given up, which model is in use, and what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import flask

from functions.console.app import needs
from shared.api.keys import Scope
from shared.documents.catalogue import ROW, Filters, count, list_documents
from shared.documents.replay import dead_letters, replay_letter
from shared.documents.store import select
from shared.platform.clients import firestore_client
from shared.platform.logs import get_logger
from shared.platform.records import TERMINAL, State
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud import firestore
    from werkzeug.wrappers import Response

    from shared.api.findings import Finding

TITLE = "Operations"
WORKING: tuple[State, ...] = ("extracting", "analyzing", "delegated")
LISTED = 20
LETTERS = 30
SECONDS = 20.0

pages = flask.Blueprint("operations", __name__, url_prefix="/operations")


@pages.get("")
@needs(Scope.OPERATE)
def index() -> str:
    """Show how things stand."""
    client = firestore_client()
    counts: dict[State, int] = {
        state: count(client, Filters(state=state)) or 0 for state in get_args(State) if state != "received"
    }
    working = [row for state in WORKING if counts[state] for row in _oldest(client, state)]
    oldest = min((row["timings"]["uploaded_at"] for row in working), default=None)
    letters = dead_letters(client, limit=LETTERS)
    model = _model()
    return flask.render_template(
        "operations.html",
        counts=counts,
        working=sorted(working, key=lambda row: row["timings"]["uploaded_at"])[:LISTED],
        oldest=oldest,
        letters=letters.dead_letters,
        more=letters.next_page_token is not None,
        failed=list_documents(client, Filters(state="failed"), limit=LISTED).rows,
        model=model,
        models=_models(client),
        findings=findings(client, settings().model_digest or (model or {}).get("digest")),
    )


@pages.post("/letters/<identifier>/replay")
@needs(Scope.OPERATE)
def replay(identifier: str) -> Response:
    """Begin the document of a dead letter again."""
    replay_letter(firestore_client(), identifier)
    return flask.redirect("/operations", 303)


def findings(client: firestore.Client, digest: str | None) -> list[Finding]:
    """Return what somebody should look at, and what to do, as `headrace doctor` does; none: all is well."""
    from google.api_core.exceptions import GoogleAPIError

    from shared.api.findings import Finding, stored

    found = []
    try:
        found += [each for each in stored(client, digest) if each.status != "ok"]
    except GoogleAPIError as error:
        get_logger("console").warning("a check could not ask", error=error)
        detail = "Not everything could be asked."
        found.append(Finding("Firestore", "unknown", detail, "See the console's log."))
    return found


def _oldest(client: firestore.Client, state: str) -> list[dict[str, Any]]:
    query = select(client, ("state", "==", state))
    found = query.order_by("timings.uploaded_at").select([*ROW, "timings"]).limit(LISTED).get(timeout=SECONDS)
    return [row for each in found if (row := each.to_dict()) and row["state"] not in TERMINAL]


def _model() -> dict[str, Any] | None:
    """The manifest of the model beside the console, if there is one: locally, and not in its own image."""
    path = settings().model_dir / "manifest.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _models(client: firestore.Client) -> list[tuple[str, int]]:
    """The models of the newest results, and how many of these each analyzed."""
    rows = list_documents(client, Filters(state="completed"), limit=100, fields=["model"]).rows
    digests = [row["model"] for row in rows if row.get("model")]
    return sorted(((each, digests.count(each)) for each in set(digests)), key=lambda pair: -pair[1])
