"""Search: figures that answer, then passages near in meaning, or with the very words; and more like one."""

from __future__ import annotations

import re
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import flask
from flask import request

from functions.console.show import has_all
from functions.console.upstream import json_of
from shared.api.models import MAX_WORD
from shared.api.requests import Problem, not_found
from shared.documents.catalogue import Filters, list_documents
from shared.documents.figures import facts
from shared.documents.search import MAX_HITS, similar
from shared.platform.clients import firestore_client
from shared.platform.records import DOCUMENT_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TITLE = "Search"
SHOWN = 20
MAX_QUESTION = 1_000
LIMITS = ("topic", "document", "organisation", "year")
"""What a search may be limited to."""
ASK_SECONDS = 20.0
ANSWER_SECONDS = 90.0
"""How long a language model may take."""
STATEMENT = ("datapoint", "metric", "qualifier", "period", "value", "unit")
"""What two figures have in common that say the same."""
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
    question, asked, only_words = asked_for()
    documents = []
    if question and not asked:
        documents = list_documents(firestore_client(), Filters(text=question[:200]), limit=5).rows
    return _page(
        "search_found.html",
        question,
        asked,
        only_words=only_words,
        documents=documents,
        **found(question, asked, only_words=only_words),
    )


@pages.get("/ask")
def ask() -> str:
    """Show an answer in words, if a language model writes them, and what it rests on."""
    question, asked, only_words = asked_for()
    answer, problem = None, None
    if question:
        body = {"question": question, **asked} | ({"year": int(asked["year"])} if "year" in asked else {})
        try:
            fields = {"evidence", "sentences", "model", "note"}
            answer = json_of("/v1/ask", seconds=ANSWER_SECONDS, fields=fields, body=body)
        except Problem as error:
            problem = error.detail
    return _page("asked.html", question, asked, only_words=only_words, answer=answer, problem=problem)


def asked_for() -> tuple[str, dict[str, str], bool]:
    """Return the question of a request, what it is limited to, and whether every word must be there."""
    question = request.args.get("q", "").strip()[:MAX_QUESTION]
    asked = {name: value for name in LIMITS if (value := request.args.get(name, "").strip()[:MAX_WORD])}
    if not re.fullmatch("(19|20)[0-9]{2}", asked.get("year", "")):
        asked.pop("year", None)
    return question, asked, request.args.get("words") == "yes"


def found(question: str, asked: Mapping[str, str], *, only_words: bool) -> dict[str, Any]:
    """Return `facts` and `hits` of a question, and a `problem` where something could not be searched."""
    answer: dict[str, Any] = {"facts": [], "hits": [], "problem": None}
    if question:
        answer |= _answer(question, asked)
        answer["facts"] = distinct(answer["facts"])
        answer["hits"] = ranked(answer["hits"], question, only_words=only_words)[:SHOWN]
    return answer


def distinct(facts: Iterable[Any]) -> list[dict[str, Any]]:
    """Return each statement of an organisation once, the first, whichever of its documents repeat it."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for fact in facts:
        fields = fact if isinstance(fact, dict) else asdict(fact)
        who = fields.get("organisation") or fields["document"]
        first.setdefault((who, *(fields.get(name) for name in STATEMENT)), fields)
    return list(first.values())


def _page(part: str, question: str, asked: Mapping[str, str], **shown: object) -> str:
    whole = request.headers.get("HX-Target") != "found"
    return flask.render_template(
        "search.html" if whole else part,
        part=part,
        question=question,
        asked=asked,
        words=_words(question),
        **shown,
    )


@pages.get("/like/<identifier>/<int:number>")
def like(identifier: str, number: int) -> str:
    """Show passages near to one, in other places and documents."""
    if not re.fullmatch(DOCUMENT_ID, identifier):
        raise not_found("There is no such passage.")
    text, hits = similar(firestore_client(), identifier, number, limit=SHOWN)
    return flask.render_template("like.html", text=text, hits=hits, words=[])


def ranked(hits: Iterable[Mapping[str, Any]], question: str, *, only_words: bool) -> list[dict[str, Any]]:
    """Return hits in the order in which a person wants them; on request those alone that have every word."""
    words = _words(question)
    rated = []
    for hit in hits:
        is_said = bool(words) and has_all(hit["text"], words)
        rating = hit["score"] + MATTERS * (hit.get("salience") or 0.0) + (LIKE if is_said else 0.0)
        if is_said or not only_words:
            rated.append((hit.get("kind") in APART, -rating, dict(hit) | {"has_all": is_said}))
    return [hit for *_, hit in sorted(rated, key=lambda each: each[:2])]


def _answer(question: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """Ask the API, whose model reads the question; without it, figures alone are found."""
    query = urlencode({"q": question, "limit": MAX_HITS, **asked})
    try:
        read = json_of(f"/v1/search?{query}", seconds=ASK_SECONDS, fields={"facts", "hits"})
        return {"facts": read["facts"], "hits": read["hits"]}
    except Problem as problem:
        if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return {"problem": problem.detail}
    known = facts(firestore_client(), question, topic=asked.get("topic"), document=asked.get("document"))
    problem_text = "Passages cannot be searched now: the API, which reads questions, does not answer."
    return {"facts": known, "problem": problem_text}


def _words(question: str) -> list[str]:
    """The words that count: of three letters and more, or numbers."""
    return list(dict.fromkeys(re.findall(r"\w{3,}|\d+", question.casefold())))
