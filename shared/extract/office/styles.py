"""Word's styles: which of them are headings, list items, the title, or lines of a table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.extract.office.xml import Handlers

if TYPE_CHECKING:
    from shared.extract.office.xml import Attributes

Role = Literal["title", "heading", "item", "contents", "body"]

_STYLES = 20_000  # a style is a few hundred bytes once it is read
_BODY_LEVEL = 9  # outline levels count from 0; this one says that it is none (ISO/IEC 29500-1, 17.3.1.20)
_TITLE = re.compile(r"(?i)(?:title|titel|titre|t\u00edtulo|titolo|tytu\u0142|otsikko)$")
_HEADING = re.compile(
    r"(?i)(?:heading|\u00fcberschrift|titre|t\u00edtulo|titolo|kop|rubrik|overskrift|otsikko|nag\u0142\u00f3wek|"
    r"nadpis|c\u00edmsor|ba\u015fl\u0131k|\u0437\u0430\u0433\u043e\u043b\u043e\u0432\u043e\u043a|\u6807\u9898|"
    r"\u6a19\u984c|\u898b\u51fa\u3057|\uc81c\ubaa9) ?[1-9]\b"
)
"""Word names its own styles in English whatever its language; other programs do not."""
_CONTENTS = re.compile(r"(?i)(?:toc|contents|table of (?:figures|authorities)|index)(?: heading| ?\d)?$")


@dataclass(slots=True)
class Style:
    """What a style says itself, before what it is based on is asked."""

    name: str = ""
    based_on: str = ""
    level: int | None = None
    numbered: bool | None = None


class Styles(Handlers):
    """Reads styles.xml; afterwards `role` answers for any style's id."""

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._roles: dict[str, Role] = {}
        self._open = Style()
        self.starts = {
            "w:style": self._start,
            "w:name": self._name,
            "w:basedOn": self._base,
            "w:outlineLvl": self._level,
            "w:numId": self._numbered,
        }

    def role(self, style: str) -> Role:
        """What paragraphs of this style are."""
        if style not in self._roles:
            if len(self._roles) > _STYLES:
                return "body"
            self._roles[style] = self._find(style)
        return self._roles[style]

    def _find(self, style: str) -> Role:
        numbered: bool | None = None
        seen: set[str] = set()
        at: str = style
        while at not in seen and at in self._styles:
            seen.add(at)
            found = self._styles[at]
            if _CONTENTS.match(found.name):
                return "contents"
            if _TITLE.match(found.name):
                return "title"
            if found.level is not None:
                if found.level < _BODY_LEVEL:
                    return "heading"
                break
            if _HEADING.match(found.name):
                return "heading"
            numbered = found.numbered if numbered is None else numbered
            at = found.based_on
        return "item" if numbered else "body"

    def _start(self, attributes: Attributes) -> None:
        self._open = Style()
        if attributes.get("w:type") == "paragraph" and len(self._styles) < _STYLES:
            self._styles[attributes.get("w:styleId", "")] = self._open

    def _name(self, attributes: Attributes) -> None:
        self._open.name = attributes.get("w:val", "")

    def _base(self, attributes: Attributes) -> None:
        self._open.based_on = attributes.get("w:val", "")

    def _level(self, attributes: Attributes) -> None:
        self._open.level = int(attributes.get("w:val", _BODY_LEVEL))

    def _numbered(self, attributes: Attributes) -> None:
        self._open.numbered = attributes.get("w:val", "0") != "0"
