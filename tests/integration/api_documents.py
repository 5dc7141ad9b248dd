"""Documents and passages as the pipeline leaves them at various moments of their lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.documents.analysis import analyze_passages
from shared.documents.figures import DocumentFigure, DocumentTable, Packed, coded, pack
from shared.documents.outcomes import organisation_key
from shared.documents.passages import write_passages
from shared.documents.store import document_id
from shared.inference.engine import Engine
from shared.platform.records import BatchMessage, Passage
from shared.platform.tables import Cell, Row
from shared.platform.transaction import RawTransaction
from tests.documents import made
from tests.integration.api_server import MODEL

if TYPE_CHECKING:
    from tests.integration.api_server import ApiServer

WATER = "We have cut our withdrawal of water at the Marl works by a tenth."
CRANE = "Two contractors died when a crane collapsed at the northern plant."
BOARD = "The board adopted an anti-corruption code of conduct in March."
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"reports/{number:02}.txt" for number in range(7)] + ["reviews.csv"]
IDS = {name: document_id("b", name) for name in NAMES}


def store_document(api: ApiServer, name: str, *, state: str, published_run: int | None) -> None:
    document = made(
        id=IDS[name],
        name=name,
        run=2,
        size=9,
        state=state,
        published_run=published_run,
        cost={"cpu_seconds": 1.0},
        title=name.title(),
        created_at=CREATED + timedelta(microseconds=NAMES.index(name)),
        timings={"uploaded_at": CREATED, "claimed_at": CREATED, "total_seconds": 2.5},
    )
    api.firestore.collection("documents").document(IDS[name]).set(document.model_dump())


def store_passages(
    api: ApiServer,
    engine: Engine,
    name: str,
    texts: list[str],
    run: int,
    *,
    model: str | None = None,
    space: str | None = None,
) -> None:
    passages = [
        Passage(index=index, page=index + 1, span=(0, len(text)), text=text, tokens=9)
        for index, text in enumerate(texts)
    ]
    message = BatchMessage(
        document=IDS[name],
        run=run,
        generation=1,
        model=model or engine.digest,
        batch=0,
        lanes=1,
        start=0,
        end=len(texts),
        byte_start=0,
        byte_end=1,
        artefact=f"runs/{IDS[name]}/{run}/",
    )
    transaction = RawTransaction(api.firestore)
    reference = api.firestore.collection("documents").document(IDS[name])
    transaction._begin()
    results = analyze_passages(engine, passages).results
    if space:
        results = [result.model_copy(update={"space": space}) for result in results]
    write_passages(transaction, reference, message, results)
    transaction._commit()


def store_figures(api: ApiServer, name: str, organisation: str, values: list[float], *periods: str) -> None:
    """Energy of a document by year, as run 2 leaves them; one figure has no data point."""
    figures = tuple(
        DocumentFigure(
            kind="quantity",
            value=value,
            unit="MWh",
            text=f"{value}",
            metric="Total energy consumption",
            period=period,
            table=0,
            cell=(1, at),
            topic="E1",
            datapoint="E1-5.energy",
            passage=0,
            page=1,
        )
        for at, (value, period) in enumerate(zip(values, periods, strict=True), 1)
    )
    unknown = DocumentFigure(kind="number", value=1.0, unit=None, text="1", passage=1)
    rows = (Row(kind="row", cells=(Cell(text="Energy", column=0), Cell(text="1", column=1))),)
    tables = tuple(DocumentTable(rows=rows, columns=2, number=number) for number in range(3))
    document = api.firestore.collection("documents").document(IDS[name])
    about = {"organisation": organisation, "organisation_key": organisation_key(organisation), "year": 2023}
    document.update(about)
    packed = [pack(Packed(figures=figures[:1], tables=tables[:2]))]
    record = {"run": 2, "start": 0, "packed": packed}
    document.collection("batches").document("2-0").set(record)
    rest = {
        "run": 2,
        "start": 9,
        "packed": [pack(Packed(figures=(*figures[1:], unknown), tables=tables[2:]))],
    }
    document.collection("batches").document("2-1").set(rest)
    about = {"document": IDS[name], "run": 2, "name": name, "title": name.title(), "year": 2023}
    about |= {"organisation": organisation, "organisation_key": organisation_key(organisation)}
    api.firestore.collection("outcomes").document(IDS[name]).set(about | coded([record, rest]))


def store_all(api: ApiServer) -> None:
    """Documents that are published, published and analyzed again, of other models, and not yet published."""
    engine = Engine(MODEL)
    for name in NAMES:
        store_document(api, name, state="completed", published_run=2)
    store_document(api, NAMES[5], state="analyzing", published_run=None)
    store_document(api, NAMES[6], state="analyzing", published_run=1)
    store_passages(api, engine, NAMES[0], [WATER, CRANE, BOARD] * 5, run=2)
    # As the job's build of the same encoder, in half precision, and as another encoder would.
    store_passages(api, engine, NAMES[1], ["Our river water is returned clean."], run=2, model="e" * 64)
    store_passages(api, engine, NAMES[2], [WATER], run=2, model="f" * 64, space="f" * 64)
    store_passages(api, engine, NAMES[5], [WATER] * 120, run=1)
    store_passages(api, engine, NAMES[6], ["Water is saved at Marl."], run=1)
    store_passages(api, engine, NAMES[6], [WATER], run=2)
    store_figures(api, NAMES[0], "Marl Works plc", [90.0, 80.5], "2022", "2023")
    store_figures(api, NAMES[1], "1&1 AG", [7.0], "2023-H1")
