"""Lists of documents against Headrace's Firestore: filters, orders, and cursors that stay."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared.documents.catalogue import ORDERS, BadCursor, Filters, count, list_documents
from tests.documents import MOMENT, made

if TYPE_CHECKING:
    from google.cloud import firestore

    from shared.documents.catalogue import Sort
    from tests.integration.digest_window import Store

ROWS: list[dict[str, Any]] = [
    {
        "name": "reports/tarnholm_2024.pdf",
        "organisation": "Tarnholm Fibre plc.",
        "year": 2024,
        "topics": {"E1": 3},
    },
    {
        "name": "reports/tarnholm_2023.pdf",
        "organisation": "Tarnholm Fibre PLC",
        "year": 2023,
        "topics": {"S1": 1},
    },
    {"name": "velmora.txt", "title": "Énergie at Velmora", "tags": ["Draft"], "topics": {"E1": 1, "S1": 2}},
    {"name": "broken.pdf", "state": "rejected", "tags": ["draft", "old"], "language": "de"},
]


@pytest.fixture
def client(store: Store) -> firestore.Client:
    for number, row in enumerate(ROWS):
        put(store.client, number, **row)
    return store.client


def put(client: firestore.Client, number: int, **fields: Any) -> None:
    identifier = f"{number:024x}"
    created = MOMENT + timedelta(microseconds=number)
    document = made(id=identifier, created_at=created, initiatives=number % 3, **fields)
    client.collection("documents").document(identifier).set(document.model_dump())


def numbers(client: firestore.Client, sort: Sort = "newest", **filters: Any) -> list[int]:
    return [int(row["id"], 16) for row in list_documents(client, Filters(**filters), sort=sort).rows]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [3, 2, 1, 0]),
        ({"state": "rejected"}, [3]),
        ({"organisation": "tarnholm fibre PLC"}, [1, 0]),
        ({"organisation": "Tarnholm Fibre plc", "year": 2024}, [0]),
        ({"topic": "E1"}, [2, 0]),
        ({"topic": "S1", "text": "velm"}, [2]),
        ({"tag": "DRAFT"}, [3, 2]),
        ({"tag": "draft", "topic": "E1"}, [2]),
        ({"language": "de", "state": "completed"}, []),
        ({"text": "tarnholm 2023"}, [1]),
        ({"text": "energie"}, [2]),  # accents do not count
        ({"text": "report broken"}, []),
        ({"text": "?"}, [3, 2, 1, 0]),  # no word is asked for
        ({"prefix": "reports/"}, [1, 0]),
    ],
    ids=str,
)
def test_filters(client: firestore.Client, filters: dict[str, Any], expected: list[int]) -> None:
    """Each alone, several at once; and as many are counted, where Firestore can."""
    assert numbers(client, **filters) == expected
    assert count(client, Filters(**filters)) in {None, len(expected)}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("newest", [3, 2, 1, 0]), ("name", [3, 1, 0, 2]), ("year", [0, 1, 3, 2]), ("initiatives", [2, 1, 3, 0])],
)
def test_orders(client: firestore.Client, sort: Sort, expected: list[int]) -> None:
    """What has no value, such as a year, comes last."""
    assert numbers(client, sort) == expected


@pytest.mark.parametrize("sort", ORDERS)
@pytest.mark.parametrize("filters", [{}, {"tag": "draft", "topic": "E1"}], ids=str)
def test_pages_have_each_document_once(client: firestore.Client, sort: Sort, filters: dict[str, Any]) -> None:
    """Also where the document at which a page ended is erased before the next is read."""
    for number in range(4, 40):
        put(client, number, name=f"n{number % 7}", tags=["draft"], topics={"E1": number % 2})
    expected, cursor = numbers(client, sort, **filters), None
    seen: list[int] = []
    while True:
        page = list_documents(client, Filters(**filters), sort=sort, cursor=cursor, limit=3)
        seen += [int(row["id"], 16) for row in page.rows]
        if page.cursor is None:
            break
        cursor = page.cursor
        client.collection("documents").document(page.rows[-1]["id"]).delete()
    assert seen == expected
    assert len(seen) > 3


@pytest.mark.parametrize(
    "cursor", ["", "x", "W10", "WyJuZXdlc3QiLCAxLCAiYSJd", "WyJuYW1lIiwgIm4iLCAiYSJd", "WyJ5"]
)
def test_a_cursor_of_no_list_is_refused(client: firestore.Client, cursor: str) -> None:
    """Somebody may have changed it, or asked for another order."""
    with pytest.raises(BadCursor):
        list_documents(client, Filters(), cursor=cursor)


def test_many_documents_are_listed_at_once(store: Store) -> None:
    """By the second list their keys are known: no more than what is shown is parsed."""
    padding = ["a sentence of a summary " * 20] * 20
    for start in range(0, 2_000, 400):
        batch = store.client.batch()
        for number in range(start, start + 400):
            fields = {"organisation": f"Company {number % 100}", "year": 2000 + number % 25}
            document = made(id=f"{number:024x}", name=f"{number}.pdf", warnings=padding, **fields)
            batch.set(store.client.collection("documents").document(document.id), document.model_dump())
        batch.commit()
    took = []
    for _ in range(4):
        started = time.monotonic()
        page = list_documents(store.client, Filters(organisation="company 7", text="company"))
        took.append(time.monotonic() - started)
    assert len(page.rows) == 20
    assert min(took[1:]) < took[0] / 2
