"""A file read in the process that has the limits: extracted, redacted, cut into passages.

That process may be taken over by the file it reads, so it does not know the redaction key. It redacts with
pseudonyms that are made without a key, and sends the values that they stand for beside the text. The caller,
which has the key, puts the real pseudonyms in their place: they are of the same length, so no span moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.extract.core import extract
from shared.extract.facts import state_facts
from shared.extract.language import detect
from shared.extract.shapes import ExtractOptions, Limits, from_plain
from shared.extract.tidy import visible
from shared.extract.zips import ARCHIVES
from shared.inference.tokens import counter
from shared.platform.errors import Rejected
from shared.text.privacy import MAX_PSEUDONYM, PSEUDONYM, pseudonym, replace_identifiers
from shared.text.segment import Cut, Segmented, SegmentLimits, segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.extract.shapes import Extracted

READ = f"{__name__}:read"
NO_KEY = b""
"""Key of provisional pseudonyms: none, as whoever takes the process over must not learn a real one."""
OWN_LANGUAGE_WORDS = 12
"""Fewer words say little about their language."""
_CHARACTERS, _PASSAGES = 100_000, 500
"""Characters of the text, and number of passages, that one piece carries."""


@dataclass(frozen=True, slots=True)
class Described:
    """What the file says of itself."""

    media_type: str
    language: str | None
    title: str | None
    organisation: str | None
    year: int | None
    pages: int | None
    ocr_pages: list[int]
    recognised: list[tuple[int, float]]
    """Page, and how sure its recognition is."""
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a reading. All of the text comes first, then the passages, and last what describes the file."""

    text: str = ""
    passages: list[tuple[Cut, str | None]] = field(default_factory=list)
    """Each with its language."""
    described: Described | None = None
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    """Kind and value of what the provisional pseudonyms of this piece stand for."""


def arguments(
    *, name: str, content_type: str | None, options: ExtractOptions, tokenizer: Path, passages: int
) -> dict[str, Any]:
    """Return the arguments of `read` as JSON types."""
    plain = {option: getattr(options, option) for option in ExtractOptions.__dataclass_fields__}
    return {
        "name": name,
        "content_type": content_type,
        "options": plain | {"recognised": list(options.recognised.values())},
        "tokenizer": str(tokenizer.resolve()),
        "passages": passages,
    }


def read(  # noqa: PLR0913 - what a file is, how it is read, and within which limits
    path: Path,
    *,
    name: str,
    content_type: str | None,
    options: dict[str, Any],
    tokenizer: str,
    passages: int,
) -> Iterator[Piece]:
    """Read the file; yield the reading piece by piece. The arguments are those that `arguments` returns.

    Raises:
        Rejected: it is not something Headrace reads; says why.
        SetupError: there is no tokenizer.
    """
    count = counter(Path(tokenizer))
    own = {"limits": Limits(**options["limits"]), "recognised": from_plain(options["recognised"])}
    chosen = ExtractOptions(**options | own)
    extracted = state_facts(extract(path, name=name, content_type=content_type, options=chosen))
    redacting = _Redacting()
    segmented = Segmented("", iter(()))
    if extracted.media_type not in ARCHIVES:
        try:
            segmented = segment(
                extracted, count=count, redact=redacting.redact, limits=SegmentLimits(passages=passages)
            )
        except Rejected as rejected:
            if rejected.code != "no_text" or not (chosen.defer_ocr and extracted.ocr_pages):
                raise
    language = detect(segmented.text)
    for part in parts(segmented.text):
        yield Piece(part, identifiers=redacting.behind(part))
    yield from _passages(segmented, language, redacting)
    yield _description(extracted, language, redacting)


def parts(text: str) -> Iterator[str]:
    """Yield the text in parts of bounded length, none of which ends within a pseudonym."""
    start = 0
    while start < len(text):
        end = start + _CHARACTERS
        if end < len(text):
            opening = text.rfind("[", end - MAX_PSEUDONYM, end)
            end = opening if opening > 0 else end
        yield text[start:end]
        start = end


class _Redacting:
    """Replaces what identifies a person by provisional pseudonyms, and knows what they stand for."""

    def __init__(self) -> None:
        self._identifiers: dict[str, tuple[str, str]] = {}

    def redact(self, text: str) -> str:
        return replace_identifiers(text, self._replacement)

    def behind(self, text: str) -> list[tuple[str, str]]:
        """Return kind and value of what each pseudonym in a text stands for."""
        pseudonyms = dict.fromkeys(PSEUDONYM.findall(text))
        return [self._identifiers[made] for made in pseudonyms if made in self._identifiers]

    def _replacement(self, kind: str, value: str) -> str:
        made = pseudonym(NO_KEY, kind, value)
        self._identifiers[made] = kind, value
        return made


def _passages(segmented: Segmented, language: str | None, redacting: _Redacting) -> Iterator[Piece]:
    some: list[tuple[Cut, str | None]] = []
    for cut in segmented.cuts:
        some.append((cut, _language(segmented.text[cut.start : cut.end], language)))
        if len(some) == _PASSAGES:
            yield _together(some, redacting)
            some = []
    yield _together(some, redacting)


def _together(some: list[tuple[Cut, str | None]], redacting: _Redacting) -> Piece:
    labels = " ".join(cut.label for cut, _ in some if cut.label)
    return Piece(passages=some, identifiers=redacting.behind(labels))


def _language(text: str, document: str | None) -> str | None:
    """Return a passage's language; its document's where the passage is too short to show another."""
    if len(text.split()) < OWN_LANGUAGE_WORDS and document is not None:
        return document
    return detect(text) or document


def _description(extracted: Extracted, language: str | None, redacting: _Redacting) -> Piece:
    title, organisation = (
        redacting.redact(visible(text)) if text else None
        for text in (extracted.title, extracted.organisation)
    )
    described = Described(
        media_type=extracted.media_type,
        language=language,
        title=title,
        organisation=organisation,
        year=extracted.year,
        pages=extracted.pages,
        ocr_pages=extracted.ocr_pages,
        recognised=[(recognition.page, recognition.confidence) for recognition in extracted.recognised],
        warnings=extracted.warnings,
    )
    return Piece(described=described, identifiers=redacting.behind(f"{title} {organisation}"))
