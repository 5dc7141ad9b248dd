"""May this request pass? Its key's hash is compared with those that Secret Manager holds."""

from __future__ import annotations

import hashlib
import hmac
import re

from shared.platform.errors import SetupError

_HASH = re.compile(r"[0-9a-f]{64}")
_EMPTY = hashlib.sha256().hexdigest()
"""Of no key: what is stored where the shell's variable with the key was not set."""


def key_hash(key: str) -> str:
    """SHA-256 of a key, in hexadecimal. Keys are long and random, so that a slow hash would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def parse_hashes(secret: bytes) -> tuple[str, ...]:
    """The hashes in a secret, one a line.

    Raises:
        SetupError: it holds none, something else, or that of an empty key.
    """
    hashes = tuple(secret.decode(errors="replace").split())
    if not hashes or not all(map(_HASH.fullmatch, hashes)):
        raise SetupError(
            "The secret with the API's key hashes must hold the SHA-256 of each key, in lower-case "
            "hexadecimal, one a line."
        )
    if _EMPTY in hashes:
        raise SetupError(
            "The secret with the API's key hashes holds the SHA-256 of an empty key, as where the variable "
            "with the key was not set. Store a version with the SHA-256 of a real one."
        )
    return hashes


def accepted(key: str, hashes: tuple[str, ...]) -> bool:
    """Whether a key is one of those hashed; takes as long whichever it is."""
    digest = key_hash(key)
    matches = [hmac.compare_digest(digest, known) for known in hashes]
    return any(matches)
