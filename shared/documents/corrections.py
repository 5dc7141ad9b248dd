"""Correct what the model says: store who says what, and let it win at once wherever the document is shown.

`documents/{id}/corrections/{number}` keeps every correction, also one that was undone or that a later one
overrides. One transaction writes it with all that it changes: the passages that have its text, in whatever
run, the records of their batches, the document's counts and lists, and its outcome, of which digests are
made. The transaction reads and writes the document, so people who correct at once, batches that commit and a
run that completes come one after the other; `corrections` of the document counts them.

All else is read after the document, and not by the transaction where no run is under way: who changes any of
it writes to the document as well, and only one of the two commits. A batch that commits does not.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeInt, PositiveInt

from shared.documents import corrected, figures, outcomes, transitions
from shared.documents.batches import CLOSED, of_run
from shared.documents.completion import aggregate_of, lists, not_figures
from shared.documents.corrected import (
    COLLECTION,
    FACTS,
    LABELS,
    Correction,
    DocumentChange,
    FigureChange,
    Force,
    PassageChange,
    applied,
    in_force,
    model_answer,
    result_of,
    text_hash,
)
from shared.documents.model import Facts, StatedFacts
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.passages import stored_fields
from shared.documents.quotable import keep
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.documents.store import Documents, fields_of, in_pages, now
from shared.documents.views import passage_view
from shared.platform.clients import where
from shared.platform.errors import Conflict, Missing, Permanent
from shared.platform.records import LANGUAGES, TOPICS, PassageResult, Record
from shared.platform.transaction import plain
from shared.text.datapoints import names
from shared.text.summary import Partial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from google.cloud import firestore

    from shared.documents.corrected import Change
    from shared.documents.model import Document
    from shared.platform.transaction import ShortTransaction

MAX_SAME = 100
"""Passages of one text, in all runs of a document: they are corrected in one transaction."""
MAX_CHECKED = 100
"""Passages that `check_first` returns at most."""
MARGIN = 3
"""Passages read at first for each that is asked for: some are of runs that are not published."""
GROWTH = 5
PAGE = 500
"""Corrections read at once."""
MAX_READ = 2_000
"""Passages read for one queue."""
SECONDS = 20.0
"""Timeout of one query."""
_DIGITS = 6


def correct(
    client: firestore.Client, document: str, change: Change, *, by: str, seen: int | None = None
) -> Correction:
    """Let what a person says win from now on, and keep the model's answer beside it.

    The same said again by the same person is the same correction.

    Args:
        client: Firestore.
        document: its id.
        change: what is right.
        by: who says so.
        seen: version of the passage that the person saw, `corrected.version` or 0; None: any.

    Raises:
        Conflict: another run is published than the person saw, or the passage's version is another.
        Missing: there is no such document, passage or figure.
        Permanent: there is no such topic or data point, or too many passages have this text.
        Retryable: contention outlasted every attempt.
    """
    documents = Documents(client)

    def step(transaction: ShortTransaction) -> Correction:
        current = _present(documents.read(transaction, document))
        if isinstance(change, DocumentChange):
            return _correct_facts(documents, transaction, current, change, by)
        if current.published_run != change.run:
            raise Conflict("The document was analyzed again since you looked; look again, and decide anew.")
        reference, name = documents.reference(document), f"{change.run}-{change.index}"
        [stored] = transaction.read(reference.collection(PASSAGES).document(name))
        if stored is None:
            raise Missing("no_passage", "There is no such passage.", "Take its number from the document.")
        passage = result_of(stored)
        new = _new(current, change, passage, by)
        log = _log(reference, new.text_hash)
        if before := _repeats(log, new):
            return before
        force = in_force(log).get(new.text_hash, Force())
        if seen not in {None, force.version}:
            raise Conflict("Somebody corrected this passage since you looked; look again, and decide anew.")
        # A passage that an earlier release stored has no hash of its text yet.
        twins = {name: passage} | _twins(transaction, current, reference, new.text_hash)
        text = _Text(documents, transaction, current, new.kind, twins)
        if isinstance(change, FigureChange):
            before_it = _as_it_was(change, text.records, force)
            new = new.altered(was={field: before_it[field] for field in new.fields})
        text.say(in_force([*log, new]).get(new.text_hash))
        transaction.create(_record(reference, new.number), new.model_dump())
        return new

    return documents.run(step)


def undo(client: firestore.Client, document: str, correction: str, *, by: str) -> Correction:
    """Take a correction back: what was said before counts again, in the end the model's answer.

    Raises:
        Missing: there is no such document or correction.
        Retryable: contention outlasted every attempt.
    """
    documents = Documents(client)

    def step(transaction: ShortTransaction) -> Correction:
        current = _present(documents.read(transaction, document))
        reference = documents.reference(document)
        number = int(correction) if correction.isascii() and correction.isdecimal() else 0
        [stored] = transaction.read(_record(reference, number))
        if stored is None:
            raise Missing("no_correction", "There is no such correction.", "List those that there are.")
        said = Correction.model_validate(stored)
        if said.undone_at is not None:
            return said
        undone = said.altered(undone_by=by, undone_at=now())
        log = _log(reference, said.text_hash)
        force = in_force(one if one.number != said.number else undone for one in log).get(said.text_hash)
        if said.kind != "document":
            twins = _twins(transaction, current, reference, said.text_hash)
            _Text(documents, transaction, current, said.kind, twins).say(force)
        elif said.text_hash == current.sha256:
            _state_facts(documents, transaction, current, force)
        else:  # of a file that another has replaced
            _write(documents, transaction, current, current)
        transaction.update(_record(reference, said.number), {"undone_by": by, "undone_at": undone.undone_at})
        return undone

    return documents.run(step)


def corrections_of(client: firestore.Client, document: str) -> list[Correction]:
    """Return all corrections of a document, the newest first, with those that were undone."""
    stored = client.collection(DOCUMENTS).document(document).collection(COLLECTION).get(timeout=SECONDS)
    found = [Correction.model_validate(each.to_dict()) for each in stored]
    return sorted(found, key=lambda each: -each.number)


def labelled_rows(client: firestore.Client) -> list[dict[str, Any]]:
    """Return what people say of texts of all documents, as rows to learn from; always in the same order.

    A row has `text`, and of topics, action, sentiment, salience and initiative what they said.
    """
    said: dict[tuple[str, str], list[Correction]] = {}
    stored = client.collection_group(COLLECTION).order_by("__name__")
    for snapshot in chain.from_iterable(in_pages(stored, PAGE)):
        one = Correction.model_validate(snapshot.to_dict())
        if one.kind == "passage" and one.passage == "text" and one.language in LANGUAGES:
            document = snapshot.reference.parent.parent.id
            said.setdefault((document, one.text_hash), []).append(one)
    rows = []
    for (_, key), corrections in sorted(said.items()):
        if (force := in_force(corrections).get(key)) and force.labels:
            rows.append({"text": corrections[-1].text, **force.labels})
    return rows


class Filters(Record):
    """Which passages are asked for; None: any."""

    document: str | None = None
    topic: str | None = None
    organisation: str | None = None


class ToCheck(Record):
    """A passage that is worth a person's look."""

    document: str
    name: str
    """The document's name in its bucket."""
    title: str | None
    organisation: str | None
    year: PositiveInt | None
    run: PositiveInt
    index: NonNegativeInt
    passage: dict[str, Any]
    """As the API shows it, without its vector."""
    doubts: dict[str, float]
    """Probability, by label, that the model is wrong."""
    worth: float
    """By which the queue is in order: labels expected to be wrong, times how much the passage matters."""


def check_first(
    client: firestore.Client, *, filters: Filters | None = None, limit: int = 30
) -> list[ToCheck]:
    """Return passages of published runs that nobody has corrected or confirmed, what is worth most first.

    Firestore needs indexes over the collection group `passages`: (kind, check), and with a filter (kind,
    document, check), (kind, topic_names, check).
    """
    asked = filters or Filters()
    limit = min(limit, MAX_CHECKED)
    size = limit * MARGIN
    while True:
        stored = _doubtful(client, asked, size)
        found = _published(client, asked, stored)[:limit]
        if len(found) == limit or len(stored) < size or size == MAX_READ:
            return found
        size = min(size * GROWTH, MAX_READ)


def _doubtful(client: firestore.Client, asked: Filters, limit: int) -> list[dict[str, Any]]:
    query = where(
        client.collection_group(PASSAGES),
        ("kind", "==", "text"),
        None if asked.document is None else ("document", "==", asked.document),
        None if asked.topic is None else ("topic_names", "array_contains", asked.topic),
    )
    query = query.order_by("check", direction="DESCENDING").select(_QUEUED).limit(limit)
    return [snapshot.to_dict() or {} for snapshot in query.get(timeout=SECONDS)]


def _published(
    client: firestore.Client, asked: Filters, passages: Sequence[Mapping[str, Any]]
) -> list[ToCheck]:
    records = fields_of(client, (passage["document"] for passage in passages), _SHOWN, timeout=SECONDS)
    key = outcomes.organisation_key(asked.organisation)
    found, texts = [], set()
    for passage in passages:
        about = records.get(passage["document"])
        if about is None or about["published_run"] != passage["run"]:
            continue
        if key not in {None, outcomes.organisation_key(about["organisation"])}:
            continue
        if (same := (passage["document"], passage["text_hash"])) in texts:
            continue
        texts.add(same)
        found.append(
            ToCheck(
                **{name: passage[name] for name in ("document", "run", "index")},
                **{name: about[name] for name in ("name", "title", "organisation", "year")},
                passage=passage_view(dict(passage)),
                doubts=corrected.doubts(result_of(passage)),
                worth=passage["check"],
            )
        )
    return found


_QUEUED = (
    *(name for name in PassageResult.model_fields if name != "embedding"),
    *("document", "run", "text_hash", "check"),
)
_SHOWN = ("name", "title", "organisation", "year", "published_run")


class _Text:
    """All passages of a document that have one text, and what is computed from them, in a transaction."""

    def __init__(
        self,
        documents: Documents,
        transaction: ShortTransaction,
        document: Document,
        kind: str,
        passages: Mapping[str, PassageResult],
    ) -> None:
        """Read the records of the runs that have such `passages`, by name, and of the published one."""
        self._documents, self._transaction, self._document, self._kind = (
            documents,
            transaction,
            document,
            kind,
        )
        self._reference = documents.reference(document.id)
        self._passages = {tuple(map(int, name.split("-"))): each for name, each in passages.items()}
        self._published = document.published_run or 0
        wanted = _OF_LABELS if kind == "passage" else figures.SHOWN
        self._records = {}
        for run in {self._published, *(run for run, _ in self._passages)}:
            query = of_run(self._reference, run).select([*_BOUNDS, *wanted])
            self._records[run] = dict(_read(transaction, document, query))
        self._outcome = outcomes_of(documents.client, document.id)
        [self._has_outcome] = transaction.read(self._outcome, fields=["document"])
        self._run = documents.read_run(document.id, self._published, transaction)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of the batches of the published run."""
        return list(self._records[self._published].values())

    def say(self, force: Force | None) -> None:
        """Write what counts now: of the passages, of their batches, and of the document."""
        for (run, index), passage in self._passages.items():
            answer = model_answer(passage)
            place = self._reference.collection(PASSAGES).document(f"{run}-{index}")
            self._transaction.update(place, _changing(stored_fields(applied(answer, force))))
            for batch, record in self._records[run].items():
                if record["start"] <= index < record["end"]:
                    changed = self._entries(record, answer, force)
                    record["corrected"] = changed
                    self._transaction.update(batch, {"corrected": changed})
        self._restate()

    def _entries(
        self, record: Mapping[str, Any], answer: PassageResult, force: Force | None
    ) -> dict[str, Any]:
        """Return what a batch's record says of all its passages that people corrected."""
        changed = dict(record.get("corrected") or {})
        before = changed.pop(str(answer.index), {})
        if self._kind == "figure":
            labels = {name: before[name] for name in ("less", "more") if name in before}
            after = labels | corrected.figures_entry(force)
        else:
            parts = (Partial.model_validate(part) for part in record["partials"])
            candidates = [one for part in parts for one in part.candidates if one.index == answer.index]
            of_figures = {name: before[name] for name in ("figures",) if name in before}
            after = of_figures | corrected.entry(answer, candidates, force)
        return changed | ({str(answer.index): after} if after else {})

    def _restate(self) -> None:
        of_document: dict[str, Any] = {}
        if self._kind == "figure":
            of_outcome = figures.coded(self.records)
            if self._run and self._run.facts and self._run.facts.figures is not None:
                of_document["figures"] = self._run.facts.figures - not_figures(self.records)
        else:
            aggregate = aggregate_of(self.records)
            of_document, of_outcome = lists(aggregate), outcomes.counted(aggregate, keep(aggregate))
        if self._has_outcome is not None:
            self._transaction.update(self._outcome, of_outcome)
        after = self._document.altered(**of_document)
        _write(self._documents, self._transaction, self._document, after)


_BOUNDS = ("start", "end", "corrected")
_OF_LABELS = ("partials",)
_LABELLED = (
    *("topics", "topic_names", "sentiment", "action", "salience", "initiative", "initiative_score"),
    *("figures", "corrected", "text_hash", "check"),
)
"""Fields of a stored passage that a correction changes."""


def _changing(fields: Mapping[str, Any]) -> dict[str, Any]:
    from google.cloud.firestore_v1 import DELETE_FIELD

    return {name: fields.get(name, DELETE_FIELD) for name in _LABELLED}


def _write(documents: Documents, transaction: ShortTransaction, before: Document, after: Document) -> None:
    counted = after.altered(corrections=before.corrections + 1, updated_at=now())
    documents.write(transaction, before, counted)


def _present(document: Document | None) -> Document:
    if document is None or document.state == "erasing":
        raise Missing("no_document", "There is no such document.", "List those that there are.")
    return document


def _record(reference: firestore.DocumentReference, number: int) -> firestore.DocumentReference:
    record: firestore.DocumentReference = reference.collection(COLLECTION).document(f"{number:0{_DIGITS}}")
    return record


def _read(
    transaction: ShortTransaction, document: Document, query: firestore.Query
) -> Iterator[tuple[firestore.DocumentReference, dict[str, Any]]]:
    """Yield the records of batches, in a fifth of the time that the client's own snapshots take."""
    asked: Any = query
    client = asked._client  # noqa: SLF001 - the query's own
    request, _, _ = asked._prep_stream(  # noqa: SLF001 - as its own `stream` begins
        None if document.state in CLOSED else transaction
    )
    answers = client._firestore_api.run_query(  # noqa: SLF001 - no public way to the messages
        request=request,
        metadata=client._rpc_metadata,  # noqa: SLF001 - as its own calls have
    )
    for answer in answers:
        found = type(answer).pb(answer).document
        if found.name:
            fields = {name: plain(value) for name, value in found.fields.items()}
            yield asked._parent.document(found.name.rpartition("/")[2]), fields  # noqa: SLF001 - the same


def _log(reference: firestore.DocumentReference, key: str) -> list[Correction]:
    """Return the corrections of a text, or of a file, the oldest first."""
    query = where(reference.collection(COLLECTION), ("text_hash", "==", key))
    found = [Correction.model_validate(each.to_dict()) for each in query.get(timeout=SECONDS)]
    return sorted(found, key=lambda each: each.number)


def _twins(
    transaction: ShortTransaction, document: Document, reference: firestore.DocumentReference, key: str
) -> dict[str, PassageResult]:
    """Return the passages that have a text, of all runs, by name.

    Raises:
        Permanent: there are too many.
    """
    query = where(reference.collection(PASSAGES), ("text_hash", "==", key)).limit(MAX_SAME + 1)
    found = {
        each.id: result_of(each.to_dict() or {})
        for each in (query.get(timeout=SECONDS) if document.state in CLOSED else transaction.get(query))
    }
    if len(found) > MAX_SAME:
        raise Permanent(
            "too_many_passages",
            f"More than {MAX_SAME} passages of this document have this text.",
            "A text on every page says nothing of the company: leave it as it is.",
        )
    return found


def _new(
    document: Document, change: PassageChange | FigureChange, passage: PassageResult, by: str
) -> Correction:
    """Return a correction of a passage, or of a figure, whose fields as they were the caller fills in."""
    if isinstance(change, PassageChange):
        before = _labels_of(passage)
        fields = {name: said for name in LABELS if (said := getattr(change, name)) is not None}
        if unknown := sorted(set(fields.get("topics", ())) - set(TOPICS) - set(document.topics)):
            known = ", ".join(dict.fromkeys((*TOPICS, *document.topics)))
            raise Permanent("unknown_topic", f"There is no topic {unknown[0]!r}.", f"There are: {known}.")
        if change.confirm:
            settled = {name: said for name, said in before.items() if said is not None and name != "salience"}
            fields = settled | fields
        was = {name: before[name] for name in fields}
        more: dict[str, Any] = {"fields": fields, "was": was, "confirms": change.confirm and fields == was}
    else:
        fields = change.fields()
        if (code := fields.get("datapoint")) is not None and code not in names():
            raise Permanent(
                "unknown_datapoint", f"There is no data point {code!r}.", "docs/figures.md lists them."
            )
        more = {"fields": fields, "at": change.at, "metric": change.metric}
    return Correction(
        id=f"{document.corrections + 1:0{_DIGITS}}",
        number=document.corrections + 1,
        kind=change.kind,
        text_hash=text_hash(passage.text),
        run=change.run,
        index=change.index,
        page=passage.page,
        text=passage.text,
        passage=passage.kind,
        language=passage.language,
        by=by,
        made_at=now(),
        **more,
    )


def _labels_of(passage: PassageResult) -> dict[str, Any]:
    return {
        "topics": [topic.name for topic in passage.topics],
        "action": passage.action and passage.action.label,
        "sentiment": passage.sentiment and passage.sentiment.label,
        "salience": passage.salience,
        "initiative": passage.initiative if passage.kind == "text" else None,
    }


def _as_it_was(change: FigureChange, records: list[dict[str, Any]], force: Force) -> dict[str, Any]:
    """Return of a figure what a person changes.

    Raises:
        Conflict: another figure stands there.
        Missing: none does.
    """
    if force.figures.get((change.at, change.metric), {}).get("not_a_figure"):
        return {"not_a_figure": True}
    of_passage = (each for each in figures.shown(records) if each.passage == change.index)
    figure = next((each for each in of_passage if each.at == change.at), None)
    if figure is None:
        raise Missing("no_figure", "The passage has no such figure.", "Take its place from the document's.")
    if figure.metric != change.metric:
        raise Conflict("Another figure stands in this place; look again, and decide anew.")
    return {"not_a_figure": False} | {name: getattr(figure, name) for name in ("value", "unit", "datapoint")}


def _repeats(log: Iterable[Correction], new: Correction) -> Correction | None:
    """Return the newest correction of the same target, where it says the same, by the same person."""
    same = [one for one in log if one.target == new.target and one.undone_at is None]
    last = same[-1] if same else None
    return last if last and (last.by, last.fields) == (new.by, new.fields) else None


def _correct_facts(
    documents: Documents, transaction: ShortTransaction, document: Document, change: DocumentChange, by: str
) -> Correction:
    if document.sha256 is None:
        raise Permanent("not_read", "This document was not read yet.", "Wait until it has completed.")
    reference = documents.reference(document.id)
    log = _log(reference, document.sha256)
    fields = change.fields()
    new = Correction(
        id=f"{document.corrections + 1:0{_DIGITS}}",
        number=document.corrections + 1,
        kind="document",
        text_hash=document.sha256,
        run=document.published_run or document.run,
        fields=fields,
        was={name: getattr(document, name) for name in fields},
        by=by,
        made_at=now(),
    )
    if before := _repeats(log, new):
        return before
    _state_facts(documents, transaction, document, in_force([*log, new]).get(new.text_hash))
    transaction.create(_record(reference, new.number), new.model_dump())
    return new


def _state_facts(
    documents: Documents, transaction: ShortTransaction, document: Document, force: Force | None
) -> None:
    """Write what counts now of the facts of a document's file."""
    assert document.sha256 is not None
    run = documents.read_run(document.id, document.published_run or document.run, transaction)
    outcome = outcomes_of(documents.client, document.id)
    [has_outcome] = transaction.read(outcome, fields=["document"])
    said = StatedFacts(sha256=document.sha256, values=dict(force.facts)) if force else None
    facts = transitions.stated((run and run.facts) or Facts(sha256=document.sha256), said)
    after = document.altered(stated=said, **{name: facts[name] for name in (*FACTS, "facts_from")})
    if has_outcome is not None:
        transaction.update(outcome, outcomes.restated(after))
    _write(documents, transaction, document, after)


def outcomes_of(client: firestore.Client, document: str) -> firestore.DocumentReference:
    reference: firestore.DocumentReference = client.collection(outcomes.COLLECTION).document(document)
    return reference
