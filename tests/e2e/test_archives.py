"""An archive's files are documents of their own, whatever happens on the way."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_again import notify_again, settled
from tests.e2e.test_drop import GOOD_AND_BAD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.running import RunningStack

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(32)


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def dropped(stack: RunningStack, path: Path, status: int = 0) -> dict[str, dict[str, Any]]:
    """The documents of an archive and its members, by name; the status is 1 where one is rejected."""
    return {shown["name"]: shown for shown in stack.json("drop", str(path), "--wait", status=status)}


def test_members_are_documents(stack: RunningStack, tmp_path: Path) -> None:
    """Each with its own result or its own error, linked to the archive; an archive in it is rejected."""
    good = GOOD_AND_BAD.replace("Brackwater", "Packed").encode()
    path = tmp_path / "reports.zip"
    path.write_bytes(
        zipped(
            {
                "a/good.txt": good,
                "picture.png": PICTURE,
                "inner.zip": zipped({"x.txt": good}),
                "Größe.txt.gz": gzip.compress(good),
            }
        )
    )
    found = dropped(stack, path, status=1)
    archive = found["reports.zip"]
    assert (archive["state"], archive["members"], archive["passages"], archive["archive"]) == (
        "completed",
        4,
        0,
        None,
    )
    assert {name: (shown["state"], (shown["error"] or {}).get("code")) for name, shown in found.items()} == {
        "reports.zip": ("completed", None),
        "reports.zip!/a/good.txt": ("completed", None),
        "reports.zip!/picture.png": ("rejected", "unsupported_type"),
        "reports.zip!/inner.zip": ("rejected", "archive_in_archive"),
        "reports.zip!/Größe.txt.gz": ("rejected", "archive_in_archive"),
    }
    assert found["reports.zip!/a/good.txt"]["archive"] == archive["id"]
    assert found["reports.zip!/a/good.txt"]["initiatives"] == 1


@pytest.mark.usefixtures("clients")
def test_unpacking_again_changes_nothing(stack: RunningStack, tmp_path: Path) -> None:
    """The archive's event comes again: no member is stored a second time, so none is analyzed again."""
    path = tmp_path / "again.zip"
    path.write_bytes(zipped({"one.txt": GOOD_AND_BAD.replace("Brackwater", "Again").encode()}))
    before = dropped(stack, path)
    from shared.documents.store import Documents
    from shared.documents.uploads import restart
    from shared.platform.clients import firestore_client

    notify_again(before["again.zip"], 5)
    restart(Documents(firestore_client()), before["again.zip"]["id"], 1)
    settled(stack, before["again.zip"]["id"], 2)
    assert stack.json("show", "again.zip!/one.txt") == [before["again.zip!/one.txt"]]


@pytest.mark.usefixtures("clients")
def test_a_newer_archive_replaces_its_members(stack: RunningStack, tmp_path: Path) -> None:
    """What changed is analyzed again, what is gone is deleted, what was never a member stays."""
    from shared.platform.clients import storage_client

    bucket = storage_client().bucket("headrace-local-uploads")
    bucket.blob("newer.zip!/mine.txt").upload_from_string("The mine used less water in the year.")
    path = tmp_path / "newer.zip"
    files = {"stays.txt": b"The mill cut its emissions by 4%.", "goes.txt": b"The mill paid a fine in May."}
    path.write_bytes(zipped(files | {"mine.txt": b"Not mine."}))
    first = dropped(stack, path)
    assert first["newer.zip"]["members"] == 2
    assert any("another object" in warning for warning in first["newer.zip"]["warnings"])
    path.write_bytes(zipped({"stays.txt": b"The mill cut its emissions by 5% more."}))
    second = dropped(stack, path)
    assert second["newer.zip!/stays.txt"]["run"] == 2
    names = {blob.name for blob in bucket.list_blobs(prefix="newer.zip")}
    assert names == {"newer.zip", "newer.zip!/stays.txt", "newer.zip!/mine.txt"}


def test_a_bomb_leaves_nothing(stack: RunningStack, tmp_path: Path) -> None:
    """It is rejected as a whole, with a code and a sentence, though its first file is harmless."""
    path = tmp_path / "bomb.zip"
    path.write_bytes(zipped({"harmless.txt": GOOD_AND_BAD.encode(), "bomb.txt": bytes(300 << 20)}))
    found = dropped(stack, path, status=1)
    assert list(found) == ["bomb.zip"]
    assert found["bomb.zip"]["error"]["code"] == "inflates_too_much"
