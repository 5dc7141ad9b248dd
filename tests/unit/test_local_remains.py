"""What was deleted is not left in the files of the local stores: neither in free pages nor in the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from local.firestore import store as firestore
from local.firestore.names import Name
from local.pubsub.store import Store as PubSub

if TYPE_CHECKING:
    from pathlib import Path

SENTENCE = b"Ilse Quandt fell from the scaffold. "
SIZES = [1, 300]
"""Sentences: one page has many of the first, and one of the second takes several."""


def left(folder: Path) -> set[str]:
    """Files that have the sentence."""
    return {path.name for path in folder.iterdir() if SENTENCE in path.read_bytes()}


@pytest.mark.parametrize("size", SIZES)
def test_of_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Once no past version can be read any more; a reader at work puts that off, and does not fail."""
    store = firestore.Store(tmp_path)
    names = [Name("database", "documents", str(number)) for number in range(20)]
    with store.commit():
        for name in names:
            store.put(name, None, SENTENCE * size)
    reading = store.reader()
    rows = reading._connection.execute("SELECT data FROM documents")
    assert next(rows)
    with store.commit():
        for name in names:
            found = store.current(name)
            assert found is not None
            store.delete(name, found)
    store.forget()
    assert left(tmp_path), "it can still be read as of a minute ago"
    monkeypatch.setattr(firestore, "HISTORY_SECONDS", -1)
    store.forget()
    assert left(tmp_path), "the reader needs the log"
    rows.close()
    store.forget()
    assert left(tmp_path) == set()
    store.close()


@pytest.mark.parametrize("size", SIZES)
def test_of_a_message(tmp_path: Path, size: int) -> None:
    """Once it is acknowledged, and the log was emptied after whatever is being written."""

    async def journey() -> None:
        store = PubSub(tmp_path / "pubsub.sqlite3")
        subscription = store.add_subscription("subscription", b"")
        messages = range(20)
        store.add_messages(
            [(message, 0.0, SENTENCE * size) for message in messages],
            [(subscription, message) for message in messages],
        )
        await store.committed()
        assert left(tmp_path)
        store.acknowledge(subscription, messages)
        store.scrub()
        await store.committed()
        assert left(tmp_path) == set()
        store.close()

    asyncio.run(journey())
