"""Resource names: which document of which collection of which database a string points at."""

from __future__ import annotations

import re
from typing import NamedTuple

from local.serving import invalid

MAX_ID_BYTES = 1500
_DATABASE = re.compile(r"projects/[^/]+/databases/[^/]+\Z")
_RESERVED = re.compile(r"__.*__\Z", re.DOTALL)


class Name(NamedTuple):
    """A document: `database` is `projects/P/databases/D`, `collection` the path below `documents/`."""

    database: str
    collection: str
    id: str

    def __str__(self) -> str:
        """The full resource name."""
        return f"{self.database}/documents/{self.collection}/{self.id}"


def check_id(part: str) -> None:
    """Apply the rules for collection and document ids.

    Raises:
        Refused: INVALID_ARGUMENT, naming the id.
    """
    if not part:
        raise invalid("A collection or document id must not be empty.")
    if part in {".", ".."}:
        raise invalid(f'Resource id "{part}" is invalid because it is "." or "..".')
    if _RESERVED.match(part):
        raise invalid(f'Resource id "{part}" is invalid because it is reserved.')
    if len(part) > MAX_ID_BYTES // 4 and len(part.encode()) > MAX_ID_BYTES:
        raise invalid(f'Resource id "{part[:40]}..." is longer than {MAX_ID_BYTES} bytes.')


def check_database(name: str) -> str:
    """Return `name` where it has the form `projects/P/databases/D`.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    if not _DATABASE.match(name):
        raise invalid(f'Invalid database name "{name}": expected projects/PROJECT/databases/DATABASE.')
    return name


def split_root(name: str) -> tuple[str, list[str]]:
    """`projects/P/databases/D/documents/a/b` -> (`projects/P/databases/D`, [`a`, `b`]).

    Raises:
        Refused: INVALID_ARGUMENT where the name is not below a database's documents, or holds a bad id.
    """
    parts = name.split("/")
    if parts[:5:2] != ["projects", "databases", "documents"]:
        raise invalid(f'Document name "{name}" lacks "projects/PROJECT/databases/DATABASE/documents".')
    if not parts[1] or not parts[3]:
        raise invalid(f'Document name "{name}" has an empty project or database.')
    below = parts[5:]
    for part in below:
        check_id(part)
    return "/".join(parts[:4]), below


def parse_document(name: str, database: str | None = None) -> Name:
    """Split a full document name; with `database`, insist that it lies there.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    found, below = split_root(name)
    if not below or len(below) % 2:
        raise invalid(f'Document name "{name}" does not point at a document.')
    if database is not None and found != database:
        raise invalid(f'Document name "{name}" is not in the database "{database}" of this request.')
    return Name(found, "/".join(below[:-1]), below[-1])


def parse_parent(name: str) -> tuple[str, str]:
    """Split the parent of a query or listing: (database, document path below `documents/` or "").

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    database, below = split_root(name)
    if len(below) % 2:
        raise invalid(f'Parent "{name}" is a collection; expected a document or the database\'s documents.')
    return database, "/".join(below)


def join(parent: str, collection_id: str) -> str:
    """The path of a collection directly below `parent`, which is "" for a root collection."""
    return f"{parent}/{collection_id}" if parent else collection_id
