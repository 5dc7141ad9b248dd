"""What is kept of a document: bounded, in order, each sentence for a reason, the vectors beside them."""

from __future__ import annotations

import numpy as np
import pytest

from shared.documents.outcomes import Kept, organisation_key, pack, unpack
from shared.documents.quotable import MAX_INITIATIVES, MAX_MOOD, keep
from shared.platform.records import SENTIMENTS
from shared.text.summary import Aggregate, combine, partial
from shared.text.summary import vectors as vectors_of
from tests.unit.test_summary import document, result, sentence, whole


def test_an_empty_document_keeps_nothing() -> None:
    """No sentence and no vector, whether or not there was a batch."""
    for nothing in (Aggregate(), combine([partial([])])):
        kept, vectors = keep(nothing)
        assert kept == []
        assert len(vectors) == 0


def test_each_role_has_its_sentences_and_its_limit() -> None:
    """Of more than there are places, the surest of each mood; every sentence in document order, once."""
    results = [
        result(at, sentence(at), ("E1",), mood=mood, action="planned")
        for at, mood in enumerate(SENTIMENTS * (MAX_INITIATIVES // 2))
    ]
    kept, vectors = keep(whole(results))
    indexes = [one.index for one in kept]
    assert indexes == sorted(set(indexes))
    count = {role: sum(role in one.roles for one in kept) for role in ("initiative", "negative", "positive")}
    assert count == {"initiative": MAX_INITIATIVES, "negative": MAX_MOOD, "positive": MAX_MOOD}
    assert all(one.negative > 0.5 for one in kept if "negative" in one.roles)
    assert vectors.shape == (len(kept), 384)
    by_index = {one.index: one for one in whole(results).candidates}
    assert np.array_equal(vectors, vectors_of([by_index[index] for index in indexes]))


def test_what_says_nothing_on_a_topic_is_kept_for_the_summary_alone() -> None:
    """A passage without a topic is no initiative and stands for no mood."""
    results = [result(at, sentence(at), (), mood="negative", action="planned") for at in range(6)]
    kept, _ = keep(whole(results))
    assert {role for one in kept for role in one.roles} == {"summary"}


def test_what_is_kept_does_not_depend_on_batches() -> None:
    """However a document was divided."""
    results = document(90)
    once = keep(whole(results))
    divided = keep(whole(results, 7))
    assert once[0] == divided[0]
    assert np.array_equal(once[1], divided[1])


def test_what_is_packed_comes_out_as_it_was() -> None:
    """Rows, pages and roles included."""
    kept, _ = keep(whole(document(30)))
    assert [Kept.model_validate(fields) for fields in unpack(pack(kept))] == kept


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (None, None),
        ("", None),
        ("  . ", None),
        ("Tarnholm Fibre Group plc.", "tarnholm fibre group plc"),
        ("TARNHOLM  Fibre-Group, PLC", "tarnholm fibre group plc"),
        ("Größe & Söhne GmbH", "grösse söhne gmbh"),
    ],
)
def test_an_organisation_is_known_in_spite_of_how_it_is_written(name: str | None, key: str | None) -> None:
    """Case and punctuation make no other organisation."""
    assert organisation_key(name) == key


def test_what_matters_most_is_kept() -> None:
    """Of bad news that is equally sure, wherever it stands in the document."""
    results = [
        result(at, sentence(at), ("S1",), mood="negative").model_copy(update={"salience": salience})
        for at, salience in enumerate([*[1.2] * MAX_MOOD, 2.7])
    ]
    kept, _ = keep(whole(results))
    bad = [one.index for one in kept if "negative" in one.roles]
    assert bad == [*range(MAX_MOOD - 1), MAX_MOOD]
