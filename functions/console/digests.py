"""Digests: read, made now, and their schedules."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import flask
from flask import request
from werkzeug.wrappers import Response

from functions.console.app import needs
from shared.api.keys import Scope
from shared.api.requests import not_found
from shared.digests import schedules
from shared.digests.records import Quote, Source, Window
from shared.digests.schedules import definitions
from shared.digests.store import newest, read
from shared.digests.ticks import TICKS, request_now
from shared.documents.store import now
from shared.platform.clients import firestore_client

TITLE = "Digests"
LISTED = 50
IDENTIFIER = re.compile("[a-z][A-Za-z0-9-]{0,99}")
SPANS = {"1": "the last day", "7": "the last seven days", "30": "the last 30 days", "365": "the last year"}
SECONDS = 20.0

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
    client, days = firestore_client(), request.form.get("days", "7")
    if days not in SPANS:
        raise not_found("There is no such span of time.")
    name = request.form.get("schedule", "")
    defined = {each.name: each for each in definitions(client).schedules}
    end = now()
    window = Window(start=end - timedelta(days=int(days)), end=end)
    identifier = request_now(client, window, defined.get(name))
    return flask.redirect(flask.url_for("digests.show", identifier=identifier), 303)


@pages.get("/<identifier>")
def show(identifier: str) -> str | tuple[str, int]:
    """Show a digest; or that it is being made."""
    client = firestore_client()
    stored = read(client, identifier) if IDENTIFIER.fullmatch(identifier) else None
    if stored is not None:
        return flask.render_template("digest.html", stored=stored)
    asked = None
    if IDENTIFIER.fullmatch(identifier):
        asked = client.collection(TICKS).document(identifier).get(timeout=SECONDS).to_dict()
    if asked is None:
        raise not_found("There is no such digest.")
    return flask.render_template("digest_making.html", identifier=identifier, asked=asked)


@pages.get("/<identifier>/state")
def state(identifier: str) -> Response | str:
    """Have the page loaded again once its digest is there."""
    client = firestore_client()
    if not IDENTIFIER.fullmatch(identifier):
        raise not_found("There is no such digest.")
    asked = client.collection(TICKS).document(identifier).get(timeout=SECONDS).to_dict() or {}
    if asked.get("state") in {"done", "failed"} and request.args.get("was") != asked["state"]:
        return Response(headers={"HX-Refresh": "true"})
    return flask.render_template("digest_state.html", identifier=identifier, asked=asked)


@pages.get("/<identifier>/page")
def page(identifier: str) -> Response:
    """Send a digest's own page, which has its own policy, for the frame that shows it."""
    from shared.digests import render

    stored = read(firestore_client(), identifier) if IDENTIFIER.fullmatch(identifier) else None
    if stored is None:
        raise not_found("There is no such digest.")

    def link(source: Source) -> str:
        asked = {"page": source.page, "passage": source.index if isinstance(source, Quote) else None}
        place = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{request.host_url}documents/{source.document}?{place}#reader"

    html = render.html(stored.digest, link)
    headers = {"Content-Security-Policy": _policy(html)}
    return Response(html, headers=headers, content_type="text/html; charset=utf-8")


def _policy(html: str) -> str:
    """The policy that the page itself states, and that this console alone may frame it."""
    stated = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    policy = stated[1].replace("&#39;", "'") if stated else "default-src 'none'"
    return f"{policy}; frame-ancestors 'self'"
