"""Figures and tables of a batch are packed within the limits of a record, and unpacked as they were."""

from __future__ import annotations

from typing import Any

import pytest

from shared.documents import figures
from shared.documents.figures import DocumentFigure, DocumentTable, Packed, fitting, of_batch, pack, unpack
from shared.documents.planning import as_read
from shared.platform.records import Passage, PassageResult, TopicScore
from shared.platform.tables import Cell, Figure, Row, Table

TABLE = Table(
    rows=(
        Row(kind="head", cells=(Cell(text="2023", column=1), Cell(text="2022", column=2))),
        Row(kind="row", cells=(Cell(text="Gas (MWh)", column=0), Cell(text="4,100", column=1)), level=1),
    ),
    columns=3,
    page=4,
    box=(1.0, 2.0, 3.5, 4.0),
    caption="Energy",
    notes=("1 Of the works.",),
)


def figure(**fields: Any) -> Figure:
    known: dict[str, Any] = {"kind": "quantity", "value": 4100.0, "unit": "MWh", "text": "4,100"}
    return Figure(**(known | fields))


def passage(index: int, **fields: Any) -> Passage:
    known: dict[str, Any] = {"index": index, "page": 4, "span": (0, 3), "text": "Gas", "tokens": 3}
    return Passage(**(known | {"kind": "row"} | fields))


def result(passage: Passage) -> PassageResult:
    return PassageResult(
        **as_read(passage, []), sentiment=None, topics=[], action=None, embedding=[1.0, 0.0, 0.0]
    )


def test_a_batch_has_the_figures_of_its_passages_and_the_tables_that_begin_in_it() -> None:
    """With the passage and page that they stand on, and the number of each table."""
    passages = [
        passage(7, table=3, figures=[figure(table=3, cell=(1, 1))], tables=[TABLE, TABLE]),
        passage(8, table=3, figures=[figure(value=1.0)]),
    ]
    packed = unpack(pack(of_batch(passages, [result(each) for each in passages])))
    assert [(each.passage, each.page, each.value, each.cell) for each in packed.figures] == [
        (7, 4, 4100.0, (1, 1)),
        (8, 4, 1.0, None),
    ]
    assert [each.number for each in packed.tables] == [2, 3]
    assert Table(**{name: getattr(packed.tables[0], name) for name in Table.__slots__}) == TABLE


@pytest.mark.parametrize(
    ("room", "kept"),
    [(10_000_000, (900, 4)), (130_000, (900, 2)), (20_000, (900, 0)), (2_000, (225, 0)), (10, (0, 0))],
)
def test_what_does_not_fit_is_left_out_and_counted(room: int, kept: tuple[int, int]) -> None:
    """By halves, tables first: a figure says by itself what it is."""
    cells = tuple(Cell(text=f"{number * 7919:x}", column=number) for number in range(5_000))
    whole = Packed(
        figures=tuple(DocumentFigure(**_values(figure(value=float(at))), passage=at) for at in range(900)),
        tables=tuple(
            DocumentTable(rows=(Row(kind="row", cells=cells),), columns=20_000, number=at) for at in range(4)
        ),
    )
    content, left_out = fitting(whole, room)
    packed = unpack(content)
    assert (len(packed.figures), len(packed.tables)) == kept
    assert left_out == 904 - sum(kept)
    assert len(content) <= max(room, len(pack(Packed())))


def test_an_outcome_keeps_the_surest_figures_with_a_data_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """In reading order; others are in the records of batches alone."""
    monkeypatch.setattr(figures, "MAX_CODED_FIGURES", 2)
    found = [
        DocumentFigure(**_values(figure(datapoint=code, confidence=sure)), passage=at)
        for at, (code, sure) in enumerate([("E1-5.gas", 0.5), (None, 1.0), ("E3-4.use", 0.9), ("E1", 0.8)])
    ]
    records: list[dict[str, Any]] = [
        {"start": 2, "packed": [pack(Packed(figures=tuple(found[2:])))]},
        {"start": 0, "packed": [pack(Packed(figures=tuple(found[:1]))), pack(Packed(figures=(found[1],)))]},
        {"start": 9},  # of an earlier release
    ]
    coded = figures.coded(records)
    assert coded["codes"] == ["E1", "E3-4.use"]
    assert [each.passage for each in unpack(coded["datapoints"]).figures] == [2, 3]


def test_the_figures_of_an_outcome_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that Firestore refuses would keep the document from completing."""
    monkeypatch.setattr(figures, "MAX_CODED", 2_000)
    many = tuple(
        DocumentFigure(**_values(figure(datapoint="E1", value=at / 7)), passage=at) for at in range(3000)
    )
    coded = figures.coded([{"start": 0, "packed": [pack(Packed(figures=many))]}])
    assert len(coded["datapoints"]) <= 2_000
    assert unpack(coded["datapoints"]).figures


@pytest.mark.parametrize(
    ("period", "asked", "fits"),
    [
        ("2023", "2023", True),
        ("2023-H1", "2023", True),
        ("2023-12-31", "2023", True),
        ("2022/23", "2022", True),
        ("2023", "202", False),
        (None, "2023", False),
    ],
)
def test_a_part_of_a_period_is_within_it(period: str | None, asked: str, *, fits: bool) -> None:
    """Whoever asks for a year gets its halves and the day it ends on too."""
    assert figures.is_within(period, asked) is fits


def _values(record: Figure) -> dict[str, Any]:
    return {name: getattr(record, name) for name in Figure.__slots__}


def test_figures_are_judged_by_what_stands_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heading, topics best first, and the organisation, whose name says nothing in a label."""
    asked: list[dict[str, Any]] = []

    def assign(found: list[Figure], **around: Any) -> list[Figure]:
        asked.append(around)
        return found

    monkeypatch.setattr("shared.text.datapoints.assign", assign)
    topics = [TopicScore(name="E1", score=0.9), TopicScore(name="E3", score=0.7)]
    as_read(passage(0, figures=[figure()], organisation="Aulder AG", section="Energy"), topics)
    around = {"topics": ["E1", "E3"], "heading": "Energy", "organisation": "Aulder AG"}
    assert asked == [{"text": "Gas"} | around]
