"""Office documents that are cut off, changed, or no package at all: each ends in a refusal or a result."""

from __future__ import annotations

import io
import random
import re
import sys
import zipfile
from subprocess import run
from typing import TYPE_CHECKING

import pytest

from tests.unit.office_files import (
    pack,
)
from tests.unit.office_harm import READERS, code, documents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.extract.shapes import Extracted, ExtractOptions

    Reader = Callable[[Path, ExtractOptions], Extracted]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@READERS
def test_what_is_no_package_is_refused(file: Path, reader: Reader) -> None:
    """An archive of something else, an empty one, an old or locked Office file, no archive at all."""
    for data, expected in [
        (pack({"a.txt": b"x"}), "unreadable_document"),
        (pack({}), "unreadable_document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "unreadable_archive"),
        (b"junk" * 100, "unreadable_archive"),
        (pack({"_rels/.rels": b"\0\xff junk"}), "unreadable_document"),
        (pack({"_rels/.rels": b""}), "unreadable_document"),
    ]:
        assert code(reader, file, data) == expected


@READERS
def test_numbers_that_are_none_are_damage(file: Path, reader: Reader) -> None:
    """Wherever the format has a number: nonsense, negative, of ten thousand digits."""
    data = documents()[reader]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for value in (b"x", b"-5", b"9" * 5_000, b"", b"1e5", "٣".encode()):
        for name, part in parts.items():
            changed = re.sub(rb'(?<=")\d+(?=")', value, part)
            changed = re.sub(rb"(?<=<v>)\d+(?=</v>)", value, changed)
            outcome = code(reader, file, pack(parts | {name: changed}))
            assert outcome in {"read", "unreadable_document", "no_text"}, (name, value)


@READERS
def test_a_document_cut_off_anywhere_is_refused(file: Path, reader: Reader) -> None:
    """As an archive it has lost its end, with all that says where its parts are."""
    data = documents()[reader]
    outcomes = {code(reader, file, data[:size]) for size in range(0, len(data), 11)}
    assert outcomes == {"unreadable_archive"}


@READERS
def test_parts_cut_off_or_changed_end_in_a_refusal_or_a_result(file: Path, reader: Reader) -> None:
    """The archive is whole, its XML is not; or bytes of the packed file are changed. Nothing else leaves."""
    dice = random.Random(7)
    data = documents()[reader]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    outcomes = set()
    for _ in range(200):
        name = dice.choice(list(parts))
        part = bytearray(parts[name])
        match dice.randrange(5):
            case 0:
                del part[dice.randrange(len(part) or 1) :]
            case 1:
                for _ in range(dice.randint(1, 5)):
                    part[dice.randrange(len(part))] = dice.randrange(256)
            case 2:  # an element or attribute is lost
                found = dice.choice(list(re.finditer(rb"<[^<>]*>|\S+=\"[^\"]*\"", part)))
                del part[found.start() : found.end()]
            case 3:  # one is there twice, or elsewhere
                found = dice.choice(list(re.finditer(rb"<[^<>]*>", part)))
                at = dice.randrange(len(part))
                part[at:at] = found[0]
            case _:  # a name or value is another of the same part
                words = re.findall(rb"\w+", part)
                word, other = dice.choice(words), dice.choice(words)
                part = bytearray(re.sub(rb"\b%s\b" % word, other, part))
        outcomes.add(code(reader, file, pack(parts | {name: bytes(part)})))
    for _ in range(200):
        bad = bytearray(data)
        for _ in range(dice.randint(1, 4)):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        outcomes.add(code(reader, file, bytes(bad)))
    assert {"read", "unreadable_document", "unreadable_archive", "unsafe_archive"} <= outcomes
    assert outcomes <= {
        "read", "unreadable_document", "unreadable_archive", "unsafe_archive", "no_text", "encrypted",
        "inflates_too_much", "too_many_members", "too_many_columns",
    }  # fmt: skip


def test_reading_office_documents_needs_no_library() -> None:
    """Cold start: nothing beyond the standard library comes in with the readers."""
    script = (
        "import sys; before = set(sys.modules); import shared.extract.office; "
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names | {'shared'} "
        "and m not in before])"
    )
    assert run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
