"""Vector search: the exact distance to every candidate, computed at once with numpy.

numpy is imported on the first search, not at start: most of the life of this server needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.firestore import limits, paths
from local.firestore.errors import invalid
from local.firestore.protos import Document, StructuredQuery
from local.firestore.values import is_vector
from local.firestore.vectors import DOUBLE_AT, STRIDE, packed_doubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt

    from local.firestore.plans import Plan
    from local.firestore.protos import Value
    from local.firestore.queries import Match

MAX_RESULTS = 1000
_Measure: Any = StructuredQuery.FindNearest


def search(matches: Iterable[Match], plan: Plan) -> Iterator[tuple[Match, float]]:
    """The nearest of `matches` with their distances, best first.

    Raises:
        Refused: INVALID_ARGUMENT for a query that is no vector, a bad limit or an unknown measure.
    """
    import numpy as np

    ask = plan.query.find_nearest
    if not 1 <= ask.limit.value <= MAX_RESULTS:
        raise invalid(f"FindNearest.limit must be a positive integer of at most {MAX_RESULTS}.")
    path = paths.parse(ask.vector_field.field_path)
    target = _query_vector(ask.query_vector)
    rows: list[npt.NDArray[np.float64]] = []
    having: list[Match] = []
    for match in matches:
        value = paths.get(Document.FromString(match.version.data).fields, path)
        vector = None if value is None else _vector(value)
        if vector is not None and len(vector) == len(target):
            rows.append(vector)
            having.append(match)
    if not rows:
        return
    distances = _distances(np.stack(rows), target, ask.distance_measure)
    descending = ask.distance_measure == _Measure.DOT_PRODUCT
    order = np.argsort(-distances if descending else distances, kind="stable")[: ask.limit.value]
    threshold = ask.distance_threshold.value if ask.HasField("distance_threshold") else None
    for index in order:
        distance = float(distances[index])
        if threshold is not None and (distance < threshold if descending else distance > threshold):
            return
        yield having[index], distance


def _query_vector(value: Value) -> npt.NDArray[np.float64]:
    vector = _vector(value)
    if vector is None or not len(vector):
        raise invalid("Query Value must be of type vector.")
    if len(vector) > limits.MAX_DIMENSIONS:
        raise invalid(f"A query vector has at most {limits.MAX_DIMENSIONS} dimensions.")
    return vector


def _vector(value: Value) -> npt.NDArray[np.float64] | None:
    """The value as (n,) float64, or None where it is no vector."""
    import numpy as np

    if value.WhichOneof("value_type") != "map_value" or not is_vector(value.map_value.fields):
        return None
    array = value.map_value.fields["value"].array_value
    packed = packed_doubles(array)
    if packed is None:
        return np.array([getattr(v, v.WhichOneof("value_type")) for v in array.values], dtype=np.float64)
    table = np.frombuffer(packed, dtype=np.uint8).reshape(-1, STRIDE)[:, DOUBLE_AT:]
    return np.ascontiguousarray(table).view("<f8").ravel()


def _distances(
    table: npt.NDArray[np.float64], target: npt.NDArray[np.float64], measure: int
) -> npt.NDArray[np.float64]:
    """(n,) distances of the (n, dimensions) `table`; for DOT_PRODUCT greater is nearer."""
    import numpy as np

    distances: npt.NDArray[np.float64]
    if measure == _Measure.EUCLIDEAN:
        distances = np.linalg.norm(table - target, axis=1)
    elif measure == _Measure.DOT_PRODUCT:
        distances = table @ target
    elif measure == _Measure.COSINE:
        lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(target)
        # A vector of length zero points nowhere: as far as a right angle.
        cosines = np.divide(table @ target, lengths, out=np.zeros(len(table)), where=lengths > 0)
        distances = 1 - cosines
    else:
        raise invalid("FindNearest.distance_measure must be EUCLIDEAN, COSINE or DOT_PRODUCT.")
    return distances
