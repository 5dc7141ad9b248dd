"""ZIPs as honest programs write them, their names, and passwords."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from shared.extract.shapes import Limits
from shared.extract.zips import SafeZip
from tests.unit.zip_files import PROSE, encrypted_by_hand, entries, pack, read_all, refusal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "upload.zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_out_as_they_went_in(file: Path, method: int) -> None:
    """In the directory's order, byte for byte, stored or deflated."""
    members = {"b/report.txt": PROSE, "a.csv": b"x,y\n", "nothing.txt": b""}
    file.write_bytes(pack(members, method))
    assert list(read_all(file).items()) == list(members.items())


def test_an_archive_that_was_written_as_a_stream_is_read(file: Path) -> None:
    """Its local headers have no sizes: they follow the data."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", PROSE)
        archive.writestr("b.txt", PROSE)
    file.write_bytes(pipe.getvalue())
    assert read_all(file) == {"a.txt": PROSE, "b.txt": PROSE}


def test_an_archive_behind_a_program_and_before_a_comment_is_read(file: Path) -> None:
    """As self-extracting archives are; the offsets in it do not count what stands before."""
    buffer = io.BytesIO(pack({"a.txt": PROSE}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"made at the mill"
    file.write_bytes(b"MZ a program" + buffer.getvalue())
    assert read_all(file) == {"a.txt": PROSE}


def test_an_archive_with_the_large_format_is_read(file: Path) -> None:
    """ZIP64 headers on a small member, as programs write them that do not know its size before."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.txt", "w", force_zip64=True) as member,
    ):
        member.write(PROSE)
    file.write_bytes(buffer.getvalue())
    assert read_all(file) == {"a.txt": PROSE}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("dir\\sub\\a.txt", "dir/sub/a.txt"),
        ("/etc/a.txt", "etc/a.txt"),
        ("C:\\temp\\a.txt", "temp/a.txt"),
        ("./a//b/./c.txt", "a/b/c.txt"),
        ("a\nb\x1b[31m\x7f.txt", "ab[31m.txt"),
        ("report\u202etxt.exe", "reporttxt.exe"),
        ("отчёт/報告書 - تقرير.txt", "отчёт/報告書 - تقرير.txt"),
        ("Gru\u0308\u00dfe.txt", "Gr\u00fc\u00dfe.txt"),
        ("می\u200cشود.txt", "می\u200cشود.txt"),
        ("a:b.txt", "b.txt"),
        ("ab:c.txt", "ab:c.txt"),
    ],
)
def test_names_become_relative_and_harmless(file: Path, given: str, expected: str) -> None:
    """Backslashes, roots, drives and control characters go; scripts stay."""
    file.write_bytes(pack({given: PROSE}))
    assert read_all(file) == {expected: PROSE}


def test_a_name_in_utf8_that_does_not_say_so_is_read_as_utf8(file: Path) -> None:
    """Macs leave out the flag; without this every umlaut would be two wrong characters."""
    data = pack({"Größe.txt": PROSE})
    for at in (0, *entries(data)):
        flags = at + (8 if at else 6)
        data = data[:flags] + b"\0\0" + data[flags + 2 :]
    file.write_bytes(data)
    assert read_all(file) == {"Größe.txt": PROSE}


def test_what_leads_out_of_the_archive_is_left_out_with_a_warning(file: Path) -> None:
    """The other members are read all the same."""
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO(pack({"../../etc/cron.d/x": b"1", "a/..\\..\\b": b"2", "ok.txt": PROSE, "": b"3"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    file.write_bytes(buffer.getvalue())
    with SafeZip(file, Limits()) as archive:
        assert archive.names == ["ok.txt"]
        assert archive.warnings == [
            "files of the archive that lead out of it: 3, left out",
            "files of the archive that are links: 1, left out",
        ]


def test_folders_and_furniture_are_no_members(file: Path) -> None:
    """Nor do they deserve a warning: nobody put them there on purpose."""
    junk = ["dir/", "dir\\", "__MACOSX/._a.txt", "x/._a.txt", "x/.DS_Store", "Thumbs.db", "a.txt"]
    file.write_bytes(pack({name: b"" if name.endswith(("/", "\\")) else PROSE for name in junk}))
    with SafeZip(file, Limits()) as archive:
        assert (archive.names, archive.warnings) == (["a.txt"], [])


def test_of_two_members_with_one_name_the_first_counts(file: Path) -> None:
    """After tidying, names are the same that were different before; a warning says so."""
    file.write_bytes(pack({"a/b.txt": b"first", "a\\b.txt": b"second", "/a/b.txt": b"third"}))
    with SafeZip(file, Limits()) as archive:
        assert archive.open("a/b.txt").read() == b"first"
        assert archive.warnings == ["files of the archive that are there twice: 2, left out"]


def test_an_encrypted_member_wants_its_password(file: Path) -> None:
    """Without it, and with a wrong one, the refusal says what is missing; with it the member is read."""
    data = encrypted_by_hand(b"wheel")
    assert refusal(file, data) == "encrypted"
    assert refusal(file, data, password="") == "encrypted"
    assert {refusal(file, data, password=f"no{number}") for number in range(5)} <= {
        "encrypted",
        "unreadable_archive",  # one wrong password in 256 passes the check of one byte
    }
    file.write_bytes(data)
    assert read_all(file, password="wheel") == {"a.txt": PROSE}


@pytest.mark.parametrize(("offset", "value"), [(8, 0x41), (10, 99)], ids=["strong", "aes"])
def test_encryption_that_cannot_be_undone_is_named(file: Path, offset: int, value: int) -> None:
    """Such an archive is not damaged, and a password would not help."""
    data = encrypted_by_hand(b"wheel")
    for at in (offset - 2, entries(data)[0] + offset):
        data = data[:at] + struct.pack("<H", value) + data[at + 2 :]
    assert refusal(file, data, password="wheel") == "encrypted"


def test_an_empty_archive_has_no_members(file: Path) -> None:
    """It is whole all the same."""
    file.write_bytes(pack({}))
    assert read_all(file) == {}
