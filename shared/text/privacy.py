"""Replace what identifies a person by keyed pseudonyms, before anything is stored or logged.

The same value with the same key always becomes the same pseudonym, so a person stays countable; without the
key nobody can find the value. Precision comes first: a destroyed figure is an error too.

Matching uses a plain spelling of the text: every kind of space or hyphen counts as the common one, and
characters without width are left out. The text is replaced as it was written.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared.text.identifiers import SAID, WRITTEN, is_written, luhn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[re.Match[str]], tuple[int, str] | None]
    """Return where the value ends and how it is hashed; None if the match is not one after all."""

_HEX = 16
"""Digits of a pseudonym: 64 bits."""

PSEUDONYM = re.compile(rf"\[(?:email|iban|card|ip|phone|id):[0-9a-f]{{{_HEX}}}\]")
MAX_PSEUDONYM = len("[phone:]") + _HEX
"""Characters of the longest pseudonym."""

_PLAIN = str.maketrans(
    dict.fromkeys(
        "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    )
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d", "-")
    | {"\uff0b": "+", "\uff1a": ":", "\uff20": "@", "\uff0e": "."}
)
_WIDTHLESS = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")

_NEAR = 100
"""Characters around digits that contain all of a value and the word before it."""
_DIGITS = re.compile(r"\d(?:[^\d\n|]{0,6}+\d){4}|(?<=[A-Z])\d(?:[^\W_]{0,3}\d){2}")
"""Digits as close together as in any number of a person."""

# Of two letters, only those of countries and the European Union: "Power@F.ON" is a name.
_TOP = (
    r"(?:[^\W\d_]{3,24}|[^\W\d_a-zA-Z]{2}|(?i:a[c-gilmoq-uwxz]|b[abd-jmnorstvwyz]|c[acdf-ik-oru-z]|d[ejkmoz]|e[cegrstu]|f[ijkmor]"
    r"|g[abd-ilmnp-uwy]|h[kmnrtu]|i[delmnoq-t]|j[emop]|k[eghimnprwyz]|l[abcikr-vy]|m[acdeghk-z]|n[acefgilopruz]"
    r"|om|p[aefghk-nrstwy]|qa|r[eosuw]|s[a-eg-ortuvxyz]|t[cdf-hj-ortvwz]|u[agksyz]|v[aceginu]|w[fs]|y[et]|z[amw]))"
)
_EMAIL = (
    r"(?<![^\W_])(?<![.+%-])(?:[^\W_]|_(?=[^\W_]))(?:[\w.+%'-]{0,62}[\w+%-])?"
    rf"@(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?\.){{1,8}}{_TOP}(?![^\W_]|[@-])"
)
_IBAN = r"(?:(?<![^\W_])|(?<=IBAN))[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,31}"
_CARD = (
    r"(?<!\w)(?<![.-])(?<!\d,)(?:[2-6]\d{3}([ .-])\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -]?)\d{6}\2\d{5}"
    r"|3[068]\d\d([ -]?)\d{6}\3\d{4}|[2-6]\d{15}(?:\d{3})?)(?!\w|[.-]\d)"
)
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
_IPV6 = r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)"
# What a figure is of; a number in front of it is no telephone's.
_UNIT = (
    r"(?![\w%]|[.,]\d| ?(?:%|€|\$|£|(?i:euros?|eur|usd|chf|gbp|dollars?|million|mio|billion|[kmgt]wh?|[gmt]j|"
    r"t|to|tons?|tonnes?|tco2e?|co2e?|kg|m[23²³]?|km|ha|litres?|liters?|shares?|employees|hours|people|units?)"
    r"\b(?![.:]? ?[+(\d])))"
)
# With a country code: a plus sign or 00.
_PHONE_WORLD = (
    r"(?<![\w+])(?:\(\+[1-9]\d{0,2}\)|(?:\+|(?<![.,-])(?<!\d )00)[1-9]\d{0,2})(?:[ ./-]{0,2}\(0?\d{0,5}\))?"
    r"(?:[ ./)-]{0,3}+\d){4,24}+" + _UNIT
)
# Without one, behind a word that says so. A letter, a verb or another value says less: the number has to
# begin with a zero.
_CALLED = (
    r"(?<![^\W_])(?i:t[eé]l(?:[eé](?:f[oóax]|pho|mó)\w{0,6})?|phone|fon|fax|mob(?:iel|il(?:e|ní|nummer)?)?|móvil"
    r"|portable|cel(?:l|ular)?|gsm|natel|hotline|handy|tlf|puh(?:elin)?|sími|τηλ(?:έφωνο)?|тел(?:ефон)?|tālr(?:unis)?"
    r"|kom(?=\.)|whatsapp|rufnummer|helpline|contact(?= n)|电话|電話|전화|טלפון)"
    r"(?:[-. /]{0,3}(?i:number|no|nr|n[º°]|fax|\(toll-free\))(?![^\W_]))?[\s.:]{0,4}"
)
_NATIONAL = r"\d(?:[ ()./-]{0,3}+\d){5,24}+"
_PHONE_SAID = rf"{_CALLED}(?P<number>\(?{_NATIONAL}){_UNIT}"
_PHONE_HINTED = (
    r"(?:(?<![^\W_])(?i:t|f|m|ph?|call|text)[.: ]{1,3}|\0\](?: ?[,;/] ?| (?i:or|and|oder|und|ou|et|o|y|e) ))"
    rf"(?P<number>\(?(?=0){_NATIONAL}){_UNIT}"
)
# North America's: area code and exchange begin with 2 to 9.
_PHONE_AMERICAN = (
    r"(?<![\w.,-])(?:1[-. ])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}(?P<mark>[-.]))"
    r"[2-9]\d{2}(?(mark)(?P=mark)|[-. ])\d{4}(?![\w-]|[.,]\d)"
)
# France's pairs, Britain's groups, and an area code in brackets: no figure begins with a zero so.
_PHONE_ZERO = (
    r"(?<![\w.,+-])(?<!\d )(?:0[1-9](?P<mark>[ .-])\d\d(?:(?P=mark)\d\d){3}"
    r"|0[1-9]\d (?!20|19)\d{4} (?!20|19)\d{4}|0[1-9]\d{2,3} \d{3} (?!20|19)\d{3,4}|0[1-9]\d{3} \d{6}"
    rf"|\(0[1-9]\d{{0,3}}\) ?\d{{3,4}}[ -]?\d{{3,4}})(?! ?\d|-){_UNIT}"
)
_YEAR = re.compile(r"(?:19|20)\d\d(?!\d)")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[ .]\d{3}){2,4}")
_WORD = re.compile(r" [^\W\d_]{2}")
_MIN_PHONE, _MAX_PHONE = 7, 15  # digits; ITU-T E.164 allows 15
_MIN_IN_THREES = 9  # digits behind a country code, where "+47 500 000" could be a figure too
_MAX_NATIONAL = 12  # digits, unless marks say that more belong together
_MIN_SAID, _MIN_MIXED = 6, 8  # characters of a number behind a word that names it, if it has letters too
# Prefixes and lengths of the networks: Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay.
_CARD_NETWORK = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[068]\d{12}|35\d{14}|6(?:011|[245]\d\d)\d{12}"
)
_MIN_LONG_PARTS = 2  # of two or three digits: "3.5.1.12" is a chapter, "192.168.0.1" an address
_HOST = re.compile(r"(?i)(?:\b(?:ip|ip-? ?ad{1,2}resse?|host|ping|server|client)[ :=]{1,3}|//)$")
_PORT = re.compile(r":\d{2,5}(?!\d)")
_CHAPTER = re.compile(r"(?i)(?:\b(?:v|ver|version|release|build|section|chapter|see)\.? ?|§ ?)$")
_BEFORE = 20  # characters in front of an address that may say what it is

_IBAN_FORMS = Path(__file__).with_name("iban_forms.txt").read_text("utf-8")
"""ISO 13616: the form after country and check digits; n digits, a letters, c either."""

# ITU-T E.164: a line has the least and most digits of a number, and the country codes with such numbers.
_CALLING = Path(__file__).with_name("calling_codes.txt").read_text("utf-8")
_CODES = {
    code: range(int(least), int(most) + 1)
    for least, most, *codes in map(str.split, _CALLING.splitlines())
    for code in codes
}
_ZERO = {"39", "225", "229", "241", "242", "378"}
"""Country codes behind which a number may begin with a zero."""


@cache
def _iban_form(country: str) -> re.Pattern[str] | None:
    form = re.search(rf"\b{country}(\S{{1,20}})", _IBAN_FORMS)
    if form is None:
        return None
    chars = {"n": r"\d", "a": "[A-Z]", "c": r"[A-Z\d]"}
    parts = re.findall(r"(\d{1,2})([nac])", form[1])
    body = "".join(rf"(?:[ -]?{chars[kind]}){{{count}}}" for count, kind in parts)
    return re.compile(rf"[A-Z]{{2}}\d\d{body}(?!\d|[A-Z](?!IC))")


class _Kind(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    read: Read
    has_word: bool = False
    """The value is the pattern's group `number`, behind a word that names it."""


def redact(text: str, key: bytes) -> str:
    """Return the text without e-mail and IP addresses, IBANs, card, phone and identification numbers.

    Redacting twice changes nothing.
    """
    return replace_identifiers(text, partial(pseudonym, key))


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """Return `[kind:digits]`: 64 bits, in hexadecimal, of HMAC-SHA256 over kind and normalised value."""
    digest = hmac.digest(key, f"{kind}\0{value}".encode(errors="replace"), hashlib.sha256).hex()
    return f"[{kind}:{digest[:_HEX]}]"


def replace_identifiers(text: str, replacement: Callable[[str, str], str]) -> str:
    """Return the text as `redact` does, with what `replacement` makes of kind and normalised value."""
    redacted, done = [], 0
    for start, end, kind, normal in identifiers(text):
        redacted += [text[done:start], replacement(kind, normal)]
        done = end
    return "".join([*redacted, text[done:]])


def identifiers(text: str) -> list[tuple[int, int, str, str]]:
    """Return where in the text, in order, an identifier starts and ends, its kind and normalised value."""
    plain = text if text.isascii() else text.translate(_PLAIN)
    if text.isascii() or not _WIDTHLESS.search(text):
        return sorted(_values(plain))
    places = [at for at, char in enumerate(text) if not _WIDTHLESS.match(char)]
    plain = "".join(plain[at] for at in places)
    return [
        (places[start], places[end - 1] + 1, kind, value)
        for start, end, kind, value in sorted(_values(plain))
    ]


def _values(plain: str) -> list[tuple[int, int, str, str]]:
    """Return start, end, kind and normalized value of each.

    Values that were found are blotted out, so that they neither join nor hide other values; to every pattern
    a blot looks like the pseudonym. The search is repeated until nothing more is found.
    """
    if "[" in plain:
        plain = PSEUDONYM.sub(lambda match: _blot(len(match[0])), plain)
    windows = list(_windows(plain))
    found: list[tuple[int, int, str, str]] = []
    more = True
    while more:
        more = False
        for kind in _KINDS:
            places = windows if kind.name != "email" else [(0, len(plain))] if "@" in plain else []
            of_kind = [value for first, last in places for value in _matches(kind, plain, first, last)]
            if of_kind:
                more = True
                found += of_kind
                plain = _blotted(plain, of_kind)
    return found


def _windows(plain: str) -> Iterator[tuple[int, int]]:
    """Yield the stretches of the text that have enough digits close together."""
    first = last = -1
    for match in _DIGITS.finditer(plain):
        if match.start() - _NEAR > last:
            if last > 0:
                yield first, last
            first = max(0, match.start() - _NEAR)
        last = match.end() + _NEAR
    if last > 0:
        yield first, last


def _matches(kind: _Kind, plain: str, at: int, last: int) -> Iterator[tuple[int, int, str, str]]:
    while match := kind.pattern.search(plain, at, last):
        value = kind.read(match)
        if value is None:
            at = match.start() + 1
        else:
            at, normal = value
            yield match.start("number" if kind.has_word else 0), at, kind.name, normal


def _blot(length: int) -> str:
    return "[" + "\0" * (length - 2) + "]"


def _blotted(plain: str, values: list[tuple[int, int, str, str]]) -> str:
    parts, done = [], 0
    for start, end, _, _ in values:
        parts += [plain[done:start], _blot(end - start)]
        done = end
    return "".join([*parts, plain[done:]])


def _iban(match: re.Match[str]) -> tuple[int, str] | None:
    """Check the country's form, and that the rearranged number is 1 modulo 97 (ISO 13616)."""
    value = match[0].upper()
    form = _iban_form(value[:2])
    whole = form.match(value) if form else None
    if whole is None:
        return None
    compact = re.sub("[ -]", "", whole[0])
    rearranged = compact[4:] + compact[:4]
    if int("".join(str(int(char, 36)) for char in rearranged)) % 97 != 1:
        return None
    return match.start() + whole.end(), compact


def _card(match: re.Match[str]) -> tuple[int, str] | None:
    """Match a number of a card network with its check digit; years in a row are not one."""
    digits = re.sub("[ .-]", "", match[0])
    return (match.end(), digits) if _CARD_NETWORK.fullmatch(digits) and luhn(digits) else None


def _ip(match: re.Match[str]) -> tuple[int, str] | None:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return None
    before = match.string[max(0, match.start() - _BEFORE) : match.start()]
    if sum(len(part) > 1 for part in re.split("[.:]", match[0])) < _MIN_LONG_PARTS and not (
        _HOST.search(before) or (address.version == 4 and _PORT.match(match.string, match.end()))  # noqa: PLR2004
    ):
        return None
    return None if address.is_unspecified or _CHAPTER.search(before) else (match.end(), str(address))


def _phone_world(match: re.Match[str]) -> tuple[int, str] | None:
    """Take as many groups of digits as a number of the country can have."""
    value = match[0]
    thousands = _THOUSANDS.fullmatch(value.lstrip("+"))
    for end in _ends(value):
        digits = re.sub(r"\(0\)|\D", "", value[:end]).removeprefix("00")
        code = next((digits[:size] for size in (1, 2, 3) if digits[:size] in _CODES), "")
        number = digits[len(code) :]
        if (
            code
            and len(number) in _CODES[code]
            and (not number.startswith("0") or code in _ZERO)
            and (code != "1" or number[0] not in "01")
            and not number.endswith("000000")
            and not (thousands and (value[1 + len(code)].isdigit() or len(number) < _MIN_IN_THREES))
        ):
            return match.start() + end, f"+{digits}"
    return None


def _ends(value: str) -> list[int]:
    """Return where the groups of digits end, the last first."""
    return [match.end() for match in re.finditer(r"\d+", value)][::-1]


def _phone(match: re.Match[str]) -> tuple[int, str] | None:
    group = "number" if "number" in match.re.groupindex else 0
    value, start = match[group], match.start(group)
    if _YEAR.match(value) or (_THOUSANDS.fullmatch(value) and _WORD.match(match.string, match.end())):
        return None
    for end in _ends(value):
        digits = re.sub(r"\D", "", value[:end])
        fits = len(digits) <= (_MAX_PHONE if end == len(value) and " " not in value else _MAX_NATIONAL)
        if fits and len(digits) >= _MIN_PHONE and not digits.endswith("000000"):
            return start + end, digits
    return None


def _said(match: re.Match[str]) -> tuple[int, str] | None:
    if _YEAR.match(match["number"]):
        return None
    compact = _compact(match["number"])
    return (
        (match.end(), compact) if len(compact) >= (_MIN_SAID if compact.isdigit() else _MIN_MIXED) else None
    )


def _compact(value: str) -> str:
    return re.sub(r"[\s./-]", "", value).upper()


_KINDS = (
    _Kind("email", re.compile(_EMAIL), lambda match: (match.end(), match[0].lower())),
    _Kind("iban", re.compile(_IBAN), _iban),
    _Kind(
        "id",
        re.compile(WRITTEN),
        lambda match: (match.end(), _compact(match[0])) if is_written(match[0]) else None,
    ),
    _Kind("card", re.compile(_CARD), _card),
    _Kind("ip", re.compile(_IPV6), _ip),
    _Kind("ip", re.compile(_IPV4), _ip),
    _Kind("id", re.compile(SAID), _said, has_word=True),
    _Kind("phone", re.compile(_PHONE_WORLD), _phone_world),
    _Kind("phone", re.compile(_PHONE_AMERICAN), _phone),
    _Kind("phone", re.compile(_PHONE_ZERO), _phone),
    _Kind("phone", re.compile(_PHONE_SAID), _phone, has_word=True),
    _Kind("phone", re.compile(_PHONE_HINTED), _phone, has_word=True),
)
