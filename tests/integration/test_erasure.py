"""What comes while something is erased is not erased with it; what is stored is found, wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.sweep import main as sweeping
from shared.api import erasing
from shared.digests import store as digests
from shared.digests.store import erase
from shared.documents import artefacts
from shared.documents.completion import finish
from shared.documents.corrected import PassageChange
from shared.documents.corrections import correct
from shared.documents.erasure import seen
from shared.documents.model import Document
from shared.documents.recovery import read_some
from shared.documents.store import document_id, now
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import HeadraceError, Superseded
from shared.platform.records import ErrorInfo
from shared.platform.settings import settings
from tests.integration.documents_life import Life
from tests.integration.documents_servers import serving_files
from tests.integration.sweeps import tick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

PERSON = "Ilse Quandt"


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, with the buckets of a project."""
    with serving_files(tmp_path_factory.mktemp("erasure"), "uploads"):
        yield


def analyzed() -> tuple[Life, str, dict[str, Any]]:
    """A document whose first upload was analyzed, with an artefact; and its record."""
    life = Life()
    claim = life.claim(1)
    life.analyze(claim, 1)
    put(settings().work_bucket, f"{artefacts.prefix(claim.id, claim.run)}text.txt")
    return life, claim.id, record(claim.id)


def record(document: str) -> dict[str, Any]:
    return reference(document).get().to_dict() or {}


def reference(document: str) -> firestore.DocumentReference:
    return firestore_client().collection("documents").document(document)


def put(bucket: str, name: str, text: str = "text") -> None:
    storage_client().bucket(bucket).blob(name).upload_from_string(text)


def names(bucket: str, prefix: str) -> set[str]:
    return {blob.name for blob in storage_client().list_blobs(bucket, prefix=prefix)}


def test_what_was_uploaded_again_since_it_was_listed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep listed it as expired, then a new upload took it: that is analyzed to its end."""
    life, document, stored = analyzed()
    _, expired, _ = analyzed()
    past = now().replace(year=2020)
    for one in (document, expired):
        reference(one).update({"expires_at": past})
    listed, where = [], read_some

    def then_it_comes_again(*of: Any) -> list[dict[str, Any]]:
        found = where(*of)
        if of[1][0] == "expires_at":
            listed.extend(found)
            life.claim(2)
        return found

    monkeypatch.setattr(sweeping, "read_some", then_it_comes_again)
    tick()
    assert {one["id"] for one in listed} == {document, expired}
    assert record(expired) == {}
    found = record(document)
    assert (found["state"], found["run"], found["generation"]) == ("extracting", 2, "2")
    assert life.kept(document)["passages"] == {1}
    with pytest.raises(Superseded, match="uploaded again meanwhile, and is at run 2"):
        erase(firestore_client(), document, seen(Document.model_validate(stored)))


def test_what_is_uploaded_again_while_it_is_erased_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure stops; the new run has all that it needs, and once it has ended nothing else is left."""
    life, document, stored = analyzed()
    claims = []

    def then_it_comes_again(*_: Any) -> None:
        claims.append(life.claim(2))
        put(settings().work_bucket, f"{artefacts.prefix(document, claims[0].run)}text.txt")

    monkeypatch.setattr(digests, "redact", then_it_comes_again)
    with pytest.raises(Superseded, match="uploaded again while it was erased"):
        erase(firestore_client(), document, seen(Document.model_validate(stored)))
    [claim] = claims
    assert names(settings().work_bucket, f"runs/{document}/") == {
        f"{artefacts.prefix(document, claim.run)}text.txt"
    }
    life.analyze(claim, 2)
    assert (record(document)["state"], record(document)["published_run"]) == ("completed", claim.run)
    assert life.kept(document) == {"passages": {claim.run}, "batches": {claim.run}}


def test_nothing_older_is_published_where_the_upload_in_between_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was to be erased does not come back by that."""
    life, document, stored = analyzed()
    claims = []
    monkeypatch.setattr(digests, "redact", lambda *_: claims.append(life.claim(2)))
    with pytest.raises(Superseded):
        erase(firestore_client(), document, seen(Document.model_validate(stored)))
    life.documents.fail(document, claims[0].run, 2, ErrorInfo(code="broken", message="", hint=""))
    finish(life.documents, document)
    assert record(document)["published_run"] is None
    assert life.kept(document) == {"passages": set(), "batches": set()}


def test_an_erasure_that_was_interrupted_is_ended_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or by one beside it: the second finds the record as the first has it, and the first finds it gone."""
    _, document, stored = analyzed()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(digests, "redact", killed)
        with pytest.raises(KeyboardInterrupt):
            erase(firestore_client(), document, seen(Document.model_validate(stored)))
    assert record(document)["state"] == "erasing"

    def meanwhile(*_: Any) -> None:
        monkeypatch.undo()
        erase(firestore_client(), document, seen(Document.model_validate(stored)))

    monkeypatch.setattr(digests, "redact", meanwhile)
    erase(firestore_client(), document, seen(Document.model_validate(stored)))
    assert record(document) == {}
    assert not [one for part in reference(document).collections() for one in part.list_documents()]


def test_the_command_says_what_came_while_it_asked() -> None:
    """Nothing of it is erased, neither results nor files; whatever did not change is."""
    life, document, _ = analyzed()
    _, other, _ = analyzed()
    put("uploads", life.name)
    chosen = erasing.subjects([document, other], with_file=True)
    life.claim(2)
    kept, erased = erasing.erase(chosen)
    assert (kept.id, kept.files, erased.kept) == (document, 0, None)
    assert kept.kept == (
        "It was uploaded again meanwhile, and is at run 2 now. "
        f"Once that has ended, ask again: headrace erase --with-file {document}"
    )
    assert names("uploads", life.name) == {life.name}
    assert record(document)["state"] == "extracting"
    assert life.kept(document)["passages"] == {1}
    assert record(other) == {}


def test_files_of_members_go_though_their_records_are_gone() -> None:
    """After their retention, or an erasure without files, which says that this would delete them."""
    bucket = settings().uploads_bucket
    members = {"pack.zip!/a.txt", "pack.zip!/in.zip", "pack.zip!/in.zip!/b.txt"}
    for name in ("pack.zip", *members, "pack.zip.txt"):
        put(bucket, name)
    with pytest.raises(HeadraceError, match=r"no document pack\.zip"):
        erasing.subjects(["pack.zip"], with_file=False)
    chosen = erasing.subjects(["pack.zip"], with_file=True)
    assert chosen[-1].name == "pack.zip"
    done = erasing.erase(chosen)
    assert {one.name: one.files for one in done} == dict.fromkeys(["pack.zip", *members], 1)
    assert names(bucket, "pack.zip") == {"pack.zip.txt"}
    put(bucket, "pack.zip!/late.txt")
    late = erasing.subjects(["pack.zip"], with_file=True)
    assert [one.name for one in late] == ["pack.zip!/late.txt", "pack.zip"]
    assert {one.id for one in late} == {document_id(bucket, one.name) for one in late}


@pytest.mark.parametrize(
    "fields",
    [
        {"organisation": f"Bakery {PERSON}"},
        {"title": f"Statement of {PERSON}"},
        {"summary": [{"page": 1, "text": f"{PERSON} fell."}]},
        {"warnings": [f"{PERSON}.txt was left out."]},
        {"metadata": {"author": PERSON}},
        {"error": {"code": "locked", "message": f"{PERSON}.pdf is locked.", "hint": ""}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_words_are_found_in_what_is_stored_of_a_document(fields: dict[str, Any]) -> None:
    """Each field that holds words of the file or of whoever uploaded it."""
    _, document, _ = analyzed()
    reference(document).update(fields)
    found = [one for one in erasing.holding(PERSON.upper()) if one.id == document]
    assert [one.passages for one in found] == [0]
    reference(document).update(dict.fromkeys(fields))
    assert document not in {one.id for one in erasing.holding(PERSON)}


def test_words_are_found_in_corrections() -> None:
    """Of a text that the document had before."""
    _, document, _ = analyzed()
    passage = reference(document).collection("passages").document("1-0")
    passage.update({"text": f"Of {PERSON}"})
    correct(firestore_client(), document, PassageChange(run=1, index=0, salience=1), by="Ada")
    passage.update({"text": "Of nobody"})
    [found] = [one for one in erasing.holding(PERSON) if one.id == document]
    assert found.passages == 0
    erase(firestore_client(), document)
    assert not list(erasing.holding(PERSON))


@pytest.mark.parametrize("field", ["text", "section", "label"])
def test_words_are_found_in_passages_their_headings_and_labels(field: str) -> None:
    """A name may stand in the heading alone."""
    _, document, _ = analyzed()
    reference(document).collection("passages").document("1-0").update({field: f"Of {PERSON}"})
    [found] = [one for one in erasing.holding(PERSON) if one.id == document]
    assert found.passages == 1
    erase(firestore_client(), document)
    assert not list(erasing.holding("title of no document"))
    assert not list(erasing.holding(PERSON))
