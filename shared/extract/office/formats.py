"""Excel's number formats: what a person sees of a number, a share or a date (ISO/IEC 29500-1, 18.8.30)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.extract.office.xml import Handlers

if TYPE_CHECKING:
    from shared.extract.office.xml import Attributes

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy",
    16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 45: "mm:ss", 46: "h:mm:ss", 47: "mm:ss",
    **dict.fromkeys([*range(27, 32), 36, *range(50, 59)], "yyyy-mm-dd"),
    **dict.fromkeys(range(32, 36), "h:mm:ss"),
}  # fmt: skip
"""By their numbers; those that differ from country to country, as the rest of the world writes them."""
_FORMATS = 70_000  # Excel's own limit is 65,490
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\[\]-]*+)[^\[\]]*+\]|[_*].')
_ELAPSED = re.compile(r"(?i)\[(h+|m+|s+)\]")
_BRACKETED = re.compile(r"\[[^\[\]]*\]")  # colours and conditions
_DIGITS = re.compile(r"[0#?][0#?,]*(?:\.([0#?]*))?(,*)")
_MOST_DECIMALS = 15
_LARGEST = 1e15  # beyond it a double has no decimals
_LAST_DAY = 2_957_003  # the end of the year 9999, where days count from 1904
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a sheet's time has no zone


@dataclass(frozen=True, slots=True)
class _Format:
    """`dated`: how a date is written; otherwise how many decimals, in what unit, between which words."""

    dated: str = ""
    decimals: int | None = None
    grouped: bool = False
    factor: float = 1
    before: str = ""
    after: str = ""


class Formats(Handlers):
    """Reads styles.xml; afterwards `show` writes a cell's number the way its style says."""

    from_1904 = False
    """Whether days count from 1904: a workbook from an old Mac."""

    def __init__(self) -> None:
        self._codes = dict(_BUILT_IN)
        self._styles: list[int] = []
        self._formats: dict[int, _Format] = {}
        self._in_styles = False
        self.starts = {"x:numFmt": self._add_code, "x:cellXfs": self._enter, "x:xf": self._add_style}
        self.ends = {"x:cellXfs": self._leave}

    def show(self, style: str, value: str) -> str:
        """The number as it is shown; what is no number stays as it is."""
        try:
            number = float(value)
        except ValueError:
            return value
        if not math.isfinite(number):
            return value
        shown = self._format(int(style))
        if shown.dated and 0 <= number < _LAST_DAY:
            return self._date(number, shown.dated)
        number *= shown.factor
        if shown.decimals is None or shown.dated or abs(number) >= _LARGEST:
            text = f"{number:.10g}" if number % 1 or abs(number) >= _LARGEST else str(int(number))
        else:
            text = f"{number:{',' if shown.grouped else ''}.{shown.decimals}f}"
        return f"{shown.before}{text}{shown.after}"

    def _date(self, number: float, dated: str) -> str:
        if number >= 1 and "%Y" not in dated:  # time that passed, in hours and minutes
            hours, minutes = divmod(round(number * 24 * 60), 60)
            return f"{hours}:{minutes:02}"
        moment = (_EPOCH_1904 if self.from_1904 else _EPOCH) + timedelta(seconds=round(number * 86_400))
        return moment.strftime(dated if number >= 1 or "%Y" not in dated else "%H:%M")

    def _format(self, style: int) -> _Format:
        number = self._styles[style] if 0 <= style < len(self._styles) else 0
        if number not in self._formats:
            self._formats[number] = _parse(self._codes.get(number, "General"))
        return self._formats[number]

    def _add_code(self, attributes: Attributes) -> None:
        if len(self._codes) < _FORMATS:
            self._codes[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")[:255]

    def _enter(self, _: Attributes) -> None:
        self._in_styles = True

    def _leave(self) -> None:
        self._in_styles = False

    def _add_style(self, attributes: Attributes) -> None:
        if self._in_styles and len(self._styles) < _FORMATS:
            self._styles.append(int(attributes.get("numFmtId", 0)))


def _parse(code: str) -> _Format:
    """A format's first section, which is the one for positive numbers."""
    literals: list[str] = []

    def keep(found: re.Match[str]) -> str:
        literals.append(found[1] or found[2] or found[3] or "")
        return f"\x00{chr(0xE000 + len(literals))}"  # in no format's code, and told apart from its letters

    code = _BRACKETED.sub("", _ELAPSED.sub(r"\1", _LITERAL.sub(keep, code))).partition(";")[0]
    letters = set(re.sub("\x00.", "", code).lower().removeprefix("general"))
    if letters & set("ydhs") or (letters & {"m"} and not letters & set("0#?")):
        return _Format(dated=_dated(letters))
    digits = _DIGITS.search(code)
    if digits is None:
        return _Format()

    def spelt(part: str) -> str:
        words = re.sub("\x00(.)", lambda found: literals[ord(found[1]) - 0xE001], part)
        return re.sub(r"[0#?.,/]|[eE][+-]", "", words.replace("\x00", ""))

    placeholders, decimals, thousands = digits[0], digits[1] or "", digits[2]
    whole = placeholders.partition(".")[0]
    if not decimals and whole.endswith(","):
        thousands = whole[len(whole.rstrip(",")) :]
    return _Format(
        decimals=None if letters & set("e/") else min(len(decimals), _MOST_DECIMALS),
        grouped="," in whole.rstrip(","),
        factor=(100 if "%" in letters else 1) / 1000 ** len(thousands),
        before=spelt(code[: digits.start()]),
        after=spelt(code[digits.end() :]),
    )


def _dated(letters: set[str]) -> str:
    """As much of a date as the format shows, the way ISO 8601 writes it."""
    day = "%Y-%m-%d" if "d" in letters else "%Y-%m" if letters & {"m"} and "y" in letters else "%Y"
    if not letters & set("hs"):
        return day
    time = "%H:%M:%S" if "s" in letters else "%H:%M"
    return f"{day} {time}" if letters & set("yd") else time
