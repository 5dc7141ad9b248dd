"""The members of an archive are the newest one's, whoever unpacks an older one at the same time."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from shared.digests.store import erase
from shared.documents.completion import finish
from shared.documents.store import Documents, document_id, now
from shared.extract.shapes import Limits
from shared.extract.zips import ZIP
from shared.intake import archives
from shared.intake.archives import Archive, unpack
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import Superseded
from shared.platform.records import UploadEvent
from tests.integration.documents_parts import plan_of
from tests.integration.documents_servers import serving_files
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from google.cloud.storage import Blob

BUCKET = "uploads"


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage."""
    with serving_files(tmp_path_factory.mktemp("archives"), BUCKET):
        yield


@pytest.fixture(autouse=True)
def empty() -> None:
    """Each test has the bucket to itself."""
    for blob in storage_client().list_blobs(BUCKET):
        blob.delete()


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


class Upload:
    """An object in the bucket, and what becomes of its event."""

    def __init__(self, folder: Path, blob: Blob, content: bytes) -> None:
        self.path = folder / f"{blob.generation}"
        self.path.write_bytes(content)
        self.documents = Documents(firestore_client())
        self.document = document_id(BUCKET, blob.name)
        self.event = UploadEvent(
            bucket=BUCKET,
            name=blob.name,
            generation=blob.generation,
            event_type="OBJECT_FINALIZE",
            size=len(content),
            metadata=blob.metadata or {},
        )
        claim = self.documents.claim(self.event, published=now(), lease_seconds=60)
        assert claim is not None
        self.claim = claim

    def unpack(self) -> int:
        return unpack(self.path, ZIP, self.event, self.document, Limits(), seconds=60).members

    def completes(self) -> None:
        self.documents.plan(self.claim, plan_of(f"{self.document}-{self.claim.run}", ()))
        finish(self.documents, self.document, self.claim.run)


def uploaded(folder: Path, name: str, files: dict[str, bytes]) -> Upload:
    """A new archive of that name, claimed."""
    blob, content = storage_client().bucket(BUCKET).blob(name), zipped(files)
    blob.upload_from_string(content)
    return Upload(folder, blob, content)


def ingested(folder: Path, name: str) -> Upload:
    """A member that is in the bucket, claimed."""
    blob = storage_client().bucket(BUCKET).get_blob(name)
    assert blob is not None
    return Upload(folder, blob, blob.download_as_bytes())


def held(archive: str) -> dict[str, bytes]:
    """What lies under an archive's name."""
    found = storage_client().list_blobs(BUCKET, prefix=f"{archive}!/")
    return {blob.name.removeprefix(f"{archive}!/"): blob.download_as_bytes() for blob in found}


def record(name: str) -> dict[str, Any]:
    reference = firestore_client().collection("documents").document(document_id(BUCKET, name))
    return reference.get().to_dict() or {}


def once(patch: pytest.MonkeyPatch, method: str, happens: Callable[[], object]) -> None:
    """Let something happen just after the first call of an archive's method."""
    real = getattr(Archive, method)
    calls: list[str] = []

    def then(self: Archive) -> Any:
        found = real(self)
        if not calls:
            calls.append(method)
            happens()
        return found

    patch.setattr(Archive, method, then)


NEWEST = {"a.txt": b"new a", "c.txt": b"new c"}


@pytest.mark.parametrize("moment", ["before", "listed", "storing"])
def test_a_slow_unpacking_leaves_the_newer_archive_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: str
) -> None:
    """Whenever the newer one is unpacked: before the older one looks, after that, or as a member travels."""
    name = f"{moment}.zip"
    files = {"b.txt": b"only in the old"}
    if moment != "storing":  # where a single member travels, it is the one
        files["a.txt"] = b"old a"
    older = uploaded(tmp_path, name, files)

    def newer() -> None:
        upload = uploaded(tmp_path, name, NEWEST)
        assert upload.unpack() == len(NEWEST)
        upload.completes()

    if moment == "before":
        newer()
    else:
        once(monkeypatch, {"listed": "objects", "storing": "check"}[moment], newer)
    with pytest.raises(Superseded):
        older.unpack()
    assert held(name) == NEWEST
    assert (record(name)["state"], record(name)["run"]) == ("completed", 2)
    if moment == "storing":  # what was stored for a moment has a notification on its way
        late = older.event.model_copy(update={"name": f"{name}!/b.txt"})
        with pytest.raises(Superseded):
            older.documents.claim(late, published=now(), lease_seconds=60)


def test_a_fault_of_one_that_was_overtaken_leaves_nothing_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No delivery comes again to make it good: the older generation is refused by then."""
    older = uploaded(tmp_path, "fault.zip", {"b.txt": b"only in the old"})
    real = Archive.check

    def lost(self: Archive) -> None:
        if self.event != older.event or not held("fault.zip"):
            real(self)
            return
        uploaded(tmp_path, "fault.zip", NEWEST)  # which is not unpacked yet
        raise ConnectionError

    monkeypatch.setattr(Archive, "check", lost)
    with pytest.raises(ConnectionError):
        older.unpack()
    assert held("fault.zip") == {}


@pytest.mark.parametrize("there", ["nothing", "older", "elsewhere"])
def test_a_member_whose_object_changes_since_it_was_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: str
) -> None:
    """It is stored where it is gone by then, or an older archive has stored its own; its owner's stays."""
    name = f"changes-{there}.zip"
    uploaded(tmp_path, name, {"a.txt": b"old a"}).unpack()

    def changes() -> None:
        blob = storage_client().bucket(BUCKET).get_blob(f"{name}!/a.txt")
        assert blob is not None
        if there == "nothing":
            blob.delete()
            return
        again = storage_client().bucket(BUCKET).blob(blob.name)
        again.metadata = blob.metadata if there == "older" else {}
        again.upload_from_string(b"meanwhile")

    newer = uploaded(tmp_path, name, NEWEST)
    once(monkeypatch, "objects", changes)
    newer.unpack()
    assert held(name) == (NEWEST | {"a.txt": b"meanwhile"} if there == "elsewhere" else NEWEST)


def unpacked(folder: Path, name: str) -> None:
    """An archive of two files, one of them claimed; and what a person put beside them."""
    uploaded(folder, name, {"a.txt": b"a", "x.txt": b"x"}).unpack()
    ingested(folder, f"{name}!/x.txt").completes()
    storage_client().bucket(BUCKET).blob(f"{name}!/mine.txt").upload_from_string("mine")


STAYS = {"a.txt", "mine.txt"}


def test_what_a_newer_archive_lacks_is_removed(tmp_path: Path) -> None:
    """Its objects go at once, its documents at the next sweep; whatever came from elsewhere stays."""
    unpacked(tmp_path, "o.zip")
    late = ingested_event("o.zip!/x.txt")
    uploaded(tmp_path, "o.zip", {"a.txt": b"a"}).unpack()
    assert set(held("o.zip")) == STAYS
    assert record("o.zip!/x.txt")["expires_at"] <= now()
    tick()
    assert record("o.zip!/x.txt") == {}
    assert record("o.zip")["state"] == "extracting"
    with pytest.raises(Superseded):
        Documents(firestore_client()).claim(late, published=now(), lease_seconds=60)


def ingested_event(name: str) -> UploadEvent:
    """The notification of an object, which may come late."""
    blob = storage_client().bucket(BUCKET).get_blob(name)
    assert blob is not None
    return UploadEvent(
        bucket=BUCKET, name=name, generation=blob.generation, event_type="OBJECT_FINALIZE", size=1
    )


@pytest.mark.parametrize("step", ["_expire", "_delete"])
@pytest.mark.parametrize("after", [False, True])
def test_a_removal_that_is_killed_is_ended_by_the_next_delivery(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, *, after: bool
) -> None:
    """Before or after any of its steps."""
    name = f"killed{step}{after}.zip"
    unpacked(tmp_path, name)
    newer = uploaded(tmp_path, name, {"a.txt": b"a"})
    real = getattr(archives, step)

    def killed(blob: Blob) -> None:
        if after:
            real(blob)
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(archives, step, killed)
        with pytest.raises(RuntimeError):
            newer.unpack()
    newer.unpack()
    assert set(held(name)) == STAYS
    if (step, after) != ("_delete", True):
        tick()
        assert record(f"{name}!/x.txt") == {}


def test_an_archive_that_was_erased_stores_nothing_more(tmp_path: Path) -> None:
    """By its retention, say; what is in the bucket stays there, as its own file does."""
    archive = uploaded(tmp_path, "ended.zip", {"a.txt": b"a"})
    archive.unpack()
    erase(firestore_client(), archive.document)
    with pytest.raises(Superseded, match="was erased"):
        archive.unpack()
    assert set(held("ended.zip")) == {"a.txt"}
