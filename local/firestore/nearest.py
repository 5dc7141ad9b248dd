"""Vector search: the exact distance to every candidate, computed at once with numpy.

numpy is imported on the first search, not at start: most of the life of this server needs none.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

from local.firestore import limits, paths
from local.firestore.protos import ArrayValue, Document, StructuredQuery, Value
from local.firestore.values import is_vector
from local.firestore.vectors import DOUBLE_AT, STRIDE, packed_doubles
from local.serving import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from local.firestore.plans import Match, Plan

MAX_RESULTS = 1000
_BLOCK = 512
_Measure: Any = StructuredQuery.FindNearest
_MEASURES = {_Measure.EUCLIDEAN, _Measure.COSINE, _Measure.DOT_PRODUCT}


def search(matches: Iterable[Match], plan: Plan) -> list[tuple[Match, float]]:
    """The nearest of `matches` with their distances, best first.

    Raises:
        Refused: INVALID_ARGUMENT for a query that is no vector, a bad limit or an unknown measure.
    """
    ask = plan.query.find_nearest
    if not 1 <= ask.limit.value <= MAX_RESULTS:
        raise invalid(f"FindNearest.limit must be a positive integer of at most {MAX_RESULTS}.")
    if ask.distance_measure not in _MEASURES:
        raise invalid("FindNearest.distance_measure must be EUCLIDEAN, COSINE or DOT_PRODUCT.")
    path = paths.parse(ask.vector_field.field_path)
    target = _query_vector(ask.query_vector)
    # Of a dot product the greatest is the nearest.
    sign = -1 if ask.distance_measure == _Measure.DOT_PRODUCT else 1
    best: list[tuple[Match, float]] = []
    # In blocks, so that no more than one block's documents are held beside the best so far.
    matches = iter(matches)
    while block := list(itertools.islice(matches, _BLOCK)):
        best += _block(block, path, target, ask.distance_measure)
        best = heapq.nsmallest(ask.limit.value, best, key=lambda pair: sign * pair[1])
    if ask.HasField("distance_threshold"):
        limit = sign * ask.distance_threshold.value
        best = [pair for pair in best if sign * pair[1] <= limit]
    return best


def _block(
    matches: list[Match], path: paths.FieldPath, target: npt.NDArray[np.float64], measure: int
) -> list[tuple[Match, float]]:
    """Those that have a vector of the right length, each with its distance."""
    having: list[Match] = []
    rows: list[bytes] = []
    for match in matches:
        value = paths.get(Document.FromString(match.data()).fields, path)
        row = None if value is None else _packed(value)
        if row is not None and len(row) == STRIDE * len(target):
            having.append(match)
            rows.append(row)
    distances = _distances(_table(rows, len(target)), target, measure)
    return list(zip(having, distances.tolist(), strict=True))


def _query_vector(value: Value) -> npt.NDArray[np.float64]:
    packed = _packed(value)
    if not packed:
        raise invalid("Query Value must be of type vector.")
    dimensions = len(packed) // STRIDE
    if dimensions > limits.MAX_DIMENSIONS:
        raise invalid(f"A query vector has at most {limits.MAX_DIMENSIONS} dimensions.")
    vector: npt.NDArray[np.float64] = _table([packed], dimensions)[0]
    return vector


def _packed(value: Value) -> bytes | None:
    """The vector's numbers as they lie on the wire, or None where it is no vector."""
    if value.WhichOneof("value_type") != "map_value" or not is_vector(value.map_value.fields):
        return None
    array = value.map_value.fields["value"].array_value
    packed = packed_doubles(array)
    if packed is None:
        numbers = (getattr(each, each.WhichOneof("value_type")) for each in array.values)
        packed = packed_doubles(ArrayValue(values=[Value(double_value=number) for number in numbers]))
    return packed


def _table(rows: list[bytes], dimensions: int) -> npt.NDArray[np.float64]:
    """(n, dimensions) float64 of n packed vectors."""
    import numpy as np

    wire = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), dimensions, STRIDE)
    return np.ascontiguousarray(wire[:, :, DOUBLE_AT:]).view("<f8").reshape(len(rows), dimensions)


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
    else:
        lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(target)
        # A vector of length zero points nowhere: as far as a right angle.
        cosines = np.divide(table @ target, lengths, out=np.zeros(len(table)), where=lengths > 0)
        distances = 1 - cosines
    return distances
