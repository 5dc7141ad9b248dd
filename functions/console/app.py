"""The Flask application behind the console: who may see a page, how pages are made, what their headers say.

A page is a view of a blueprint, in a module of this folder, with a template of `templates/`. Every view needs
a person who is signed in, with the scope `read` unless `@needs` names another; every write brings a CSRF
token, which `base.html` adds to htmx's requests, and the macro `form.token()` to forms.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import time
from functools import lru_cache
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

import flask
from flask import Flask, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from functions.console import show
from functions.console.session import Person, is_token, person_of
from shared.api.keys import Scope
from shared.api.requests import Problem
from shared.platform.errors import Conflict, Missing, Permanent, Retryable, SetupError
from shared.platform.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent
PAGES = ("entry", "documents", "document", "check", "search", "compare", "digests", "operations", "takeaway")
"""Modules of this folder, each with a blueprint `pages`; those with a `TITLE` stand in the navigation."""
MAX_FORM = 512 * 1024
"""Bytes of a form: files go to the bucket, not through here."""
YEAR_SECONDS = 365 * 24 * 3600
SAFE = {"GET", "HEAD", "OPTIONS"}
PACKED_BYTES = 1_000
"""Pages of fewer bytes are sent as they are."""
OWN = {"same-origin", "none"}
"""Values of `Sec-Fetch-Site` where the person, or a page of ours, asks for a page."""
STATIC = {"console.css": "text/css", "console.js": "text/javascript", "htmx.min.js": "text/javascript"}
STATIC |= {"icon.svg": "image/svg+xml"}

View = TypeVar("View", bound="Callable[..., Any]")


def needs(scope: Scope | None) -> Callable[[View], View]:
    """Say which scope a view needs; None: anybody may see it, without signing in."""

    def mark(view: View) -> View:
        cast("Any", view).scope = scope
        return view

    return mark


def me() -> Person:
    """Return who asks."""
    return cast("Person", g.person)


@lru_cache(maxsize=1)
def application() -> Flask:
    """Return the application, made once."""
    app = Flask("console", root_path=str(FOLDER), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= show.FILTERS
    app.jinja_env.globals |= show.GLOBALS | {"asset": _asset}
    navigation = []
    for name in PAGES:
        module = import_module(f"functions.console.{name}")
        app.register_blueprint(module.pages)
        if title := getattr(module, "TITLE", None):
            navigation.append((f"{name}.index", title))
    app.jinja_env.globals["navigation"] = navigation
    app.context_processor(lambda: {"person": g.get("person")})
    app.before_request(_admit)
    app.after_request(_protect)
    app.register_error_handler(Exception, _explain)
    app.add_url_rule("/assets/<name>", "asset", _send_asset)  # the framework has a /static of its own
    app.add_url_rule("/favicon.ico", "icon", _send_icon)
    return app


def local_path(wanted: str | None) -> str:
    """Return where to go next: a path of ours, whoever made the link or the form."""
    is_path = wanted is not None and re.match(r"/(?![/\\])", wanted) and wanted.isprintable()
    return wanted if wanted and is_path else "/"


def _admit() -> Response | None:
    """Refuse whoever is not signed in, has not the scope, or writes without the page's token."""
    g.started = time.monotonic()
    g.person = None
    if request.endpoint is None or request.endpoint == "asset":
        return None
    view = flask.current_app.view_functions[request.endpoint]
    scope = getattr(view, "scope", Scope.READ)
    if scope is None:
        return None
    g.person = person_of(request, scope)
    if g.person is None:
        return _to_sign_in()
    if request.method not in SAFE:
        token = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
        if not is_token(g.person, token):
            detail = "This form is of another session. Load the page again, and repeat what you did."
            raise Problem(HTTPStatus.FORBIDDEN, "csrf", detail)
    return None


def _to_sign_in() -> Response:
    if request.headers.get("HX-Request"):
        where = flask.url_for("entry.sign_in")
        return Response(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": where})
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return flask.redirect(flask.url_for("entry.sign_in", next=wanted), 303)


def _protect(response: Response) -> Response:
    """Set the headers of every answer, and log it."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "frame-src": "'self'",
        "connect-src": f"'self' {storage_origin()}",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    csp = "; ".join(f"{name} {value}" for name, value in policy.items())
    response.headers.setdefault("Content-Security-Policy", csp)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers.setdefault("Cache-Control", "no-store")
    _pack(response)
    elapsed = round((time.monotonic() - g.get("started", time.monotonic())) * 1000, 1)
    rule = request.url_rule.rule if request.url_rule else "(none)"
    key = g.person.id if g.get("person") and not g.person.by_proxy else None
    if request.endpoint != "asset":
        get_logger("console").info(
            "request handled",
            method=request.method,
            route=rule,
            status=response.status_code,
            elapsed_ms=elapsed,
            key=key,
        )
    return response


def _pack(response: Response) -> None:
    """Compress a page, but never one that another site asked for.

    The length of a compressed page tells whether what a request says stands in it too: with many requests
    another site could find out the page's token, or a document's words (BREACH, https://breachattack.com).
    Browsers state in `Sec-Fetch-Site` which site asks; where it is missing, nothing is compressed.
    """
    is_page = response.mimetype == "text/html" and not response.is_streamed
    is_own = request.headers.get("Sec-Fetch-Site") in OWN
    if is_page and is_own and _takes_gzip() and len(page := response.get_data()) >= PACKED_BYTES:
        response.set_data(gzip.compress(page, compresslevel=6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"


def _takes_gzip() -> bool:
    return request.accept_encodings.quality("gzip") > 0


def storage_origin() -> str:
    """Return where the browser sends files: Cloud Storage, or what stands in for it."""
    from shared.platform.clients import emulator

    host = emulator("STORAGE_EMULATOR_HOST")
    if host is None:
        return "https://storage.googleapis.com"
    place = urlsplit(host if "://" in host else f"http://{host}")
    return f"{place.scheme}://{place.netloc}"


def _explain(error: Exception) -> tuple[str, int, dict[str, str]]:
    """Show an error as a page, or as a line where a part of a page was asked for."""
    from google.api_core.exceptions import GoogleAPIError

    status, title, detail = (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "This went wrong",
        "It is our fault; see the log.",
    )
    headers: dict[str, str] = {}
    if isinstance(error, Problem):
        status, title, detail, headers = error.status, error.status.phrase, error.detail, error.headers
    elif isinstance(error, HTTPException) and error.code is not None:
        status = HTTPStatus(error.code)
        title, detail = status.phrase, "There is no such page." if error.code == 404 else status.phrase  # noqa: PLR2004
    elif isinstance(error, Permanent):
        status = HTTPStatus.NOT_FOUND if isinstance(error, Missing) else HTTPStatus.CONFLICT
        title, detail = error.message, error.hint
    elif isinstance(error, Conflict):
        status, title, detail = HTTPStatus.CONFLICT, "Somebody was faster", error.message
    elif isinstance(error, GoogleAPIError | SetupError | Retryable):
        status, title = HTTPStatus.SERVICE_UNAVAILABLE, "A service does not answer"
        detail = "Something that the console needs does not answer. Try again in a moment."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        get_logger("console").warning("request failed", error=error, path=request.path)
    template = "problem_part.html" if request.headers.get("HX-Request") else "problem.html"
    page = flask.render_template(template, title=title, detail=detail, status=int(status))
    return page, int(status), {name: value for name, value in headers.items() if name == "Retry-After"}


@lru_cache(maxsize=8)
def _read(name: str) -> tuple[bytes, bytes, str]:
    """A static file, the same compressed, and its version."""
    content = (FOLDER / "static" / name).read_bytes()
    return content, gzip.compress(content, mtime=0), hashlib.sha256(content).hexdigest()[:12]


def _asset(name: str) -> str:
    return f"/assets/{name}?v={_read(name)[2]}"


@needs(None)
def _send_icon() -> Response:
    """Send browsers that look for it by themselves to the icon that pages name."""
    return flask.redirect(_asset("icon.svg"))


def _send_asset(name: str) -> Response:
    if name not in STATIC:
        flask.abort(404)
    plain, packed, _ = _read(name)
    is_packed = _takes_gzip()
    headers = {"Cache-Control": f"public, max-age={YEAR_SECONDS}, immutable", "Vary": "Accept-Encoding"}
    if is_packed:
        headers["Content-Encoding"] = "gzip"
    return Response(packed if is_packed else plain, headers=headers, content_type=STATIC[name])
