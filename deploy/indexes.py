"""Wait for Firestore's composite indexes, which queries need: Terraform asks for them, and does not wait."""

from __future__ import annotations

import json
import time
from typing import Any

from deploy.cloud import gcloud
from shared.platform.errors import Retryable, SetupError

SECONDS, POLL_SECONDS = 3600.0, 10.0
"""Indexes of an empty database take minutes, and of a full one as long as it is full."""
READY, BROKEN = "READY", "NEEDS_REPAIR"


def wait() -> int:
    """Wait until all are ready; return how many there are.

    Raises:
        SetupError: there are none, or Firestore could not build one.
        Retryable: `SECONDS` are over.
    """
    deadline, before = time.monotonic() + SECONDS, -1
    while True:
        indexes = _read()
        if not indexes:
            raise SetupError("Firestore has no composite indexes. Make them: terraform -chdir=infra apply")
        if broken := [index for index in indexes if index["state"] == BROKEN]:
            ids = ", ".join(index["name"].rpartition("/")[2] for index in broken)
            raise SetupError(
                f"Firestore could not build {_named(broken)}. Delete it (gcloud firestore indexes composite "
                f"delete {ids}), and make it again: terraform -chdir=infra apply"
            )
        building = [index for index in indexes if index["state"] != READY]
        if not building:
            return len(indexes)
        if time.monotonic() > deadline:
            raise Retryable(
                f"After {SECONDS:.0f} s Firestore still builds {_named(building)}. "
                "It goes on: build again later."
            )
        if len(building) != before:
            print(f"{len(building)} of {len(indexes)} indexes are being built", flush=True)
            before = len(building)
        time.sleep(POLL_SECONDS)


def _read() -> list[dict[str, Any]]:
    listed = ("firestore", "indexes", "composite", "list", "--database=(default)", "--format=json")
    indexes: list[dict[str, Any]] = json.loads(gcloud(*listed))
    return indexes


def _named(indexes: list[dict[str, Any]]) -> str:
    names = []
    for index in indexes:
        fields = [field["fieldPath"] for field in index["fields"] if field["fieldPath"] != "__name__"]
        names.append(f"{index['name'].split('/')[-3]} ({', '.join(fields)})")
    return "; ".join(names)
