"""Answer a question from what the documents say: sentences of a language model, each with what it cites.

The evidence is what a search finds: figures that answer the question, and passages near to it. It is returned
whatever happens. A language model is asked only if the deployment has one for the narratives of digests, with
the same limits and checks: every sentence cites evidence, and every number is in what it cites. An answer of
which anything cannot be checked is not shown. So a document that tells the model what to say can suppress an
answer; it cannot put a number or an address into one.
"""

from __future__ import annotations

import threading
import time
from functools import lru_cache
from secrets import token_bytes
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, PositiveInt

from shared.api import assistants
from shared.api.assistants import FoundFigure, FoundPassage, SearchTool, Source
from shared.api.keys import Bucket
from shared.documents.views import quantity
from shared.platform.errors import HeadraceError
from shared.platform.logs import get_logger
from shared.platform.records import Record
from shared.platform.settings import settings

if TYPE_CHECKING:
    from shared.api.assistants import Library

EVIDENCE = 12
"""Passages that an answer may rest on."""
PER_MINUTE = 20
"""Most questions a minute for which an instance asks the language model: each costs money."""
_TASK = """\
You answer a question from quotes of company reports.
Write a few sentences in plain English that answer it, at most 8, from the quotes below alone.
If they do not answer it, answer {"sentences":[]}. The question is in JSON before the quotes.
"""
NO_MODEL = "No language model is set up: these are the figures and passages that fit best."
NO_ANSWER = "The documents that were found do not answer this."
NO_EVIDENCE = "Nothing was found."
TOO_MANY = (
    "Too many questions at once for the language model: these are the figures and passages that fit best."
)


class Evidence(Record):
    """A figure or a passage that an answer may cite."""

    number: PositiveInt
    """By which sentences cite it."""
    text: str
    source: Source
    figure: FoundFigure | None = None
    """Set if it is a figure."""


class Said(Record):
    """A sentence, and the numbers of the evidence that it rests on."""

    text: str
    cites: list[PositiveInt] = Field(min_length=1)


class Answer(Record):
    """An answer, and all evidence that was found, the best first."""

    question: str
    model: str | None
    """The language model that wrote the sentences; null if none did."""
    sentences: list[Said]
    note: str | None
    """Why there are no sentences; null if there are."""
    evidence: list[Evidence]


class _Quote(NamedTuple):
    number: int
    text: str
    organisation: str | None


def ask(library: Library, question: str, **only: str | int | None) -> Answer:
    """Answer a question from all documents, or only from those that `SearchTool`'s other fields name.

    Raises:
        Problem: 422, the question is blank or too long for the model, or the model has no such topic.
    """
    asked = SearchTool.model_validate({"question": question, "limit": EVIDENCE, **only})
    found = assistants.search(library, asked)
    evidence = _evidence(found.figures, found.passages)
    sentences, note = _written(question, evidence)
    model = settings().narrative_model if sentences else None
    return Answer(question=question, model=model, sentences=sentences, note=note, evidence=evidence)


def _evidence(figures: list[FoundFigure], passages: list[FoundPassage]) -> list[Evidence]:
    stated = [(_stated(each), each.source, each) for each in figures if each.source]
    quoted = [(each.text, each.source, None) for each in passages]
    return [
        Evidence(number=number, text=text, source=source, figure=figure)
        for number, (text, source, figure) in enumerate([*stated, *quoted], 1)
    ]


def _stated(figure: FoundFigure) -> str:
    """Return a figure as a sentence can copy it: as it is normalised, and as the document states it."""
    words = ", ".join(filter(None, (figure.label, figure.qualifier, figure.period)))
    normal = quantity(figure.value, figure.unit)
    return (
        f"{words}: {normal}" if figure.stated in normal else f"{words}: {normal}; stated as {figure.stated}"
    )


def _written(question: str, evidence: list[Evidence]) -> tuple[list[Said], str | None]:
    """Return the language model's sentences, or a note why there are none. Never raises."""
    if not evidence:
        return [], NO_EVIDENCE
    if not settings().narrative_url:
        return [], NO_MODEL
    if not _allowed():
        return [], TOO_MANY
    from shared.digests import cited  # here: most requests ask for no answer in words

    quotes = [_Quote(each.number, each.text, each.source.organisation) for each in evidence]
    try:
        # What is not redacted yet gets pseudonyms that nothing else has: the key is not for this function.
        prompt = cited.compose(_TASK, quotes, token_bytes(32), question)
        checked = cited.check(cited.ask(prompt), prompt, least=0)
    except HeadraceError as error:
        get_logger("ask").warning("no answer", why=error.message)
        return [], f"There is no answer in words: {error.message}."
    except Exception as error:  # noqa: BLE001 - the evidence is there without it
        get_logger("ask").warning("no answer", error=error)
        return [], "There is no answer in words: it could not be asked for."
    said = [
        Said(text=each.text, cites=[prompt.quotes[number - 1].number for number in each.cites])
        for each in checked
    ]
    return said, None if said else NO_ANSWER


_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _bucket() -> Bucket:
    return Bucket(PER_MINUTE, time.monotonic())


def _allowed() -> bool:
    """Return whether the language model may be asked now, and count that it is."""
    with _LOCK:
        return not _bucket().take(PER_MINUTE, time.monotonic())
