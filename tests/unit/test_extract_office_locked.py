"""Office documents with a password: opened with the operator's, and otherwise refused in words."""

from __future__ import annotations

import io
import random
import zipfile
from typing import TYPE_CHECKING

import pytest
from msoffcrypto.method.ecma376_agile import ECMA376Agile

from shared.extract.core import extract
from shared.extract.shapes import ExtractOptions, Limits
from shared.extract.sniff import OLE
from shared.platform.errors import Rejected
from tests.unit.cuts import read_apart
from tests.unit.office_files import docx, pack

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "ein Mühlrad"
TEXT = "The mill on the river has burnt bark instead of gas since spring."
OPTIONS = ExtractOptions(password=PASSWORD)


def locked(package: bytes) -> bytes:
    """As today's Office locks a document; with a picture, since the library cannot lock less than 4 kB."""
    file = io.BytesIO(package)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("media/picture.png", random.Random(3).randbytes(8_000))
    file.seek(0)
    return bytes(ECMA376Agile.encrypt(PASSWORD, file, spin_count=1_000))


@pytest.fixture(scope="module")
def document() -> bytes:
    return locked(docx(f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def refusal(path: Path, data: bytes, password: str | None, limits: Limits | None = None) -> Rejected:
    path.write_bytes(data)
    options = ExtractOptions(password=password, limits=limits or Limits())
    with pytest.raises(Rejected) as caught:
        extract(path, name="a.docx", content_type=None, options=options)
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
    return caught.value


def test_a_locked_document_opens_with_its_password(file: Path, document: bytes, tokenizer: Path) -> None:
    """In the process that may write nothing, as well."""
    file.write_bytes(document)
    extracted = extract(file, name="a.docx", content_type=None, options=OPTIONS)
    assert [block.text for block in extracted.blocks] == [TEXT]
    assert extracted.warnings == []
    assert read_apart(file, tokenizer, "a.docx", password=PASSWORD).text == TEXT


@pytest.mark.parametrize("password", [None, "", "another"])
def test_without_the_right_password_it_is_refused(file: Path, document: bytes, password: str | None) -> None:
    found = refusal(file, document, password)
    assert found.code == "encrypted"
    assert ("does not open it" in found.message) == bool(password)
    assert "docpw-" in found.hint


def test_the_limits_hold_for_what_was_locked(file: Path) -> None:
    """A bomb is one behind a password too."""
    bomb = locked(docx(" " * (8 << 20)))
    assert refusal(file, bomb, PASSWORD, Limits(inflated_bytes=1 << 20)).code == "inflates_too_much"
    assert refusal(file, bomb, PASSWORD, Limits(members=1)).code == "too_many_members"


def test_only_an_office_document_may_be_locked_like_one(file: Path) -> None:
    assert refusal(file, locked(pack({"a.txt": "words"})), PASSWORD).code == "unreadable_document"


def test_a_damaged_container_is_refused(file: Path, document: bytes) -> None:
    """Whatever is changed in it, and wherever it ends."""
    dice = random.Random(5)
    codes = {"unreadable_document", "encrypted", "unreadable_archive", "unsafe_archive"}
    for kept in (600, 2_000, len(document) - 600):
        assert refusal(file, document[:kept], PASSWORD).code in codes | {"unsupported_type"}
    for _ in range(10):
        changed = bytearray(document)
        for _ in range(200):
            changed[dice.randrange(512, len(changed))] = dice.randrange(256)
        assert refusal(file, bytes(changed), PASSWORD).code in codes | {"unsupported_type"}


def test_a_container_of_nothing_is_refused(file: Path) -> None:
    data = OLE + bytes(504) + "EncryptedPackage".encode("utf-16-le")
    assert refusal(file, data, None).code == "encrypted"
    assert refusal(file, data, PASSWORD).code == "unreadable_document"
