"""What of an answer can be checked without understanding it; if anything fails, all of it does.

A sentence may still say something that its quotes do not. That it cites them lets a reader see so.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt, ValidationError

from shared.digests.narrative.prompt import MAX_QUOTES, MAX_SENTENCES
from shared.errors import HeadraceError
from shared.records import Record

if TYPE_CHECKING:
    from shared.digests.narrative.prompt import Prompt

MAX_SENTENCE = 500
"""Characters."""
MAX_CITES = 10
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
"""Models like to put JSON into a block of Markdown."""
_ADDRESS = re.compile(r"https?\b|www\b|://|@|[a-z0-9]\.[a-z]{2,}|xn--", re.IGNORECASE)
_MARKUP = re.compile(r"[<>`{}|\\]|\]\(")
_NUMBER = re.compile(
    r"(?P<token>(?:(?<![\w.,])[-\u2212])?[^\W\d_]*\d+(?:[.,\u2019']\d+)*[^\W\d_]*)"
    r"(?P<percent>\s?(?:%|per ?cent\b|percentage points?\b|pp\b))?",
    re.IGNORECASE,
)
_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand "
    "thousands million millions billion billions trillion half halves halved dozen dozens double doubled "
    "triple tripled quadrupled twice thrice tenfold twofold threefold"
)
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS.split())})\b", re.IGNORECASE)


class Told(Record):
    """A sentence as the model wrote it."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_SENTENCE)]
    cites: Annotated[list[PositiveInt], Field(min_length=1, max_length=MAX_CITES)]


class _Answer(Record):
    sentences: Annotated[list[Told], Field(min_length=1, max_length=MAX_SENTENCES)]


def check(content: str, prompt: Prompt) -> list[Told]:
    """The sentences, their citations each once.

    Raises:
        HeadraceError: they cannot be shown; the message quotes nothing of them.
    """
    fenced = _FENCE.fullmatch(content)
    try:
        answer = _Answer.model_validate_json(fenced[1] if fenced else content)
    except ValidationError:
        raise HeadraceError("the language model's answer is not of the form that was asked for") from None
    figures = numbers(prompt.figures)
    for sentence in answer.sentences:
        if not _is_plain(sentence.text):
            raise HeadraceError("the language model wrote an address, markup or hidden characters")
        if max(sentence.cites) > min(len(prompt.texts), MAX_QUOTES):
            raise HeadraceError("the language model cited a quote that it was not given")
        known = figures.union(*(numbers(prompt.texts[number - 1]) for number in sentence.cites))
        if not numbers(sentence.text) <= known:
            raise HeadraceError("the language model named a number that no quote it cites has")
    return [
        Told(text=" ".join(one.text.split()), cites=list(dict.fromkeys(one.cites)))
        for one in answer.sentences
    ]


def numbers(text: str) -> set[str]:
    """Numbers in digits, with letters that belong to them, percentages apart; and numbers in words."""
    plain = unicodedata.normalize("NFKC", text)
    found = {
        ("%" if match["percent"] else "") + match["token"].replace("\u2212", "-").casefold()
        for match in _NUMBER.finditer(plain)
    }
    return found | {match[0].casefold() for match in _WORD.finditer(plain)}


def _is_plain(text: str) -> bool:
    plain = unicodedata.normalize("NFKC", text)
    hidden = any(unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" for one in text)
    # Numbers in signs that are no digits, or in other scripts' digits, could not be compared.
    strange = any(one.isnumeric() and not one.isdigit() for one in text)
    strange = strange or any(one.isdigit() and not one.isascii() for one in plain)
    return (
        bool(text.strip())
        and not hidden
        and not strange
        and not (_ADDRESS.search(plain) or _MARKUP.search(plain))
    )
