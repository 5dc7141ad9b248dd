"""Recognised pages, kept in the work bucket until all of a document are there.

They hold text as it stands in the file, which is redacted only with all of its context. So they are encrypted
(AES-256-GCM) by a key made of the redaction key, and deleted once the document is planned.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.documents import artefacts
from shared.extract.recognised import from_json, to_json
from shared.platform.clients import secret, storage_client
from shared.platform.retry import storage_limits
from shared.platform.settings import settings

if TYPE_CHECKING:
    from google.cloud.storage import Blob

    from shared.extract.recognised import RecognisedPage

NONCE_BYTES = 12
KEY_BYTES = 32


class Pages:
    """Of one run."""

    def __init__(self, document: str, run: int, generation: int) -> None:
        """The key is read once."""
        # A document that was erased and comes again counts its runs from one.
        self._prefix = f"{artefacts.prefix(document, run)}ocr/{generation}/"
        self._bucket = storage_client().bucket(settings().work_bucket)
        master = secret(settings().redaction_key, settings().redaction_key_version)
        key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"headrace recognised pages").derive(master)
        self._cipher = AESGCM(key)

    def stored(self) -> set[int]:
        """The numbers of the pages that are there."""
        found = self._bucket.list_blobs(prefix=self._prefix, **storage_limits())
        names = (blob.name.removeprefix(self._prefix) for blob in found)
        return {int(name) for name in names if name.isdecimal()}

    def store(self, page: RecognisedPage) -> None:
        """Keep a page; twins overwrite each other."""
        blob = self._blob(page.page)
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, to_json({page.page: page}), blob.name.encode())
        content_type = "application/octet-stream"
        blob.upload_from_string(nonce + sealed, content_type=content_type, **storage_limits())

    def load(self, number: int) -> RecognisedPage | None:
        """A page that was stored; None where it cannot be read: then it is to be recognised again."""
        blob = self._blob(number)
        data = blob.download_as_bytes(raw_download=True, **storage_limits())
        try:
            plain = self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], blob.name.encode())
            return from_json(plain)[number]
        except (InvalidTag, ValueError, KeyError):
            blob.delete(**storage_limits())
            return None

    def delete(self) -> None:
        """Remove them all."""
        from google.api_core.exceptions import NotFound

        for number in self.stored():
            try:
                self._blob(number).delete(**storage_limits())
            except NotFound:
                continue

    def _blob(self, number: int) -> Blob:
        return self._bucket.blob(f"{self._prefix}{number}")
