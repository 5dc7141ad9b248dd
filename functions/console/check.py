"""Put right what the model says: passages that are worth a look one by one, and any passage, figure or fact.

A form is of a passage as the person saw it: its run and its version come back with it, and where somebody
else was faster nothing is overridden.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import flask
from flask import request
from pydantic import ValidationError

from functions.console.app import me, needs
from shared.api.keys import Scope
from shared.api.requests import Problem, not_found
from shared.documents.corrected import (
    FACTS,
    DocumentChange,
    FigureChange,
    PassageChange,
    result_of,
    text_hash,
)
from shared.documents.corrections import Filters, check_first, correct, corrections_of, undo
from shared.documents.figures import figures_of
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import Documents, find
from shared.documents.views import PASSAGE_FIELDS, passage_view
from shared.platform.clients import firestore_client
from shared.platform.records import TOPIC_NAMES, TOPICS
from shared.text.datapoints import names

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from shared.documents.corrected import Change
    from shared.documents.model import Document

TITLE = "Check first"
MAX_SKIPPED = 60
"""Passages that a person may leave for later; then the queue begins anew."""
SECONDS = 20.0
ACTIONS = (("none", "no action", "o"), ("planned", "planned", "p"), ("implemented", "done", "d"))
OUTCOMES = (("positive", "got better", "b"), ("neutral", "neither", "n"), ("negative", "got worse", "w"))
_SHOWN = [field for field in PASSAGE_FIELDS if field not in {"embedding", "space"}]

pages = flask.Blueprint("check", __name__)


@pages.get("/check")
@needs(Scope.CORRECT)
def index() -> str:
    """Show the passage that is most worth a look."""
    choices = [(code, f"{code} {TOPIC_NAMES[code]}") for code in TOPICS]
    return flask.render_template("check.html", topic_choices=choices, **_next(request.args.to_dict(), []))


@pages.post("/check")
@needs(Scope.CORRECT)
def answer() -> str:
    """Take what a person says of a passage, or leave it for later, and show the next one."""
    asked, skipped = request.form, request.form.getlist("skipped")
    identifier, number = asked.get("of", ""), _int("index")
    if asked.get("later"):
        skipped = [*skipped, f"{identifier}-{number}"][-MAX_SKIPPED:]
    else:
        _say(identifier, number, confirm=True)
    done = _int("done") + (not asked.get("later"))
    return flask.render_template("check_card.html", **_next(asked.to_dict(), skipped) | {"done": done})


def _next(asked: dict[str, str], skipped: list[str]) -> dict[str, Any]:
    filters = {name: asked.get(name, "").strip() for name in ("document", "topic", "organisation")}
    given = {name: value for name, value in filters.items() if value}
    found = check_first(
        firestore_client(), filters=Filters(**given), limit=min(len(skipped) + 1, MAX_SKIPPED + 1)
    )
    one = next((each for each in found if f"{each.document}-{each.index}" not in skipped), None)
    return {
        "one": one,
        "passage": one and one.passage,
        "filters": filters,
        "skipped": skipped,
        "done": 0,
        "actions": ACTIONS,
        "outcomes": OUTCOMES,
    }


@pages.get("/documents/<identifier>/passages/<int:number>/correct")
@needs(Scope.CORRECT)
def form(identifier: str, number: int) -> str:
    """Show the form of a passage, with its figures and what was said of it before."""
    document = find(identifier)
    stored = _passage(document, number)
    figures = figures_of(firestore_client(), document.id) if stored.get("figures") else []
    key = text_hash(stored["text"])
    said = [each for each in corrections_of(firestore_client(), document.id) if each.text_hash == key]
    return flask.render_template(
        "correct.html",
        document=document,
        passage=passage_view(stored),
        run=document.published_run,
        figures=[each for each in figures if each.passage == number],
        said=said if document.corrections else [],
        datapoints=names(),
        actions=ACTIONS,
        outcomes=OUTCOMES,
    )


@pages.post("/documents/<identifier>/passages/<int:number>/correct")
@needs(Scope.CORRECT)
def say(identifier: str, number: int) -> str:
    """Take what a person says of a passage, and show it as it is then."""
    _say(identifier, number, confirm=bool(request.form.get("confirm")))
    return _shown(identifier, number)


@pages.post("/documents/<identifier>/passages/<int:number>/figures/<int:place>")
@needs(Scope.CORRECT)
def say_figure(identifier: str, number: int, place: int) -> str:
    """Take what a person says of a figure, and show its passage as it is then."""
    asked = request.form
    fields: dict[str, Any] = {"run": _int("run"), "index": number, "at": place}
    fields["metric"] = asked.get("metric", "")
    if asked.get("not_a_figure"):
        fields["not_a_figure"] = True
    else:
        for name in ("value", "unit", "datapoint"):
            if (said := asked.get(name, "").strip()) != asked.get(f"was_{name}", ""):
                fields[name] = (said.replace(",", "") if name == "value" else said) or None
    _correct(identifier, FigureChange, fields)
    return _shown(identifier, number)


@pages.get("/documents/<identifier>/corrections")
def history(identifier: str) -> str:
    """Show what people said of a document, and what it is, to be put right."""
    document = find(identifier)
    said = corrections_of(firestore_client(), document.id)
    return flask.render_template("corrections.html", document=document, said=said)


@pages.post("/documents/<identifier>/facts")
@needs(Scope.CORRECT)
def facts(identifier: str) -> Response:
    """Take title, organisation, year and tags of a document, where they are others than before."""
    document, asked = find(identifier), request.form
    fields: dict[str, Any] = {}
    for name in FACTS:
        before, text = getattr(document, name), " ".join(asked.get(name, "").split())
        if name == "tags":
            said = [tag for each in text.split(",") if (tag := each.strip())]
            fields |= {"tags": said} if said != before else {}
        elif text != str(before or ""):
            fields[name] = text or None
    if fields:
        _correct(document.id, DocumentChange, fields)
    return _back(document)


@pages.post("/documents/<identifier>/corrections/<correction>/undo")
@needs(Scope.CORRECT)
def take_back(identifier: str, correction: str) -> Response | str:
    """Undo a correction, and show its passage as it is then, or what people said."""
    document = find(identifier)
    undo(firestore_client(), document.id, correction, by=me().id)
    if request.headers.get("HX-Request") and request.form.get("index"):
        return _shown(document.id, _int("index"))
    return _back(document)


def _back(document: Document) -> Response:
    where: Any = flask.redirect(flask.url_for("check.history", identifier=document.id), HTTPStatus.SEE_OTHER)
    return where  # type: ignore[no-any-return]


def _say(identifier: str, number: int, *, confirm: bool) -> None:
    """Take the labels of a form: those that differ from what is stored are corrections."""
    asked, document = request.form, find(identifier)
    passage = result_of(_passage(document, number))
    fields: dict[str, Any] = {"run": _int("run"), "index": number, "confirm": confirm}
    for name in ("action", "sentiment"):
        label = getattr(passage, name)
        if (said := asked.get(name)) and said != (label and label.label):
            fields[name] = said
    before = [topic.name for topic in passage.topics]
    topics = asked.getlist("topics")
    if set(topics) != set(before):
        fields["topics"] = [*(each for each in before if each in topics), *sorted(set(topics) - set(before))]
    if (said := asked.get("salience")) and (
        passage.salience is None or int(said) != int(passage.salience + 0.5)
    ):
        fields["salience"] = said
    if asked.get("labelled") and bool(asked.get("initiative")) != passage.initiative:
        fields["initiative"] = bool(asked.get("initiative"))
    if fields.keys() == {"run", "index", "confirm"} and not confirm:
        return
    _correct(identifier, PassageChange, fields, seen=_int("seen"))


def _correct(identifier: str, kind: type[Change], fields: dict[str, Any], seen: int | None = None) -> None:
    try:
        change = kind.model_validate(fields)
    except ValidationError as error:
        said = error.errors()[0]
        detail = f"{'.'.join(map(str, said['loc']))}: {said['msg']}".removeprefix(": ")
        raise Problem(HTTPStatus.BAD_REQUEST, "invalid", detail) from None
    correct(firestore_client(), find(identifier).id, change, by=me().id, seen=seen)


def _shown(identifier: str, number: int) -> str:
    document = find(identifier)
    shown = passage_view(_passage(document, number))
    return flask.render_template("passage.html", document=document, passage=shown)


def _passage(document: Document, number: int) -> dict[str, Any]:
    reference = Documents(firestore_client()).reference(document.id).collection(PASSAGES)
    stored: dict[str, Any] | None
    stored = reference.document(f"{document.published_run}-{number}").get(_SHOWN, timeout=SECONDS).to_dict()
    if stored is None:
        raise not_found("There is no such passage.")
    return stored


def _int(name: str) -> int:
    value = request.form.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else 0  # noqa: PLR2004
