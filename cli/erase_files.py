"""The uploaded file of a document that is erased: the versions that somebody was asked about, and no others.

A new upload may lie in the bucket for seconds, or hours, before its notification comes; until then no record
knows of it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from shared.intake.archives import INSIDE
from shared.platform.clients import storage_client

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def versions(bucket: str, name: str) -> list[int]:
    """Generations of an object that are there, with those that are not current any more."""
    return [blob.generation for blob in _listed(bucket, name) if blob.name == name]


def inside(bucket: str, archive: str) -> dict[str, list[int]]:
    """The same for each of an archive's members that has a file, by its name."""
    found: dict[str, list[int]] = defaultdict(list)
    for blob in _listed(bucket, archive + INSIDE):
        found[blob.name].append(blob.generation)
    return dict(found)


def archives(member: str) -> list[str]:
    """Names of the archives that a name lies in, the outermost first."""
    parts = member.split(INSIDE)
    return [INSIDE.join(parts[:depth]) for depth in range(1, len(parts))]


def command(name: str) -> str:
    """What erases an object and all that was made of it, for a shell to run as it stands."""
    return f"headrace erase --with-file {'-- ' if name.startswith('-') else ''}{shlex.quote(name)}"


def delete(bucket: str, name: str, asked: Collection[int]) -> tuple[int, list[int]]:
    """Delete the generations that were asked about; how many there were, and those which came since and stay.

    What is not there any more is not asked for: the local stack would delete the generation that is.
    """
    from google.api_core.exceptions import NotFound

    old, newer = parted(versions(bucket, name), asked)
    for generation in old:
        with suppress(NotFound):  # somebody else was quicker
            storage_client().bucket(bucket).blob(name, generation=generation).delete()
    return len(old), newer


def parted(there: Collection[int], asked: Collection[int]) -> tuple[list[int], list[int]]:
    """Of the generations that are there, those which were asked about, and the rest."""
    return [one for one in there if one in asked], [one for one in there if one not in asked]


def _listed(bucket: str, prefix: str) -> Iterator[Any]:
    yield from storage_client().list_blobs(bucket, prefix=prefix, versions=True)
