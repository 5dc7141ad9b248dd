"""Field paths survive being written down, and point at what they name."""

from __future__ import annotations

import pytest
from google.cloud.firestore_v1.field_path import FieldPath
from hypothesis import given, settings
from hypothesis import strategies as st

from local.firestore import paths
from local.firestore.protos import Document, Value
from local.serving import Refused

UNHURRIED = settings(deadline=None)
"""A busy machine is no failure."""

SEGMENTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6) | st.sampled_from("a.b` \\0"),
    min_size=1,
    max_size=4,
)


@UNHURRIED
@given(SEGMENTS)
def test_a_rendered_path_parses_to_itself(segments: list[str]) -> None:
    """Quoting and escaping lose nothing, whatever the names hold."""
    assert paths.parse(paths.render(segments)) == tuple(segments)


@UNHURRIED
@given(SEGMENTS)
def test_what_the_client_writes_is_understood(segments: list[str]) -> None:
    """The client's own rendering of a path parses to the same segments."""
    assert paths.parse(FieldPath(*segments).to_api_repr()) == tuple(segments)


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "0a", "a b", "`a", "a`b`", "``", "a-b", "`a`b"]
)
def test_malformed_paths_are_refused(text: str) -> None:
    """What is neither a simple name nor quoted is no path."""
    with pytest.raises(Refused, match="Invalid property path"):
        paths.parse(text)


def test_a_path_of_more_than_1500_bytes_is_refused() -> None:
    """The limit counts bytes: 751 letters of two bytes are too many."""
    assert paths.parse("a" * 1500)
    with pytest.raises(Refused, match="longer than 1500"):
        paths.parse("`" + "é" * 750 + "`")


@UNHURRIED
@given(SEGMENTS, st.integers(0, 9))
def test_put_get_remove(segments: list[str], number: int) -> None:
    """What is put can be got, and once removed is gone while the maps around it stay."""
    document, path = Document(), tuple(segments)
    paths.put(document.fields, path, Value(integer_value=number))
    found = paths.get(document.fields, path)
    assert found is not None
    assert found.integer_value == number
    paths.remove(document.fields, path)
    assert paths.get(document.fields, path) is None
    assert len(path) == 1 or paths.get(document.fields, path[:-1]) is not None


def test_reading_never_creates() -> None:
    """Asking for what is missing, or for something inside a scalar, leaves the document as it was."""
    document = Document(fields={"a": Value(integer_value=1)})
    before = document.SerializeToString()
    assert paths.get(document.fields, ("a", "b")) is None
    assert paths.get(document.fields, ("x", "y", "z")) is None
    paths.remove(document.fields, ("x", "y"))
    paths.remove(document.fields, ("a", "b"))
    assert document.SerializeToString() == before


def test_of_nested_read_paths_the_wider_stays() -> None:
    """A mask to read may name a field and one inside it; a mask to write may not."""
    assert paths.parse_mask(["a.b", "a", "c.d", "__name__"]) == [("a",), ("c", "d")]
    with pytest.raises(Refused, match="overlap"):
        paths.parse_update_mask(["a.b", "a"])
