"""Is a digest right? Its numbers, counted once more from the passages themselves.

`outcomes` says which documents are in a window, since nothing else keeps when their content was first whole;
all that is counted comes from `documents` and from the passages of their published runs. What rests on
comparing sentences with each other (near-duplicates, how far the novel is from all else, what became of
plans) is computed again from what was kept of the documents. Which documents were unfinished cannot be told
later. Why something differs is `since`'s affair.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.digests.compute.initiatives import Groups
from shared.digests.compute.make import make
from shared.digests.compute.measures import Earlier, measures, trend
from shared.digests.compute.overview import received
from shared.digests.compute.request import Request
from shared.digests.compute.rows import Rows
from shared.digests.compute.selection import between, counts, fits, of_organisation
from shared.digests.compute.tally import Tally
from shared.digests.since import DOCUMENT, Difference, Since
from shared.digests.stored import RULES
from shared.documents.outcomes import COLLECTION, Cells, Outcome, organisation_key
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.published import shown
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.platform.records import SENTIMENTS, Record
from shared.platform.settings import settings
from shared.text.figures import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import firestore

    from shared.digests.compute.rows import Row
    from shared.digests.records import Quote, Window
    from shared.digests.stored import StoredDigest

_PASSAGE = ("sentiment.label", "topic_names", "action.label")
_COMPARED = ("initiatives", "incidents", "positives", "novel", "novel_among", "summary")
"""Parts of a digest whose numbers come of comparing sentences."""
_BY_RULES = ("initiatives.followed", "initiatives.compared")
"""Those of them that the rules decide by which plans are followed."""


def verify(client: firestore.Client, stored: StoredDigest) -> list[Difference]:
    """Everything in which the digest differs from what is stored now; none where it is right."""
    return _Recount(client, stored).differences()


class _Recounted:
    """A window, counted from passages."""

    def __init__(self, topic: str | None) -> None:
        self.tally, self.groups = Tally(topic), Groups(topic)
        self.completed = self.copies = 0


class _Recount:
    def __init__(self, client: firestore.Client, stored: StoredDigest) -> None:
        self.rows, self.stored, self.digest = Rows(client), stored, stored.digest
        self.since = Since(self.rows, stored)

    def differences(self) -> list[Difference]:
        found = [*self._differing(), *self.since.gone()]
        if any(one.kind != "rules" for one in found):  # what was read anew and says the same is right
            self.since.find_moved()
            found += self.since.again()
        return found

    def _differing(self) -> Iterator[Difference]:
        digest = self.digest
        now = self._window(digest.window)
        statistics = now.tally.statistics()
        before = [
            Earlier(one.window, self._window(one.window).tally.statistics()) for one in digest.trend[:-1]
        ]
        yield from self._compare("statistics", self.stored.statistics.model_dump(), statistics.model_dump())
        told, counted = digest.overview, self._overview(now)
        yield from self._compare("overview", told.model_dump(include=set(counted)), counted)
        points = [
            point if one.judged is not None else point.model_copy(update={"judged": None})  # an older digest
            for one, point in zip(digest.trend, trend(before, digest.window, statistics), strict=True)
        ]
        yield from self._compare("trend", *([_plain(one) for one in of] for of in (digest.trend, points)))
        yield from self._measures(now, before)
        yield from self._initiatives(now)
        yield from self._quotes()
        yield from self._compared()

    def _window(self, window: Window) -> _Recounted:
        """Its documents, one after the other; passages are never held."""
        asked = self.digest.filter
        counted = _Recounted(asked.topic)
        conditions = between("completed_at", window.start, window.end) + of_organisation(asked)
        limit = settings().digest_max_documents
        placed = self.rows.range(COLLECTION, "completed_at", conditions, ["document"], limit=limit)
        ids = [row[""] for row in placed]
        read = self.stored.made_at if window == self.digest.window else window.end
        for document in map(shown, self.rows.named(DOCUMENTS, ids, DOCUMENT)):
            if not fits(document, asked) or document["members"] is not None:
                continue
            counted.completed += 1
            self.since.note(document, read)
            if not counts(document):
                counted.copies += 1
                continue
            outcome = self._outcome(document)
            counted.tally.add(outcome)
            counted.groups.count(outcome)
        return counted

    def _outcome(self, document: Row) -> Outcome:
        """The counts of a document, from its passages."""
        sentiment: Counter[Any] = Counter()
        actions: Counter[str] = Counter()
        cells: dict[str, Counter[str]] = {}
        passages = 0
        for row in self._passages(document):
            passages += 1
            label = (row.get("sentiment") or {}).get("label")
            action = (row.get("action") or {}).get("label")
            sentiment.update([label] if label else [])
            acts = [action] if action in {"implemented", "planned"} else []
            actions.update(acts if row["topic_names"] else [])
            for topic in row["topic_names"]:
                cells.setdefault(topic, Counter()).update(["passages", *([label] if label else []), *acts])
        return Outcome(
            document=document["id"],
            bucket=document["bucket"],
            name=document["name"],
            organisation=document["organisation"],
            language=document["language"],
            run=document["run"],
            organisation_key=organisation_key(document["organisation"]),
            year=None,
            title=None,
            members=None,
            duplicate_of=None,
            generation=document["generation"],
            received_at=document.get("received_at", document["timings"]["uploaded_at"]),
            completed_at=None,
            passages=passages,
            sentiment={label: sentiment[label] for label in SENTIMENTS},
            topics={topic: Cells.model_validate(of) for topic, of in cells.items()},
            actions=dict(actions),
            problem=None,
        )

    def _passages(self, document: Row) -> Iterator[Row]:
        path = f"{DOCUMENTS}/{document['id']}/{PASSAGES}"
        conditions = [("run", "==", document["published_run"])]
        return self.rows.range(path, "index", conditions, [*_PASSAGE, "index"], limit=settings().max_passages)

    def _overview(self, now: _Recounted) -> dict[str, Any]:
        digest = self.digest
        request = self._request([])
        limit = settings().digest_max_documents
        placed = self.rows.range(
            COLLECTION, "problem.at", between("problem.at", digest.window.start, digest.window.end),
            ["document"], limit=limit,
        )  # fmt: skip
        rejected: Counter[str] = Counter()
        failed = 0
        for document in map(shown, self.rows.named(DOCUMENTS, [row[""] for row in placed], DOCUMENT)):
            if fits(document, digest.filter):
                self.since.note(document, self.stored.made_at)
                failed += document["state"] == "failed"
                rejected.update([document["error"]["code"]] if document["state"] == "rejected" else [])
        told, uploaded = digest.overview.received, received(self.rows, request, limit)[0]
        unknown = told != uploaded and abs(told - uploaded) <= self.since.uncertain()
        return ({} if unknown else {"received": uploaded}) | {
            "completed": now.completed,
            "copies": now.copies,
            "passages": now.tally.statistics().passages,
            "rejected": dict(rejected),
            "failed": failed,
        }

    def _request(self, earlier: list[Window]) -> Request:
        """What the digest was made of."""
        digest = self.digest
        return Request(
            id=digest.id, schedule=digest.schedule, zone=digest.zone, window=digest.window,
            filter=digest.filter, earlier=earlier,
        )  # fmt: skip

    def _measures(self, now: _Recounted, before: list[Earlier]) -> Iterator[Difference]:
        rows = self.digest.topics
        several = [*self.digest.sentiments, *(one.share for one in rows), *(one.negative for one in rows)]
        had = any(change.against == "previous" for one in several for change in one.changes)
        found = measures(
            now.tally.statistics(),
            before[-1].statistics if had else None,
            [one.statistics for one in before],
            now.tally.cells,
            self.digest.filter.topic,
        )
        for name, told, counted in (
            ("sentiments", self.digest.sentiments, found.sentiments),
            ("topics", self.digest.topics, found.topics),
        ):
            mine, its = ({one.name: one.model_dump() for one in each} for each in (told, counted))
            yield from self._compare(name, mine, its)

    def _initiatives(self, now: _Recounted) -> Iterator[Difference]:
        told, listed = self.digest.initiatives, now.groups.listed()
        for what, mine, its in (
            ("initiatives.implemented", told.implemented, now.tally.actions["implemented"]),
            ("initiatives.planned", told.planned, now.tally.actions["planned"]),
            ("initiatives.groups_left", told.groups_left, listed.left),
        ):
            yield from self._compare(what, mine, its)
        mine_by, its_by = (
            {f"{one.topic} {one.organisation}": [one.implemented, one.planned] for one in groups}
            for groups in (told.groups, listed.groups)
        )
        yield from self._compare("initiatives.groups", mine_by, its_by)

    def _compared(self) -> Iterator[Difference]:
        """What is computed and not counted; of a digest without all its quotes it cannot be told."""
        if self.stored.redacted:
            return
        again = make(
            self.rows.client, self._request([one.window for one in reversed(self.digest.trend[:-1])])
        )
        other_rules = False
        for what in _COMPARED:
            told, found = (getattr(one, what) for one in (self.digest, again.digest))
            for difference in self._compare(what, *(_plain(one) for one in (told, found))):
                if self.stored.rules != RULES and difference.what.startswith(_BY_RULES):
                    other_rules = True
                else:
                    yield difference
        if other_rules:
            yield Difference(
                kind="rules",
                what="plans were followed by the rules of another version, and are not compared",
                document=None,
                stored=str(self.stored.rules),
                found=str(RULES),
            )

    def _quotes(self) -> Iterator[Difference]:
        documents = self.since.named()
        each = {(quote.document, quote.index, quote.text): quote for quote in self.digest.quotes()}
        for key in sorted(each):
            if key[0] in documents:
                yield from self._quote(documents[key[0]], each[key])

    def _quote(self, document: Row, quote: Quote) -> Iterator[Difference]:
        path = f"{DOCUMENTS}/{quote.document}/{PASSAGES}"
        name = f"{document['published_run']}-{quote.index}"
        fields = ["text", "page", "row", "topic_names", "action.label"]
        passage: Row = next(iter(self.rows.named(path, [name], fields)), {})
        where = f"passage {quote.index} of {quote.name}"
        if quote.text not in " ".join(str(passage.get("text", "")).split()):
            yield Difference(
                kind="quote",
                what=where,
                document=quote.document,
                stored=quote.text,
                found=passage.get("text", ""),
            )
            return
        action = (passage.get("action") or {}).get("label", "none")
        told = [quote.page, quote.row, sorted(quote.topics), quote.action, quote.figures]
        found = [passage["page"], passage["row"], sorted(passage["topic_names"]), action, figures(quote.text)]
        if told != found:
            yield Difference(
                kind="quote", what=where, document=quote.document, stored=str(told), found=str(found)
            )

    def _compare(self, what: str, told: Any, found: Any) -> Iterator[Difference]:  # noqa: ANN401 - JSON
        """Each number of two structures that differs, named by its path."""
        if isinstance(told, dict) and isinstance(found, dict):
            for name in sorted({*told, *found}):
                yield from self._compare(f"{what}.{name}", told.get(name), found.get(name))
        elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
            for at, pair in enumerate(zip(told, found, strict=True)):
                yield from self._compare(f"{what}[{at}]", *pair)
        elif told != found:
            yield Difference(kind="number", what=what, document=None, stored=str(told), found=str(found))


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON of a part of a digest
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.model_dump(mode="json") if isinstance(value, Record) else value
