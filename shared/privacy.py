"""Replace what identifies a person by keyed pseudonyms, before anything is stored or logged.

The same value under the same key always becomes the same pseudonym, so a person stays countable; without the key
nobody can look a pseudonym up. Precision comes first: a figure that is destroyed is an error too.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_HEX = 16  # digits of a pseudonym: 64 bits

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9](?:[\w.+%'-]{0,62}[\w+%-])?@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w@-])"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_CARD = re.compile(r"(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d]|[.,-]\d)")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
# With a country code: a plus sign or 00 and enough digits. "+49 %" and "+1.5" have too few.
_PHONE_WORLD = re.compile(
    r"(?<![\w+.,-])(?:\+|00)(?:[1-9]\d{0,2})(?:[ \u00a0./-]{0,2}\(0?\d{0,5}\))?(?:[ \u00a0./-]?\d){6,14}(?![\w%]|[.,]\d)"
)
# Without: only behind a word that says so, or in the North American form with the area code in brackets.
_PHONE_CUE = re.compile(
    r"(?i)\b(?:tel(?:ephone|efon|\u00e9phone|efono)?|phone|fon|fax|telefax|mobile?|mobil|cell|call|hotline|t|f|m)\b\s*(?:no)?\s*[.:]?\s*(?P<number>\(?0?\d[\d \u00a0()./-]{5,20}\d)(?![\w%]|[.,]\d)"
)
_PHONE_NANP = re.compile(r"(?<![\w.-])\([2-9]\d{2}\) ?[2-9]\d{2}[-. ]\d{4}(?![\w-])")
_DIGIT = re.compile(r"\d")
_MIN_PHONE = 7
_MAX_PHONE = 15  # ITU-T E.164


class _Kind(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    normal: Callable[[str], str | None]
    """The value as it is hashed; None where the match is not one after all."""
    hint: str
    """A character without which the pattern cannot match; empty: a digit."""


def redact(text: str, key: bytes) -> str:
    """The text with every e-mail address, IBAN, card, phone and US social security number and IP address replaced.

    A pseudonym is `[kind:digits]`, the digits being the first 64 bits, in hexadecimal, of HMAC-SHA256 over kind and
    normalised value. Redacting twice changes nothing.
    """
    has_digits = _DIGIT.search(text) is not None
    for kind in _KINDS:
        if (kind.hint in text) if kind.hint else has_digits:
            text = kind.pattern.sub(_replacer(kind, key), text)
    return text


def _replacer(kind: _Kind, key: bytes) -> Callable[[re.Match[str]], str]:
    group = "number" if "number" in kind.pattern.groupindex else 0

    def replace(match: re.Match[str]) -> str:
        normal = kind.normal(match[group])
        if normal is None:
            return match[0]
        digest = hmac.new(key, f"{kind.name}\0{normal}".encode(), hashlib.sha256).hexdigest()
        start = match.start(group) - match.start()
        return f"{match[0][:start]}[{kind.name}:{digest[:_HEX]}]{match[0][start + len(match[group]) :]}"

    return replace


def _iban(value: str) -> str | None:
    """ISO 13616: the digits of the rearranged number leave 1 when divided by 97."""
    compact = value.replace(" ", "")
    if not 15 <= len(compact) <= 34:  # noqa: PLR2004 - Norway's and the standard's longest
        return None
    rearranged = compact[4:] + compact[:4]
    return compact if int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1 else None


def _card(value: str) -> str | None:
    """ISO/IEC 7812: 13 to 19 digits with a Luhn check digit."""
    digits = "".join(filter(str.isdigit, value))
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 3:  # noqa: PLR2004 - the standard's lengths
        return None
    doubled = [int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(digits))]
    return digits if sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0 else None  # noqa: PLR2004


def _ip(value: str) -> str | None:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    return None if address.is_unspecified else str(address)


def _phone(value: str) -> str | None:
    digits = "".join(filter(str.isdigit, value))
    if not _MIN_PHONE <= len(digits) <= _MAX_PHONE:
        return None
    return ("+" if value.startswith("+") else "") + digits


_KINDS = (
    _Kind("email", _EMAIL, str.lower, "@"),
    _Kind("iban", _IBAN, _iban, ""),
    _Kind("card", _CARD, _card, ""),
    _Kind("ip", _IPV6, _ip, ":"),
    _Kind("ip", _IPV4, _ip, "."),
    _Kind("phone", _PHONE_WORLD, _phone, ""),
    _Kind("phone", _PHONE_NANP, _phone, "("),
    _Kind("phone", _PHONE_CUE, _phone, ""),
    _Kind("ssn", _SSN, str, "-"),
)
