"""Check the names of secrets, and resolve the version that a name means."""

from __future__ import annotations

import re
from typing import NamedTuple

from local.serving import invalid, unimplemented

LATEST = "latest"

_PROJECT = re.compile(r"projects/[^/]+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_SECRET = re.compile(r"projects/[^/]+/secrets/[A-Za-z0-9_-]{1,255}")
_VERSION = re.compile(rf"({_SECRET.pattern})/versions/(latest|[1-9][0-9]{{0,17}})")


class VersionName(NamedTuple):
    """The secret's full name, and the version's number; None is the latest."""

    secret: str
    number: int | None


def check_project(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT, or UNIMPLEMENTED for a regional secret's location.
    """
    if "/locations/" in name:
        raise unimplemented("A regional secret")
    if not _PROJECT.fullmatch(name):
        raise invalid(f"Invalid parent {name!r}: the form is projects/PROJECT.")
    return name


def check_id(secret_id: str) -> str:
    """The id itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    if not _ID.fullmatch(secret_id):
        raise invalid(f"Invalid secret_id {secret_id!r}: 1 to 255 of A-Z a-z 0-9 _ and -.")
    return secret_id


def check_secret(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    if not _SECRET.fullmatch(name):
        raise invalid(f"Invalid secret name {name!r}: the form is projects/PROJECT/secrets/ID.")
    return name


def parse_version(name: str) -> VersionName:
    """Take a version's name apart.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    match = _VERSION.fullmatch(name)
    if match is None:
        raise invalid(
            f"Invalid version name {name!r}: the form is "
            "projects/PROJECT/secrets/ID/versions/NUMBER, or latest."
        )
    return VersionName(match[1], None if match[2] == LATEST else int(match[2]))
