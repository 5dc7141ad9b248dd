"""What a document's record says of its published run while the newest run is another one.

The plan of a newer run replaces what the record says of the file. Until that run completes, and for good
where it fails, what is published is still shown: so its facts are kept aside, as `published`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.records import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = (*FACTS, "model", "duplicate_of")
"""Fields that a plan replaces, and that are shown beside the results."""
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
    return {"published": stored.get("published") or {name: stored.get(name) for name in KEPT}}


def shown(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A document, or some fields of it, with the facts of its published run."""
    aside = stored.get("published") if stored.get("published_run") is not None else None
    return dict(stored) | (aside or {})
