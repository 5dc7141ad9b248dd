"""What a document says of itself: its title, whose it is, and the year it reports on.

Rather nothing than a guess: each is taken only where the document states it, and where what it states agrees.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.extract.names import best_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.extract.shapes import Block, Extracted

_SCANNED = 400_000  # characters from the start that are looked at
_FIRST_PAGES = 2
_FIRST_BLOCKS = 6  # of what has no pages
_MAX_TITLE = 200  # characters
_MIN_TITLE = 6

_NO_TITLE = re.compile(
    r"""(?ix) (?:table\ of\ )?contents? | inhalt(?:sverzeichnis)? | sommaire | sommario | indice | index
    | imprint | impressum | disclaimer | preface | foreword | vorwort | introduction | contact(?:\ us)? | menu
    | home | draft | confidential | abstract | summary | appendix | glossary | download
    | (?:page|seite|chapter|chapitre|kapitel|capitolo|part|teil)\ \w+
    | (?:press|news|media)\ (?:release|information) | for\ immediate\ release | pressemitteilung
    | communiqu\u00e9\ de\ presse | comunicato\ stampa | nota\ de\ prensa
    | (?:[a-z]+\.?\ )?\d{1,2}(?:\.|st|nd|rd|th)?,?\ (?:[a-z]+\.?\ )?\d{4}"""
)
_MONTH = (
    r"(?:jan|f[e\u00e9][bv]|m[a\u00e4]r|a[pbv]r|ma[iyg]|ju[inl]|giu|lug|ago|a[ou][gu\u00fb]|se[pt]|o[ckt]t|nov"
    r"|d[e\u00e9i][cz]|gen|ene)[^\W\d_]*\.?"
)
_DATELINE = re.compile(
    rf"""(?ix) [^\W\d_][\w.'\u2019-]* (?:,?\ [^\W\d_][\w.'\u2019-]*){{0,5}}  # the place
    (?:,\ |\ ?[\u2013\u2014-]\ ?|\ \()
    (?:(?:den|le|il|the|on)\ )?
    (?: {_MONTH}\ \d{{1,2}}(?:st|nd|rd|th)?,?
    | \d{{1,2}}(?:\.|st|nd|rd|th|er|\u00ba)?\ (?:(?:de|of)\ )?{_MONTH},?(?:\ de)? )
    \ \d{{4}}\)?"""
)
_NUMBERED = re.compile(r"(?:\d+\.)+\d*\s|\d+\s|[IVX]+\.\s|\(\w\)\s")
_ADDRESS = re.compile(r"(?i)https?:|www\.|@|\.(?:com|org|net|pdf|docx?)\b")

_REPORT = (
    r"(?:report|review|statement|disclosure(?:\ of\ non-financial\ information)?|data\ ?book"
    r"|factbook|accounts|bericht|erkl\u00e4rung|rapport|d\u00e9claration|bilan|relazione(?:\ annuale)?"
    r"|dichiarazione|bilancio|informe|memoria|relat\u00f3rio|verslag)"
)
_YEAR = re.compile(
    r"""(?x) (?<![\w/.,-])
    (?: (?:19[89]|20[0-4])\d (?:\ ?[/\u2013-]\ ?(?:20)?\d\d)?
    | FY\ ?'?(?:20)?\d\d (?:[/\u2013-](?:20)?\d\d)? )
    (?! [\w/%-] | [.,]\d )"""
)
_PERIOD_BEFORE = re.compile(
    r"""(?ix) \b (?:
    (?:financial|fiscal|reporting|business)\ year\ (?:(?:ended|ending)\ (?:on\ )?(?:[\w.]+,?\ ){0,2})?
    | (?:fiscal|FY|gesch\u00e4ftsjahr(?:es)?|berichtsjahr(?:es)?)\ ?
    | (?:exercice|l['\u2019]ann\u00e9e|esercizio|ejercicio)\ ?
    )$"""
)
_PERIOD_AFTER = re.compile(r"(?i) (?:financial|fiscal|reporting|business) year")
_REPORT_BEFORE = re.compile(
    rf"(?ix) {_REPORT}\ (?:(?:for|f\u00fcr|pour|per|del|zum)\ (?:the\ )?(?:year\ )?)?$"
)
_REPORT_AFTER = re.compile(rf"(?ix) \ (?:[\w&-]+\ ){{0,3}}{_REPORT}\b")
_AROUND = 60  # characters before and after a year
_IS_REPORT = re.compile(rf"(?ix){_REPORT}\b|\b(?:esg|csr|key\ figures|presentation)\b")
_CENTURY = 2_000
_FEW = 3  # mentions that a year needs
_AGREED = 0.6  # of all such mentions, those that must name the same year


def state_facts(extracted: Extracted) -> Extracted:
    """With the title, organisation and year of report that the document states and its reader left open."""
    blocks = [block for block in extracted.blocks if block.kind != "row"]
    if not blocks:
        return extracted
    first = list(_first_blocks(blocks))
    title = extracted.title
    if not title or _is_no_title(title):
        title = _title(first)
    text = _beginning(blocks)
    openings = [title or "", *(block.text for block in first if len(block.text) <= _MAX_TITLE)]
    return replace(
        extracted,
        title=title,
        organisation=extracted.organisation or best_name(openings, [block.text for block in first], text),
        year=extracted.year or _year(openings, text),
    )


def _beginning(blocks: list[Block]) -> str:
    lines: list[str] = []
    left = _SCANNED
    for block in blocks:
        lines.append(block.text[:left])
        left -= len(block.text) + 1
        if left <= 0:
            break
    return "\n".join(lines)


def _first_blocks(blocks: list[Block]) -> Iterator[Block]:
    """Those of the first pages, or as many as a title page has."""
    for at, block in enumerate(blocks):
        if block.page > _FIRST_PAGES if block.page else at >= _FIRST_BLOCKS:
            return
        yield block


def _title(first: list[Block]) -> str | None:
    """The first heading that names the whole document: before the text begins, and before its sections do."""
    for block in first:
        if block.page != first[0].page or len(block.text) > _MAX_TITLE:
            return None
        if block.kind != "heading" or _is_no_title(block.text):
            continue
        if _NUMBERED.match(block.text):
            return None
        if _names_document(block.text):
            return block.text
    return None


def _is_no_title(text: str) -> bool:
    """Every document may have such a line at its head: a dateline, "Contents", "Press release"."""
    stripped = text.strip(" .:\u2013\u2014-")
    return len(text) <= _MAX_TITLE and (
        _NO_TITLE.fullmatch(stripped) is not None
        or (_DATELINE.fullmatch(stripped) is not None and not _IS_REPORT.search(stripped))
    )


def _names_document(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return (
        _MIN_TITLE <= len(text) <= _MAX_TITLE
        and letters >= len(text) / 2
        and " " in text
        and not _ADDRESS.search(text)
    )


def _year(openings: Sequence[str], text: str) -> int | None:
    """The year that the title names, else the one that the text says the report is for."""
    called_report = [opening for opening in openings if _IS_REPORT.search(opening)]
    for opening in called_report:
        years = set(_years(opening))
        if len(years) == 1:
            return years.pop()
    alone = {year for opening in openings if _YEAR.fullmatch(opening) for year in _years(opening)}
    if called_report and len(alone) == 1:
        return alone.pop()
    return _agreed(" ".join(openings), 1) or _agreed(text, _FEW)


def _agreed(text: str, least: int) -> int | None:
    """The year that most mentions of a period name, or else most mentions of a report."""
    periods: Counter[int] = Counter()
    reports: Counter[int] = Counter()
    for found in _YEAR.finditer(text):
        before = text[max(found.start() - _AROUND, 0) : found.start()]
        after = text[found.end() : found.end() + _AROUND]
        if _PERIOD_BEFORE.search(before) or _PERIOD_AFTER.match(after) or found[0].startswith("FY"):
            periods.update(_years(found[0]))
        elif _REPORT_BEFORE.search(before) or _REPORT_AFTER.match(after):
            reports.update(_years(found[0]))
    for counts in (periods, reports):
        for year, count in counts.most_common(1):
            if count >= max(least, _AGREED * counts.total()):
                return year
    return None


def _years(text: str) -> Iterator[int]:
    """The years named; of 2022/23 the one in which it ends. Longer spans are no reporting periods."""
    for found in _YEAR.findall(text):
        numbers = [int(digits) for digits in re.findall(r"\d+", found)]
        numbers = [number if number > _CENTURY - 100 else _CENTURY + number for number in numbers]
        if len(numbers) == 1 or numbers[1] == numbers[0] + 1:
            yield numbers[-1]
