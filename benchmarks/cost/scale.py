"""The figures of docs/scale.md: what changes from ten documents a day to a million a month.

Everything is calculated from `measured.json`, `prices.toml`, `infra/` and the limits that Google names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.cost import model
from benchmarks.cost.report import LONG, REPORT, between, table_of
from deploy.quotas import SIZES, needs, table
from local.services import ROOT
from shared.documents.cost import ANALYZE, BATCH, DOCUMENT, INGEST, JOB, JOB_START_SECONDS, ROUND_TRIP
from shared.documents.recovery import PER_TICK
from shared.intake.reconciliation import LOOK_BACK, PAGE, PAGES
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIX = {REPORT: 0.90, LONG: 0.05, "4-page scan": 0.05}
"""Assumed: shares of the documents that come."""
STEPS = {
    "10 a day": 300,
    "100 a day": 3_000,
    "1,000 a day": 30_000,
    "10,000 a day": 300_000,
    "a million a month": 1_000_000,
}
"""Documents a month."""
BUSY = 22 * 8 * 3600
"""Assumed: seconds of a month in which all its documents come, evenly: eight hours of 22 days."""
DOCS = ROOT / "docs" / "scale.md"
KEPT, SHORT = 12, 3
"""Months for which results are kept: in the figures after a year, and by a retention of 90 days."""
TARGET = 0.6
"""Share of its places from which Cloud Run adds an instance:
https://cloud.google.com/run/docs/about-instance-autoscaling"""
TICKS = model.HEARTBEATS["sweep"]
"""Rounds of `sweep` in a month."""
VECTORS_READ = 100
"""Entries of a vector index that a search reads for the price of a document:
https://firebase.google.com/docs/firestore/pricing#index-reads"""


@dataclass(frozen=True)
class Limit:
    """What grows with the documents, and how much of it there may be."""

    name: str
    amount: float
    unit: str
    demand: Callable[[Mapping[str, Any], float], float]
    """What so many documents a month take of it."""
    change: str
    source: str = ""
    """Address of the page that names it, unless it is the code."""

    def met(self, found: Mapping[str, Any]) -> float:
        """Documents a month at which it is met: demands are proportional to them."""
        return self.amount / self.demand(found, 1.0)


def each(found: Mapping[str, Any], count: Callable[[dict[str, Any]], float]) -> float:
    """Return what a document of the mix takes on average."""
    return math.fsum(share * count(model.of_kind(found, kind)) for kind, share in MIX.items())


def a_second(found: Mapping[str, Any], documents: float, *names: str) -> float:
    """Return what is counted under these names in a busy second."""
    return documents / BUSY * each(found, lambda one: math.fsum(one[name] for name in names))


def seconds(found: Mapping[str, Any]) -> dict[str, float]:
    """Return how long a document holds a place of `ingest`, places of `analyze`, and a task of the job."""

    def analyze(one: dict[str, Any]) -> float:
        waiting = one["deliveries"]["analyze"] * BATCH.calls * ROUND_TRIP
        return float(one["handled_seconds"]["analyze"] + waiting)

    def task(one: dict[str, Any]) -> float:
        return JOB_START_SECONDS + one["cpu_seconds"]["run"] / JOB.vcpus if one["route"] == "job" else 0.0

    reading = each(found, lambda one: one["handled_seconds"]["ingest"]) + DOCUMENT.calls * ROUND_TRIP
    return {"ingest": reading, "analyze": each(found, analyze), "tasks": each(found, task)}


def places(size: str) -> dict[str, int]:
    """Return how much a size works on at once."""
    functions, job = table("functions"), table("job")
    return {
        "ingest": functions["ingest"]["max_instances"][size] * INGEST.places,
        "analyze": functions["analyze"]["max_instances"][size] * ANALYZE.places,
        "tasks": job["tasks"][size],
    }


def an_hour(found: Mapping[str, Any], size: str) -> tuple[float, str]:
    """Return how many documents of a backlog a size does in an hour, and what holds it back."""
    taken = seconds(found)
    rates = {name: 3600 * at_once / taken[name] for name, at_once in places(size).items()}
    slowest = min(rates, key=lambda name: rates[name])
    return rates[slowest], slowest


def at_work(found: Mapping[str, Any], documents: float) -> dict[str, int]:
    """Return how many instances of `ingest` and `analyze`, and tasks, are at work in a busy hour."""
    busy = {name: documents / BUSY * taken for name, taken in seconds(found).items()}
    return {
        "ingest": math.ceil(busy["ingest"] / INGEST.places / TARGET),
        "analyze": math.ceil(busy["analyze"] / ANALYZE.places / TARGET),
        "tasks": math.ceil(busy["tasks"]),
    }


def size_for(found: Mapping[str, Any], documents: float) -> str:
    """Return the smallest size that keeps up in a busy hour; `large` even where it does not."""
    return next((size for size in SIZES if documents / BUSY * 3600 <= an_hour(found, size)[0]), SIZES[-1])


def usd(found: Mapping[str, Any], documents: float, *, kept: int, recovery: bool = True) -> float:
    """Return US dollars of a month, after the free tier, with the results of `kept` months stored.

    `recovery`: Firestore can be restored as it was at any minute of the last seven days.
    """
    months = [
        model.month(found, kind, documents * share * model.of_kind(found, kind)["pages"])
        for kind, share in MIX.items()
    ]
    amounts = model.added(*months, model.fixed(found))
    grown = {name: amount * (kept if name.endswith("gib_month") else 1) for name, amount in amounts.items()}
    if not recovery:
        del grown["firestore_pitr_gib_month"]
    return math.fsum(model.usd(grown, free=True).values())


def stored_gib(found: Mapping[str, Any], documents: float) -> float:
    """Return GiB that Firestore stores after a year."""
    return KEPT * documents * each(found, lambda one: model.stored(one)["firestore_gib_month"])


def search_usd(found: Mapping[str, Any], documents: float) -> float:
    """Return US dollars of a search over everything after a year: its index is read as a whole."""
    passages = KEPT * documents * each(found, lambda one: one["passages"])
    return passages / VECTORS_READ * model.prices()["firestore_read"].usd


def _records(found: Mapping[str, Any], documents: float) -> float:
    """Writes a second to documents and what stands beside their passages and batches."""
    own = each(found, lambda one: one["writes"] - one["passages"] - one["batches"])
    return documents / BUSY * own


def _size(size: str) -> Limit:
    following = dict(zip(SIZES, [*(f'`size = "{name}"`' for name in SIZES[1:]), None], strict=True))[size]
    return Limit(
        f'`size = "{size}"`',
        1.0,
        "of what it does in an hour",
        lambda found, documents: documents / BUSY * 3600 / an_hour(found, size)[0],
        f"{following}, with its [quotas](operations.md#quotas)"
        if following
        else "greater numbers in `infra/functions.json` and `infra/job.json`, and more quota",
        "operations.md#quotas",
    )


FIRESTORE = "https://cloud.google.com/firestore/docs/best-practices"
STORAGE = "https://cloud.google.com/storage/docs/request-rate"
LIMITS = (
    *map(_size, SIZES),
    Limit(
        "a monthly digest of everything",
        Settings.model_fields["digest_max_documents"].default,
        "documents",
        lambda _found, documents: documents,
        "digests by week, organisation or prefix; `HEADRACE_DIGEST_MAX_DOCUMENTS` with more memory",
        "digests.md",
    ),
    Limit(
        "erasure by `HEADRACE_RETENTION`",
        TICKS * PER_TICK,
        "documents a month",
        lambda _found, documents: documents,
        "tick more often (`infra/schedules.tf`) or raise `PER_TICK` in `functions/sweep/main.py`",
    ),
    Limit(
        "a pass over the bucket for lost files, in 14 days",
        LOOK_BACK.total_seconds() / (model.SECONDS / TICKS) * PAGES * PAGE,
        "files, after a year",
        lambda _found, documents: KEPT * documents,
        "delete or move originals that are done with, or raise `PAGES` in `shared/intake/reconciliation.py`",
    ),
    Limit(
        "Firestore, writes to a new database",
        500,
        "a second, half as many more every five minutes",
        lambda found, documents: a_second(found, documents, "writes"),
        "begin slowly: [import](jobs.md) in parts; refused writes are tried again",
        FIRESTORE,
    ),
    Limit(
        "Firestore, writes to a collection with an ascending indexed field (`updated_at`)",
        500,
        "a second",
        _records,
        "leave `updated_at` out of the single-field indexes (`infra/indexes.tf`)",
        FIRESTORE,
    ),
    Limit(
        "Pub/Sub, published in a small region",
        50e6,
        "bytes a second",
        lambda found, documents: a_second(found, documents, "message_bytes"),
        "ask for more of the quota",
        "https://cloud.google.com/pubsub/quotas",
    ),
    Limit(
        "Cloud Storage, objects written in a bucket at first",
        1_000,
        "a second, twice as many every 20 minutes",
        lambda found, documents: a_second(found, documents, "class_a"),
        "nothing: it grows by itself",
        STORAGE,
    ),
    Limit(
        "Cloud Storage, objects read in a bucket at first",
        5_000,
        "a second, twice as many every 20 minutes",
        lambda found, documents: a_second(found, documents, "class_b"),
        "nothing: it grows by itself",
        STORAGE,
    ),
    Limit(
        "Cloud Run, executions of jobs at once",
        1_000,
        "a region",
        lambda found, documents: documents / BUSY * seconds(found)["tasks"],
        "import scans together: one execution for many files",
        "https://cloud.google.com/run/quotas",
    ),
)


def write(found: Mapping[str, Any]) -> None:
    """Put the figures where docs/scale.md has their place."""
    DOCS.write_text(between(DOCS.read_text(), report(found)))


def report(found: Mapping[str, Any]) -> str:
    """Return the generated part of docs/scale.md, as Markdown."""
    evenly = f"a month's documents come evenly in {BUSY // 3600} hours."
    mixed = ", ".join(f"{share:.0%} {kind}s" for kind, share in MIX.items())
    parts = [
        f"Measured on {found['date']}: {found['machine']}, the local stack. Assumed: {mixed};\n{evenly}",
        "## What a size does\n\n" + table_of(_sizes(found)),
        "## What changes\n\n" + table_of(_steps(found)),
        "## Which limit is met first\n\nIn the order in which they are met.\n\n" + table_of(_limits(found)),
        "## What does not grow with their number\n\n" + table_of(_per_document(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _sizes(found: Mapping[str, Any]) -> list[list[str]]:
    rows = [["`size`", "processors", "GiB of memory", "documents an hour of a backlog", "held back by"]]
    for size in SIZES:
        processors, memory = needs(size)
        rate, slowest = an_hour(found, size)
        told = {"tasks": "tasks of the job"}.get(slowest, f"`{slowest}`")
        rows.append(
            [f"`{size}`", f"{processors.amount // 1000}", f"{memory.amount / 2**30:g}", f"{rate:,.0f}", told]
        )
    return rows


def _steps(found: Mapping[str, Any]) -> list[list[str]]:
    rows = [["", *STEPS]]

    def row(name: str, shown: Callable[[float], str]) -> None:
        rows.append([name, *(shown(documents) for documents in STEPS.values())])

    row("documents a month", lambda documents: f"{documents:,}")
    row("in a busy second", lambda documents: _figure(documents / BUSY))
    row("instances of `ingest` at work", lambda documents: f"{at_work(found, documents)['ingest']:,}")
    row("instances of `analyze` at work", lambda documents: f"{at_work(found, documents)['analyze']:,}")
    row("tasks of the job at work", lambda documents: f"{at_work(found, documents)['tasks']:,}")
    row("`size`", lambda documents: f"`{size_for(found, documents)}`")
    row(
        "`CpuAllocPerProjectRegion`",
        lambda documents: f"{needs(size_for(found, documents))[0].amount:,}",
    )
    row("Firestore, writes a second", lambda documents: _figure(a_second(found, documents, "writes")))
    row("Firestore, reads a second", lambda documents: _figure(a_second(found, documents, "reads")))
    row("Firestore, GiB after a year", lambda documents: f"{stored_gib(found, documents):,.0f}")
    row("Pub/Sub, messages a second", lambda documents: _figure(a_second(found, documents, "messages")))
    row("Cloud Storage, writes a second", lambda documents: _figure(a_second(found, documents, "class_a")))
    row("US dollars, the first month", lambda documents: _money(usd(found, documents, kept=1)))
    row("US dollars a month, after a year", lambda documents: _money(usd(found, documents, kept=KEPT)))
    row(
        "the same with results kept for 90 days, and no point-in-time recovery",
        lambda documents: _money(usd(found, documents, kept=SHORT, recovery=False)),
    )
    row(
        "US dollars, a search over everything after a year",
        lambda documents: _figure(search_usd(found, documents)),
    )
    row("limits met", lambda documents: str(sum(limit.met(found) <= documents for limit in LIMITS)))
    return rows


def _limits(found: Mapping[str, Any]) -> list[list[str]]:
    rows = [["limit", "is", "met at documents a month", "then"]]
    for limit in sorted(LIMITS, key=lambda limit: limit.met(found)):
        name = f"[{limit.name}]({limit.source})" if limit.source else limit.name
        amount = "" if limit.amount == 1 else f"{limit.amount:,.0f} "
        rows.append([name, f"{amount}{limit.unit}", f"{limit.met(found):,.0f}", limit.change])
    return rows


def _per_document(found: Mapping[str, Any]) -> list[list[str]]:
    one = model.of_kind(found, REPORT)
    passage = one["written_bytes"] / one["writes"]
    batch = Settings.model_fields["batch_passages"].default
    own = one["writes"] - one["passages"] - one["batches"]
    return [
        ["Firestore's limit", "of a 48-page report", "limit"],
        ["bytes of a record (mean)", f"{passage:,.0f}", "1,048,576"],
        ["bytes of a commit: a full batch", f"{batch * passage:,.0f}", "10,485,760"],
        [
            "writes a second to its document, while it is worked on",
            f"{own / one['total_seconds']:.1f}",
            "about 1, sustained",
        ],
        ["composite indexes", f"{composite()}", "1,000 with billing, 200 without"],
        ["index entries of a passage, at most", f"{_entries()}", "40,000"],
    ]


def composite() -> int:
    """Return how many composite indexes infra/ makes."""
    return len(_indexes())


def _indexes() -> list[str]:
    text = (ROOT / "infra" / "indexes.tf").read_text()
    return [line for line in text.splitlines() if line.lstrip().startswith("{ collection = ")]


def _entries() -> int:
    """Return composite entries of a passage of all ten topics: one an index, or one a topic in it."""
    topics = 10
    of_passages = [line for line in _indexes() if '"passages"' in line]
    return sum(topics if "CONTAINS" in line else 1 for line in of_passages)


def _figure(amount: float) -> str:
    if amount >= 100:
        return f"{amount:,.0f}"
    return f"{amount:.3g}"


def _money(amount: float) -> str:
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:,.2f}"
