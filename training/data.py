"""Which objects a training reads: those under one prefix, as they are now, with a digest that names them.

The digest is of names, generations, sizes and checksums, so the same data are known again without being read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import NonNegativeInt

from shared.platform.clients import storage_client
from shared.platform.errors import Rejected, SetupError
from shared.platform.records import Record
from shared.platform.retry import storage_limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUFFIXES = (".jsonl", ".csv")
MAX_OBJECTS = 1_000
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of all objects together."""
FORM = "See docs/training.md for the form of the rows."


class DataObject(Record):
    """One object, at one generation."""

    name: str
    generation: str
    size: NonNegativeInt
    """Bytes."""
    crc32c: str


@dataclass(frozen=True, slots=True)
class Place:
    """`gs://bucket/prefix`: the object of this name, and all in the folder of this name."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Raises SetupError where it is none."""
        scheme, _, rest = uri.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "gs" or not bucket:
            raise SetupError(f"{uri} names no place in a bucket. Name one: gs://BUCKET/PREFIX")
        return cls(bucket, prefix.rstrip("/"))

    def __str__(self) -> str:
        """As it was given, but for a slash at the end."""
        return f"gs://{self.bucket}/{self.prefix}"

    def holds(self, name: str) -> bool:
        """Whether an object of that name is meant: `labels` is not the beginning of `labels-old/x.csv`."""
        return not self.prefix or name == self.prefix or name.startswith(f"{self.prefix}/")


def listing(place: Place) -> tuple[DataObject, ...]:
    """What there is to read, by name; empty where there is nothing, or no such bucket."""
    from google.api_core.exceptions import NotFound

    try:
        blobs = list(storage_client().list_blobs(place.bucket, prefix=place.prefix, **storage_limits()))
    except NotFound:
        return ()
    objects = [
        DataObject(
            name=blob.name, generation=str(blob.generation), size=blob.size or 0, crc32c=blob.crc32c or ""
        )
        for blob in blobs
        if place.holds(blob.name) and blob.name.endswith(SUFFIXES)
    ]
    return tuple(sorted(objects, key=lambda item: item.name))


def check_size(place: Place | None, objects: Sequence[DataObject], corrections: int = 0) -> None:
    """Raises Rejected where there is nothing to read, or too much; so many rows are corrections."""
    if place is None:
        if not corrections:
            raise Rejected("no_data", "Nobody has corrected or confirmed a passage.", FORM)
        return
    if not objects:
        kinds = " or ".join(f"*{suffix}" for suffix in SUFFIXES)
        raise Rejected("no_data", f"There is no {kinds} under {place}.", FORM)
    if len(objects) > MAX_OBJECTS:
        raise Rejected(
            "too_many_objects",
            f"{len(objects):,} objects lie under {place}; the limit is {MAX_OBJECTS:,}.",
            "Join them, or name a longer prefix.",
        )
    size = sum(item.size for item in objects)
    if size > MAX_BYTES:
        raise Rejected(
            "too_many_bytes",
            f"{place} holds {size:,} bytes; the limit is {MAX_BYTES:,}.",
            "Name a longer prefix.",
        )


def data_digest(
    place: Place | None, objects: Sequence[DataObject], corrections: Sequence[Mapping[str, Any]] = ()
) -> str:
    """SHA-256 of everything that tells these data from others."""
    listed: list[object] = [name_of(place), [item.model_dump() for item in objects]]
    listed += [corrections] if corrections else []
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def name_of(place: Place | None) -> str:
    """Return what a report names as the source of its rows."""
    return str(place) if place else "corrections"


def content(place: Place, item: DataObject) -> bytes:
    """The bytes of an object at its generation; the client compares them with their checksum.

    Raises:
        Rejected: it was replaced or deleted meanwhile.
    """
    from google.api_core.exceptions import NotFound

    blob = storage_client().bucket(place.bucket).blob(item.name, generation=int(item.generation))
    try:
        data: bytes = blob.download_as_bytes(raw_download=True, **storage_limits())
    except NotFound:
        raise Rejected(
            "data_changed",
            f"gs://{place.bucket}/{item.name} was replaced or deleted while it was to be read.",
            "Start the training again: it will read what is there then.",
        ) from None
    return data
