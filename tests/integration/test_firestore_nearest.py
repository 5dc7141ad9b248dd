"""The nearest vectors: as plain arithmetic finds them, by every measure, filtered, projected, cut off."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.vector import Vector

from tests.integration.firestore_calls import where
from tests.integration.firestore_server import connect, firestore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.firestore import Client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with firestore(tmp_path_factory.mktemp("nearest")) as server:
        yield connect(server)


def distances(
    measure: DistanceMeasure, query: list[float], vectors: dict[str, list[float]]
) -> dict[str, float]:
    """What `find_nearest` must find, by plain arithmetic."""

    def one(vector: list[float]) -> float:
        dot = sum(a * b for a, b in zip(query, vector, strict=True))
        if measure == DistanceMeasure.DOT_PRODUCT:
            return dot
        if measure == DistanceMeasure.COSINE:
            return 1 - dot / math.hypot(*query) / math.hypot(*vector)
        return math.dist(query, vector)

    return {identity: one(vector) for identity, vector in vectors.items()}


@pytest.fixture(scope="module")
def vectors(client: Client) -> dict[str, list[float]]:
    """Seven hundred vectors of 16, more than are compared at once, among documents without one that fits."""
    dice = random.Random(7)
    made = {f"v{number:03}": [dice.uniform(-1, 1) for _ in range(16)] for number in range(700)}
    batch = client.batch()
    for number, (identity, vector) in enumerate(made.items()):
        batch.set(client.document(f"vectors/{identity}"), {"e": Vector(vector), "even": number % 2 == 0})
    batch.set(client.document("vectors/short"), {"e": Vector([1.0]), "even": True})
    batch.set(client.document("vectors/text"), {"e": "text", "even": True})
    batch.set(client.document("vectors/none"), {"even": True})
    batch.commit()
    return made


@pytest.mark.parametrize("measure", list(DistanceMeasure))
def test_nearest(client: Client, vectors: dict[str, list[float]], measure: DistanceMeasure) -> None:
    """The nearest are those that plain arithmetic finds, with their distances, filtered and cut off."""
    query = [0.5, -0.25] * 8
    exact = distances(measure, query, vectors)
    greatest_first = measure == DistanceMeasure.DOT_PRODUCT
    ranked = sorted(exact, key=exact.__getitem__, reverse=greatest_first)
    collection = client.collection("vectors")

    def search(source: Any, **more: Any) -> dict[str, float]:
        found = source.find_nearest(
            "e", Vector(query), distance_measure=measure, distance_result_field="found.distance", **more
        )
        return {snapshot.id: snapshot.get("found.distance") for snapshot in found.get()}

    ten = search(collection, limit=10)
    assert list(ten) == ranked[:10]
    assert ten == pytest.approx({identity: exact[identity] for identity in ten})
    even = search(where(collection, *("even", "==", True)), limit=1000)
    assert list(even) == [identity for identity in ranked if int(identity[1:]) % 2 == 0]
    threshold = (exact[ranked[4]] + exact[ranked[5]]) / 2
    assert list(search(collection, limit=10, distance_threshold=threshold)) == ranked[:5]


def test_nearest_with_projection(client: Client, vectors: dict[str, list[float]]) -> None:
    """With selected fields the distance comes where it is one of them, and the vector likewise."""

    def search(*fields: str) -> tuple[str, dict[str, Any] | None]:
        query = client.collection_group("vectors").select(fields)
        nearest: Any = query.find_nearest(
            "e", Vector(vectors["v003"]), 1, DistanceMeasure.EUCLIDEAN, distance_result_field="distance"
        )
        (found,) = nearest.get()
        return found.id, found.to_dict()

    assert search("even", "distance") == ("v003", {"even": False, "distance": 0.0})
    assert search("even") == ("v003", {"even": False})


def test_nearest_is_refused_where_it_makes_no_sense(client: Client) -> None:
    """A limit out of range and a query of too many dimensions are INVALID_ARGUMENT."""
    collection = client.collection("vectors")
    for limit, query in ((0, [1.0]), (1001, [1.0]), (1, [1.0] * 2049)):
        with pytest.raises(exceptions.InvalidArgument):
            collection.find_nearest("e", Vector(query), limit, DistanceMeasure.COSINE).get()
