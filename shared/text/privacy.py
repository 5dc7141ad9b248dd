"""Replace what identifies a person by keyed pseudonyms, before anything is stored or logged.

The same value under the same key always becomes the same pseudonym, so a person stays countable; without the
key nobody can look a pseudonym up. Precision comes first: a figure that is destroyed is an error too.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from shared.text.identifiers import SAID, WRITTEN, is_written, says

if TYPE_CHECKING:
    from collections.abc import Callable

_HEX = 16
"""Digits of a pseudonym: 64 bits."""

_PSEUDONYM = rf"\[(?:email|iban|card|ip|phone|id):[0-9a-f]{{{_HEX}}}\]"

_EMAIL = (
    r"(?<![\w.+-])[^\W_](?:[\w.+%'-]{0,62}[\w+%-])?"
    r"@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}(?![\w@-])"
)
_IBAN = r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
_CARD = r"(?<![\w.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?!\w|[.,-]\d)"
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
_IPV6 = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])"
# With a country code: a plus sign or 00, and enough digits.
_PHONE_WORLD = (
    r"(?<![\w+.,-])(?:\+|(?<!\d )00)[1-9]\d{0,2}(?:[ ./-]{0,2}\(0?\d{0,5}\))?"
    r"(?:[ ./-]{0,2}\d){6,14}(?![\w%]|[.,]\d)"
)
# Without one, behind a word that says so. A letter or a verb says less: the number has to begin with a zero.
_PHONE_SAID = (
    r"(?i:\b(?:tel(?:ephone|efon|\u00e9phone|efono)?|phone|fon|(?:tele)?fax|mobile?|hotline|handy)\b)"
    r"(?:\s(?i:no|number|nr)\b)?\.?\s*:?\s*(?P<number>\(?\d[\d ()./-]{5,20}\d)(?![\w%]|[.,]\d)"
)
_PHONE_HINTED = (
    r"\b(?i:t|f|m|call|cell|text)\b\.?\s*:?\s*(?P<number>\(?0\d[\d ()./-]{5,20}\d)(?![\w%]|[.,]\d)"
)
# North America's: area code and exchange begin with 2 to 9.
_PHONE_AMERICAN = (
    r"(?<![\w.,-])(?:1[-. ])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}(?P<mark>[-.]))"
    r"[2-9]\d{2}(?(mark)(?P=mark)|[-. ])\d{4}(?![\w-]|[.,]\d)"
)
_YEAR = re.compile(r"(?:19|20)\d\d(?!\d)")
_MIN_SAID = 4  # digits of the shortest identifier, India's PAN
_MIN_PHONE, _MAX_PHONE = 7, 15  # digits; ITU-T E.164 allows 15
_MIN_IBAN, _MAX_IBAN = 15, 34  # characters: Norway's, and the most that ISO 13616 allows
# Prefixes and lengths of the networks: Visa, Mastercard, American Express, Diners, JCB, Discover.
_CARD_NETWORK = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[068]\d{12}|35\d{14}|6(?:011|[45]\d\d)\d{12}"
)
_NINE = 9
_MIN_LONG_PARTS = 2  # of two or three digits: "3.5.1.12" is a chapter, "192.168.0.1" an address


class _Kind(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    normal: Callable[[str], str | None]
    """The value as it is hashed; None where the match is not one after all."""
    hint: str
    """A character without which the pattern cannot match; empty: a digit."""


def redact(text: str, key: bytes) -> str:
    """The text with e-mail and IP addresses, IBANs, card, phone and national identification numbers replaced.

    A pseudonym is `[kind:digits]`, the digits being the first 64 bits, in hexadecimal, of HMAC-SHA256 over
    kind and normalised value. Redacting twice changes nothing.
    """
    while (redacted := _pass(text, key)) != text:
        text = (
            redacted  # a pseudonym is no neighbour that hides a number, as the value before it may have been
        )
    return text


def _pass(text: str, key: bytes) -> str:
    digits = sum(map(str.isdigit, text))
    has_digits = digits > 0
    for kind in (*_KINDS, *(_SAID if digits >= _MIN_SAID and says(text) else ())):
        if (kind.hint in text) if kind.hint else has_digits:
            text = kind.pattern.sub(_replacer(kind, key), text)
    return text


def _replacer(kind: _Kind, key: bytes) -> Callable[[re.Match[str]], str]:
    group = "number" if "number" in kind.pattern.groupindex else 0

    def replace(match: re.Match[str]) -> str:
        if match["done"]:
            return match[0]
        normal = kind.normal(match[group])
        if normal is None:
            return match[0]
        digest = hmac.digest(key, f"{kind.name}\0{normal}".encode(), hashlib.sha256).hex()
        before = match[0][: match.start(group) - match.start()]
        return f"{before}[{kind.name}:{digest[:_HEX]}]{match[0][len(before) + len(match[group]) :]}"

    return replace


def _iban(value: str) -> str | None:
    """ISO 13616: the digits of the rearranged number leave 1 when divided by 97."""
    compact = value.replace(" ", "")
    if not _MIN_IBAN <= len(compact) <= _MAX_IBAN:
        return None
    rearranged = compact[4:] + compact[:4]
    return compact if int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1 else None


def _card(value: str) -> str | None:
    """A number of one of the networks with its check digit (ISO/IEC 7812, Luhn); years in a row are none."""
    digits = "".join(filter(str.isdecimal, value))
    if not _CARD_NETWORK.fullmatch(digits) or _YEAR.match(value):
        return None
    doubled = [int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(digits))]
    return digits if sum(number - _NINE * (number > _NINE) for number in doubled) % 10 == 0 else None


def _ip(value: str) -> str | None:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    parts = re.split("[.:]", value)
    if sum(len(part) > 1 for part in parts) < _MIN_LONG_PARTS:
        return None
    return None if address.is_unspecified else str(address)


def _phone(value: str) -> str | None:
    digits = "".join(filter(str.isdecimal, value))
    if not _MIN_PHONE <= len(digits) <= _MAX_PHONE or digits.endswith("000000") or _YEAR.match(value):
        return None
    return ("+" if value.startswith("+") else "") + digits


def _identifier(holds: Callable[[str], bool]) -> Callable[[str], str | None]:
    """The number without its spaces and marks, where its check digits hold."""

    def normal(value: str) -> str | None:
        return re.sub(r"[\s.-]", "", value).upper() if holds(value) else None

    return normal


def _kind(name: str, pattern: str, normal: Callable[[str], str | None], hint: str = "") -> _Kind:
    """Pseudonyms that stand already are matched first, and left alone."""
    return _Kind(name, re.compile(f"(?P<done>{_PSEUDONYM})|{pattern}"), normal, hint)


_KINDS = (
    _kind("id", WRITTEN, _identifier(is_written)),
    _kind("email", _EMAIL, str.lower, "@"),
    _kind("iban", _IBAN, _iban),
    _kind("card", _CARD, _card),
    _kind("ip", _IPV6, _ip, ":"),
    _kind("ip", _IPV4, _ip, "."),
    _kind("phone", _PHONE_WORLD, _phone),
    _kind("phone", _PHONE_AMERICAN, _phone),
    _kind("phone", _PHONE_SAID, _phone),
    _kind("phone", _PHONE_HINTED, _phone),
)
_SAID = tuple(_kind("id", pattern, _identifier(holds)) for pattern, holds in SAID)
