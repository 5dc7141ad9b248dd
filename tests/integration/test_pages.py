"""Images of pages are made once, kept encrypted as long as their run, and made within limits."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from shared.documents import artefacts
from shared.documents.erasure import erase_stored
from shared.documents.store import Documents
from shared.extract.sniff import PDF
from shared.intake import pages
from shared.intake.fetch import download
from shared.intake.pages import WIDTHS, page_image, page_places
from shared.platform import sealed
from shared.platform.clients import firestore_client, storage_client
from shared.platform.errors import HeadraceError, Rejected, Superseded
from shared.platform.settings import settings
from tests.integration.documents_life import Life
from tests.integration.documents_servers import serving_files
from tests.unit.pdf_pages import PROSE, prose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.documents.model import Document

JPEG = b"\xff\xd8\xff"
TEXT = " ".join(PROSE)


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Firestore, Pub/Sub and storage, and a redaction key."""
    with serving_files(tmp_path_factory.mktemp("pages"), "uploads"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "secret", lambda *_: b"k" * 32)
        pages._seal.cache_clear()
        yield
        pages._seal.cache_clear()
        pages._sandbox.stop()


def pdf(count: int) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(595, 842))
    for _ in range(count):
        prose(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def stored(life: Life) -> Document:
    """A document of two pages that completed, as it is stored."""
    blob = storage_client().bucket("uploads").blob(life.name)
    blob.upload_from_string(pdf(2))
    claim = life.claim(blob.generation)
    life.analyze(claim, blob.generation)
    document = life.documents.get(claim.id)
    assert document is not None
    life.documents.reference(claim.id).update({"media_type": PDF, "pages": 2})
    document = life.documents.get(claim.id)
    assert document is not None
    return document


@pytest.fixture
def life() -> Life:
    return Life()


@pytest.fixture
def document(life: Life) -> Document:
    return stored(life)


def kept(document: Document) -> dict[str, bytes]:
    prefix = artefacts.prefix(document.id, document.run)
    blobs = storage_client().list_blobs(settings().work_bucket, prefix=f"{prefix}pages/")
    return {blob.name: blob.download_as_bytes() for blob in blobs}


def without_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr(pages._sandbox, "run", refuse)


def test_an_image_is_made_once_and_kept_encrypted(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may read the work bucket reads nothing as it was before redaction."""
    made = page_image(document, 2, 800)
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 800, 1132)
    assert made.data.startswith(JPEG)
    [data] = kept(document).values()
    assert JPEG not in data
    without_process(monkeypatch)
    assert page_image(document, 2, 800) == made
    with pytest.raises(AssertionError):
        page_image(document, 1, 800)


def test_places_of_passages_are_found_and_kept(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """One box a line of prose; one a row; none for what the page does not hold."""
    passages: list[dict[str, Any]] = [
        {"page": 1, "kind": "text", "text": TEXT, "box": [50, 100, 400, 200]},
        {"page": 1, "kind": "row", "text": "Bark | 2024: 12 t", "box": [0, 421, 595, 842]},
        {"page": 1, "kind": "text", "text": "Of something else.", "box": None},
    ]
    prose, row, missing = page_places(document, 1, passages)
    assert len(prose) == len(PROSE)
    assert all(0.1 < box[0] < box[2] < 0.7 and 0.1 < box[1] < box[3] < 0.3 for box in prose)
    assert row == [(0, 0.5, 1, 1)]
    assert missing == []
    without_process(monkeypatch)
    assert page_places(document, 1, passages) == [prose, row, missing]
    with pytest.raises(AssertionError):
        page_places(document, 1, passages[:1])


def test_passages_beyond_the_limit_are_not_looked_for(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_PASSAGES", 1)
    passage = {"page": 1, "kind": "text", "text": TEXT, "box": None}
    first, second = page_places(document, 1, [passage, passage])
    assert (bool(first), second) == (True, [])


def test_an_image_that_was_altered_is_made_again(document: Document) -> None:
    made = page_image(document, 1, 240)
    [name] = kept(document)
    storage_client().bucket(settings().work_bucket).blob(name).upload_from_string(b"not sealed")
    assert page_image(document, 1, 240) == made


def test_erasing_a_document_erases_its_images(document: Document) -> None:
    page_image(document, 1, 240)
    erase_stored(firestore_client(), document.id)
    assert kept(document) == {}


def test_what_is_made_while_a_document_is_erased_is_not_kept(document: Document) -> None:
    """The erasure has looked into the bucket before; the image that was asked for is still shown."""
    erase_stored(firestore_client(), document.id)
    assert page_image(document, 1, 240).data.startswith(JPEG)
    assert kept(document) == {}


def test_a_newer_run_takes_the_images_of_the_older_one(life: Life, document: Document) -> None:
    """They are kept by run, and go with it."""
    page_image(document, 1, 240)
    life.analyze(life.claim(document.generation, restart=document.run), document.generation)
    artefacts.remove_runs(artefacts.of_runs(document.id), before=document.run + 1)
    assert kept(document) == {}
    page_image(document, 1, 240)  # by who has looked at the document before
    assert kept(document) == {}


def test_a_file_that_was_overwritten_has_no_images_until_it_is_read(document: Document) -> None:
    """They would be of another text than the passages beside them."""
    pages._files.__init__()  # type: ignore[misc]
    storage_client().bucket("uploads").blob(document.name).upload_from_string(pdf(1))
    with pytest.raises(Superseded):
        page_image(document, 1, 240)


@pytest.mark.parametrize(
    ("change", "page", "code"),
    [
        ({"media_type": "text/plain", "pages": None}, 1, "no_page_image"),
        ({"media_type": "message/rfc822", "pages": None}, 1, "no_page_image"),
        ({}, 0, "no_such_page"),
        ({}, 3, "no_such_page"),
        ({"pages": 3}, 3, "no_such_page"),  # which the file does not have
    ],
)
def test_what_has_no_image_says_so(document: Document, change: dict[str, Any], page: int, code: str) -> None:
    for ask in (lambda: page_image(document.altered(**change), page, 240),
                lambda: page_places(document.altered(**change), page, [])):  # fmt: skip
        with pytest.raises(Rejected) as caught:
            ask()
        assert caught.value.code == code


def test_a_width_of_no_list_is_an_error(document: Document) -> None:
    """Or whoever may look could fill the bucket."""
    with pytest.raises(ValueError, match=str(WIDTHS[0])):
        page_image(document, 1, WIDTHS[0] + 1)


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("PAGE_SECONDS", 0.001, "too_slow"),
        ("PAGE_MEMORY", 64 << 20, "too_much_memory"),
        ("MAX_IMAGE_BYTES", 1_000, "extraction_crashed"),
    ],
)
def test_an_image_is_made_within_limits(
    document: Document, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, code: str
) -> None:
    """Of time, memory and bytes."""
    monkeypatch.setattr(pages, limit, value)
    with pytest.raises(HeadraceError) as caught:
        page_image(document, 1, 1600)
    assert isinstance(caught.value, Rejected)
    assert caught.value.code == code


def test_a_large_page_is_drawn_narrower(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it has no more pixels than the limit."""
    monkeypatch.setattr(pages, "MAX_PIXELS", 200_000)
    made = page_image(document, 1, 1200)
    assert 0.95 * 200_000 < made.width * made.height <= 200_000


def test_files_are_kept_up_to_a_limit(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last that was used stays; one that is larger than the limit is not kept at all."""
    paths: list[Path] = []
    downloads: list[str] = []

    def counted(event: Any, path: Path, limit: int) -> None:
        downloads.append(event.name)
        paths.append(path)
        download(event, path, limit)

    monkeypatch.setattr(pages, "download", counted)
    monkeypatch.setattr(pages, "KEPT_BYTES", int(1.5 * len(pdf(2))))
    one, other = stored(life), stored(Life())
    page_image(one, 1, 240)
    page_image(one, 2, 240)
    page_image(other, 1, 240)
    page_image(one, 1, 800)
    assert downloads == [one.name, other.name, one.name]
    assert [path.exists() for path in paths] == [False, False, True]
    assert Documents(firestore_client()).get(one.id) is not None
    monkeypatch.setattr(pages, "KEPT_BYTES", 10)
    page_image(other, 2, 800)
    assert not any(path.exists() for path in paths)
