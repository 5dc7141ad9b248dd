"""Find what a document says about itself: its title, its organisation and the year it reports on.

None is returned rather than a guess: each is taken only where the document states it, and where its
statements agree.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from shared.extract.shapes import Block, Extracted


_FORM = (
    r"(?:AG(?:\ &\ Co\.\ KGaA)?|SE(?:\ &\ Co\.\ KGaA)?|plc|PLC|Limited|LIMITED|Ltd\.?|LTD|Inc\.?|INC\.?"
    r"|Corp\.|Corporation|&\ Co\.|LLC|LLP|GmbH(?:\ &\ Co\.\ KG)?|KGaA|S\.p\.A\.?|SpA|S\.r\.l\.?|S\.A\.S\.?"
    r"|S\.A\.?|SA|SAS|N\.V\.?|NV|B\.V\.?|BV|AB|ASA|A/S|Oyj|Oy|e\.V\.|eG|Aktiengesellschaft)"
)
_LEGAL = re.compile(rf"(?x)(?<=[\w.,]\ ){_FORM}(?![\w&])")
_GROUP = re.compile(r"(?<=\w )Group\b(?! (?:AG|SE|plc|Ltd|Limited|Inc)\b)")
_GROUPE = re.compile(r"\b([Gg]roupe|[Gg]ruppo|[Gg]rupo) ([A-Z][\w&]+(?: [A-Z][\w&]*[A-Z][\w&]*)?)")
_WORD = re.compile(r"[A-Z0-9\u00c0-\u00de][\w&.'\u2019-]*$|&$")
_MAX_WORDS = 6
_LOOK_BACK = 90  # characters
_RIGHTS = re.compile(
    r"""(?ix) (?:\u00a9|\(c\)|copyright) (?:\s*+(?:\u00a9|\(c\)|copyright|by))*+ [\s,]*+
    (?: \d{4} (?:\s?[-\u2013/,]\s?\d{2,4})? [\s,]++ (?:by\s++)? )?+"""
)
_HOLDER = re.compile(
    r"""(?ix) (?P<name> \S.{1,80}? ) (?= \s{0,3}
    (?:[|\u00b7;]|,?\s\(?\d{4}|\.?\s{0,3}(?:all\ rights|alle\ rechte|tous\ droits)|\.\s|\.?$) )"""
)
_TITLED = re.compile(
    r"""(?x) (?P<name> [A-Z0-9][\w&.'\u2019-]* (?:\ (?:&\ )?[A-Z0-9][\w&.'\u2019-]*){0,3}? )
    (?:['\u2019]s)? \ (?:20\d\d\ )?
    (?i:annual|sustainability|integrated|esg|csr|climate|corporate|environmental|non-?financial|impact
    |consolidated|responsibility|modern\ slavery|tcfd|nachhaltigkeits|gesch\u00e4fts) (?>\S*?\b)
    (?i:.*\b(?:report|review|statement|disclosure)|.*bericht)"""
)
_LEADING = frozenset(
    {
        "The", "A", "An", "In", "Of", "At", "By", "For", "From", "To", "And", "Or", "As", "On", "With",
        "Our", "Your", "Its", "This", "That", "Since", "When", "While", "Although", "Both", "Neither", "Only",
        "Also", "Under", "Within", "Through", "Following", "Between", "Dear", "About", "All", "Each", "Every",
        "Other", "Another", "Former", "Der", "Die", "Das", "Des", "Den", "Dem", "Ein", "Eine", "Bei", "Mit",
        "Von", "Und", "F\u00fcr", "Im", "Le", "La", "Les", "Du", "De", "Un", "Une", "Il", "Lo", "Gli", "I",
        "Per", "Da", "Di", "Con",
    }
)  # fmt: skip
"""Words that are capitalized at the beginning of a sentence and not part of the name that follows."""
_GENERIC = frozenset(
    {
        "the", "our", "this", "separate", "annual", "group", "company", "corporate", "integrated", "report",
        "sustainability", "consolidated", "non-financial", "nonfinancial", "financial", "management",
        "working", "peer", "age", "executive", "leadership", "global", "a", "b",
    }
)  # fmt: skip
_AUDITORS = re.compile(
    r"(?i)\b(?:kpmg|pwc|pricewaterhousecoopers|deloitte|ernst & young|ey|bdo|grant thornton|mazars)\b"
)
_FEW_MENTIONS = 3  # mentions that a name needs
_MANY = 5  # ... where it is only called a group
_FIRST = 4  # mentions that one in a heading or a line of the first pages counts for
_MAX_LINE = 100  # characters
_TIMES = 2  # as often as any other name
_TRIED = 20  # names of titles and of rights, which are looked for in all of the text


def holder(line: str) -> str | None:
    """Return who is named in a line such as "(c) 2024 Example plc. All rights reserved"."""
    rights = islice(_RIGHTS.finditer(line), _TRIED)
    found = next(filter(None, (_HOLDER.match(line, match.end()) for match in rights)), None)
    if not found:
        return None
    name = found["name"].strip(" ,.-")
    if re.search(r"(?:\b(?:S\.p\.A|S\.A|N\.V|B\.V|S\.r\.l|Inc|Ltd|Corp)|& Co)$", name):
        name += "."
    return name if name[:1].isupper() or (name[:1].isdigit() and not name.isdigit()) else None


def best_name(openings: Sequence[str], first: Sequence[str], text: str) -> str | None:
    """Return the organisation that issued the document, or None if that is not clear.

    `openings` are the title and the short lines of the first pages, `first` all blocks of these pages; `text`
    is searched for the names.
    """
    lines = "\n".join(opening for opening in openings if len(opening) <= _MAX_LINE)
    legal, groups = _legal_names(text), _group_names(text)
    spelt = _spellings([*legal, *groups])
    every = _counted(legal) + _counted(groups)
    for opening in openings:  # one that is nothing but a name
        if every[_key(opening)] >= _FEW_MENTIONS - 1:
            return opening
    for names, find, least in ((legal, _legal_names, _FEW_MENTIONS), (groups, _group_names, _MANY)):
        at_the_start = {_key(name) for name in find(lines)} & spelt.keys()
        best = _clear_winner(_counted(names) + Counter(dict.fromkeys(at_the_start, _FIRST)), least)
        if best:
            return spelt[best]
    return _stated_holder("\n".join(first), text) or _in_title(openings, text)


def _stated_holder(beginning: str, text: str) -> str | None:
    lines = (line for line in beginning.split("\n") if "\u00a9" in line)
    names = dict.fromkeys(name for name in map(holder, lines) if name)
    lower = text.lower()
    return next((name for name in islice(names, _TRIED) if lower.count(name.lower()) >= _FEW_MENTIONS), None)


def _in_title(openings: Sequence[str], text: str) -> str | None:
    titles = (found["name"] for found in map(_TITLED.match, openings) if found)
    names = dict.fromkeys(name for name in titles if not _GENERIC & set(name.lower().split()))
    lower = text.lower()
    return next((name for name in islice(names, _TRIED) if _mentions(name.lower(), lower) >= _MANY), None)


def _mentions(name: str, text: str) -> int:
    """Count the name in the text, not as a part of longer words."""
    count, at = 0, text.find(name)
    while at >= 0:
        end = at + len(name)
        count += not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum())
        at = text.find(name, end)
    return count


def _legal_names(text: str) -> list[str]:
    names = (_name_before(text, found.start(), found[0]) for found in _LEGAL.finditer(text))
    return [name for name in names if name and not _AUDITORS.search(name)]


def _group_names(text: str) -> list[str]:
    names = (_name_before(text, found.start(), found[0]) for found in _GROUP.finditer(text))
    of = (f"{found[1].capitalize()} {found[2]}" for found in _GROUPE.finditer(text))
    return [*(name for name in names if name), *of]


def _name_before(text: str, at: int, form: str) -> str | None:
    """Return the capitalized words that end at `at`, with the form that begins there."""
    line = text[max(at - _LOOK_BACK, text.rfind("\n", max(at - _LOOK_BACK, 0), at) + 1, 0) : at].rstrip()
    comma = line.endswith(",")
    words: list[str] = []
    for word in reversed(line.rstrip(",").split(" ")):
        if word.endswith(",") and _WORD.match(word[:-1]) and not word[:-1].isdigit() and words:
            return None  # of "Smith, Jones & Co." only a part was found
        if not _WORD.match(word) or len(words) == _MAX_WORDS:
            break
        if words and word.endswith(".") and len(word) > _FEW_MENTIONS and "." not in word[:-1]:
            break  # the end of another sentence
        words.insert(0, word)
    while words and (words[0] in _LEADING or words[0] == "&" or re.fullmatch(r"[\d./-]+", words[0])):
        words.pop(0)
    if not words or {word.lower() for word in words} <= _GENERIC:
        return None
    return f"{' '.join(words)}{',' if comma else ''} {form}"


def _counted(names: Iterable[str]) -> Counter[str]:
    """Count each name, ignoring case; a longer name counts for the shorter one that it ends in."""
    counts = Counter(map(_key, names))
    for name in sorted(counts, key=len, reverse=True):
        words = name.split()
        for start in range(1, len(words) - 1):
            shorter = " ".join(words[start:])
            if counts[shorter] > counts[name]:
                counts[shorter] += counts.pop(name)
                break
    return counts


def _spellings(names: Iterable[str]) -> dict[str, str]:
    """Return the most frequent spelling of each name."""
    counts: dict[str, Counter[str]] = {}
    for name in names:
        counts.setdefault(_key(name), Counter())[name] += 1
    return {key: spellings.most_common(1)[0][0] for key, spellings in counts.items()}


def _clear_winner(counts: Counter[str], least: int) -> str | None:
    ranked = counts.most_common()
    if not ranked or ranked[0][1] < least:
        return None
    best, count = ranked[0]
    family = best.split()[0]
    second = next((other for name, other in ranked[1:] if name.split()[0] != family), 0)
    return best if count >= _TIMES * second else None


def _key(name: str) -> str:
    return name.casefold().rstrip(".")


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
    """Fill in the title, organisation and year that the document states and its reader left open."""
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
    """Yield the blocks of the first two pages, or as many as a title page has."""
    for at, block in enumerate(blocks):
        if block.page > _FIRST_PAGES if block.page else at >= _FIRST_BLOCKS:
            return
        yield block


def _title(first: list[Block]) -> str | None:
    """Return the first heading that names the whole document: before the text and its sections begin."""
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
    """Whether this line may stand at the head of any document: a dateline, "Contents", "Press release"."""
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
    """Return the year that the title names, else the one that the text says the report is for."""
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
    """Return the year that most mentions of a period name, else most mentions of a report."""
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
    """Yield the years named; 2022/23 is the year in which it ends, longer spans are not reporting periods."""
    for found in _YEAR.findall(text):
        numbers = [int(digits) for digits in re.findall(r"\d+", found)]
        numbers = [number if number > _CENTURY - 100 else _CENTURY + number for number in numbers]
        if len(numbers) == 1 or numbers[1] == numbers[0] + 1:
            yield numbers[-1]
