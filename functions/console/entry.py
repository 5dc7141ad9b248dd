"""Signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask
from flask import request

from functions.console import session
from functions.console.app import local_path, needs
from functions.console.session import person_of
from shared.api.requests import Problem

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from shared.api.keys import Key

pages = flask.Blueprint("entry", __name__)


@pages.get("/sign-in")
@needs(None)
def sign_in() -> Response | str | tuple[str, int]:
    """Show the form; or take the token of the link that the local stack prints."""
    token = request.args.get("token")
    if token is None:
        return flask.render_template("sign_in.html", next=_next())
    if key := session.redeem(token):
        return _enter(key)
    if person_of(request, None) is not None:  # the link was used, by this browser
        return flask.redirect(_next(), 303)
    problem = (
        "This link was used, or is of another stack. Take the address that `headrace up` wrote to stack.json."
    )
    return flask.render_template("sign_in.html", next=_next(), problem=problem), 401


@pages.post("/sign-in")
@needs(None)
def take_key() -> Response | tuple[str, int]:
    """Exchange a key for a cookie."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        flask.abort(403)  # another site would sign a person in with a key of its own
    try:
        key = session.key_of_form(request.form.get("key", ""))
    except Problem as problem:
        detail = problem.detail if request.form.get("key") else "Enter a key."
        return flask.render_template("sign_in.html", next=_next(), problem=detail), int(problem.status)
    return _enter(key)


@pages.post("/sign-out")
def sign_out() -> Response:
    """End the session in this browser."""
    response = flask.redirect("/sign-in", 303)
    session.sign_out(request, response)
    return response


def _enter(key: Key) -> Response:
    response = flask.redirect(_next(), 303)
    session.sign_in(request, response, key)
    return response


def _next() -> str:
    return local_path(request.values.get("next"))
