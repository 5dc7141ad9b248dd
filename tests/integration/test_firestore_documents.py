"""Documents: read, created, merged, updated, deleted, transformed, under preconditions, as they once were."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud import firestore
from google.cloud.firestore_v1.types import Value
from google.cloud.firestore_v1.vector import Vector

from tests.integration.firestore_calls import unwritten
from tests.integration.firestore_server import connect
from tests.integration.firestore_server import firestore as serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client, DocumentReference

    from tests.integration.pubsub_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with serving(tmp_path_factory.mktemp("documents")) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Client:
    return connect(server)


@pytest.fixture
def ref(client: Client) -> DocumentReference:
    return unwritten(client)


def test_every_type_comes_back_as_it_went(client: Client, ref: DocumentReference) -> None:
    """What is stored is what is read; times keep microseconds and no more."""
    data: dict[str, Any] = {
        "null": None,
        "true": True,
        "int": -(2**63),
        "float": 0.1,
        "text": "Grüße, 世界 \U0001f600",
        "bytes": bytes(range(256)),
        "time": datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC),
        "point": firestore.GeoPoint(1.5, -2.5),
        "reference": client.document("a/b"),
        "list": [1, "two", {"three": [4]}],
        "map": {"a": {"b": {}}, "odd.key": 1, "x": []},
        "vector": Vector([0.0, 1.5, -2.5]),
    }
    ref.set(data)
    snapshot = ref.get()
    assert snapshot.exists
    assert snapshot.to_dict() == data
    assert snapshot.create_time == snapshot.update_time
    assert snapshot.read_time >= snapshot.update_time


def test_a_missing_document_is_read_as_missing(ref: DocumentReference) -> None:
    """Reading what is not there is no error."""
    snapshot = ref.get()
    assert not snapshot.exists
    assert snapshot.to_dict() is None
    assert snapshot.read_time is not None


def test_get_all_answers_each_once(client: Client, ref: DocumentReference) -> None:
    """Present and missing documents asked for together come back with one time for all."""
    ref.set({"a": 1})
    other = client.document("things/nowhere")
    snapshots = list(client.get_all([ref, other]))
    assert {snapshot.reference.id: snapshot.exists for snapshot in snapshots} == {
        ref.id: True,
        other.id: False,
    }
    assert len({snapshot.read_time for snapshot in snapshots}) == 1


def test_create_refuses_what_exists(ref: DocumentReference) -> None:
    """The second create is ALREADY_EXISTS and changes nothing."""
    ref.create({"a": 1})
    with pytest.raises(
        exceptions.AlreadyExists, match=re.escape(f"Document already exists: {ref._document_path}")
    ):
        ref.create({"a": 2})
    assert ref.get().to_dict() == {"a": 1}


def test_set_replaces_and_merge_merges(ref: DocumentReference) -> None:
    """A set drops what it does not name; merge keeps it, inside maps too; merge of fields sets only those."""
    ref.set({"a": 1, "m": {"x": 1, "y": {"z": 1}}})
    ref.set({"m": {"y": {"w": 2}}, "b": 2}, merge=True)
    assert ref.get().to_dict() == {"a": 1, "b": 2, "m": {"x": 1, "y": {"z": 1, "w": 2}}}
    ref.set({"m": {"x": 9, "y": 9}, "a": 9}, merge=["m.x"])  # type: ignore[arg-type]  # the client annotates bool alone
    assert ref.get().to_dict() == {"a": 1, "b": 2, "m": {"x": 9, "y": {"z": 1, "w": 2}}}
    ref.set({"a": firestore.DELETE_FIELD, "m": {"y": firestore.DELETE_FIELD}}, merge=True)
    assert ref.get().to_dict() == {"b": 2, "m": {"x": 9}}
    ref.set({"c": 3})
    assert ref.get().to_dict() == {"c": 3}


def test_merge_creates_what_is_missing(ref: DocumentReference) -> None:
    """A merge needs no document to merge into, not even when it has nothing to say."""
    ref.set({}, merge=True)
    assert ref.get().to_dict() == {}


def test_update_by_path(ref: DocumentReference) -> None:
    """Dotted paths reach into maps and make them; quoted segments hold dots; DELETE_FIELD removes."""
    ref.set({"a": {"b": 1, "c": 2}, "scalar": 1, "x.y": 0})
    ref.update({"a.b": 10, "a.d.e": 5, "scalar.inside": 1, "`x.y`": 7, "new.`odd name`": 1})
    assert ref.get().to_dict() == {
        "a": {"b": 10, "c": 2, "d": {"e": 5}},
        "scalar": {"inside": 1},
        "x.y": 7,
        "new": {"odd name": 1},
    }
    ref.update(
        {"a": firestore.DELETE_FIELD, "new.`odd name`": firestore.DELETE_FIELD, "scalar": {"whole": 2}}
    )
    assert ref.get().to_dict() == {"scalar": {"whole": 2}, "x.y": 7, "new": {}}


def test_update_needs_the_document(ref: DocumentReference) -> None:
    """Updating what is missing is NOT_FOUND and names it."""
    with pytest.raises(exceptions.NotFound, match=re.escape(f"No document to update: {ref._document_path}")):
        ref.update({"a": 1})
    assert not ref.get().exists


def test_delete(client: Client, ref: DocumentReference) -> None:
    """A delete of what is missing succeeds, unless it must exist; a document's subcollections outlive it."""
    ref.delete()
    with pytest.raises(exceptions.NotFound):
        ref.delete(option=client.write_option(exists=True))
    ref.set({"a": 1})
    ref.collection("below").document("b").set({})
    ref.delete()
    assert not ref.get().exists
    assert ref.collection("below").document("b").get().exists


def test_last_update_time_guards_update_and_delete(client: Client, ref: DocumentReference) -> None:
    """A write under the time of the version it saw is FAILED_PRECONDITION once there is a newer one."""
    seen = ref.set({"n": 1}).update_time
    ref.update({"n": 2}, option=client.write_option(last_update_time=seen))
    with pytest.raises(exceptions.FailedPrecondition, match="does not match the required base version"):
        ref.update({"n": 3}, option=client.write_option(last_update_time=seen))
    with pytest.raises(exceptions.FailedPrecondition):
        ref.delete(option=client.write_option(last_update_time=seen))
    current = ref.get()
    assert current.to_dict() == {"n": 2}
    ref.delete(option=client.write_option(last_update_time=current.update_time))
    with pytest.raises(exceptions.FailedPrecondition):
        ref.update({"n": 3}, option=client.write_option(last_update_time=current.update_time))


def test_times_grow_with_every_change_and_only_then(ref: DocumentReference) -> None:
    """Each change has a later time than the one before; a write that changes nothing keeps the old one."""
    first = ref.set({"a": {"x": 1, "y": 2}}).update_time
    again = ref.set({"a": {"y": 2, "x": 1}}).update_time
    second = ref.set({"a": {"x": 2}}).update_time
    assert first == again
    assert second > first
    snapshot = ref.get()
    assert snapshot.create_time == first
    assert snapshot.update_time == second


def test_transforms(ref: DocumentReference) -> None:
    """Each transform does what it is named for, on fields present, missing, and of another type."""
    ref.set({"int": 1, "float": 1.5, "text": "a", "list": [1, "a", {"m": 1}], "low": 5, "high": 5, "m": {}})
    before = datetime.now(UTC)
    ref.update(
        {
            "int": firestore.Increment(2),
            "float": firestore.Increment(1),
            "text": firestore.Increment(7),
            "missing": firestore.Increment(-1),
            "list": firestore.ArrayUnion([1.0, "b", {"m": 1}, "b"]),
            "union": firestore.ArrayUnion(["x"]),
            "removed": firestore.ArrayRemove(["x"]),
            "low": firestore.Minimum(3),
            "high": firestore.Maximum(4.5),
            "m.at": firestore.SERVER_TIMESTAMP,
        }
    )
    found = ref.get().to_dict() or {}
    at = found["m"].pop("at")
    assert found == {
        "int": 3,
        "float": 2.5,
        "text": 7,
        "missing": -1,
        "list": [1, "a", {"m": 1}, "b"],
        "union": ["x"],
        "removed": [],
        "low": 3,
        "high": 5,
        "m": {},
    }
    assert timedelta(seconds=-1) < at - before < timedelta(seconds=10)
    ref.update({"list": firestore.ArrayRemove([1.0, "b", "none"])})
    assert ref.get().get("list") == ["a", {"m": 1}]


def test_increments_stop_at_the_ends_of_int64(ref: DocumentReference) -> None:
    """An integer that would overflow stays at the largest or smallest there is."""
    ref.set({"high": 2**63 - 2, "low": -(2**63) + 1})
    ref.update({"high": firestore.Increment(5), "low": firestore.Increment(-5)})
    assert ref.get().to_dict() == {"high": 2**63 - 1, "low": -(2**63)}


def test_transform_results_are_returned(client: Client, ref: DocumentReference) -> None:
    """The write's result holds what each transform made, in the order of the fields."""
    ref.set({"n": 40})
    batch = client.batch()
    batch.update(
        ref, {"n": firestore.Increment(2), "at": firestore.SERVER_TIMESTAMP, "z": firestore.ArrayUnion([1])}
    )
    (result,) = batch.commit()
    at, number, union = result.transform_results
    assert number == Value(integer_value=42)
    assert at.timestamp_value == ref.get().get("at")
    assert Value.pb(union).WhichOneof("value_type") == "null_value"


def test_field_masks(ref: DocumentReference) -> None:
    """A read of some fields gives those, from inside maps too, and nothing for what is missing."""
    ref.set({"a": 1, "m": {"x": 1, "y": 2}, "big": "x" * 1000})
    assert ref.get(field_paths=["m.y", "a", "none"]).to_dict() == {"a": 1, "m": {"y": 2}}
    assert ref.get(field_paths=["none"]).to_dict() == {}


def test_read_time_reads_the_past(client: Client, ref: DocumentReference) -> None:
    """Any moment of the last hour can be read, by name and by query; the future and older times cannot."""
    first = ref.set({"n": 1}).update_time
    second = ref.set({"n": 2}).update_time
    deleted = ref.delete()
    third = ref.set({"n": 3}).update_time

    def at(moment: datetime) -> Any:
        (snapshot,) = client.get_all([ref], read_time=moment)
        query = client.collection("things").where(filter=firestore.FieldFilter("n", ">=", 0))
        queried = {found.id: found.to_dict() for found in query.stream(read_time=moment)}
        assert queried.get(ref.id) == snapshot.to_dict()
        return snapshot.to_dict()

    assert at(first - timedelta(microseconds=1)) is None
    assert at(first) == {"n": 1}
    assert at(second - timedelta(microseconds=1)) == {"n": 1}
    assert at(second) == {"n": 2}
    assert at(deleted) is None
    assert at(third) == {"n": 3}
    with pytest.raises(exceptions.InvalidArgument):
        at(third + timedelta(hours=1))
    with pytest.raises(exceptions.FailedPrecondition):
        at(third - timedelta(hours=2))


def test_databases_are_apart(server: LocalServer, ref: DocumentReference) -> None:
    """The same path in two databases of a project is two documents."""
    ref.set({"in": "default"})
    other = connect(server, database="other")
    same = other.document(*ref._path)
    assert not same.get().exists
    same.set({"in": "other"})
    assert ref.get().to_dict() == {"in": "default"}
    assert [collection.id for collection in other.collections()] == ["things"]
