"""What people say of a document wins wherever it is shown, survives another run, and can be taken back."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from pydantic import ValidationError

from shared.api.assistants import TOOLS, Library
from shared.api.keys import Scope
from shared.api.mcp_server import build
from shared.documents import completion, corrections
from shared.documents.compare import Asked, compare
from shared.documents.corrected import (
    ACTIONS,
    Correction,
    DocumentChange,
    FigureChange,
    PassageChange,
    text_hash,
)
from shared.documents.corrections import Filters, check_first, correct, corrections_of, labelled_rows, undo
from shared.documents.erasure import erase_stored
from shared.documents.figures import figures_of, known
from shared.documents.model import Batches, Facts, Plan
from shared.documents.outcomes import COLLECTION as OUTCOMES
from shared.documents.outcomes import unpack
from shared.documents.planning import copied
from shared.platform.clients import firestore_client
from shared.platform.errors import Conflict, Permanent
from shared.platform.records import (
    Passage,
    PassageResult,
    Sentiment,
    Source,
)
from shared.platform.tables import Figure
from shared.text.summary import partial, stand_in
from tests.integration.documents_life import Life
from tests.integration.documents_parts import ARTEFACT, NO_TIME, batch_of
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.types import CallToolResult

    from shared.api.batcher import Batcher
    from shared.documents.model import Document
    from shared.inference.engine import Engine

TEXTS = (
    "We will cut our withdrawal of water at the Marl works by a tenth until 2030.",
    "Two contractors died when a crane collapsed at the northern plant in March.",
    "The board adopted a new code of conduct for all of its suppliers in 2024.",
    "Our people gave blood in spring.",
    "Gas use was 7 MWh in 2023.",
)
SIZES = (2, 3)
WATER, CRANE, BOARD, BLOOD, GAS = range(5)
CODE, OTHER = "E1-5.gas", "E1-5.electricity"
BY = "Ada"


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("corrections")):
        yield


def vector(index: int) -> list[float]:
    return [float(at == index) for at in range(384)]


def answer(index: int, *, bad: float = 0.1) -> PassageResult:
    """What the model says: the water is an initiative, the crane an incident, the rest is dull."""
    text = TEXTS[index]
    negative = 0.9 if index == CRANE else bad
    scores = {"positive": 0.05, "neutral": 0.95 - negative, "negative": negative}
    action = {WATER: "planned", BOARD: "implemented"}.get(index, "none")
    likely = {WATER: 0.9, BOARD: 0.45}.get(index, 0.05)
    return PassageResult.model_validate(
        {
            "index": index,
            "page": index + 1,
            "row": None,
            "span": (0, len(text)),
            "text": text,
            "language": "en",
            "sentiment": {"label": max(scores, key=scores.__getitem__), "scores": scores},
            "topics": [{"name": {WATER: "E3", CRANE: "S1"}.get(index, "G1"), "score": 0.8}],
            "action": {
                "label": action,
                "scores": {name: 0.8 if name == action else 0.1 for name in ACTIONS},
            },
            "salience": {BLOOD: 0.2, GAS: 0.5}.get(index, 2.0),
            "initiative": likely >= 0.5,
            "initiative_score": likely,
            "figures": [figure(7.0), figure(2023.0, metric="year", datapoint=None)] if index == GAS else [],
            "embedding": vector(index),
            "space": "s",
        }
    )


def figure(value: float, metric: str = "gas use", datapoint: str | None = CODE) -> Figure:
    return Figure(
        kind="quantity",
        value=value,
        unit="MWh",
        text=f"{value:g}",
        metric=metric,
        datapoint=datapoint,
        topic="E1",
        period="2023",
        confidence=0.6,
    )


class Report(Life):
    """A document of five passages in two batches."""

    def begin(self, generation: int = 1, restart: int | None = None, sha256: str = "a") -> Document:
        claim = self.claim(generation, restart)
        facts = Facts(
            passages=len(TEXTS),
            figures=2,
            sha256=sha256,
            title="Read",
            organisation="Aulder AG",
            facts_from={"title": "document", "organisation": "name"},
        )
        batches = Batches(total=len(SIZES), passages=len(TEXTS), model="m", artefact=ARTEFACT)
        plan = Plan(facts, batches, f"{claim.id}-{claim.run}", None, None, NO_TIME)
        return self.documents.plan(claim, plan)

    def commit(self, document: Document, number: int, **different: Any) -> None:
        start = sum(SIZES[:number])
        bounds = (start, start + SIZES[number])
        message = batch_of(document.id, document.run, document.generation, number, bounds)
        results = [answer(index, **different) for index in range(*bounds)]
        said = [stand_in(each, each.text) for each in results if (each.salience or 0) > 1]
        completion.commit(self.documents, message, [], results, [partial(results, said)], NO_TIME)

    def complete(self, document: Document, **different: Any) -> Document:
        for number in range(len(SIZES)):
            self.commit(document, number, **different)
        completion.finish(self.documents, document.id, document.run)
        return self.now(document.id)

    def now(self, document: str) -> Document:
        found = self.documents.get(document)
        assert found is not None
        return found


def completed(life: Report | None = None) -> Document:
    life = life or Report()
    return life.complete(life.begin())


def passage(document: Document, index: int, run: int | None = None) -> dict[str, Any]:
    reference = firestore_client().collection("documents").document(document.id)
    name = f"{run or document.published_run}-{index}"
    return reference.collection("passages").document(name).get().to_dict() or {}


def outcome(document: Document) -> dict[str, Any]:
    return firestore_client().collection(OUTCOMES).document(document.id).get().to_dict() or {}


def say(document: Document, index: int, *, by: str = BY, seen: int | None = None, **said: Any) -> Correction:
    change = PassageChange(run=document.published_run or 0, index=index, **said)
    return correct(firestore_client(), document.id, change, by=by, seen=seen)


def shown(document: Document) -> dict[str, Any]:
    """All that is computed from passages, of the document and of its outcome."""
    record = Report().now(document.id)
    stored = outcome(record)
    return {
        "sentiment": record.sentiment,
        "topics": {name: count for name, count in record.topics.items() if count},
        "initiatives": record.initiatives,
        "figures": record.figures,
        "summary": [each.text for each in record.summary],
        "incidents": [each.index for each in record.incidents],
        "initiatives_top": [each.index for each in record.initiatives_top],
        "counted": {name: stored[name] for name in ("passages", "sentiment", "topics", "actions", "codes")},
        "quotable": sorted((each["index"], *each["roles"]) for each in unpack(stored["items"])),
        "datapoints": [
            (each.value, each.unit, each.datapoint)
            for each in known(firestore_client(), documents=[record.id]).figures
        ],
    }


def test_labels_of_a_person_win_in_every_count_and_list() -> None:
    """Of the passage and its filters, of the document, and of the outcome, of which digests are made."""
    document = completed()
    before = shown(document)
    assert (before["incidents"], before["initiatives_top"], before["initiatives"]) == ([CRANE], [WATER], 1)

    said = say(document, CRANE, sentiment="neutral", topics=["S2", "S1"])
    assert said.was == {"sentiment": "negative", "topics": ["S1"]}
    say(document, WATER, initiative=False, action="none")
    say(document, BOARD, initiative=True, salience=3)

    after = shown(document)
    assert after["incidents"] == []
    assert after["initiatives_top"] == [BOARD]
    assert after["initiatives"] == 1
    assert after["sentiment"] == {"positive": 0, "neutral": 5, "negative": 0}
    assert after["topics"] == {"E3": 1, "S1": 1, "S2": 1, "G1": 3}
    assert after["counted"]["sentiment"]["negative"] == 0
    assert after["counted"]["actions"] == {"implemented": 1}
    assert after["counted"]["topics"]["S2"] == {"passages": 1, "neutral": 1}
    assert (CRANE, "negative") not in after["quotable"]
    stored = passage(document, CRANE)
    assert (stored["topic_names"], stored["sentiment"]["label"]) == (["S2", "S1"], "neutral")
    assert stored["corrected"]["model_says"]["sentiment"]["label"] == "negative"
    assert stored["corrected"]["version"] == said.number
    assert list(stored["embedding"]) == vector(CRANE)


def test_a_passage_that_the_model_thought_dull_can_be_listed() -> None:
    """It has no sentence that the model judged, so its first one is taken as the person has it."""
    document = completed()
    say(document, BLOOD, initiative=True, salience=3, topics=["S3"], action="implemented")
    assert shown(document)["initiatives_top"] == [BLOOD, WATER]


def test_undoing_brings_the_answer_of_the_model_back() -> None:
    """All of it; and a correction before the one that is undone counts again."""
    document = completed()
    before, stored = shown(document), passage(document, CRANE)
    first = say(document, CRANE, sentiment="neutral")
    second = say(document, CRANE, sentiment="positive", salience=1, by="Ben")
    assert passage(document, CRANE)["sentiment"]["label"] == "positive"
    undone = undo(firestore_client(), document.id, second.id, by="Cem")
    assert (undone.by, undone.undone_by) == ("Ben", "Cem")
    assert passage(document, CRANE)["sentiment"]["label"] == "neutral"
    assert passage(document, CRANE)["salience"] == stored["salience"]
    undo(firestore_client(), document.id, first.id, by=BY)
    assert shown(document) == before
    assert passage(document, CRANE) == stored
    assert [each.undone_by for each in corrections_of(firestore_client(), document.id)] == ["Cem", BY]


def test_undoing_twice_is_undoing_once() -> None:
    """Every request may come twice."""
    document = completed()
    said = say(document, CRANE, sentiment="neutral")
    first = undo(firestore_client(), document.id, said.id, by=BY)
    assert undo(firestore_client(), document.id, said.id, by="Ben") == first
    assert Report().now(document.id).corrections == 2


def test_the_same_said_twice_is_one_correction() -> None:
    """Also where the second knows an older version, since it is the first, sent again."""
    document = completed()
    first = say(document, CRANE, sentiment="neutral", seen=0)
    assert say(document, CRANE, sentiment="neutral", seen=0) == first
    assert len(corrections_of(firestore_client(), document.id)) == 1
    assert say(document, CRANE, sentiment="neutral", by="Ben").number == 2


def test_two_people_at_once_are_both_kept_and_the_last_one_wins() -> None:
    """Nothing is lost, and the counts are those of the passages."""
    document = completed()
    people = [f"person {number}" for number in range(6)]
    together = threading.Barrier(len(people))

    def at_once(number: int) -> Correction:
        together.wait(30)
        label = ("positive", "negative", "neutral")[number % 3]
        return say(document, BOARD if number % 2 else CRANE, sentiment=label, by=people[number])

    with ThreadPoolExecutor(len(people)) as pool:
        done = list(pool.map(at_once, range(len(people))))
    kept = corrections_of(firestore_client(), document.id)
    assert sorted(each.number for each in done) == [1, 2, 3, 4, 5, 6]
    assert {each.by for each in kept} == set(people)
    for index in (CRANE, BOARD):
        last = next(each for each in kept if each.index == index)
        assert passage(document, index)["sentiment"]["label"] == last.fields["sentiment"]
    labels = [passage(document, index)["sentiment"]["label"] for index in range(len(TEXTS))]
    assert {name: count for name, count in shown(document)["sentiment"].items() if count} == {
        name: labels.count(name) for name in set(labels)
    }


def test_who_saw_another_version_is_told_so() -> None:
    """Instead of overriding what was not seen."""
    document = completed()
    first = say(document, CRANE, sentiment="neutral", seen=0)
    with pytest.raises(Conflict):
        say(document, CRANE, sentiment="positive", by="Ben", seen=0)
    say(document, CRANE, sentiment="positive", by="Ben", seen=first.number)


def test_corrections_survive_another_run_where_the_text_is_the_same() -> None:
    """Of a replay or a backfill, whatever its model says."""
    life = Report()
    document = completed(life)
    say(document, CRANE, sentiment="neutral")
    say(document, GAS, topics=["E1"])
    again = life.complete(life.begin(1, restart=1), bad=0.6)
    assert (again.published_run, again.sentiment["negative"]) == (2, 4)
    assert passage(again, CRANE)["sentiment"]["label"] == "neutral"
    assert passage(again, GAS)["topic_names"] == ["E1"]
    assert passage(again, GAS)["corrected"]["model_says"]["sentiment"]["label"] == "negative"
    undo(firestore_client(), document.id, "000001", by=BY)
    assert life.now(document.id).sentiment["negative"] == 5


def test_a_correction_while_another_run_is_under_way_is_not_lost() -> None:
    """Neither of what is shown now, nor of passages that the new run has, or will have."""
    life = Report()
    document = completed(life)
    run = life.begin(1, restart=1)
    life.commit(run, 0)
    say(document, CRANE, sentiment="neutral")
    say(document, BOARD, initiative=True)
    assert shown(document)["incidents"] == []
    assert passage(document, CRANE, run=2)["sentiment"]["label"] == "neutral"
    life.commit(run, 1)
    completion.finish(life.documents, run.id, run.run)
    assert life.now(document.id).published_run == 2
    assert (shown(document)["incidents"], shown(document)["initiatives"]) == ([], 2)


def test_a_correction_between_the_reading_of_batches_and_the_completion_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who completes has read the records of all batches before."""
    life = Report()
    document = completed(life)
    run = life.begin(1, restart=1)
    life.commit(run, 0)
    life.commit(run, 1)
    once = iter([True])

    def read_late(records: list[dict[str, Any]]) -> completion.Whole:
        found = whole(records)
        if next(once, False):
            say(document, CRANE, sentiment="neutral")
        return found

    whole = completion.whole
    monkeypatch.setattr(completion, "whole", read_late)
    completion.finish(life.documents, run.id, run.run)
    assert life.now(document.id).published_run == 2
    assert shown(document)["incidents"] == []
    assert life.now(document.id).sentiment["negative"] == 0


def test_passages_of_one_text_are_corrected_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they would be in the next run."""
    life = Report()
    with monkeypatch.context() as patch:
        patch.setattr("tests.integration.test_corrections.TEXTS", (*TEXTS[:4], TEXTS[CRANE]))
        document = completed(life)
    say(document, CRANE, topics=["E2"])
    assert passage(document, GAS)["topic_names"] == ["E2"]
    assert shown(document)["topics"]["E2"] == 2
    monkeypatch.setattr(corrections, "MAX_SAME", 1)
    with pytest.raises(Permanent, match="More than 1 passages"):
        say(document, CRANE, topics=["E1"])


def test_passages_of_an_earlier_release_can_be_corrected() -> None:
    """They have no hash of their text, nor their batches anything that was corrected."""
    from google.cloud.firestore_v1 import DELETE_FIELD

    document = completed()
    reference = firestore_client().collection("documents").document(document.id)
    for one in reference.collection("passages").stream():
        one.reference.update({"text_hash": DELETE_FIELD, "check": DELETE_FIELD})
    for one in reference.collection("batches").stream():
        one.reference.update({"corrected": DELETE_FIELD})
    reference.update({"corrections": DELETE_FIELD, "stated": DELETE_FIELD})
    said = say(document, CRANE, sentiment="neutral")
    assert shown(document)["incidents"] == []
    undo(firestore_client(), document.id, said.id, by=BY)
    assert shown(document)["incidents"] == [CRANE]


def test_another_document_copies_the_answers_of_the_model() -> None:
    """What people say is of a document, and counts in another run of it by its text."""
    document = completed()
    say(document, CRANE, sentiment="neutral")
    message = batch_of("f" * 24, 1, 1, 0, (0, 2)).model_copy(
        update={"source": Source(document=document.id, run=1)}
    )
    passages = [
        Passage(index=index, page=index + 1, span=(0, len(text)), text=text, tokens=9, language="en")
        for index, text in enumerate(TEXTS[:2])
    ]
    found = copied(firestore_client(), message, passages)
    assert found is not None
    results, parts = found
    assert [(each.sentiment or Sentiment).label for each in results] == ["neutral", "negative"]
    assert results[CRANE].corrected is None
    assert parts[0].sentiment["negative"] == 1


def fix(document: Document, place: int = 0, **said: Any) -> Correction:
    metric = ("gas use", "year")[place]
    run = document.published_run or 0
    change = FigureChange.model_validate({"run": run, "index": GAS, "at": place, "metric": metric} | said)
    return correct(firestore_client(), document.id, change, by=BY)


def figures(document: Document) -> list[tuple[Any, ...]]:
    found = figures_of(firestore_client(), document.id)
    return [(each.at, each.value, each.unit, each.datapoint, each.confidence) for each in found]


def test_a_figure_of_a_person_wins_wherever_figures_are_read() -> None:
    """Value, unit and data point: of the document, of its passage, across documents."""
    life = Report()
    document = completed(life)
    stored = passage(document, GAS)
    before = shown(document)
    said = fix(document, value=7000, unit="kWh", datapoint=OTHER)
    assert said.was == {"value": 7.0, "unit": "MWh", "datapoint": CODE}
    assert figures(document)[0] == (0, 7000.0, "kWh", OTHER, 1.0)
    assert shown(document)["datapoints"] == [(7000.0, "kWh", OTHER)]
    assert outcome(document)["codes"] == [OTHER]
    assert passage(document, GAS)["figures"][0]["value"] == 7000
    again = life.complete(life.begin(1, restart=1))
    assert shown(again)["datapoints"] == [(7000.0, "kWh", OTHER)]
    undo(firestore_client(), document.id, said.id, by=BY)
    assert shown(again)["datapoints"] == before["datapoints"]
    assert passage(again, GAS) == stored | {"run": 2}


def test_what_is_not_a_figure_is_in_no_list_and_no_count() -> None:
    """The places of the others stay as they are."""
    life = Report()
    document = completed(life)
    said = fix(document, not_a_figure=True)
    assert [each[:2] for each in figures(document)] == [(1, 2023.0)]
    assert (shown(document)["figures"], shown(document)["datapoints"]) == (1, [])
    assert len(passage(document, GAS)["figures"]) == 1
    fix(document, 1, datapoint=CODE)
    assert figures(document) == [(1, 2023.0, "MWh", CODE, 1.0)]
    again = life.complete(life.begin(1, restart=1))
    assert (again.figures, figures(again)) == (1, [(1, 2023.0, "MWh", CODE, 1.0)])
    undo(firestore_client(), document.id, said.id, by=BY)
    assert [each[0] for each in figures(again)] == [0, 1]
    assert shown(again)["figures"] == 2


def test_labels_and_figures_of_one_passage_are_corrected_apart() -> None:
    """Undoing one leaves the other."""
    document = completed()
    labels = say(document, GAS, topics=["E1"])
    of_figure = fix(document, value=8)
    assert passage(document, GAS)["corrected"]["fields"] == ["topics", "figures"]
    undo(firestore_client(), document.id, labels.id, by=BY)
    assert (shown(document)["topics"].get("E1"), figures(document)[0][1]) == (None, 8.0)
    assert passage(document, GAS)["corrected"]["version"] == of_figure.number
    say(document, GAS, topics=["E1"])
    undo(firestore_client(), document.id, of_figure.id, by=BY)
    assert (shown(document)["topics"].get("E1"), figures(document)[0][1]) == (1, 7.0)


def test_facts_of_a_person_win_in_the_document_and_its_outcome() -> None:
    """Through a replay, not over another file of that name; undone, what was read is back."""
    life = Report()
    document = completed(life)
    change = DocumentChange(title="Annual report", organisation="Aulder Group", year=2024, tags=["a", "a"])
    said = correct(firestore_client(), document.id, change, by=BY)
    assert said.was == {"title": "Read", "organisation": "Aulder AG", "year": None, "tags": []}
    again = life.complete(life.begin(1, restart=1))
    assert (again.title, again.organisation, again.year, again.tags) == (
        "Annual report",
        "Aulder Group",
        2024,
        ["a"],
    )
    assert again.facts_from == {"title": "person", "organisation": "person", "year": "person"}
    stored = outcome(again)
    assert (stored["organisation_key"], stored["year"]) == ("aulder group", 2024)
    undo(firestore_client(), document.id, said.id, by=BY)
    back = life.now(document.id)
    assert (back.title, back.organisation, back.year, back.tags) == ("Read", "Aulder AG", None, [])
    assert back.facts_from == {"title": "document", "organisation": "name"}
    assert outcome(back)["organisation_key"] == "aulder ag"

    correct(firestore_client(), document.id, DocumentChange(title=None), by=BY)
    assert life.now(document.id).title is None
    other = life.complete(life.begin(2, sha256="b"))
    assert other.title == "Read"
    undo(firestore_client(), document.id, corrections_of(firestore_client(), document.id)[0].id, by=BY)
    assert life.now(document.id).title == "Read"


def test_erasing_a_document_erases_its_corrections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who said what goes too."""
    monkeypatch.setattr("shared.documents.artefacts.of_runs", lambda _: [])
    document = completed()
    say(document, CRANE, sentiment="neutral")
    erase_stored(firestore_client(), document.id)
    assert corrections_of(firestore_client(), document.id) == []
    with pytest.raises(Permanent):
        say(document, CRANE, sentiment="neutral")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (PassageChange(run=1, index=99, salience=1), "no_passage"),
        (PassageChange(run=1, index=0, topics=["E17"]), "unknown_topic"),
        (FigureChange(run=1, index=GAS, at=2, metric="gas use", value=1), "no_figure"),
        (FigureChange(run=1, index=GAS, at=0, metric="gas use", datapoint="E1-5.coke"), "unknown_datapoint"),
    ],
)
def test_what_is_not_there_cannot_be_corrected(change: Any, code: str) -> None:
    """The error has a code, and nothing is stored."""
    document = completed()
    with pytest.raises(Permanent) as refused:
        correct(firestore_client(), document.id, change, by=BY)
    assert refused.value.code == code
    assert not corrections_of(firestore_client(), document.id)
    with pytest.raises(Permanent):
        undo(firestore_client(), document.id, "1/x", by=BY)


def test_what_was_seen_of_another_run_cannot_be_corrected() -> None:
    """Nor a figure of which another stands in its place."""
    document = completed()
    with pytest.raises(Conflict):
        correct(firestore_client(), document.id, PassageChange(run=2, index=0, salience=1), by=BY)
    with pytest.raises(Conflict):
        fix(document, metric="oil use", value=1)


def test_who_corrects_has_a_name() -> None:
    """Of a limited length."""
    document = completed()
    for nobody in ("", "  ", "x" * 201):
        with pytest.raises(ValidationError):
            say(document, CRANE, sentiment="neutral", by=nobody)


def queue(document: Document, **asked: Any) -> list[int]:
    found = check_first(firestore_client(), filters=Filters(document=document.id, **asked))
    return [each.index for each in found]


def test_what_matters_and_is_unsure_is_to_be_checked_first() -> None:
    """Until a person corrects or confirms it, and again where that is undone."""
    document = completed()
    assert queue(document) == [BOARD, WATER, CRANE]
    [board, *_] = check_first(firestore_client(), filters=Filters(document=document.id), limit=1)
    assert board.doubts == {"topics": 0.2, "action": 0.2, "sentiment": 0.15, "initiative": 0.45}
    assert (board.passage["text"], board.organisation, board.run) == (TEXTS[BOARD], "Aulder AG", 1)
    confirmed = say(document, BOARD, confirm=True)
    assert confirmed.confirms
    assert confirmed.fields == {
        "topics": ["G1"],
        "action": "implemented",
        "sentiment": "neutral",
        "initiative": False,
    }
    say(document, WATER, salience=3)
    assert queue(document) == [CRANE]
    fixed = passage(document, BOARD)
    assert (fixed["initiative_score"], fixed["salience"]) == (0.0, 2.0)
    undo(firestore_client(), document.id, confirmed.id, by=BY)
    assert queue(document) == [BOARD, CRANE]


def test_confirming_with_a_change_confirms_the_rest() -> None:
    """One label is put right, and the others are right as they are."""
    document = completed()
    said = say(document, CRANE, sentiment="neutral", confirm=True)
    assert not said.confirms
    assert said.fields == {"topics": ["S1"], "action": "none", "sentiment": "neutral", "initiative": False}


def test_rows_to_learn_from_are_what_counts_of_prose() -> None:
    """Of each text what was said last and not undone."""
    for stored in firestore_client().collection("documents").stream():
        firestore_client().recursive_delete(stored.reference.collection("corrections"))
    document = completed()
    say(document, CRANE, sentiment="neutral", salience=1)
    say(document, CRANE, sentiment="positive", by="Ben")
    undone = say(document, WATER, topics=[])
    undo(firestore_client(), document.id, undone.id, by=BY)
    fix(document, value=8)
    say(document, GAS, confirm=True)
    rows = sorted(labelled_rows(firestore_client()), key=lambda row: str(row["text"]))
    confirmed = {"topics": ["G1"], "action": "none", "sentiment": "neutral", "initiative": False}
    assert rows == [
        {"text": TEXTS[GAS]} | confirmed,
        {"text": TEXTS[CRANE], "sentiment": "positive", "salience": 1},
    ]


def test_the_queue_can_be_of_a_topic_or_an_organisation() -> None:
    """And holds nothing of runs that are not published."""
    life = Report()
    document = completed(life)
    assert queue(document, topic="S1") == [CRANE]
    assert queue(document, organisation="aulder ag") == [BOARD, WATER, CRANE]
    assert queue(document, organisation="Other") == []
    run = life.begin(1, restart=1)
    life.commit(run, 0)
    assert queue(document) == [BOARD, WATER, CRANE]


def test_a_text_is_known_in_spite_of_its_white_space() -> None:
    """Another release may cut lines elsewhere."""
    assert text_hash("a  b\nc") == text_hash("a b c") != text_hash("ab c")


def test_what_people_say_is_compared() -> None:
    """A document's side, its figures and the topics of its passages are what people say they are."""
    client, theirs, ours = firestore_client(), completed(), completed()
    correct(client, ours.id, DocumentChange(organisation="Tarnholm", year=2023), by=BY)
    value = FigureChange(run=ours.published_run or 0, index=GAS, at=0, metric="gas use", value=9)
    correct(client, ours.id, value, by=BY)
    say(ours, BLOOD, topics=["S3"])
    made = compare(client, [Asked(theirs.id), Asked(None, "tarnholm", 2023)])
    assert [side.label for side in made.sides] == ["Aulder AG", "Tarnholm 2023"]
    assert [cell.value and cell.value.value for cell in made.datapoints[0].cells] == [7, 9]
    assert {row.topic: row.cells[1].passages for row in made.topics}["S3"] == 1


def test_an_assistant_corrects_only_with_a_key_for_it() -> None:
    """Others do not see the tool; what it corrects carries the key's name, and wins."""

    def no_model() -> tuple[Engine, Batcher]:
        raise AssertionError

    document = completed()
    reader = Library(firestore_client(), no_model)
    desk = replace(reader, scopes=frozenset({Scope.READ, Scope.CORRECT}), by="assistant with the key desk")
    wanted = {"document": document.id, "passage": CRANE, "sentiment": "neutral"}

    async def talk(library: Library) -> tuple[list[str], CallToolResult]:
        async with Client(build(library)) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            return names, await client.call_tool("correct", wanted)

    names, refused = asyncio.run(talk(reader))
    assert "correct" not in names
    assert refused.is_error
    assert corrections_of(firestore_client(), document.id) == []
    names, done = asyncio.run(talk(desk))
    assert names == list(TOOLS)
    [made] = corrections_of(firestore_client(), document.id)
    assert done.structured_content == {"correction": made.id, "by": "assistant with the key desk"}
    assert passage(document, CRANE)["sentiment"]["label"] == "neutral"
