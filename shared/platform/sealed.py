"""Encrypt what the work bucket keeps of a file as it was before redaction: recognised text, images of pages.

AES-256-GCM, with a key for each purpose that is derived from the redaction key.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.platform.clients import secret
from shared.platform.settings import settings

NONCE_BYTES = 12
KEY_BYTES = 32


class Seal:
    """Encrypts and decrypts objects of one purpose."""

    def __init__(self, purpose: str) -> None:
        """Read the redaction key, and derive one from it."""
        master = secret(settings().redaction_key, settings().redaction_key_version)
        key = HKDF(SHA256(), KEY_BYTES, salt=None, info=f"headrace {purpose}".encode()).derive(master)
        self._cipher = AESGCM(key)

    def close(self, plain: bytes, name: str) -> bytes:
        """Encrypt the content of the object of this name."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes | None:
        """Decrypt an object's content; None if it is not what was encrypted for this name with this key."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            return None
