"""The advisories that an audit lets pass: each with a reason, and for a while (requirements/audit.toml)."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import TYPE_CHECKING

from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path


def passed(path: Path, today: dt.date) -> list[str]:
    """Their identifiers.

    Raises:
        SetupError: the time of one is over, or it lacks something.
    """
    try:
        stored = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{path}: {error}") from None
    found = stored.get("exception", [])
    if set(stored) - {"exception"} or not isinstance(found, list) or not all(map(_whole, found)):
        raise SetupError(f"{path}: each [[exception]] has an id, a reason and a day, until = 2026-12-31.")
    if over := [f"{one['id']}, until {one['until']}" for one in found if one["until"] < today]:
        raise SetupError(
            f"{path}: the time of an exception is over ({'; '.join(over)}). Raise the package (make lock), "
            "or look at its advisory again and give it another day."
        )
    return [one["id"] for one in found]


def _whole(one: object) -> bool:
    if not isinstance(one, dict):
        return False
    texts = isinstance(one.get("id"), str) and isinstance(one.get("reason"), str)
    # By its type alone: a moment, which TOML has as well, is a day for isinstance.
    return texts and all((one["id"], one["reason"].strip())) and type(one.get("until")) is dt.date
