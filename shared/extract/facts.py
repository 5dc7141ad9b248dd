"""Find the title of a document, its organisation and the year it reports on.

What its uploader states wins, then what the document states, and last what its name says, where the text
confirms it. None is returned rather than a guess: each is taken only where statements agree.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
        "working", "peer", "age", "minority", "focus", "steering", "user", "resource", "executive",
        "leadership", "global", "a", "b",
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
    proper = _proper_nouns(text)
    for names, find, least in ((legal, _legal_names, _FEW_MENTIONS), (groups, _group_names, _MANY)):
        at_the_start = {_key(name) for name in find(lines)} & spelt.keys()
        best = _clear_winner(_counted(names) + Counter(dict.fromkeys(at_the_start, _FIRST)), least)
        if best and _is_spoken_of(spelt[best], text, proper):
            return spelt[best]
    return _stated_holder("\n".join(first), text) or _in_title(openings, text) or _spoken_of(proper, text)


_PROPER = re.compile(r"(?<=[a-z,] )[A-Z][\w&-]*[\w](?:['\u2019]s\b)?")
_LOWER = re.compile(r"\b[a-z]{3,}\b")
_SHARE = 0.15  # of the mentions of the most frequent name
_SHORT = 2  # words of a name whose second is often left out
_OFTEN = 30  # mentions of a name that is taken without a legal form
_NO_OWNER = re.compile(
    r"(?i)(?:january|february|march|april|may|june|july|august|september|october|november|december|covid.*|esg"
    r"|csr|ghg|ceo|gri|eu|us|usa|uk|europe.*|asia|america.*|germany|france|italy|china|india|japan|states|iso"
    r"|paris|un|sdgs?|sasb|tcfd|fy\d*|nations|kingdom|english|group|company|co2e?|north|south|hr|pdf|it|eur)"
)


def _has_letters(name: str) -> bool:
    return any(map(str.isalpha, name))


def _proper_nouns(text: str) -> Counter[str]:
    """Count the names within sentences: capitalized words that are not also written small."""
    lower = Counter(_LOWER.findall(text))
    found = Counter(re.sub("['\u2019]s$", "", word) for word in _PROPER.findall(text))
    return Counter(
        {
            word: count
            for word, count in found.items()
            if count > lower[word.lower()] and not _NO_OWNER.fullmatch(word)
        }
    )


def _is_spoken_of(name: str, text: str, proper: Counter[str]) -> bool:
    """Whether the document is about this organisation, rather than mentions it a few times."""
    most = max(proper.values(), default=0)
    core = _LEGAL.sub("", name).strip(" ,")
    core = re.sub(r"^(?:[Gg]roupe|[Gg]ruppo|[Gg]rupo) | Group$", "", core)
    words = core.split()
    is_short_name = len(words) == _SHORT and proper[words[0]] >= most / _TIMES
    spelt = sum(_mentions(each, text) for each in {core, core.upper(), core.title()})
    return is_short_name or spelt >= max(_SHARE * most, _FEW_MENTIONS)


def _spoken_of(proper: Counter[str], text: str) -> str | None:
    """Return the name that is far ahead of all others and owns things: "Example's mills"."""
    ranked = proper.most_common(2)
    if not ranked or ranked[0][1] < _OFTEN or (len(ranked) > 1 and ranked[0][1] < _TIMES * ranked[1][1]):
        return None
    name = ranked[0][0]
    owns = text.count(f"{name}'s ") + text.count(f"{name}\u2019s ")
    return name if owns >= _FEW_MENTIONS else None


def _stated_holder(beginning: str, text: str) -> str | None:
    lines = (line for line in beginning.split("\n") if "\u00a9" in line)
    names = dict.fromkeys(name for name in map(holder, lines) if name)
    lower = text.lower()
    return next((name for name in islice(names, _TRIED) if lower.count(name.lower()) >= _FEW_MENTIONS), None)


def _in_title(openings: Sequence[str], text: str) -> str | None:
    titles = (found["name"] for found in map(_TITLED.match, openings) if found)
    names = dict.fromkeys(
        name for name in titles if _has_letters(name) and not _GENERIC & set(name.lower().split())
    )
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
_NUMBERED = re.compile(r"(?:\d+\.)+\d*\s|\d{1,3}\s|[IVX]+\.\s|\(\w\)\s")
_CONTENTS = re.compile(r"(?i)(?:table of )?contents?$|inhalt(?:sverzeichnis)?$|sommaire$|sommario$|indice$")
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


ORGANISATION, YEAR, TITLE, TAGS = "organisation", "year", "title", "tags"
UPLOADED = (ORGANISATION, YEAR, TITLE, TAGS)
"""Object metadata by which an uploader states facts; tags are separated by commas."""
MAX_UPLOADED = 200
"""Limit on a title, an organisation or a tag that an uploader states, in characters."""
MAX_TAGS = 20


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the uploader states, as far as it is valid."""

    title: str | None
    organisation: str | None
    year: int | None
    tags: list[str]
    warnings: list[str]


def uploaded(metadata: Mapping[str, str]) -> Uploaded:
    """Return the facts in an object's metadata, with a warning for each that is not valid."""
    warnings = []
    lines: dict[str, str | None] = {}
    for name in (TITLE, ORGANISATION):
        line = " ".join(metadata.get(name, "").split())
        lines[name] = line if line and len(line) <= MAX_UPLOADED else None
        if len(line) > MAX_UPLOADED:
            warnings.append(f"the {name} stated at upload is longer than {MAX_UPLOADED} characters: ignored")
    year = metadata.get(YEAR, "").strip()
    is_year = re.fullmatch(r"(?:19|20)[0-9]{2}", year) is not None
    if year and not is_year:
        warnings.append("the year stated at upload is not one of 1900 to 2099: ignored")
    tags = list(dict.fromkeys(filter(None, (" ".join(t.split()) for t in metadata.get(TAGS, "").split(",")))))
    fitting = [tag for tag in tags if len(tag) <= MAX_UPLOADED][:MAX_TAGS]
    if len(fitting) < len(tags):
        warnings.append(f"of the tags stated at upload, {len(tags) - len(fitting)} are too long or too many")
    return Uploaded(lines[TITLE], lines[ORGANISATION], int(year) if is_year else None, fitting, warnings)


def state_facts(
    extracted: Extracted, *, name: str = "", metadata: Mapping[str, str] | None = None
) -> Extracted:
    """Fill in title, organisation, year and tags, and where each comes from."""
    upload = uploaded(metadata or {})
    found = _in_document(extracted)
    named = _in_name(name, found)
    facts_from: dict[str, str] = {}
    facts: dict[str, str | int | None] = {}
    for fact in (TITLE, ORGANISATION, YEAR):
        for source, value in (
            ("upload", getattr(upload, fact)),
            ("document", getattr(found, fact)),
            ("name", named.get(fact)),
        ):
            if fact not in facts and value is not None:
                facts[fact], facts_from[fact] = value, source
    return replace(
        found,
        **({TITLE: None} | facts),  # type: ignore[arg-type] # each is of its field's type
        tags=upload.tags,
        facts_from=facts_from,
        warnings=[*found.warnings, *upload.warnings],
    )


def _in_document(extracted: Extracted) -> Extracted:
    """Return what was extracted with the facts that the document states and its reader left open."""
    blocks = [block for block in extracted.blocks if block.kind != "row"]
    if not blocks:
        return extracted
    first = list(_first_blocks(blocks))
    text = _beginning(blocks)
    openings = [block.text for block in first if len(block.text) <= _MAX_TITLE]
    given = extracted.title if extracted.title and not _is_no_title(extracted.title) else None
    openings = [given or "", *openings]
    organisation = extracted.organisation or best_name(openings, [block.text for block in first], text)
    if given is None or extracted.media_type in _GUESSED_TITLES:
        given = _title(given, first, organisation, is_long=_is_long(blocks))
    return replace(
        extracted,
        title=given,
        organisation=organisation,
        year=extracted.year or _year(openings, text),
    )


_NAME_WORDS = re.compile(r"[^\W_]+")
_NAME_YEAR = re.compile(r"(?<!\d)(?:19[89]|20[0-4])\d(?!\d)")
_NOT_IN_NAME = frozenset(
    {
        "report", "reports", "sustainability", "esg", "csr", "rse", "dpef", "nonfinancial", "non",
        "financial", "annual", "integrated", "review", "statement", "climate", "data", "databook",
        "environmental", "social", "governance", "impact", "responsibility", "corporate", "group", "the",
        "and", "of", "for", "final", "draft", "web", "print", "en", "de", "fr", "it", "es", "eng", "full",
        "summary", "pdf", "document", "file", "upload", "extract", "nachhaltigkeitsbericht", "bericht",
        "bilan", "rapport", "bilancio", "relazione", "dichiarazione", "tcfd", "csrd", "update", "version",
        "v", "fy", "copy", "scan", "benefit",
    }
)  # fmt: skip
_JOINED = re.compile(r"[\s&-]+")
_CONFIRMED = 5  # mentions of a name in the text


def _in_name(name: str, extracted: Extracted) -> dict[str, str | int]:
    """Return what a file's name says: a single year, and an organisation that the text names often."""
    stem = PurePosixPath(name).stem
    facts: dict[str, str | int] = {}
    years = {int(year) for year in _NAME_YEAR.findall(stem)}
    if len(years) == 1:
        facts[YEAR] = years.pop()
    found = _NAME_WORDS.findall(stem)
    words = [word for word in found if not word.isdecimal() and word.lower() not in _NOT_IN_NAME]
    if words and extracted.organisation is None:
        text = _beginning([block for block in extracted.blocks if block.kind != "row"])
        spelt = _spelt(" ".join(words[:_MAX_WORDS]), " ".join(_JOINED.split(text)))
        capital = {each: count for each, count in spelt.items() if not each.islower()}
        if sum(capital.values()) >= max(_CONFIRMED, spelt.total() / 2):
            facts[ORGANISATION] = max(capital, key=lambda each: capital[each])
    return facts


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


def _spelt(name: str, text: str) -> Counter[str]:
    """Count how the text spells a name, whatever its case."""
    name, lower, found = name.lower(), text.lower(), Counter[str]()
    at = lower.find(name) if len(lower) == len(text) else -1  # a few letters have longer small ones
    while at >= 0:
        end = at + len(name)
        if not (lower[at - 1 : at].isalnum() or lower[end : end + 1].isalnum()):
            found[text[at:end]] += 1
        at = lower.find(name, end)
    return found


_GUESSED_TITLES = frozenset({"application/pdf", "text/plain", "text/markdown"})
"""Media types whose titles are guessed from type sizes and first lines."""
_LONG = 60_000  # characters; a shorter document may be titled by any first heading
_DOCUMENT = re.compile(
    rf"""(?ix) {_REPORT}\b | \b\w{{3,40}}bericht\b
    | \b(?: databook | update | summary | supplement | scorecard | audit | policy | strategy
    | plan | code\ of\ \w+ | guide(?:lines?)? | handbook | white\ ?paper | results | standards? )\b"""
)
_SUBJECT = re.compile(
    r"(?i)\b(?:sustainability|esg|csr|responsibility|climate|environment|nachhaltigkeit|rse)\b"
)
_PART = re.compile(
    r"""(?ix) (?:about|in|inside|using|reading|how\ to|executive|management)\b
    | report(?:ing)?\ (?:overview|scope|profile|structure|boundar|content|parameter|criteria|guideline)
    | (?:this|our|the)\ (?:report|review|approach)\b | welcome | dear\b | overview | what.s\ inside
    | (?:a\ )?(?:message|letter|word|note|statement|interview)\ (?:from|by|of\ the|to)\b
    | .*\b(?:at\ a\ glance|auditor|assurance|highlights|contents)
    | (?:our|who\ we|key|basis|scope)\b | .*[.:;,\u2026]$ | .*[^\d/\u2013-]\ \d{1,3}$ | (?-i:[a-z]) | \W"""
)
_MAX_TITLE_WORDS = 18


def _title(
    given: str | None, first: Sequence[Block], organisation: str | None, *, is_long: bool
) -> str | None:
    """Return what names the whole document, rather than its first section or its slogan."""
    lines = [*([given] if given else []), *_cover(first)]
    owner = organisation.split()[0].lower() if organisation else None
    for line in lines:
        if _is_named(line) and not _PART.match(line):
            subject = _SUBJECT.search(line) and owner is not None and owner in line.lower()
            if subject or _DOCUMENT.search(line):
                return line
    if is_long:
        return None
    headings = (block.text for block in _before_text(first) if block.kind == "heading")
    for line in (*([given] if given else []), *headings):
        if not _names_document(line) or _is_no_title(line):
            continue
        return None if _NUMBERED.match(line) or _PART.match(line) else line
    return None


def _cover(first: Sequence[Block]) -> Iterator[str]:
    """Yield the lines of the first page, or of what goes before the contents."""
    for block in first:
        if block.page != first[0].page or _CONTENTS.match(block.text):
            return
        yield block.text


def _before_text(first: Sequence[Block]) -> Iterator[Block]:
    for block in first:
        if block.page != first[0].page or len(block.text) > _MAX_TITLE:
            return
        if block.kind == "heading" and not _is_no_title(block.text):
            yield block


def _is_named(line: str) -> bool:
    return (
        _names_document(line)
        and not _is_no_title(line)
        and not _NUMBERED.match(line)
        and len(line.split()) <= _MAX_TITLE_WORDS
    )


def _is_long(blocks: Sequence[Block]) -> bool:
    left = _LONG
    for block in blocks:
        left -= len(block.text)
        if left < 0:
            return True
    return False


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
    named = Counter(_years_of(_YEAR.findall(text)))
    year = _agreed(" ".join(openings), 1) or _agreed(text, _FEW)
    [(top, count), *others] = named.most_common(2) or [(0, 0)]
    if year is not None:
        return year if named[year] * _TIMES >= count else None
    return top if count >= max([_OFTEN, *(_TIMES * other for _, other in others)]) else None


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
    yield from _years_of(_YEAR.findall(text))


def _years_of(printed: Iterable[str]) -> Iterator[int]:
    for found in printed:
        numbers = [int(digits) for digits in re.findall(r"\d+", found)]
        numbers = [number if number > _CENTURY - 100 else _CENTURY + number for number in numbers]
        if len(numbers) == 1 or numbers[1] == numbers[0] + 1:
            yield numbers[-1]
