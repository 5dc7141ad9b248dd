"""Search: figures that answer, then passages near in meaning, or with the very words; and more like one."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import flask
from flask import request
from google.auth.exceptions import GoogleAuthError

from functions.console.app import me
from functions.console.show import beginning
from shared.api.keys import passed_on
from shared.api.requests import not_found
from shared.documents.catalogue import Filters, list_documents
from shared.documents.figures import facts
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.search import MAX_HITS
from shared.documents.search import search as nearest
from shared.documents.store import COLLECTION
from shared.platform.clients import firestore_client, identity
from shared.platform.logs import get_logger
from shared.platform.records import DOCUMENT_ID
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TITLE = "Search"
SHOWN = 20
MAX_QUESTION = 1_000
ASK_SECONDS = 20.0
SECONDS = 20.0
MATTERS = 0.03
"""What a point of salience adds to the nearness of a passage: facts come before what defines them."""
LIKE = 0.15
"""What all words of the question add."""
APART = {"heading", "fragment"}
"""Kinds of passages that say nothing alone, and come last."""

pages = flask.Blueprint("search", __name__, url_prefix="/search")


@pages.get("")
def index() -> str:
    """Show what answers a question."""
    question = request.args.get("q", "").strip()[:MAX_QUESTION]
    asked = {name: value for name in ("topic", "document") if (value := request.args.get(name, ""))}
    only_words = request.args.get("words") == "yes"
    found: dict[str, Any] = {"facts": [], "hits": [], "problem": None, "documents": []}
    if question:
        found |= _answer(question, asked)
        found["hits"] = ranked(found["hits"], question, only_words=only_words)[:SHOWN]
        if not asked:
            found["documents"] = list_documents(
                firestore_client(), Filters(text=question[:200]), limit=5
            ).rows
    return flask.render_template(
        "search_found.html" if request.headers.get("HX-Target") == "found" else "search.html",
        question=question,
        asked=asked,
        only_words=only_words,
        words=_words(question),
        **found,
    )


@pages.get("/like/<identifier>/<int:number>")
def like(identifier: str, number: int) -> str:
    """Show passages near to one, in other places and documents."""
    client = firestore_client()
    reference = client.collection(COLLECTION).document(identifier)
    stored = reference.get(["published_run"], timeout=SECONDS).to_dict() if _is_id(identifier) else None
    run = (stored or {}).get("published_run")
    passage = (
        reference.collection(PASSAGES).document(f"{run}-{number}").get(timeout=SECONDS).to_dict()
        if run
        else None
    )
    if passage is None or not passage.get("embedding"):
        raise not_found("There is no such passage.")
    near = nearest(client, list(passage["embedding"]), space=passage["space"], limit=SHOWN + 1)
    hits = [each.model_dump() for each in near if (each.document, each.index) != (identifier, number)]
    return flask.render_template("like.html", passage=passage, hits=hits[:SHOWN], words=[])


def ranked(hits: Iterable[Mapping[str, Any]], question: str, *, only_words: bool) -> list[dict[str, Any]]:
    """Return hits in the order in which a person wants them; on request those alone that have every word."""
    words = _words(question)
    rated = []
    for hit in hits:
        text = hit["text"].casefold()
        has_all = bool(words) and all(beginning(word).search(text) for word in words)
        rating = hit["score"] + MATTERS * (hit.get("salience") or 0.0) + (LIKE if has_all else 0.0)
        if has_all or not only_words:
            rated.append((hit.get("kind") in APART, -rating, dict(hit) | {"has_all": has_all}))
    return [hit for *_, hit in sorted(rated, key=lambda each: each[:2])]


def _answer(question: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """Ask the API, whose model reads the question; without it, figures alone are found."""
    query = urllib.parse.urlencode({"q": question, "limit": MAX_HITS, **asked})
    if settings().api_url:
        try:
            return _ask(f"{settings().api_url}/v1/search?{query}")
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.UNPROCESSABLE_ENTITY:
                return {"problem": json.loads(error.read())["detail"]}
            get_logger("console").warning("the API refused a search", status=error.code)
        except (OSError, ValueError, GoogleAuthError) as error:
            get_logger("console").warning("the API does not answer", error=error)
    known = facts(firestore_client(), question, topic=asked.get("topic"), document=asked.get("document"))
    problem = "Passages cannot be searched now: the API, which reads questions, does not answer."
    return {"facts": known, "problem": problem}


def _ask(address: str) -> dict[str, Any]:
    headers = {"X-API-Key": passed_on(me().id)} | identity(settings().api_url)
    asked = urllib.request.Request(address, headers=headers)  # noqa: S310 - of the settings
    with urllib.request.urlopen(asked, timeout=ASK_SECONDS) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return {"facts": found["facts"], "hits": found["hits"]}


def _words(question: str) -> list[str]:
    """The words that count: of three letters and more, or numbers."""
    return list(dict.fromkeys(re.findall(r"\w{3,}|\d+", question.casefold())))


def _is_id(identifier: str) -> bool:
    return re.fullmatch(DOCUMENT_ID, identifier) is not None
