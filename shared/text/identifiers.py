"""National identification numbers of people: how they are written, and what tells them from figures.

Forms without a check digit, or of nothing but digits, count only behind a word that says what they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[str], bool]

_BEFORE, _AFTER = r"(?<![\w.,-])", r"(?![\w-]|[.,]\d)"


def _digits(value: str) -> list[int]:
    return [int(char) for char in value if char.isdecimal()]


def _weighted(numbers: list[int], weights: tuple[int, ...]) -> int:
    return sum(number * weight for number, weight in zip(numbers, weights, strict=False))


def _luhn(numbers: list[int]) -> bool:
    """ISO/IEC 7812-1."""
    doubled = [number * (2 if at % 2 else 1) for at, number in enumerate(reversed(numbers))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0  # noqa: PLR2004 - of a digit


def _france(value: str) -> bool:
    """Numéro d'inscription au répertoire: 97 less the rest of the first thirteen digits by 97."""
    compact = re.sub(r"\s", "", value).replace("2A", "19").replace("2B", "18")
    return compact.isdecimal() and 97 - int(compact[:13]) % 97 == int(compact[13:])


def _spain(value: str) -> bool:
    """DNI and NIE: the letter follows from the number's rest by 23."""
    compact = value.upper().replace("-", "").replace(" ", "")
    number = compact[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == compact[-1]


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            *(
                1,
                0,
                5,
                7,
                9,
                13,
                15,
                17,
                19,
                21,
                1,
                0,
                5,
                7,
                9,
                13,
                15,
                17,
                19,
                21,
                2,
                4,
                18,
                20,
                11,
                3,
                6,
                8,
            ),
            *(12, 14, 16, 10, 22, 25, 24, 23),
        ),
        strict=True,
    )
)


def _italy(value: str) -> bool:
    """Codice fiscale: the values of odd and even places leave the last letter's place by 26."""
    total = sum(
        _ODD[char] if at % 2 == 0 else int(char, 36) - (10 if char.isalpha() else 0)
        for at, char in enumerate(value[:15])
    )
    return chr(ord("A") + total % 26) == value[15]


def _germany(value: str) -> bool:
    """Steuerliche Identifikationsnummer: ISO 7064, MOD 11,10."""
    product = 10
    *front, last = _digits(value)
    for number in front:
        rest = (number + product) % 10 or 10
        product = rest * 2 % 11
    return front[0] != 0 and (11 - product) % 10 == last


def _netherlands(value: str) -> bool:
    return _weighted(_digits(value), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _poland(value: str) -> bool:
    return _weighted(_digits(value), (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _switzerland(value: str) -> bool:
    """AHV number: an EAN-13."""
    return _weighted(_digits(value), (1, 3) * 7) % 10 == 0


def _sweden(value: str) -> bool:
    return _luhn(_digits(value)[-10:])


def _brazil(value: str) -> bool:
    """CPF: two check digits by 11."""
    numbers = _digits(value)
    for length in (9, 10):
        rest = _weighted(numbers[:length], tuple(range(length + 1, 1, -1))) * 10 % 11 % 10
        if rest != numbers[length]:
            return False
    return len(set(numbers)) > 1


_VERHOEFF = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
"""The dihedral group of order ten (J. Verhoeff, "Error detecting decimal codes", 1969)."""


def _india(value: str) -> bool:
    """Aadhaar: Verhoeff's check digit."""
    permutation, check = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), 0
    for at, number in enumerate(reversed(_digits(value))):
        for _ in range(at % 8):
            number = permutation[number]  # noqa: PLW2901 - applied as often as its place says
        check = _VERHOEFF[check][number]
    return check == 0


def _canada(value: str) -> bool:
    return _luhn(_digits(value))


def _always(value: str) -> bool:
    return bool(value)


def _said(words: str, number: str) -> str:
    """The number behind one of the words."""
    return rf"(?i:\b(?:{words}))[^\d\n]{{0,24}}?(?<![\w.,-])(?P<number>{number}){_AFTER}"


_WRITTEN: tuple[tuple[str, Check], ...] = (
    (r"[12478] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _france),
    (r"(?:\d{8}|[XYZ][ -]?\d{7})[ -]?[A-HJ-NP-TV-Z]", _spain),
    (r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", _italy),
    (r"756\.\d{4}\.\d{4}\.\d\d", _switzerland),
    (r"\d{3}\.\d{3}\.\d{3}-\d\d", _brazil),
    # National Insurance, United Kingdom: no check digit, but no other code is written so.
    (r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", _always),
)
_FORMS = tuple((re.compile(pattern), holds) for pattern, holds in _WRITTEN)

WRITTEN = rf"{_BEFORE}(?:{'|'.join(pattern for pattern, _ in _WRITTEN)}){_AFTER}"
"""Numbers that their form tells, if `is_written` agrees."""

SAID: tuple[tuple[str, Check], ...] = (
    (
        _said(
            r"steuer(?:liche)?[- ]?(?:id|identifikationsnummer|idnr)|idnr|tax (?:id|identification)",
            r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        ),
        _germany,
    ),
    (_said(r"bsn|burgerservicenummer|sofi-?nummer", r"\d{9}|\d{4}[. ]\d\d[. ]\d{3}"), _netherlands),
    (_said(r"pesel", r"\d{11}"), _poland),
    (_said(r"person(?:al )?(?:nummer|number|identity)|personnr|pnr", r"(?:\d\d)?\d{6}[-+]?\d{4}"), _sweden),
    (_said(r"aadhaar|aadhar|uidai?", r"[2-9]\d{3} ?\d{4} ?\d{4}"), _india),
    (_said(r"permanent account number|pan(?: card)?\b", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]"), _always),
    (_said(r"social insurance|sin\b", r"[1-9]\d\d[- ]?\d{3}[- ]?\d{3}"), _canada),
    (
        _said(r"ssn|social security", r"(?!000|666|9\d\d)\d{3}[- ]?(?!00)\d{2}[- ]?(?!0000)\d{4}"),
        _always,
    ),
    (
        _said(
            r"passport|reisepass|passeport|pasaporte|passaporto",
            r"[A-Z]{1,2}\d{6,8}|(?=[A-Z]*\d)[CFGHJKLMNPRTVWXYZ0-9]{9}",
        ),
        _always,
    ),
)  # fmt: skip
"""Numbers that a word in front tells; the pattern's group `number` is the number."""

_WORDS = (
    "steuer", "idnr", "tax id", "bsn", "burgerservice", "sofi", "pesel", "personnummer", "personal n",
    "personal identity", "personnr", "pnr", "aadha", "uid", "account number", "pan", "social insurance",
    "sin", "ssn", "social security", "passport", "reisepass", "passeport", "pasaporte", "passaporto",
)  # fmt: skip


def says(text: str) -> bool:
    """In a quick look, may a word stand here that announces a number?"""
    lower = text.lower()
    return any(word in lower for word in _WORDS)


def is_written(value: str) -> bool:
    """Do the check digits of one of the forms hold?"""
    return any(form.fullmatch(value) and holds(value) for form, holds in _FORMS)
