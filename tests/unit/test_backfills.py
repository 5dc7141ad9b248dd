"""Which documents a backfill lists, and what it may begin."""

from __future__ import annotations

from typing import Any

import pytest

from shared.documents.model import Run
from shared.jobs.listing import Entry, entry_of, standing
from tests.documents import MOMENT, made

ID = "this-one"
OLD, NEW = "a" * 64, "b" * 64


def document(**fields: Any) -> dict[str, Any]:
    """A completed document of one run."""
    stored = {"id": "d", "generation": "7", "run": 1, "state": "completed", "published_run": 1}
    return stored | {"model": OLD, "passages": 3} | fields


RUN = {"run": 1, "generation": "7", "state": "completed", "started_at": MOMENT}
PUBLISHED = "7"
REDO = Entry(document="d", generation="7", published_run=1, model=OLD, passages=3)
RESTART = Entry(document="d", generation="7", published_run=None)


@pytest.mark.parametrize(
    ("stored", "published", "expected"),
    [
        (document(), PUBLISHED, REDO),
        (document(run=2, state="failed"), PUBLISHED, REDO),  # the published run is of this content
        (document(run=2, state="analyzing"), PUBLISHED, REDO),  # busy now; seen when its turn comes
        (document(run=2, state="failed", generation="8"), PUBLISHED, {"generation": "8"}),
        (document(state="failed", published_run=None), None, RESTART),
        (document(state="rejected", published_run=None), None, RESTART),
        (document(state="extracting", published_run=None), None, None),  # its first run is on its way
        (document(state="erasing"), PUBLISHED, None),  # it is being erased
        (document(passages=0), PUBLISHED, None),  # an archive
    ],
)
def test_what_is_listed(stored: dict[str, Any], published: Any, expected: Any) -> None:
    """New content that failed is not redone from old content, but handed to ingest."""
    if isinstance(expected, dict):
        expected = RESTART.model_copy(update=expected)
    assert entry_of(stored, published) == expected


@pytest.mark.parametrize(
    ("stored", "last_run", "retry_run", "expected"),
    [
        (None, None, None, "erased"),
        (document(state="erasing"), None, None, "erased"),
        (document(), {}, None, "begin"),
        (document(run=3, state="failed"), {}, None, "begin"),  # of a replay, say
        (document(generation="8"), {}, None, "moved_on"),
        (document(run=2, published_run=2), {}, None, "moved_on"),
        (document(run=2, state="analyzing"), {}, None, "busy"),
        (document(run=2, state="delegated"), {"backfill": "another"}, None, "busy"),
        (document(run=2, published_run=2), {"backfill": "another"}, None, "moved_on"),
        (document(run=2, state="delegated"), {"backfill": ID}, None, "begun"),
        (document(run=2, published_run=2), {"backfill": ID}, None, "begun"),  # completed: to be compared
        (document(run=2, state="failed"), {"backfill": ID}, None, "begun"),  # failed: to be reported
        (document(run=2, state="failed"), {"backfill": ID}, 2, "begin"),  # asked for again
        (document(run=3, state="failed"), {"backfill": ID}, 2, "begun"),  # once
    ],
)
def test_what_is_begun(stored: Any, last_run: Any, retry_run: int | None, expected: str) -> None:
    entry = REDO.model_copy(update={"retry_run": retry_run})
    run = None if last_run is None else Run.model_validate(RUN | last_run)
    assert standing(stored and made(**stored), run, entry, ID) == expected
