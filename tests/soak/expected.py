"""What one quiet run stores of a content, and what is stored, in shapes that can be compared."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cli import inprocess
from shared.platform.errors import Rejected
from tests.e2e.running import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.firestore import DocumentReference

MODEL = ROOT / "build" / "model"
_FIELDS = (
    "sha256",
    "passages",
    "sentiment",
    "topics",
    "initiatives",
    "summary",
    "pages",
    "language",
    "title",
)


@lru_cache(maxsize=256)
def expected(content: bytes, folder: Path) -> dict[str, Any]:
    """The outcome, by `headrace analyze` in this process."""
    path = folder / f"{hashlib.sha256(content).hexdigest()}.txt"
    path.write_bytes(content)
    try:
        analyzed = inprocess.analyze(path, model=MODEL)
    except Rejected as rejected:
        return {"state": "rejected", "code": rejected.code, "passages": []}
    document = analyzed["document"]
    return {
        "state": "completed",
        "document": {name: document[name] for name in _FIELDS},
        "passages": [_shape(passage) for passage in analyzed["passages"]],
    }


def outcome(reference: DocumentReference) -> dict[str, Any]:
    """The same of what is stored; and what must be so whatever the content is, under `sound`."""
    stored = reference.get().to_dict()
    if stored is None:
        return {"state": None}
    passages = [one.to_dict() or {} for one in reference.collection("passages").stream()]
    batches = [one.to_dict() or {} for one in reference.collection("batches").stream()]
    runs = {int(one.id): (one.to_dict() or {})["state"] for one in reference.collection("runs").stream()}
    found: dict[str, Any] = {
        "state": stored["state"],
        "generation": stored["generation"],
        "passages": [_shape(passage) for passage in sorted(passages, key=lambda one: int(one["index"]))],
        "sound": {
            "only this run's": {one["run"] for one in [*passages, *batches]} <= {stored["run"]},
            "announced": not stored["results_pending"],
            "purged": not stored.get("purge_pending"),
            "earlier runs have ended": {runs.pop(stored["run"])} == {stored["state"]}
            and set(runs.values()) <= {"completed", "rejected", "superseded"},
            "published": stored["published_run"]
            == (stored["run"] if stored["state"] == "completed" else None),
        },
    }
    if stored["state"] == "completed":
        found["document"] = {name: stored[name] for name in _FIELDS}
    else:
        found["code"] = (stored["error"] or {}).get("code")
    return found


def _shape(passage: dict[str, Any]) -> dict[str, Any]:
    """Everything but the scores' last digits."""
    return {
        "place": (passage["index"], passage["page"], passage["row"], tuple(passage["span"])),
        "text": passage["text"],
        "kind": passage["kind"],
        "sentiment": (passage["sentiment"] or {}).get("label"),
        "topics": [topic["name"] for topic in passage["topics"]],
        "action": (passage["action"] or {}).get("label"),
        "figures": passage["figures"],
    }
