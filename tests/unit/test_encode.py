import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.firestore_v1 import _helpers
from google.cloud.firestore_v1.types import Value
from google.cloud.firestore_v1.vector import Vector
from hypothesis import given
from hypothesis import strategies as st

from shared.platform.transaction import fill_vector, value

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def client_encoding(item: object) -> Any:
    return Value.pb(_helpers.encode_value(item))


@given(plain)
def test_values_are_encoded_as_the_client_encodes_them(item: object) -> None:
    """The fast encoder and the client's own agree on every type it takes."""
    assert value(item) == client_encoding(item)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=400))
def test_vectors_are_encoded_as_the_client_encodes_them(numbers: list[float]) -> None:
    """The wire bytes laid out by hand parse to the client's own vector, bit for bit."""
    encoded, expected = Value.pb(Value()), client_encoding(Vector(numbers))
    fill_vector(encoded, numbers)
    assert encoded == expected
    parsed = [element.double_value for element in encoded.map_value.fields["value"].array_value.values]
    assert struct.pack(f"<{len(parsed)}d", *parsed) == struct.pack(f"<{len(numbers)}d", *numbers)


def test_other_types_are_refused() -> None:
    """A type that would be stored as something else is an error, not a guess."""
    with pytest.raises(TypeError, match="datetime"):
        value(datetime.now(UTC))
