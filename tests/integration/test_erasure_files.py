"""With its file: what was there when somebody was asked is deleted, and what came since stays and is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from cli.main import headrace
from shared.api import erasing
from shared.digests import store as digests
from shared.documents.store import document_id
from shared.platform.clients import firestore_client, storage_client
from shared.platform.settings import settings
from tests.integration.documents_life import Life
from tests.integration.documents_servers import serving_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPLOADS = "uploads"
"""The bucket in which a `Life` is."""


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, with the buckets of a project."""
    with serving_files(tmp_path_factory.mktemp("erasure-files"), UPLOADS):
        yield


def uploaded(name: str | None = None) -> Life:
    """A document that was analyzed, and its file."""
    life = Life()
    life.name = name or life.name
    life.analyze(life.claim(1), 1)
    put(life.name, "asked about")
    return life


def put(name: str, text: str, bucket: str = UPLOADS) -> int:
    """Upload a file; its generation. No notification of it comes."""
    blob = storage_client().bucket(bucket).blob(name)
    blob.upload_from_string(text)
    return int(blob.generation)


def content(name: str, bucket: str = UPLOADS) -> str | None:
    blob = storage_client().bucket(bucket).get_blob(name)
    return None if blob is None else blob.download_as_text()


def record(life: Life) -> dict[str, Any]:
    reference = firestore_client().collection("documents").document(document_id(UPLOADS, life.name))
    return reference.get().to_dict() or {}


@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_uploaded_after_the_question_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, as_json: bool
) -> None:
    """Its notification is still to come, so the record is as it was; the answer says that it is there."""
    life, other = uploaded(), uploaded()
    came, asked = [], erasing.subjects

    def then_it_comes_again(*of: Any, **more: Any) -> list[erasing.Subject]:
        chosen = asked(*of, **more)
        came.append(put(life.name, "new"))
        return chosen

    monkeypatch.setattr(erasing, "subjects", then_it_comes_again)
    of = [document_id(UPLOADS, one.name) for one in (life, other)]
    options = ["--with-file", "--yes", "--data", str(tmp_path), *(["--json"] if as_json else [])]
    done = CliRunner().invoke(headrace, ["erase", *of, *options])
    assert done.exit_code == 1, done.output
    assert (content(life.name), content(other.name)) == ("new", None)
    assert record(life) == record(other) == {}
    kept = (
        f"Its file was uploaded again meanwhile (generation {came[0]}); what there was before is erased. "
        f"Once that has ended, ask again: headrace erase --with-file {of[0]}"
    )
    if as_json:
        told = [(one["files"], one["newer"], one["kept"]) for one in json.loads(done.output)]
        assert told == [(0, came, kept), (1, [], None)]
    else:
        assert f"{of[0]}  {life.name}: kept. {kept}\n" in done.output
        assert f"{of[1]}  {other.name}: erased\n" in done.output


def test_files_are_told_though_the_new_upload_is_claimed_while_they_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old file is gone by then, and the new one is left to its run."""
    life = uploaded()

    def comes_again(*_: Any) -> None:
        put(life.name, "new")
        life.claim(2)

    monkeypatch.setattr(digests, "redact", comes_again)
    chosen = erasing.subjects([document_id(UPLOADS, life.name)], with_file=True)
    [erased] = erasing.erase(chosen)
    assert erased.files == 1
    assert (erased.kept or "").startswith(
        "It was uploaded again while it was erased; what came is left alone. "
        "Of its file, versions that were asked about are deleted: 1. Once that has ended, ask again:"
    )
    assert (content(life.name), record(life)["run"]) == ("new", 3)


def test_a_file_without_a_record_that_came_again_stays() -> None:
    """An archive's members too, of which another has not changed."""
    bucket = settings().uploads_bucket
    for name in ("bare.zip", "bare.zip!/a.txt", "bare.zip!/b.txt"):
        put(name, "asked about", bucket)
    chosen = erasing.subjects(["bare.zip"], with_file=True)
    newer = {name: [put(name, "new", bucket)] for name in ("bare.zip", "bare.zip!/a.txt")}
    late = put("bare.zip!/late.txt", "new", bucket)
    done = erasing.erase(chosen)
    assert {one.name: one.newer for one in done} == newer | {"bare.zip!/b.txt": []}
    assert {one.name: one.files for one in done} == dict.fromkeys(newer, 0) | {"bare.zip!/b.txt": 1}
    left = {blob.name: blob.generation for blob in storage_client().list_blobs(bucket, prefix="bare.zip")}
    assert left == {name: one for name, [one] in newer.items()} | {"bare.zip!/late.txt": late}


def test_members_stay_where_their_archive_is_unpacked_anew() -> None:
    """It counts on those that have not changed, and stores the others over what was there."""
    archive, member = uploaded("anew.zip"), uploaded("anew.zip!/a.txt")
    chosen = erasing.subjects([document_id(UPLOADS, "anew.zip")], with_file=True)
    archive.claim(2)
    within, whole = erasing.erase(chosen)
    assert (within.name, within.files, whole.files) == (member.name, 0, 0)
    assert (within.kept or "").startswith("Its archive, anew.zip, has moved on. It was uploaded again")
    assert (whole.kept or "").startswith("It was uploaded again meanwhile, and is at run 2 now.")
    assert record(member)["state"] == "completed"
    assert content(member.name) == content(archive.name) == "asked about"


def test_an_archive_that_holds_an_erased_member_is_told() -> None:
    """Its file has the member's bytes."""
    uploaded("holds.zip")
    member = uploaded("holds.zip!/a.txt")
    [erased] = erasing.erase(erasing.subjects([document_id(UPLOADS, member.name)], with_file=True))
    assert (erased.kept, content(member.name), content("holds.zip")) == (None, None, "asked about")
    assert erased.stays[0] == (
        "The archive that it came in, gs://uploads/holds.zip. "
        "To delete it too: headrace erase --with-file holds.zip"
    )
