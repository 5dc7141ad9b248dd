"""Digests as they are stored: `digests/{id}` in Firestore, and three files in the results bucket.

The files come first and the record last, so a record's files are always there. Whoever finds that another was
quicker writes the files again from the record, for a language model may have told the two different things.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from shared.digests import forms
from shared.digests.links import object_link
from shared.digests.stored import StoredDigest
from shared.platform.clients import emulator, storage_client
from shared.platform.errors import HeadraceError
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from shared.digests.records import Digest, Quote

COLLECTION = "digests"
TYPES = {"html": "text/html; charset=utf-8", "json": "application/json", "md": "text/markdown; charset=utf-8"}


def to_fields(stored: StoredDigest) -> dict[str, Any]:
    """What Firestore stores: moments that are asked for as such, the rest as the JSON types of its files."""
    return stored.model_dump(mode="json") | {"end": stored.end, "made_at": stored.made_at}


def read(client: firestore.Client, identifier: str) -> StoredDigest | None:
    """A digest by its id; None where there is none."""
    fields = client.collection(COLLECTION).document(identifier).get().to_dict()
    return StoredDigest.model_validate(fields) if fields else None


def newest(client: firestore.Client, limit: int, schedule: str | None = None) -> Iterator[StoredDigest]:
    """Digests by the end of their window, the last first; of one schedule or of all."""
    from google.cloud.firestore_v1.base_query import FieldFilter

    query: firestore.Query = client.collection(COLLECTION).order_by("end", direction="DESCENDING")
    if schedule is not None:
        query = query.where(filter=FieldFilter("schedule", "==", schedule))
    for snapshot in query.limit(limit).stream():
        yield StoredDigest.model_validate(snapshot.to_dict())


def address(digest: Digest) -> str:
    """Where its HTML lies."""
    return f"gs://{settings().results_bucket}/digests/{digest.schedule}/{digest.id}.html"


def write_files(digest: Digest) -> None:
    """Write its three forms, over what is there."""
    link = partial(_link, emulator("STORAGE_EMULATOR_HOST"))
    texts = {
        "html": forms.html(digest, link),
        "json": forms.as_json(digest),
        "md": forms.markdown(digest, link),
    }
    bucket = storage_client().bucket(settings().results_bucket)
    name = address(digest).split("/", 3)[3]
    for suffix, text in texts.items():
        blob = bucket.blob(name.removesuffix("html") + suffix)
        blob.upload_from_string(text.encode(), content_type=TYPES[suffix], **storage_limits())


def read_file(html: str) -> bytes:
    """The file at the address.

    Raises:
        HeadraceError: it is gone.
    """
    from google.api_core.exceptions import NotFound

    bucket, _, name = html.removeprefix("gs://").partition("/")
    try:
        content: bytes = storage_client().bucket(bucket).blob(name).download_as_bytes(**storage_limits())
    except NotFound:
        raise HeadraceError(f"There is no {html} any more; the digest itself is stored: --json") from None
    return content


def _link(storage_host: str | None, quote: Quote) -> str:
    return object_link(quote.bucket, quote.name, quote.page, storage_host)
