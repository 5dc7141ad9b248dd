"""Rows must be read for what they say, and left out by name of file, line and reason where they cannot be."""

from __future__ import annotations

import dataclasses
import json

import pytest

from model_export.labelled import split_of
from shared.platform.errors import Rejected, SetupError
from shared.platform.records import TOPICS
from training import rows as reading
from training.data import DataObject, Place, check_size, data_digest
from training.retrain import corpus
from training.rows import CORRECTIONS, MAX_CHARACTERS, Rows, own_sentences


def read(name: str, content: str | bytes) -> Rows:
    rows = Rows(TOPICS)
    rows.add(name, content.encode() if isinstance(content, str) else content)
    return rows


def codes(rows: Rows) -> list[tuple[int, str]]:
    return [(left.line, left.code) for left in rows.left]


def test_what_people_corrected_comes_before_rows_that_contradict_it() -> None:
    """A file may say more of a text, not something else."""
    rows = Rows(TOPICS)
    corrections = [{"text": "Waste fell.", "topics": ["E5"]}, {"text": "Other.", "topics": ["X9"]}]
    rows.take(CORRECTIONS, enumerate(corrections, 1), CORRECTIONS)
    rows.add(
        "a.jsonl", b'{"text": "waste  fell.", "topics": ["E2"]}\n{"text": "waste fell.", "action": "none"}'
    )
    (example,) = rows.examples
    assert (example.source, example.action) == (CORRECTIONS, "none")
    assert [topic for topic, applies in example.topics.items() if applies] == ["E5"]
    assert [(left.file, left.code) for left in rows.left] == [
        (CORRECTIONS, "unknown_topic"),
        ("a.jsonl", "contradiction"),
    ]


def test_a_training_of_other_corrections_is_another_one() -> None:
    """And one without any is the one that it was before there were some."""
    place, rows = Place("b", "p"), [{"text": "a", "action": "none"}]
    assert len({data_digest(place, []), data_digest(place, [], rows), data_digest(None, [], rows)}) == 3
    assert data_digest(place, []) == data_digest(place, [], [])
    with pytest.raises(Rejected, match="Nobody has corrected"):
        check_size(None, [])
    check_size(None, [], 1)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ("3", "not_an_object"),
        ('{"action": "none"}', "no_text"),
        ('{"text": 3, "action": "none"}', "no_text"),
        ('{"text": " ", "action": "none"}', "no_text"),
        ('{"text": "a"}', "no_label"),
        ('{"text": "a", "topics": ["E9"]}', "unknown_topic"),
        ('{"text": "a", "topics": "E1"}', "unknown_topic"),
        ('{"text": "a", "action": "done"}', "unknown_action"),
        ('{"text": "a", "sentiment": "good"}', "unknown_sentiment"),
        ('{"text": "a", "action": "none", "page": 3}', "unknown_field"),
        (json.dumps({"text": "a" * (MAX_CHARACTERS + 1), "action": "none"}), "too_many_characters"),
        (b'{"text": "\xff", "action": "none"}', "not_utf8"),
    ],
)
def test_a_row_that_will_not_do(line: str | bytes, code: str) -> None:
    """It is named, and the row after it is read."""
    sound = b'{"text": "b", "action": "none"}'
    rows = read("x.jsonl", b"\n".join([line if isinstance(line, bytes) else line.encode(), b"", sound]))
    assert codes(rows) == [(1, code)]
    assert [example.text for example in rows.examples] == ["b"]


def test_rows_of_one_text_come_together() -> None:
    """Labels in several files add up; the same again is a duplicate, another one a contradiction."""
    rows = read("a.jsonl", '{"text": "Waste  fell.", "topics": ["E5"]}')
    rows.add("b.csv", b"text,sentiment\nwaste fell.,positive\nWaste fell.,positive\nWASTE FELL.,negative\n")
    (example,) = rows.examples
    assert (example.text, example.sentiment, example.topics["E5"]) == ("Waste  fell.", "positive", True)
    assert codes(rows) == [(3, "duplicate"), (4, "contradiction")]


def test_csv() -> None:
    """Codes with commas or spaces; an empty cell of topics says that none applies, of others nothing."""
    rows = read(
        "x.csv", '\ufefftext,labels,action\n"a, b","E1, E2",\nc,E3 S1,planned\nd,,none\n"two\nlines",,\n'
    )
    assert [sorted(t for t, yes in e.topics.items() if yes) for e in rows.examples] == [
        ["E1", "E2"],
        ["E3", "S1"],
        [],
        [],
    ]
    assert [example.action for example in rows.examples] == [None, "planned", "none", None]
    assert rows.examples[3].text == "two\nlines"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"texts,labels\na,E1\n", [(1, "unknown_columns")]),
        (b"text,labels,page\na,E1,3\n", [(1, "unknown_columns")]),
        (b"", [(1, "unknown_columns")]),
        (b"text,labels\na,E1,more\nb,E1\n", [(2, "too_many_cells")]),
        (b"text,labels\n\xff,E1\nb,E1\n", [(2, "not_utf8")]),
        (b'text,labels\na,E1\n"b,E1\nc,E1\n', [(3, "damaged_from_here_on")]),
    ],
)
def test_damaged_csv(content: bytes, found: list[tuple[int, str]]) -> None:
    assert codes(read("x.csv", content)) == found


def test_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 2)
    with pytest.raises(Rejected) as refused:
        read("x.jsonl", '{"text": "a", "action": "none"}\n' * 3)
    assert refused.value.code == "too_many_rows"


def test_many_bad_rows_are_counted_and_the_first_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LISTED", 2)
    rows = read("x.jsonl", "{\n" * 5)
    assert (rows.reasons["not_json"], len(rows.left)) == (5, 2)


def test_the_split_is_the_texts_own() -> None:
    """Whatever its case, spacing, labels or file; about three in ten are held out."""
    texts = [f"Site {number} is closed." for number in range(2000)]
    lines = "\n".join(json.dumps({"text": text, "action": "none"}) for text in texts)
    other = "\n".join(json.dumps({"text": f" {text.upper()}", "sentiment": "neutral"}) for text in texts)
    one, two = read("x.jsonl", lines), read("y.jsonl", other)
    splits = [split_of(example) for example in one.examples]
    assert splits == [split_of(example) for example in two.examples]
    assert 0.27 < splits.count("test") / 2000 < 0.33


def test_no_text_is_both_learnt_and_held_out() -> None:
    """A user's file may hold sentences of ours; a held-out one is learnt from under no name."""
    ours = own_sentences()
    rows = Rows(TOPICS)
    lines = [json.dumps({"text": example.text.upper(), "action": example.action}) for example in ours]
    rows.add("ours.jsonl", "\n".join(lines).encode())
    known = corpus(rows.examples, TOPICS)
    texts = [reading.plain(example.text) for example in known.examples]
    held = {text for text, out in zip(texts, known.held, strict=True) if out}
    assert not held & {text for text, out in zip(texts, known.held, strict=True) if not out}
    assert len(held) > 127


def test_another_taxonomy_knows_none_of_our_topics() -> None:
    """A code spelt like one of ours may mean something else there."""
    known = corpus([], ("E1", "pay"))
    assert not known.targets.judged("topic").any()
    assert known.targets.judged("action").sum() > 1000
    assert corpus([], TOPICS).targets.judged("topic").sum() > 1000


@pytest.mark.parametrize("uri", ["labels", "s3://a/b", "gs://", "gs:///x"])
def test_no_place(uri: str) -> None:
    with pytest.raises(SetupError, match="names no place in a bucket"):
        Place.parse(uri)


@pytest.mark.parametrize(
    ("prefix", "name", "held"),
    [
        ("labels", "labels/a.csv", True),
        ("labels/", "labels/a.csv", True),
        ("labels/a.csv", "labels/a.csv", True),
        ("labels", "labels-old/a.csv", False),
        ("", "a.csv", True),
    ],
)
def test_a_prefix_is_a_folder(prefix: str, name: str, *, held: bool) -> None:
    assert Place.parse(f"gs://bucket/{prefix}").holds(name) is held


def item(name: str = "a.csv", size: int = 1, generation: str = "1") -> DataObject:
    return DataObject(name=name, generation=generation, size=size, crc32c="x")


@pytest.mark.parametrize(
    ("objects", "code"),
    [
        ([], "no_data"),
        ([item()] * 1001, "too_many_objects"),
        ([item(size=40 << 20)] * 2, "too_many_bytes"),
    ],
)
def test_limits_of_a_place(objects: list[DataObject], code: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_size(Place("b", "p"), objects)
    assert refused.value.code == code


def test_the_digest_tells_data_apart() -> None:
    """By name, generation, size, checksum and place."""
    one = item()
    others = [item("b.csv"), item(size=2), item(generation="2"), one.model_copy(update={"crc32c": "y"})]
    place = Place("b", "p")
    digests = {data_digest(place, [other]) for other in (one, *others)}
    digests |= {data_digest(dataclasses.replace(place, bucket="c"), [one])}
    assert len(digests) == 6
    assert data_digest(place, [one]) in digests
