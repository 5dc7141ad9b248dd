"""Uploads that a program or a page begins: the bytes go to storage, with what was stated of them."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from shared.documents.store import document_id
from shared.intake.uploads import NewUpload, begin_upload, largest
from shared.platform.clients import storage_client
from shared.platform.errors import Rejected, SetupError
from shared.platform.settings import settings
from tests.integration.storage_server import storing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.intake.uploads import BegunUpload

NAME = 'berichte/Jährlich & "quer" #1.txt'
CONTENT = b"We cut emissions by a third.\n" * 40_000
"""More than one chunk of a resumable upload."""


@pytest.fixture(scope="module", autouse=True)
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Cloud Storage with the bucket of uploads."""
    with storing(tmp_path_factory.mktemp("uploads-begun")):
        storage_client().create_bucket(settings().uploads_bucket)
        yield


def new(**stated: Any) -> NewUpload:
    return NewUpload(**{"name": NAME, "size": len(CONTENT), **stated})


def send(begun: BegunUpload, content: bytes = CONTENT, **headers: str) -> Any:
    request = urllib.request.Request(
        begun.url, data=content, method=begun.method, headers={**begun.headers, **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers


def test_one_request_without_a_key_stores_the_file_and_what_was_stated() -> None:
    """As `headrace drop` stores them: words of any script, tags by comma, the type by the name."""
    begun = begin_upload(
        new(
            organisation="Müller  & Söhne",
            year=2025,
            title="Über 水",
            tags=["esg", "größe, m".replace(",", "")],
        )
    )
    assert begun.id == document_id(settings().uploads_bucket, NAME)
    assert storage_client().bucket(settings().uploads_bucket).get_blob(NAME) is None
    send(begun)
    blob = storage_client().bucket(settings().uploads_bucket).get_blob(NAME)
    assert blob.download_as_bytes() == CONTENT
    assert blob.content_type == "text/plain"
    assert blob.metadata == {
        "organisation": "Müller & Söhne",
        "year": "2025",
        "title": "Über 水",
        "tags": "esg,größe m",
    }


def test_a_page_of_another_origin_may_send_it() -> None:
    """A browser asks first, and reads the answer."""
    begun = begin_upload(new(name="page.txt"), origin="http://127.0.0.1:9")
    assert send(begun, Origin="http://127.0.0.1:9")["Access-Control-Allow-Origin"] in {
        "*",
        "http://127.0.0.1:9",
    }


def test_a_file_that_is_too_large_is_refused_before_it_is_sent() -> None:
    """By the limit of the long job, which reads what a function cannot."""
    begin_upload(new(name="large.txt", size=largest(settings())))
    with pytest.raises(Rejected) as refused:
        begin_upload(new(name="large.txt", size=largest(settings()) + 1))
    assert refused.value.code == "too_many_bytes"
    without_job = settings().model_copy(update={"job_name": ""})
    assert largest(without_job) == settings().max_bytes


@pytest.mark.parametrize("stated", [{"name": "a.mp4"}, {"name": "a", "content_type": "image/png"}])
def test_what_no_reader_exists_for_is_refused(stated: dict[str, str]) -> None:
    """By its name or its type, with what Headrace reads instead."""
    with pytest.raises(Rejected, match="cannot read") as refused:
        begin_upload(new(**stated))
    assert refused.value.code == "unsupported_type"
    assert "PDF" in refused.value.hint


def test_a_bucket_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by `headrace drop`."""
    monkeypatch.setattr(settings(), "__dict__", settings().__dict__ | {"uploads_bucket": "no-such-bucket"})
    with pytest.raises(SetupError, match="There is no bucket no-such-bucket"):
        begin_upload(new())


@pytest.mark.parametrize(
    "stated",
    [
        *(
            {"name": name}
            for name in ("", "a\n.txt", "../a", "a//b", "/a", "a/", ".", "a!/b", "\ud800", "ä" * 513)
        ),
        {"size": 0},
        {"size": "1"},
        {"year": 1899},
        {"title": " "},
        {"title": "x" * 201},
        {"tags": ["a,b"]},
        {"tags": ["x"] * 21},
        {"content_type": "text/html; charset=x"},
        {"content_type": "a/b\r\nX-Evil: 1"},
        {"metadata": {}},
    ],
)
def test_what_cannot_be_stored_is_refused(stated: dict[str, Any]) -> None:
    """Names that storage or a browser would read otherwise, facts that the pipeline would ignore."""
    with pytest.raises(ValidationError):
        new(**stated)
