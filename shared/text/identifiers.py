"""National identification numbers of people: their forms, and what distinguishes them from figures.

Without a word before it, a form counts if its check digits, or its marks and date of birth, are rare among
figures. Behind a word that names the number, any number counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[str], bool]
    """Checks a number without spaces and marks, in upper case."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DD, _MM, _YY = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])", r"\d\d"


def luhn(compact: str) -> bool:
    """Return whether the check digit of ISO/IEC 7812-1 holds; a letter counts from A = 10 on."""
    doubled = [int(char, 36) * (1 + at % 2) for at, char in enumerate(reversed(compact))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0  # noqa: PLR2004 - of a digit


def _sum(weights: tuple[int, ...], modulus: int, rest: int = 0) -> Check:
    """Check that the weighted sum of the digits leaves `rest`; an X at the end counts 10."""

    def holds(compact: str) -> bool:
        numbers = [10 if char == "X" else int(char) for char in compact]
        return sum(map(int.__mul__, numbers, weights)) % modulus == rest

    return holds


def _all(*checks: Check) -> Check:
    return lambda compact: all(check(compact) for check in checks)


def _always(_: str) -> bool:
    return True


def _belgium(compact: str) -> bool:
    """97 less the rest by 97; a 2 goes in front for who was born since 2000."""
    number, check = compact[:9], int(compact[9:])
    return check in (97 - int(number) % 97, 97 - int("2" + number) % 97)


def _baltic(compact: str) -> bool:
    """Estonia and Lithuania: a second row of weights where the first leaves 10."""
    for weights in ((1, 2, 3, 4, 5, 6, 7, 8, 9, 1), (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)):
        rest = sum(map(int.__mul__, map(int, compact), weights)) % 11
        if rest < 10:  # noqa: PLR2004 - a digit
            break
    return rest % 10 == int(compact[10])


def _brazil(compact: str) -> bool:
    for length in (9, 10):
        weighted = sum(int(char) * (length + 1 - at) for at, char in enumerate(compact[:length]))
        if weighted * 10 % 11 % 10 != int(compact[length]):
            return False
    return len(set(compact)) > 1


def _chile(compact: str) -> bool:
    rest = sum(int(char) * (2 + at % 6) for at, char in enumerate(reversed(compact[:-1]))) % 11
    return "0K987654321"[rest] == compact[-1]


def _finland(compact: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(compact[:6] + compact[-4:-1]) % 31] == compact[-1]


def _france(compact: str) -> bool:
    """97 less the rest of the first thirteen digits by 97."""
    compact = compact.replace("2A", "19").replace("2B", "18")
    return 97 - int(compact[:13]) % 97 == int(compact[13:])


def _germany(compact: str) -> bool:
    """Pension insurance: add the digits of the weighted digits; a letter counts as two."""
    digits = compact[:8] + f"{_LETTERS.index(compact[8]) + 1:02}" + compact[9:11]
    products = map(int.__mul__, map(int, digits), (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1))
    return sum(product // 10 + product % 10 for product in products) % 10 == int(compact[11])


def _ireland(compact: str) -> bool:
    """PPS number: a second letter counts nine times; until 2013 it was outside the check."""
    total = sum(map(int.__mul__, map(int, compact[:7]), range(8, 1, -1)))
    second = 9 * (_LETTERS.index(compact[8]) + 1) if compact[8:] in {"A", "B", "H"} else 0
    return ("W" + _LETTERS)[(total + second) % 23] == compact[7]


_ITALY = dict(zip("0123456789" + _LETTERS, (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
), strict=True))  # fmt: skip


def _italy(compact: str) -> bool:
    """Codice fiscale: the values of odd and even places leave the last letter's place by 26."""
    total = sum(
        int(char, 36) - 10 * char.isalpha() if at % 2 else _ITALY[char]
        for at, char in enumerate(compact[:15])
    )
    return _LETTERS[total % 26] == compact[15]


def _latvia(compact: str) -> bool:
    total = 1 + sum(map(int.__mul__, map(int, compact), (10, 5, 8, 4, 2, 1, 6, 3, 7, 9)))
    return total % 11 % 10 == int(compact[10])


def _romania(compact: str) -> bool:
    rest = sum(map(int.__mul__, map(int, compact), (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9))) % 11
    return (1 if rest == 10 else rest) == int(compact[12])  # noqa: PLR2004 - ten is written 1


def _spain(compact: str) -> bool:
    """DNI and NIE: the letter follows from the number's rest by 23."""
    return (
        "TRWAGMYFPDXBNJZSQVHLCKE"[int(compact[:-1].translate(str.maketrans("XYZ", "012"))) % 23]
        == compact[-1]
    )


def _yugoslavia(compact: str) -> bool:
    total = sum(map(int.__mul__, map(int, compact), (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)))
    return -total % 11 % 10 == int(compact[12])


_FORMS: tuple[tuple[str, Check], ...] = (
    (rf"[1-9]\d{{3}} ?{_DD}{_MM}{_YY}", _sum((3, 7, 9, -1, 5, 8, 4, 2, 1, 6), 11)),  # Austria
    (rf"{_YY}[.]{_MM}[.]{_DD}[- ]\d{{3}}[. ]\d\d", _belgium),
    (r"756[.]\d{4}[.]\d{4}[.]\d\d", _sum((1, 3) * 7, 10)),  # Switzerland
    (rf"{_YY}(?:0[1-9]|1[0-2]|[57][1-9]|[68][0-2]){_DD}/\d{{4}}", _sum((-1, 1) * 5, 11)),  # Czechia, Slovakia
    # Denmark, Iceland, Sweden: of Denmark's, issued since 2007, the date alone can be checked.
    (rf"{_DD}{_MM}{_YY}-\d{{4}}", _always),
    (rf"(?:19|20)?{_YY}{_MM}{_DD}[-+]\d{{4}}", lambda compact: luhn(compact[-10:])),
    (rf"[1-6]{_YY}{_MM}{_DD}\d{{4}}", _baltic),
    (r"\d{8}[ -]?[A-HJ-NP-TV-Z]|[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z]", _spain),
    (rf"{_DD}{_MM}{_YY}[-+A-FU-Y]\d{{3}}[0-9A-Y]", _finland),
    (r"[12478] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _france),
    (rf"\d\d ?{_DD}{_MM}{_YY} ?[A-Z] ?\d{{3}}", _germany),
    # United Kingdom, National Insurance: no check digit, but no other code is written so.
    (r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", _always),
    (r"\d{7}[A-W][ABHWTX]?", _ireland),
    (r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", _italy),
    (rf"{_DD}{_MM}{_YY}-\d{{5}}", _latvia),
    (
        rf"{_DD}{_MM}{_YY} ?\d{{5}}",  # Norway
        _all(_sum((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), 11), _sum((5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), 11)),
    ),
    (r"\d{8} \d [A-Z][A-Z\d]\d|\d{8} \d \d[A-Z]\d", luhn),  # Portugal
    (rf"[1-8]{_YY}{_MM}{_DD}(?:0[1-9]|[1-4]\d|5[0-2])\d{{4}}", _romania),
    (rf"{_DD}{_MM}[09]\d{{8}}", _yugoslavia),  # and the states that followed it
    (r"(?<!GRI )(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}", _always),  # United States
    (rf"[A-Z]{{4}}{_YY}{_MM}{_DD}[HM][A-Z]{{5}}[A-Z\d]\d", _always),  # Mexico
    (r"\d{3}[.]\d{3}[.]\d{3}-\d\d", _brazil),
    (r"2[0347]-\d{8}-\d", _sum((5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), 11)),  # Argentina
    (r"[1-4]?\d[.]\d{3}[.]\d{3}-[\dK]", _chile),
    (
        rf"[1-9]\d{{5}}(?:19|20){_YY}{_MM}{_DD}\d{{3}}[\dX]",  # China
        _sum((7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1), 11, 1),
    ),
    (rf"{_YY}{_MM}{_DD}-[1-8]\d{{6}}", _always),  # Korea
    (rf"{_YY}{_MM}{_DD}\d{{4}}[01][89]\d", luhn),  # South Africa
    (r"[1-8]-\d{4}-\d{5}-\d\d-\d", _sum((13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1), 11)),  # Thailand
    (rf"{_YY}{_MM}{_DD}-\d\d-\d{{4}}", _always),  # Malaysia
    (r"[1-7]\d{4}-\d{7}-\d", _always),  # Pakistan
)
_COMPILED = tuple((re.compile(form), holds) for form, holds in _FORMS)

WRITTEN = rf"(?<![\w.,/-])(?:{'|'.join(form for form, _ in _FORMS)})(?![\w-]|[.,/]\d)"
"""Numbers that their form identifies, if `is_written` agrees."""


def is_written(value: str) -> bool:
    """Return whether the check digits of one of the forms hold."""
    compact = re.sub(r"[\s./+-]", "", value)
    return any(form.fullmatch(value) and holds(compact) for form, holds in _COMPILED)


_NAMES = (
    r"SSN|(?i:social security|social insurance|sozialversicherungs-?|rentenversicherungs-?|SVNR|RVNR)",
    r"(?i:steuer(?:liche)?[- ]?(?:id|identifikations(?:nummer)?|identifikations-?nr|idnr)|idnr|steuernummer)",
    r"(?i:tax(?:payer)? (?:id|identification|file)|national (?:id|identity|insurance|identification))",
    r"(?i:rijksregister-?|num[ée]ro (?:national|fiscal|de s[ée]curit[ée] sociale)|AHV-?|n[o°]? ?avs)",
    r"(?i:bsn|burgerservice-?|sofi-?|rodn[ée] č[íi]slo|r\. ?č|cpr|isikukood|henkil[öo]tunnus|hetu)",
    r"(?i:nhs|ppsn?|personal public service|kennitala|codice fiscale|asmens kodas|personas kods)",
    r"(?i:f[øo]dsels(?=n)|personn(?=r|u)|pers\.?nr|personal (?:identity )?(?=n)|pesel)",
    r"(?i:cart[ãa]o de cidad[ãa]o|contribuinte|amka|αμκα|oib|egn|егн|em[šs]o|jmbg|cnp|curp|cpf|cui[lt])",
    r"(?i:t\.?c\.? kimlik|tckn|aadh?aar|permanent account|rrn|주민등록번호|身份证号?码?|thai id)",
    r"(?i:เลขประจำตัวประชาชน|ird|teudat zehut|nric|mykad|cnic|рнокпп|іпн|инн|снилс)",
    r"(?i:(?<!corporate )(?<!company )identity (?=n|card)|ID card)",
    r"NIF|NIE|N\.I\.E|NIR|DNI|RUT|RUN|TFN|SIN|PAN|C\.F|CC n\.?º|NI|RČ|(?<!VAT )ID(?= n)",
    r"(?i:(?:reise)?pass(?:port|(?<=reisepass)|(?= ?n)))",
    r"(?i:passeport|pasaporte|passaport[eo]|paspoort|paszportu|útlevél|pasport)",
    r"(?i:personalausweis-?|driv(?:ing|er'?s) licen[cs]e|f[üu]hrerschein(?=n)|permis de conduire)",
)  # fmt: skip
"""Names of the numbers; short names count only in capitals."""

_IS_NUMBER = r"(?i:(?:numbers?|numéro|número|nummer|numer|no|nr|num|n|card|id|is)\b|n[°º]|[ .:#=(°º-])"
_VALUE = r"(?:[A-Z]{1,5}[ -]?)?\d[A-Z\d]{0,18}(?:[ ./-][A-Z]{0,2}\d[A-Z\d]{0,12}|[ -][A-Z](?![\w-])){0,6}"

SAID = rf"(?<![^\W_])(?:{'|'.join(_NAMES)}){_IS_NUMBER}{{0,6}}+(?<!\d)(?P<number>{_VALUE})(?![\w%]|[.,/-]\d)"
"""Numbers that a word in front names; the pattern's group `number` is the number."""
