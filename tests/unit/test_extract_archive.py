"""Archives give their members one after the other, and stop at what is too much."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING

import pytest

from shared.extract.shapes import Limits
from shared.extract.zips import FREE_INFLATION, GZIP, ZIP, members
from shared.platform.errors import Rejected
from tests.unit.zip_files import PROSE, encrypted_by_hand

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, media_type: str, name: str, limits: Limits | None = None) -> dict[str, bytes]:
    warnings: list[str] = []
    return {
        member: content.read()
        for member, content in members(path, media_type, name, limits or Limits(), warnings)
    }


def test_a_zip_gives_its_files(tmp_path: Path) -> None:
    """With their paths; folders are none."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("reports")
        archive.writestr("reports/water.txt", "The river was clean.")
        archive.writestr("air.csv", "text\nThe air was clean.\n")
    assert read(path, ZIP, "a.zip") == {
        "reports/water.txt": b"The river was clean.",
        "air.csv": b"text\nThe air was clean.\n",
    }


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("deep/er/report.pdf.gz", "report.pdf"),
        ("REPORT.GZ", "REPORT"),
        ("report", "content"),
        (".gz", "content"),
    ],
)
def test_a_gzip_file_has_one_member(tmp_path: Path, name: str, member: str) -> None:
    """Named after the archive, without its folder and its ending."""
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"The river was clean.") + gzip.compress(b" And so was the air."))
    assert read(path, GZIP, name) == {member: b"The river was clean. And so was the air."}


@pytest.mark.parametrize(
    "limits", [Limits(inflation=20), Limits(inflated_bytes=2 * FREE_INFLATION)], ids=["ratio", "bytes"]
)
def test_a_gzip_bomb_stops_while_it_is_unpacked(tmp_path: Path, limits: Limits) -> None:
    """Before more than the limit has been held."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(64 << 20)))
    taken: list[int] = []

    def drain() -> None:
        for _, content in members(path, GZIP, "bomb.gz", limits, []):
            while chunk := content.read(1 << 16):
                taken.append(len(chunk))

    with pytest.raises(Rejected) as caught:
        drain()
    assert caught.value.code == "inflates_too_much"
    assert FREE_INFLATION <= sum(taken) <= 2 * FREE_INFLATION


@pytest.mark.parametrize("kept", [5, 12, 30, -1])
def test_a_gzip_file_that_was_cut_off_is_damaged(tmp_path: Path, kept: int) -> None:
    """Wherever it was cut."""
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"The river was clean. " * 9)[:kept])
    with pytest.raises(Rejected) as caught:
        read(path, GZIP, "cut.gz")
    assert caught.value.code == "unreadable_archive"


def test_an_encrypted_archive_opens_with_its_password(tmp_path: Path) -> None:
    """With the operator's; without it the refusal says where that is to be put."""
    file = tmp_path / "upload"
    file.write_bytes(encrypted_by_hand(b"wheel"))
    opened = members(file, ZIP, "a.zip", Limits(), [], password="wheel")
    assert {name: content.read() for name, content in opened} == {"a.txt": PROSE}
    with pytest.raises(Rejected) as caught:
        list(members(file, ZIP, "a.zip", Limits(), []))
    assert (caught.value.code, "docpw-" in caught.value.hint) == ("encrypted", True)
