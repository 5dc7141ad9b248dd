"""Figures and tables are stored once with their passages, found across documents, and go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.firestore_v1 import DELETE_FIELD

from shared.documents import completion, figures
from shared.documents.erasure import erase_stored
from shared.documents.figures import facts, figures_of, known, tables_of
from shared.documents.model import Facts
from shared.documents.planning import copied
from shared.platform.clients import firestore_client
from shared.platform.errors import Superseded
from shared.platform.records import ErrorInfo, Passage, Source
from shared.platform.tables import Cell, Figure, Row, Table
from shared.text.summary import partial
from tests.integration.documents_life import Life
from tests.integration.documents_parts import NO_TIME, batch_of, plan_of, result_of, text_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.documents.model import Document
    from shared.documents.store import Documents
    from shared.platform.records import BatchMessage, ResultMessage

CODE, OTHER = "E1-5.gas", "E1-5.electricity"
TABLE = Table(
    rows=(Row(kind="row", cells=(Cell(text="Gas", column=0), Cell(text="7", column=1))),), columns=2
)


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("figures")):
        yield


def figure(index: int, **fields: Any) -> Figure:
    known: dict[str, Any] = {
        "datapoint": CODE,
        "topic": "E1",
        "period": "2023",
        "table": 0,
        "cell": (0, index),
    }
    return Figure(kind="quantity", value=float(index), unit="MWh", text=str(index), **(known | fields))


def passage(generation: int, index: int) -> Passage:
    text = text_of(generation, index)
    return Passage(
        index=index,
        span=(0, len(text)),
        text=text,
        tokens=3,
        table=0,
        figures=[figure(index)],
        tables=[] if index else [TABLE],
    )


def commit(documents: Documents, message: BatchMessage, *bounds: int, **fields: Any) -> None:
    """Commit these passages of a batch; each has a figure, and with the first begins a table."""
    passages = [passage(message.generation, index) for index in range(*bounds)]
    results = [
        result_of(message.generation, index).model_copy(update={"figures": [figure(index, **fields)]})
        for index in range(*bounds)
    ]
    completion.commit(documents, message, passages, results, [partial(results)], NO_TIME)


def completed(life: Life, generation: int = 1, *, organisation: str | None = None, **fields: Any) -> Document:
    """Complete the document's next run, of two batches, of which one was interrupted and delivered twice."""
    claim = life.claim(generation)
    plan = plan_of(f"{claim.id}-{claim.run}", (3, 1))
    facts = Facts(passages=4, tables=1, figures=4, organisation=organisation, year=2023)
    life.documents.plan(claim, type(plan)(facts, plan.batches, plan.content_key, None, None, NO_TIME))
    first, second = (
        batch_of(claim.id, claim.run, generation, batch, bounds)
        for batch, bounds in enumerate([(0, 3), (3, 4)])
    )
    commit(life.documents, second, 3, 4, **fields)
    for bounds in ((0, 2), (0, 3), (2, 3), (2, 3)):
        commit(life.documents, first, *bounds, **fields)
    completion.finish(life.documents, claim.id)
    document = life.documents.get(claim.id)
    assert document is not None
    assert document.state == "completed"
    return document


def test_figures_and_tables_are_stored_once_in_reading_order() -> None:
    """However often a batch was delivered, and in however many parts it was committed."""
    document = completed(Life())
    client = firestore_client()
    assert [(each.passage, each.value, each.datapoint) for each in figures_of(client, document.id)] == [
        (index, float(index), CODE) for index in range(4)
    ]
    assert [(each.number, each.rows) for each in tables_of(client, document.id)] == [(0, TABLE.rows)]
    assert (document.tables, document.figures, document.warnings) == (1, 4, [])


def test_figures_of_a_run_go_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an older run when a newer one completes, and with the document when it is erased."""
    life, client = Life(), firestore_client()
    older = completed(life)
    newer = completed(life, 2, datapoint=OTHER)
    assert figures_of(client, older.id, older.run) == []
    assert {each.datapoint for each in figures_of(client, newer.id)} == {OTHER}
    assert known(client, documents=[newer.id], datapoint=CODE).figures == []
    assert len(known(client, documents=[newer.id]).figures) == 4
    monkeypatch.setattr("shared.documents.artefacts.of_runs", lambda _: [])
    erase_stored(client, newer.id)
    assert figures_of(client, newer.id) == []
    assert known(client, documents=[newer.id]).figures == []


def test_known_figures_are_found_by_what_they_say() -> None:
    """By organisation, data point, topic, period and unit, whose ever the document is."""
    client = firestore_client()
    ours = completed(Life(), organisation="Aulder Mills plc.", datapoint=CODE)
    theirs = completed(Life(), organisation="Brennick AG", datapoint=OTHER, period="2022-H1")

    def found(**asked: Any) -> set[str]:
        return {each.document for each in known(client, documents=[ours.id, theirs.id], **asked).figures}

    assert found() == {ours.id, theirs.id}
    assert found(organisation="aulder mills PLC") == found(datapoint=CODE) == {ours.id}
    assert found(period="2022") == found(datapoint=OTHER, unit="MWh", topic="E1") == {theirs.id}
    assert found(unit="t") == found(topic="E2") == found(organisation="Aulder") == set()
    assert {each.document for each in known(client, organisation="Brennick AG", datapoint=OTHER).figures} == {
        theirs.id
    }
    [first, *_] = known(client, organisation="Aulder Mills plc").figures
    assert (first.organisation, first.year, first.name, first.run) == (
        "Aulder Mills plc.",
        2023,
        ours.name,
        1,
    )


@pytest.mark.parametrize("by_name", [True, False])
def test_pages_of_known_figures_have_each_once(*, by_name: bool) -> None:
    """Whatever their size; what the cursor names is where the next page begins."""
    client, code = firestore_client(), f"E1-5.{by_name}"
    made = [completed(Life(), datapoint=code) for _ in range(3)]
    asked: dict[str, Any] = {"documents": [each.id for each in made]} if by_name else {"datapoint": code}
    seen, cursor = [], None
    while True:
        page = known(client, **asked, cursor=cursor, limit=5)
        seen += [(each.document, each.passage) for each in page.figures]
        if (cursor := page.cursor) is None:
            break
        assert len(page.figures) == 5
    assert seen == [(each.id, index) for each in sorted(made, key=lambda each: each.id) for index in range(4)]


def test_a_page_of_a_document_that_was_analyzed_again_is_refused() -> None:
    """Its figures are others, or stand elsewhere."""
    life, client = Life(), firestore_client()
    document = completed(life)
    page = known(client, documents=[document.id], limit=2)
    completed(life, 2)
    with pytest.raises(Superseded):
        known(client, documents=[document.id], cursor=page.cursor)
    with pytest.raises(ValueError, match="cursor"):
        known(client, cursor="a-1-0")


def test_a_copied_batch_has_the_figures_and_tables_of_its_own_reading() -> None:
    """Labels are copied from the earlier run, figures are what is read now; another kind is not copied."""
    life, client = Life(), firestore_client()
    document = completed(life)
    message = batch_of(document.id, 2, 1, 1, (3, 4)).model_copy(
        update={"source": Source(document=document.id, run=1)}
    )
    now = passage(1, 3).model_copy(update={"figures": [Figure(kind="number", value=5, unit=None, text="5")]})
    earlier = copied(client, message, [now])
    assert earlier is not None
    [result], _ = earlier
    assert [each.value for each in result.figures] == [5]
    assert result.sentiment == result_of(1, 3).sentiment
    assert copied(client, message, [now.model_copy(update={"kind": "row"})]) is None


def test_figures_that_are_too_large_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document completes all the same, and its passages are there."""
    monkeypatch.setattr("shared.documents.figures.MAX_PACKED", 30)
    document = completed(Life())
    assert document.warnings == ["5 figures and tables are too large to be stored; their rows are passages"]
    assert figures_of(firestore_client(), document.id) == []


def test_a_result_announces_the_surest_data_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many, in the order of the document, without a word of it; of the run that it is about."""
    told: list[ResultMessage] = []
    monkeypatch.setattr(completion, "publish_record", lambda _, records, **__: told.extend(records))
    monkeypatch.setattr(completion, "MAX_ANNOUNCED", 2)
    life = Life()
    document = completed(life, organisation="Aulder Mills", confidence=0.5)
    [message] = told
    assert (message.organisation, message.year) == ("Aulder Mills", 2023)
    assert [(each.datapoint, each.value, each.unit, each.period) for each in message.datapoints] == [
        (CODE, 0.0, "MWh", "2023"),
        (CODE, 1.0, "MWh", "2023"),
    ]
    assert "Gas" not in message.model_dump_json()
    told.clear()
    life.claim(2)
    life.documents.fail(document.id, 2, 2, ErrorInfo(code="broken", message="It is broken.", hint="Mend it."))
    completion.finish(life.documents, document.id)
    assert [(each.state, each.datapoints) for each in told] == [("failed", [])]


def test_an_answer_looks_at_documents_of_the_organisation_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few documents are looked at."""
    monkeypatch.setattr(figures, "OUTCOMES_AT_ONCE", 1)
    client = firestore_client()
    made = {name: completed(Life(), organisation=name).id for name in ("Quell AG", "Ridley AG", "Sorrel AG")}
    for name, document in made.items():
        found = facts(client, f"natural gas consumption of {name.split()[0]} in 2023")
        assert {figure.document for figure in found} == {document}
    assert len({figure.document for figure in facts(client, "natural gas consumption 2023")}) == 1
    monkeypatch.setattr(figures, "MAX_ASKED", 0)
    assert facts(client, "natural gas consumption of Quell") == []


def test_one_call_reads_so_many_documents_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they have figures or not, as those of earlier releases; the cursor goes on behind."""
    monkeypatch.setattr(figures, "MAX_OUTCOMES", 2)
    client = firestore_client()
    made = sorted(completed(Life()).id for _ in range(3))
    for each in made[:2]:
        stored = client.collection("outcomes").document(each)
        stored.update(dict.fromkeys(("codes", "datapoints"), DELETE_FIELD))
    page = known(client, documents=made)
    assert (page.figures, page.cursor) == ([], f"{made[1]}-1-0")
    page = known(client, documents=made, cursor=page.cursor)
    assert {each.document for each in page.figures} == {made[2]}
