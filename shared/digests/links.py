"""Where a person can read an object: the address that a digest's quotes link to."""

from __future__ import annotations

from urllib.parse import quote

BROWSER = "https://storage.cloud.google.com"
"""Serves an object to whoever is signed in and may read it."""


def object_link(bucket: str, name: str, page: int | None, storage_host: str | None) -> str:
    """The object's address in a browser; viewers of PDF open it at the page.

    Args:
        bucket: of the object.
        name: of the object.
        page: 1 is the first; None: the object has no pages.
        storage_host: address of the emulator that serves it; None: Cloud Storage does.
    """
    fragment = f"#page={page}" if page else ""
    if storage_host is None:
        # A browser would resolve "a/../b" and "a//b" before it asks, and ask for another object.
        plain = not {"", ".", ".."} & set(name.split("/"))
        return f"{BROWSER}/{quote(bucket, safe='')}/{quote(name, safe='/' if plain else '')}{fragment}"
    host = storage_host if "://" in storage_host else f"http://{storage_host}"
    path = f"storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
    return f"{host.rstrip('/')}/{path}?alt=media{fragment}"
