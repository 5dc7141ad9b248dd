"""Redaction: what identifies a person goes, what is a figure stays, and the same person stays countable."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.privacy import redact

KEY = b"a key of this test"
PSEUDONYM = re.compile(r"\[(\w+):[0-9a-f]{16}\]")

PERSONAL = [
    ("Write to jane.doe@example.com now.", "email"),
    ("<press-office+eu@sub.example.co.uk>", "email"),
    ("jürgen.müller@exämple.de", "email"),
    ("DE89 3704 0044 0532 0130 00", "iban"),
    ("GB82WEST12345698765432", "iban"),
    ("4111 1111 1111 1111", "card"),
    ("5500-0000-0000-0004", "card"),
    ("from 192.168.10.25, twice", "ip"),
    ("2001:db8::ff00:42:8329", "ip"),
    ("+49 89 4277 1345", "phone"),
    ("+44 (0)20 7946 0958", "phone"),
    ("+1 (212) 555-0187", "phone"),
    ("+41446681800", "phone"),
    ("0049 89 427710", "phone"),
    ("(212) 555-0187", "phone"),
    ("212-555-0187", "phone"),
    ("Tel.: 089 42771-345", "phone"),
    ("Telefon: (089) 42771-0", "phone"),
    ("Fax 030/1234567", "phone"),
    ("T: 0316 123 456", "phone"),
    ("SSN 078-05-1120", "id"),
    ("Social Security: 078 05 1120", "id"),
    ("NI number AB 12 34 56 C", "id"),
    ("2 55 08 14 168 025 38", "id"),
    ("255081416802538", "id"),
    ("12345678Z", "id"),
    ("X-1234567-L", "id"),
    ("RSSMRA85T10A562S", "id"),
    ("756.9217.0769.85", "id"),
    ("111.444.777-35", "id"),
    ("Steuer-ID: 86 095 742 719", "id"),
    ("BSN 111222333", "id"),
    ("PESEL 44051401359", "id"),
    ("personnummer 811218-9876", "id"),
    ("Aadhaar no. 2341 2341 2346", "id"),
    ("PAN: ABCPE1234F", "id"),
    ("social insurance number 130 692 544", "id"),
    ("passport number C01X00T47", "id"),
]

FIGURES = [
    "2019-2021",
    "1,234,567",
    "12 345 678 tonnes",
    "+20 000 000 000 kWh",
    "+5,000 employees and +12.5%",
    "Scope 1+2",
    "ISO 14001:2015 and ISO/IEC 27001:2022",
    "Regulation (EU) 2020/852",
    "(2022: 12,345)",
    "US0378331005 and DE0005104400",  # ISIN
    "ISBN 978-3-16-148410-0",
    "GRI 102-53-1234",
    "2006 2007 2008 2009",
    "1234 5678 9012 3456",  # no check digit
    "DE89 3704 0044 0532 0130 01",  # no check digits
    "31.12.2023, 2015-12-31, 10:30:45",
    "see 3.5.1.2 and 10.2.3.4",  # chapters
    "version 1.2.3.4",
    "Phone sales 2021 2022 2023",
    "T 2022 2021 2020",
    "call 2022-2023",
    "m 2022 2023 1234",
    "Sec. 289c to 289e",
    "@atoss and a@b",
    "12:34:56 and a::b",
    "255081416802539",  # no check digits
    "12345678A",
    "RSSMRA85T10A562T",
    "756.9217.0769.84",
    "111.444.777-36",
    "86 095 742 719 kWh",
    "Steuern: 86 095 742 718",
    "our passport to 2030",
    "insurance of 046 454 287",
    "personal number of days: 12",
    "AB123456",
    "QQ123456C",
]


@pytest.mark.parametrize(("text", "kind"), PERSONAL)
def test_what_identifies_a_person_is_replaced(text: str, kind: str) -> None:
    """One pseudonym of the right kind, and nothing of the value left."""
    redacted = redact(text, KEY)
    assert [match[1] for match in PSEUDONYM.finditer(redacted)] == [kind]
    assert not any(char.isdigit() for char in PSEUDONYM.sub("", redacted))
    assert "@" not in redacted


@pytest.mark.parametrize("text", FIGURES)
def test_figures_dates_and_identifiers_of_things_stay(text: str) -> None:
    """A destroyed figure would be an error nobody notices."""
    assert redact(text, KEY) == text


def test_recall_and_precision_on_these_cases() -> None:
    """Together in one text as well as alone: no case hides another."""
    text = " ; ".join(text for text, _ in PERSONAL) + " ; " + " ; ".join(FIGURES)
    redacted = redact(text, KEY)
    assert [match[1] for match in PSEUDONYM.finditer(redacted)] == [kind for _, kind in PERSONAL]
    assert redacted.endswith(" ; ".join(FIGURES))


def test_the_same_value_has_the_same_pseudonym_under_one_key_only() -> None:
    """Spelling does not matter; another key gives another pseudonym, another kind too."""
    assert redact("Jane.Doe@Example.com", KEY) == redact("jane.doe@example.com", KEY)
    assert redact("+49 89 4277 1345", KEY) == redact("+49 (89) 4277-1345", KEY)
    assert redact("jane.doe@example.com", KEY) != redact("jane.doe@example.com", b"another key")


def test_a_number_behind_another_is_found_too() -> None:
    """What hid it is replaced first, so the text is looked over again."""
    assert not any(char.isdigit() for char in PSEUDONYM.sub("", redact("+ 212-555-0187 0049 89 427710", KEY)))


@given(
    parts=st.lists(
        st.sampled_from([text for text, _ in PERSONAL] + FIGURES) | st.text(max_size=20), max_size=8
    )
)
@settings(max_examples=300, deadline=None)
def test_redacting_twice_changes_nothing(parts: list[str]) -> None:
    """A pseudonym is never taken for something personal."""
    once = redact(" ".join(parts), KEY)
    assert redact(once, KEY) == once


@given(
    digits=st.text(alphabet="0123456789abcdef", min_size=16, max_size=16),
    cue=st.sampled_from(["Tel ", "t: ", ""]),
)
@settings(max_examples=300, deadline=None)
def test_any_pseudonym_is_left_alone(digits: str, cue: str) -> None:
    """Whatever its digits look like: also where they would pass for a card or a telephone."""
    for kind in ("email", "iban", "card", "ip", "phone", "id"):
        text = f"{cue}[{kind}:{digits}]"
        assert redact(text, KEY) == text


@pytest.mark.parametrize(
    "text", ["a" * 200_000 + "@", "1" * 200_000, "1 " * 100_000, ":" * 200_000, "a.b@" * 50_000]
)
def test_hostile_text_takes_no_longer_than_other_text(text: str) -> None:
    """No pattern looks back over what it has seen."""
    started = time.process_time()
    redact(text, KEY)
    assert time.process_time() - started < 6
