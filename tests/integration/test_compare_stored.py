"""Sides are found by organisation and year, or by id, and compared by what is stored of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from benchmarks.digests.made import MONDAY, aggregate, passage, record
from benchmarks.digests.made import store as store_document
from cli.main import headrace
from cli.options import Stack
from shared.api.assistants import TOOLS, CompareAnswer, CompareTool, Library
from shared.documents import compare as module
from shared.documents.compare import Asked, Comparison, Incomparable, compare
from shared.documents.figures import DocumentFigure, Packed, pack
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError, Missing
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.api.batcher import Batcher
    from shared.inference.engine import Engine
    from shared.platform.records import ActionLabel, PassageResult

MILLS = "Tarnholm Mills"
SCOPE1 = "E1-6.scope1"


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("compare")):
        yield


def put(name: str, organisation: str, year: int | None, value: float = 1.0, **more: Any) -> str:
    """A document with a value of a data point of its year, and a plan or what became of it."""
    action: ActionLabel = "planned" if year == 2024 else "implemented"
    results: list[PassageResult] = [
        passage(0, "The works at Elmsford get a new boiler.", ["E1"], action=action),
        passage(1, f"{name} is a report like no other.", ["G1"]),
    ]
    stored = record(name, MONDAY, organisation=organisation, year=year, **more)
    store_document(firestore_client(), stored, aggregate(results), results)
    figure = DocumentFigure(
        kind="quantity", value=value, unit="tCO2e", text=f"{value:g} t", period=str(year), datapoint=SCOPE1,
        passage=0, page=7,
    )  # fmt: skip
    coded = {"datapoints": pack(Packed(figures=(figure,))), "codes": [SCOPE1]}
    firestore_client().collection("outcomes").document(stored["id"]).update(coded)
    identifier: str = stored["id"]
    return identifier


def compared(*sides: Asked) -> Comparison:
    return compare(firestore_client(), sides)


def named(result: Comparison) -> list[list[str]]:
    return [[each.name for each in side.documents] for side in result.sides]


def test_a_side_is_every_document_of_an_organisation_about_a_year() -> None:
    """Not those of other years, copies, archives, or what has no result; or it is one document."""
    older = put("2024.pdf", MILLS, 2024, 200)
    newer = put("2025.pdf", f"{MILLS.upper()}.", 2025, 150)
    put("more.pdf", MILLS, 2025, 150)
    put("copy.pdf", MILLS, 2025, 1, duplicate_of=newer)
    put("archive.zip", MILLS, 2025, 1, members=3)
    gone = put("failed.pdf", MILLS, 2025, 1)
    firestore_client().collection("outcomes").document(gone).update({"completed_at": None})
    result = compared(Asked(None, "tarnholm mills", 2024), Asked(None, MILLS, 2025))
    assert [set(names) for names in named(result)] == [{"2024.pdf"}, {"2025.pdf", "more.pdf"}]
    assert result.over_time
    assert [(cell.change, cell.is_better) for cell in result.datapoints[0].cells] == [
        (None, None),
        (-25.0, True),
    ]
    assert [(each.status, each.similarity) for each in result.plans] == [("implemented", 1.0)]
    by_id = compared(Asked(newer), Asked(older))
    assert named(by_id) == [["2024.pdf"], ["2025.pdf"]]
    assert by_id.over_time


def test_a_side_has_so_many_documents_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with most passages, and the result says how many were not read."""
    monkeypatch.setattr(module, "MAX_DOCUMENTS", 1)
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        put(name, "Brennick AG", 2024)
    first = put("other.pdf", "Aulder", 2024)
    result = compared(Asked(first), Asked(None, "Brennick AG", 2024))
    assert [len(names) for names in named(result)] == [1, 1]
    assert result.notes == ["Brennick AG 2024: 2 more documents were not read."]
    monkeypatch.setattr(module, "MAX_FOUND", 2)
    result = compared(Asked(first), Asked(None, "Brennick AG", 2024))
    assert result.notes == ["Brennick AG 2024: at least 1 more documents were not read."]


@pytest.mark.parametrize(
    ("side", "code", "says"),
    [
        (Asked(None, "Quell AG", 2030), "no_documents", "There are some about: 2024."),
        (Asked(None, "Nobody", 2024), "no_documents", "Name the organisation as its documents do"),
        (Asked(None, "!!", 2024), "no_documents", "Name the organisation as its documents do"),
        (Asked("0" * 24), "no_result", "still being analyzed"),
    ],
)
def test_a_side_without_a_result_is_refused(side: Asked, code: str, says: str) -> None:
    """The hint says what there is instead."""
    known = Asked(put("quell.pdf", "Quell AG", 2024))
    with pytest.raises(Missing) as refused:
        compared(known, side)
    assert refused.value.code == code
    assert says in refused.value.hint


@pytest.mark.parametrize("count", [0, 1, module.MAX_SIDES + 1])
def test_so_many_sides_are_not_compared(count: int) -> None:
    """Before anything is read."""
    with pytest.raises(Incomparable, match="cannot be compared"):
        compared(*[Asked("0" * 24)] * count)


def test_the_command_prints_a_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides are named by their documents' names too; as JSON it is what the API answers."""
    monkeypatch.setattr(Stack, "connect", lambda _: None)
    older, newer = put("s24.pdf", "Sorrel AG", 2024, 200), put("s25.pdf", "Sorrel AG", 2025, 300)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(headrace, ["compare", *arguments], standalone_mode=False)
        if done.exception:
            raise done.exception
        return done.output

    shown = run("Sorrel AG 2024", newer)
    assert "Sorrel AG 2024  |  Sorrel AG 2025" in shown
    assert "200 tCO2e" in shown
    assert "+50.0%" in shown
    assert "Planned before, implemented now (1)" in shown
    found = json.loads(run(older, "Sorrel AG 2025", "--json"))
    assert Comparison.model_validate(found) == compared(Asked(older), Asked(newer))
    with pytest.raises(HeadraceError, match="neither"):
        run("nothing.pdf", newer)


def test_an_assistant_gets_years_with_what_to_cite() -> None:
    """Values and plans name document, page and file; what does not fit is named."""
    older, newer = put("2024.pdf", MILLS, 2024, 200), put("2025.pdf", MILLS, 2025, 150)
    answer = answer_to(CompareTool(sides=[older, newer]))
    assert answer.over_time
    assert [side.documents[0].document for side in answer.sides] == [older, newer]
    [row] = answer.figures
    assert [(each.side, each.value, each.change) for each in row.values] == [(0, 200, None), (1, 150, -25.0)]
    assert row.values[1].source.link
    assert row.values[1].source.link.endswith("2025.pdf#page=7")
    [plan] = answer.plans
    assert plan.status == "implemented"
    assert plan.now
    assert (plan.plan.source.document, plan.now.source.document) == (older, newer)


def answer_to(asked: CompareTool) -> CompareAnswer:
    def no_model() -> tuple[Engine, Batcher]:
        raise AssertionError

    answer = TOOLS["compare"].run(Library(firestore_client(), no_model), asked)
    assert isinstance(answer, CompareAnswer)
    return answer
