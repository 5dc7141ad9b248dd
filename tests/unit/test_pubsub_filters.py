"""The filter language: each operator, each refusal, and any filter against a reference evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.pubsub.filters import MAX_DEPTH, MAX_FILTER_BYTES, NotAFilter, compile_filter

KIND = {"kind": "digest"}

CASES = [
    ("", {}, True),
    ("   ", KIND, True),
    ("attributes:kind", KIND, True),
    ("attributes:kind", {"kind": ""}, True),
    ("attributes:kind", {"kinds": "digest"}, False),
    ("attributes:Kind", KIND, False),  # case matters
    ('attributes.kind = "digest"', KIND, True),
    ('attributes.kind="digest"', KIND, True),
    ('attributes.kind = "Digest"', KIND, False),
    ('attributes.kind = "digest"', {}, False),
    ('attributes.kind != "digest"', KIND, False),
    ('attributes.kind != "digest"', {"kind": "sweep"}, True),
    ('attributes.kind != "digest"', {}, True),  # the contrary of `=`, so true without the key
    ('hasPrefix(attributes.kind, "dig")', KIND, True),
    ('hasPrefix(attributes.kind, "")', KIND, True),
    ('hasPrefix(attributes.kind, "")', {}, False),
    ('hasPrefix ( attributes.kind , "gest" )', KIND, False),
    ("NOT attributes:kind", {}, True),
    ("NOT NOT attributes:kind", KIND, True),
    ("NOT attributes:a AND attributes:kind", KIND, True),  # NOT binds first
    ("NOT (attributes:a AND attributes:kind)", KIND, True),
    ("attributes:a OR attributes:b OR attributes:kind", KIND, True),
    ("attributes:kind AND (attributes:a OR attributes:b)", KIND, False),
    ("(attributes:kind AND attributes:a) OR attributes:kind", KIND, True),
    ('attributes:"iana.org/language_tag"', {"iana.org/language_tag": "en"}, True),
    ('attributes."a b" = "c d"', {"a b": "c d"}, True),
    ('attributes.a-b_1 = "x"', {"a-b_1": "x"}, True),
    ('attributes.attributes = "AND"', {"attributes": "AND"}, True),
    (r'attributes.a = "say \"hi\" \\ \n"', {"a": 'say "hi" \\ \n'}, True),
    (r'attributes.a = "\u00fc\x41\101\U0001f600"', {"a": "üAA😀"}, True),
    ('attributes.a = "ü"', {"a": "ü"}, True),
]


@pytest.mark.parametrize(("text", "attributes", "expected"), CASES)
def test_filter_selects(text: str, attributes: Mapping[str, str], expected: bool) -> None:  # noqa: FBT001
    """Each operator, precedence, quoting and escape."""
    assert compile_filter(text)(attributes) is expected


@pytest.mark.parametrize(
    "text",
    [
        "kind",
        "attributes",
        "attributes.kind",
        "attributes:",
        "attributes.kind = digest",
        'attributes.kind == "digest"',
        'attributes.kind > "digest"',
        'attributes.kind = "digest',
        'attributes.a.b = "x"',
        "hasPrefix(attributes.kind)",
        'hasPrefix(attributes:kind, "x")',
        'hasSuffix(attributes.kind, "x")',
        "attributes:a AND",
        "AND attributes:a",
        "NOT",
        "attributes:a attributes:b",
        "attributes:a and attributes:b",
        "attributes:a AND attributes:b OR attributes:c",
        "attributes:a OR attributes:b AND attributes:c",
        "(attributes:a",
        "attributes:a)",
        "()",
        'data = "x"',
        r'attributes.a = "\ud800"',
        r'attributes.a = "\UFFFFFFFF"',
        'attributes.ü = "x"',
        "attributes:" + "k" * MAX_FILTER_BYTES,
        "(" * (MAX_DEPTH + 1) + "attributes:a" + ")" * (MAX_DEPTH + 1),
    ],
)
def test_what_is_not_a_filter_is_refused(text: str) -> None:
    """Nothing outside the grammar passes as something else."""
    with pytest.raises(NotAFilter):
        compile_filter(text)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    """No text makes the parser fail otherwise."""
    with contextlib.suppress(NotAFilter):
        compile_filter(text)({"a": "b"})


Reference = tuple[str, Callable[[Mapping[str, str]], bool]]
"""A filter's text, and what it means, written without the parser."""

KEYS = st.sampled_from(["a", "b", "c-d", "e f", "ü"])
VALUES = st.sampled_from(["", "x", "xy", 'q"', "b\\s", "new\nline", "AND"])


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def key_text(key: str) -> str:
    return key if key in {"a", "b", "c-d"} else quoted(key)


def leaf(kind: str, key: str, value: str) -> Reference:
    name, literal = key_text(key), quoted(value)
    return {
        "has": (f"attributes:{name}", lambda attributes: key in attributes),
        "=": (f"attributes.{name} = {literal}", lambda attributes: attributes.get(key) == value),
        "!=": (f"attributes.{name}!={literal}", lambda attributes: attributes.get(key) != value),
        "prefix": (
            f"hasPrefix(attributes.{name}, {literal})",
            lambda attributes: key in attributes and attributes[key][: len(value)] == value,
        ),
    }[kind]


def negation(inner: Reference) -> Reference:
    return f"NOT ({inner[0]})", lambda attributes: not inner[1](attributes)


def joined(word: str, parts: list[Reference]) -> Reference:
    text = f" {word} ".join(f"({part[0]})" for part in parts)
    if word == "AND":
        return text, lambda attributes: all(part[1](attributes) for part in parts)
    return text, lambda attributes: any(part[1](attributes) for part in parts)


LEAVES = st.builds(leaf, st.sampled_from(["has", "=", "!=", "prefix"]), KEYS, VALUES)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(negation, inner)
        | st.builds(joined, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=5,
).filter(lambda reference: len(reference[0].encode()) <= MAX_FILTER_BYTES)


@given(FILTERS, st.dictionaries(KEYS, VALUES))
def test_any_filter_means_what_the_reference_says(reference: Reference, attributes: dict[str, str]) -> None:
    """However operators are nested, the compiled filter and the reference agree on any attributes."""
    text, expected = reference
    assert compile_filter(text)(attributes) is expected(attributes)
