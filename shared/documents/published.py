"""What a document's record says of its published run while the newest run is another one.

The plan of a newer run replaces what the record says of the file. Until that run completes, and for good
where it fails, what is published is still shown: so its facts are kept aside, as `published`.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from shared.platform.records import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = (*FACTS, "model", "duplicate_of")
"""Fields that a plan replaces, and that are shown beside the results."""
BY_PAGE = ("ocr_pages", "recognised")
"""Those of them that grow with the pages: kept packed, as two of each may be more than a record may hold."""
PACKED = "by_page"
NOTHING: dict[str, Any] = dict.fromkeys(("sha256", *KEPT)) | {
    "ocr_pages": [],
    "recognised": [],
    "warnings": [],
    "published": None,
}
"""What is said of a file that cannot be read."""


def kept(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The field to be written together with what replaces a document's facts."""
    if stored["published_run"] is None:
        return {"published": None}
    if aside := stored.get("published"):
        return {"published": aside}
    facts = {name: stored.get(name) for name in KEPT}
    by_page = json.dumps({name: facts.pop(name) for name in BY_PAGE})
    return {"published": facts | {PACKED: zlib.compress(by_page.encode())}}


def facts_of(aside: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept aside, or some fields of it."""
    facts = {name: value for name, value in aside.items() if name != PACKED}
    return facts | (json.loads(zlib.decompress(aside[PACKED])) if PACKED in aside else {})


def shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A document, or some fields of it, with the facts of its published run."""
    aside = stored.get("published") if stored.get("published_run") is not None else None
    return dict(stored) | facts_of(aside or {})
