"""What of an answer can be checked without understanding it; if anything fails, all of it does.

A sentence may still say something that its quotes do not. That it cites them lets a reader see so.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt, ValidationError

from shared.digests.narrative.prompt import MAX_QUOTES, MAX_SENTENCES
from shared.platform.errors import HeadraceError
from shared.platform.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.digests.narrative.prompt import Prompt

MAX_SENTENCE = 500
"""Characters."""
MAX_CITES = 10
_FENCE = "```"
"""Models like to put JSON into a block of Markdown."""
_ADDRESS = re.compile(r"https?\b|www\b|://|@|[^\W_]\.[^\W\d_]{2,}|xn--", re.IGNORECASE)
_MARKUP = re.compile(r"[<>`{}|\\]|\]\(")
_SCALES = "hundred|thousand|lakh|lac|million|crore|billion|trillion|dozen"
_UNITS = "two|three|four|five|six|seven|eight|nine"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_FACTOR = (
    r"(?:k|tsd|m|mm|mn|mln|mio|b|bn|bln|mrd|mia|tn|trn|tln|cr"
    "|(?:[kmgtpehcdn\u03bc]|da)(?:wh?|w[pe]|j|g|t|l|m[23]?|pa|hz|va|eur|usd|gbp|chf)"
    "|(?:kilo|mega|giga|tera|peta|exa|hecto|deca|deci|centi|milli|micro|nano)-?"
    r"(?:watts?(?:[ -]?(?:hours?|peak))?|joules?|gram(?:me)?s?|tonnes?|tons?|(?:lit|met)(?:re|er)s?))\b"
)
"""What makes an amount a thousand times another: short scales, and units with a prefix. Plain units are not
compared, so that tonnes may be t."""
_WORDS = (
    "zero|nil|nought|naught|twice|thrice|half|(?:halv|doubl|tripl|trebl|quadrupl|quintupl)(?:e[sd]?|ing)"
    rf"|(?:{_UNITS}|ten|eleven|twelve|{_SCALES}|thirteen|fourteen|fifteen"
    rf"|sixteen|seventeen|eighteen|nineteen|(?:{_TENS})(?:one|{_UNITS})?)(?:s|fold)?"
    r"|[^\W\d_]*(?:hundred|thousand|million|billion|trillion)(?:s|fold)?"  # multimillion
    r"|single(?![ -]use\b)|sole|(?:duo|trio|quartet|quintet)s?"
    r"|thirds?(?![ -]part(?:y|ies)\b)|(?:coupl|scor|decad)es?|pairs?|century|centuries"
    "|(?:quarter|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth"
    "|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth|fortieth|fiftieth|sixtieth"
    "|seventieth|eightieth|ninetieth|hundredth|thousandth|millionth|billionth)s?"
)
"""Fractions among them, though most are ordinals as well. First and second are free to order sentences."""
_ONE = r"(?<!\bno[ -])one(?! (?:of|another)\b)"
"""Where it is a number, as far as the words beside it tell."""
_NUMBER = re.compile(
    rf"(?P<token>(?:(?<![\w.,])-)?(?:(?<![^\W\d_])[^\W\d_]++)?\d+(?:[.,\u2019']\d+)*[^\W\d_]*"
    rf"(?:[ -](?:{_SCALES})s?\b)*"
    rf"|\b(?:{_WORDS}|{_ONE})\b(?:[ -](?:and )?(?:{_WORDS}|one)\b)*)"
    rf"(?:[ -]?(?P<factor>{_FACTOR}))?"
    r"(?P<percent> ?(?:%|per ?cent\b|percentage points?\b|pp\b))?"
)
"""In digits or in words, all of it: three hundred is another number than three, and than a hundred."""
_ROMAN = re.compile(
    r"\b(?:[IVX]|(?!mix\b)(?=[mdclxvi]{2,}\b)m*(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
    r"|(?=[MDCLXVI]{2,}\b)M*(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?!\w)"
)
"""Those of one letter only where they are not likely to be something else."""
_SPELT = re.compile(r"(?<![a-z0-9])[a-z](?:[^a-z0-9][a-z](?![a-z0-9])){2,}")
"""A word letter by letter: t-e-n."""
_LETTERS = re.compile(r"[^\W\d_]+")
_WHOLE = str.maketrans(
    dict(zip("\u00f8\u0111\u00f0\u0142\u0127\u0131", "oddlhi", strict=True))
    | {"\u00e6": "ae", "\u0153": "oe", "\u00fe": "th"}
)
"""European letters that are not taken apart into a letter and a mark."""
_USUAL_SIGNS = "\u00b0\u00a9\u00ae"
_HYPHEN = re.compile(r"(?<=\w)-")
_SIGNS = str.maketrans({"\u2010": "-", "\u2212": "-"})


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
    try:
        answer = _Answer.model_validate_json(_unfenced(content))
    except ValidationError:
        raise HeadraceError("the language model's answer is not of the form that was asked for") from None
    for sentence in answer.sentences:
        if not _is_plain(sentence.text):
            raise HeadraceError("the language model wrote an address, markup or hidden characters")
        if max(sentence.cites) > min(len(prompt.texts), MAX_QUOTES):
            raise HeadraceError("the language model cited a quote that it was not given")
        cited = [prompt.texts[number - 1] for number in sentence.cites]
        named = [prompt.quotes[number - 1].organisation or "" for number in sentence.cites]
        if not _is_legible(sentence.text, [*cited, *named]):
            raise HeadraceError("the language model wrote letters or signs that no quote it cites has")
        known: set[str] = set().union(*map(numbers, cited))
        if not numbers(sentence.text) <= known:
            raise HeadraceError("the language model named a number that no quote it cites has")
    return [
        Told(text=" ".join(one.text.split()), cites=list(dict.fromkeys(one.cites)))
        for one in answer.sentences
    ]


def _unfenced(content: str) -> str:
    """Without a regular expression, which would take hours to find that a long answer has no second fence."""
    text = content.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        return text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json")
    return text


def numbers(text: str) -> set[str]:
    """Numbers in digits, with letters that belong to them, in words, and Roman ones; percentages apart."""
    normal = _bare(text)
    plain = " ".join(normal.casefold().translate(_WHOLE).translate(_SIGNS).split())
    plain = _SPELT.sub(lambda match: "".join(_LETTERS.findall(match[0])), plain)
    return {
        ("%" if match["percent"] else "") + _HYPHEN.sub(" ", match["token"]) + (match["factor"] or "")
        for match in _NUMBER.finditer(plain)
    } | {match[0].casefold() for match in _ROMAN.finditer(normal)}


def _bare(text: str) -> str:
    """Letters without their marks: an accent makes no other word of a number."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(one for one in apart if not unicodedata.category(one).startswith("M"))


def _is_legible(text: str, sources: Sequence[str]) -> bool:
    """Words in letters beyond Latin ones, and signs, are copied: others may look like a number and be none.

    Names of companies are in many scripts, so not each such letter is refused.
    """
    plain, source = (unicodedata.normalize("NFKC", one).casefold() for one in (text, " ".join(sources)))
    words = {one for one in _LETTERS.findall(plain) if not _is_latin(one)}
    signs = {one for one in plain if unicodedata.category(one) == "So" and one not in _USUAL_SIGNS}
    return all(one in source for one in words | signs)


def _is_latin(word: str) -> bool:
    """In the letters of European languages; phonetic ones look like others, and are not compared."""
    return _bare(word).translate(_WHOLE).isascii()


def _is_plain(text: str) -> bool:
    plain = _bare(text)
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
