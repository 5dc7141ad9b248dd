"""Storage: what was acknowledged survives `kill -9`, a batch is whole or absent; what is taken is refused."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.vector import Vector

from tests.integration.firestore_server import connect
from tests.integration.firestore_server import firestore as serving
from tests.integration.pubsub_server import LocalServer

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.firestore import Client

PASSAGES = 16


def _write_batches(client: Client, run: int, acknowledged: list[str]) -> None:
    """Commit batches until the server is gone; note each that it acknowledged."""
    for number in range(10_000):
        name = f"{run}-{number}"
        batch = client.batch()
        for index in range(PASSAGES):
            passage = {"batch": name, "text": "word " * 50, "embedding": Vector([float(index)] * 64)}
            batch.create(client.document(f"documents/d/passages/{name}-{index}"), passage)
        batch.update(client.document(f"counters/{run}"), {"batches": firestore.Increment(1)})
        try:
            batch.commit(retry=None, timeout=5)
        except (exceptions.GoogleAPICallError, exceptions.RetryError):
            return
        acknowledged.append(name)


def test_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    """Killed again and again under load, it has every acknowledged batch, whole, and no half of another."""
    server = LocalServer("firestore", tmp_path)
    acknowledged: list[str] = []
    try:
        for run in range(3):
            server.start()
            client = connect(server)
            mine: list[list[str]] = [[] for _ in range(3)]
            threads = [
                threading.Thread(target=_write_batches, args=(client, run * 10 + worker, mine[worker]))
                for worker in range(3)
            ]
            for worker in range(3):
                client.document(f"counters/{run * 10 + worker}").set({"batches": 0})
            for thread in threads:
                thread.start()
            while sum(map(len, mine)) < 20:
                time.sleep(0.01)
            server.kill()
            for thread in threads:
                thread.join()
            acknowledged += [name for names in mine for name in names]
            client.close()  # type: ignore[no-untyped-call]  # the client's types are partial
        server.start()
        client = connect(server)
        counts: dict[str, int] = {}
        for snapshot in client.collection("documents/d/passages").select(["batch"]).stream():
            name = snapshot.get("batch")
            counts[name] = counts.get(name, 0) + 1
        assert set(acknowledged) <= set(counts)
        assert set(counts.values()) == {PASSAGES}
        # At most the one in flight of each worker of each run was committed without being acknowledged.
        assert len(counts) - len(acknowledged) <= 9
        counters = sum(each.get("batches") for each in client.collection("counters").stream())
        assert counters == len(counts)
    finally:
        if server.process is not None:
            server.stop()


def test_times_go_on_growing_after_a_restart(tmp_path: Path) -> None:
    """A restart loses neither documents nor the order of time, and its open transactions are gone."""
    server = LocalServer("firestore", tmp_path)
    server.start()
    client = connect(server)
    ref = client.document("a/b")
    first = ref.set({"n": 1}).update_time
    transaction = client.transaction()
    transaction._begin()
    ref.get(transaction=transaction)
    server.kill()
    server.start()
    try:
        client = connect(server)
        ref = client.document("a/b")
        assert ref.get().to_dict() == {"n": 1}
        assert ref.get().update_time == first
        second = ref.update({"n": 2}).update_time
        assert second > first
        (past,) = client.get_all([ref], read_time=first)
        assert past.to_dict() == {"n": 1}
        with pytest.raises(exceptions.InvalidArgument, match="no longer valid"):
            client._firestore_api.commit(
                {"database": client._database_string, "transaction": transaction.id, "writes": []}
            )
    finally:
        server.stop()


def test_stopping_is_clean(tmp_path: Path) -> None:
    """SIGTERM ends it with status 0, and the data is there for the next."""
    server = LocalServer("firestore", tmp_path)
    server.start()
    connect(server).document("a/b").set({"n": 1})
    assert server.stop() == 0
    server.start()
    assert connect(server).document("a/b").get().to_dict() == {"n": 1}
    assert server.stop() == 0


def test_what_is_taken_is_refused_in_one_line(tmp_path: Path) -> None:
    """A port or a folder in use ends with status 1 and one line that names it."""
    with serving(tmp_path / "first") as first:
        for second, named in (
            (LocalServer("firestore", tmp_path / "second", port=first.port), str(first.port)),
            (LocalServer("firestore", tmp_path / "first"), str(tmp_path / "first")),
        ):
            ended = subprocess.run(
                second.command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path.anchor
            )
            assert ended.returncode == 1
            assert named in ended.stderr
            assert len(ended.stderr.splitlines()) == 1


def test_it_starts_fast_and_small(tmp_path: Path) -> None:
    """Several servers start at once on two cores: this one takes well under a second, and 80 MB."""
    server = LocalServer("firestore", tmp_path)
    server.start()
    try:
        assert server.resident_bytes() < 80e6
        assert server.cpu_seconds() < 1  # a fifth of it; of the clock, that says how busy the machine is
    finally:
        server.stop()
