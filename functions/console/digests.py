"""Digests: read, made now, and their schedules."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import flask
from flask import request
from werkzeug.wrappers import Response

from functions.console.app import needs
from shared.api.keys import Scope
from shared.api.requests import not_found
from shared.digests import schedules
from shared.digests.on_demand import Wanted, ask
from shared.digests.records import Quote, Source
from shared.digests.schedules import definitions
from shared.digests.store import newest, read
from shared.documents.store import now
from shared.platform.clients import firestore_client

if TYPE_CHECKING:
    from shared.digests.store import StoredDigest

TITLE = "Digests"
LISTED = 50
IDENTIFIER = re.compile("[a-z][A-Za-z0-9-]{0,99}")
SPANS = {"1": "the last day", "7": "the last seven days", "30": "the last 30 days", "365": "the last year"}
ASKED = re.compile(r"(?:^|-)now-([0-9]{8}T[0-9]{12})Z")
"""What the id of a digest has that was asked for: when."""
LATE, FORGOTTEN = timedelta(minutes=3), timedelta(hours=12)
"""After the first a digest takes longer than it should, after the second nobody waits for it."""

pages = flask.Blueprint("digests", __name__, url_prefix="/digests")


@pages.get("")
def index() -> str:
    """Show digests, the newest first, and when the next are due."""
    client, moment = firestore_client(), now()
    defined = definitions(client)
    planned = [(each, schedules.following(each, moment)) for each in defined.schedules]
    return flask.render_template(
        "digests.html",
        digests=list(newest(client, LISTED)),
        planned=planned,
        problems=defined.problems,
        spans=SPANS,
    )


@pages.post("")
@needs(Scope.OPERATE)
def make() -> Response:
    """Have a digest made, and show it once it is."""
    days, schedule = request.form.get("days", "7"), request.form.get("schedule") or None
    if days not in SPANS:
        raise not_found("There is no such span of time.")
    seconds = timedelta(days=int(days)).total_seconds()
    identifier = ask(firestore_client(), Wanted(end=now(), schedule=schedule, seconds=seconds))
    return flask.redirect(flask.url_for("digests.show", identifier=identifier), 303)


@pages.get("/<identifier>")
def show(identifier: str) -> str:
    """Show a digest; or that it is being made."""
    stored = _stored(identifier)
    if stored is not None:
        return flask.render_template("digest.html", stored=stored)
    asked = _asked(identifier)
    return flask.render_template("digest_making.html", identifier=identifier, late=now() - asked > LATE)


@pages.get("/<identifier>/state")
def state(identifier: str) -> Response | str:
    """Have the page loaded again once its digest is there."""
    if _stored(identifier) is not None:
        return Response(headers={"HX-Refresh": "true"})
    late = now() - _asked(identifier) > LATE
    return flask.render_template("digest_state.html", identifier=identifier, late=late)


@pages.get("/<identifier>/page")
def page(identifier: str) -> Response:
    """Send a digest's own page, which has its own policy, for the frame that shows it."""
    from shared.digests import render

    stored = _stored(identifier)
    if stored is None:
        raise not_found("There is no such digest.")

    def link(source: Source) -> str:
        asked = {"page": source.page, "passage": source.index if isinstance(source, Quote) else None}
        place = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{request.host_url}documents/{source.document}?{place}#reader"

    html = render.html(stored.digest, link)
    headers = {"Content-Security-Policy": _policy(html)}
    return Response(html, headers=headers, content_type="text/html; charset=utf-8")


def _stored(identifier: str) -> StoredDigest | None:
    return read(firestore_client(), identifier) if IDENTIFIER.fullmatch(identifier) else None


def _asked(identifier: str) -> datetime:
    """When a digest was asked for that is not there yet, which its id says.

    Raises:
        Problem: 404, nobody asked for it, or so long ago that it will not come.
    """
    found = ASKED.search(identifier)
    moment = datetime.strptime(found[1], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC) if found else None
    if moment is None or now() - moment > FORGOTTEN:
        raise not_found("There is no such digest.")
    return moment


def _policy(html: str) -> str:
    """The policy that the page itself states, and that this console alone may frame it."""
    stated = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    policy = stated[1].replace("&#39;", "'") if stated else "default-src 'none'"
    return f"{policy}; frame-ancestors 'self'"
