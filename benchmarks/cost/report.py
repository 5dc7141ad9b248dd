"""The figures of docs/cost.md, from `measured.json` and `prices.toml` alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmarks.cost import model
from local.services import ROOT
from shared.documents import cost
from shared.documents.cost import GPU_JOB, JOB
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DOCS = ROOT / "docs" / "cost.md"
DEPLOYED = "europe-west1"
"""The default region of infra/."""
BEGIN, END = "<!-- figures: written by make cost -->", "<!-- end of figures -->"
MONTHS = (100, 10_000, 1_000_000)
"""Pages."""
REPORT, LONG = "48-page report", "200-page report"
GPU_SPEEDS = (10, 30, 100)
GPU_PAGES = (200, 2_000, 20_000)
GROUPS = {
    "processor and memory of functions": ("run_vcpu_second", "run_gib_second", "run_request"),
    "processor and memory of the job": ("job_vcpu_second", "job_gib_second", "job_gpu_second"),
    "Firestore operations": ("firestore_read", "firestore_write", "firestore_delete"),
    "Firestore, a month stored": ("firestore_gib_month",),
    "Firestore, point-in-time recovery": ("firestore_pitr_gib_month",),
    "Cloud Storage": ("storage_class_a", "storage_class_b", "storage_gib_month"),
    "Pub/Sub, logs, secrets": ("pubsub_gib", "logging_gib", "secret_access"),
}
HOW = {"page": "vendor's page", "others": "second hand", "memory": "**memory: check**"}

CLASSES = {
    "functions, 48-page reports": REPORT,
    "functions, one-page texts": "press release",
    "job without a GPU, 200-page reports": LONG,
    "job without a GPU, 4-page scans": "4-page scan",
}
Table = list[list[str]]


def report(found: Mapping[str, Any]) -> str:
    """Markdown."""
    region, read = model.listed()
    measured = f"Measured on {found['date']}: {found['machine']}, the local stack."
    parts = [
        f"{measured}\nPrices are those of {region}, as read on {read}.",
        "## What a document takes\n\n" + table_of(_documents(found)),
        "## What 1,000 pages cost\n\n" + _months(found),
        "## What costs\n\n" + _shares(found),
        "## What a month costs in which nothing comes\n\n" + table_of(_fixed(found)),
        "## Function or job\n\n" + _routes(found),
        "## What each document's own estimate is worth\n\n" + _estimates(found),
        f"## Prices\n\n{_where_and_when()}\n\n{table_of(_prices())}",
    ]
    return "\n\n".join(parts) + "\n"


def write(found: Mapping[str, Any]) -> None:
    """Put the figures where the documentation has their place."""
    DOCS.write_text(between(DOCS.read_text(), report(found)))


def between(page: str, figures: str) -> str:
    """Return a page with other figures between its marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{figures}\n{END}{after}"


def _documents(found: Mapping[str, Any]) -> Table:
    header = ["document", "route", "pages", "passages", "batches", "processor s", "of that recorded"]
    header += ["s, drop to completed", "reads", "writes", "deletes", "Pub/Sub billed", "class A", "class B"]
    header += ["written to Firestore", "to Cloud Storage"]
    rows = [
        [
            one["kind"],
            one["route"],
            str(one["pages"]),
            str(one["passages"]),
            str(one["batches"]),
            f"{sum(one['cpu_seconds'].values()):.2f}",
            f"{one['recorded_cpu']:.2f}",
            f"{one['total_seconds']:.1f}",
            *(str(one[name]) for name in ("reads", "writes", "deletes")),
            _bytes(one["message_bytes"]),
            *(str(one[name]) for name in ("class_a", "class_b")),
            _bytes(one["written_bytes"]),
            _bytes(one["stored_bytes"]),
        ]
        for one in found["classes"]
    ]
    return [header, *rows]


def _months(found: Mapping[str, Any]) -> str:
    header = ["1,000 pages, US dollars", *(f"{pages:,} pages a month" for pages in MONTHS)]
    one = model.of_kind(found, REPORT)
    capacity = model.vm_pages(one)
    processors = [name for name in model.prices() if name.startswith("run_")]
    each = (
        math.fsum(model.usd(model.month(found, REPORT, MONTHS[-1]))[name] for name in processors) / MONTHS[-1]
    )
    pays = model.prices()["vm_hour"].usd * model.HOURS / each
    return (
        f"The alternatives are given the {REPORT}. The fixed costs below come on top, once a month. What is\n"
        "stored is counted for one month.\n\n"
        f"{table_of([header, *_ours(found), *_machines(found), *_services(one)])}\n\n"
        f"Two processors at work for {model.VM_BUSY:.0%} of a month do {capacity / 1e6:.0f} million pages.\n"
        "The e2-standard-2 costs less than the processors of the functions from "
        f"{pays / 1e6:.0f} million a month."
    )


def _ours(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, kind in CLASSES.items():
        months = [model.month(found, kind, pages) for pages in MONTHS]
        yield [f"{name}, no free tier", *_per_thousand(map(_sum, months))]
        yield [f"{name}, after the free tier", *_per_thousand(_sum(each, free=True) for each in months)]
    # The job's work by a GPU, at a speed nobody measured: only its instances cost otherwise.
    for speed in GPU_SPEEDS:
        price = _money(_gpu_thousand(found, LONG, speed))
        name = f"job with an L4 at {speed} times a core (assumed), 200-page reports, no free tier"
        yield [name, *[price] * len(MONTHS)]


def _machines(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, price in (("e2-standard-2", "vm_hour"), ("g2-standard-4, with an L4", "vm_gpu_hour")):
        each = model.prices()[price].usd * model.HOURS
        yield [f"machine that is never off ({name}), itself", *_per_thousand([each] * len(MONTHS))]
    beside = _per_thousand(_beside(found, pages) for pages in MONTHS)
    yield ["beside it, the same Firestore, storage and messages", *beside]


def _services(one: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, amounts in (
        ("language model (gemini-2.5-flash-lite), the text being there", model.language_model(one)),
        ("Document AI OCR, Comprehend sentiment", model.managed(one, "ocr_page")),
        ("Document AI Layout Parser, Comprehend sentiment", model.managed(one, "layout_page")),
    ):
        yield [name, *[_money(1_000 * _sum(amounts))] * len(MONTHS)]


def _beside(found: Mapping[str, Any], pages: float) -> float:
    """What is paid beside the processors."""
    amounts = model.month(found, REPORT, pages)
    return _sum({name: amount for name, amount in amounts.items() if not name.startswith("run_")})


def _shares(found: Mapping[str, Any]) -> str:
    header = ["share of the price, no free tier", f"functions, {REPORT}", f"job, {LONG}"]
    bills = [model.usd(model.month(found, kind, MONTHS[-1])) for kind in (REPORT, LONG)]
    rows = []
    for group, names in GROUPS.items():
        parts = [
            math.fsum(bill.get(name, 0.0) for name in names) / math.fsum(bill.values()) for bill in bills
        ]
        rows.append([group, *(f"{part:.0%}" for part in parts)])
    return f"At {MONTHS[-1]:,} pages a month.\n\n{table_of([header, *rows])}"


def _fixed(found: Mapping[str, Any]) -> Table:
    amounts = model.fixed(found)
    with_free, without = model.usd(amounts, free=True), model.usd(amounts)
    rows = [
        [model.prices()[name].what, f"{amount:,.6g}", _money(without[name]), _money(with_free[name])]
        for name, amount in amounts.items()
    ]
    total = ["**together**", "", _money(_sum(amounts)), _money(_sum(amounts, free=True))]
    return [["what", "quantity", "no free tier", "after the free tier"], *rows, total]


def _routes(found: Mapping[str, Any]) -> str:
    function, speed = model.function_second(found), model.cpu_speed(found)
    setting = Settings.model_fields["function_seconds"].default
    rows = [["a task of the job runs on", "does, of a function's estimated seconds", "pays from"]]
    rows.append(
        [
            "4 processors, no GPU",
            f"{speed:.1f} a second (measured)",
            _from(model.crossover(function, JOB, speed)),
        ]
    )
    rows += [
        [
            "4 processors and an L4",
            f"{each} a second (assumed)",
            _from(model.crossover(function, GPU_JOB, each)),
        ]
        for each in (5, *GPU_SPEEDS, 300)
    ]
    sizes = [["price of 1,000 pages by an L4", *(f"{pages:,} pages at once" for pages in GPU_PAGES)]]
    sizes += [
        [f"at {each} times a core", *(_money(_gpu(found, pages, each)) for pages in GPU_PAGES)]
        for each in GPU_SPEEDS
    ]
    return (
        f"An estimated processor second costs {function * 1e6:.1f} millionths of a dollar by the functions,\n"
        f"a second of a task {JOB.job_second() * 1e6:.0f} millionths, with an L4\n"
        f"{GPU_JOB.job_second() * 1e6:.0f}. A task is billed for {cost.JOB_LEAST_SECONDS:.0f} seconds at\n"
        f"least, of which it starts for {cost.JOB_START_SECONDS:.0f} (assumed).\n\n{table_of(rows)}\n\n"
        f"`HEADRACE_FUNCTION_SECONDS` is {setting:.0f}.\n\n{table_of(sizes)}"
    )


def _gpu(found: Mapping[str, Any], pages: float, speed: float) -> float:
    """Price of the instances for 1,000 pages of which so many are analyzed by one task."""
    one = model.of_kind(found, LONG)
    seconds = model.estimated(found, one) / one["pages"] * pages / speed
    billed = max(cost.JOB_LEAST_SECONDS, cost.JOB_START_SECONDS + seconds)
    return float(billed * GPU_JOB.job_second() / pages * 1_000)


def _gpu_thousand(found: Mapping[str, Any], kind: str, speed: float) -> float:
    one = model.of_kind(found, kind)
    amounts = model.month(found, kind, 1_000)
    beside = {name: amount for name, amount in amounts.items() if not name.startswith("job_")}
    return _sum(beside) + _gpu(found, one["pages"], speed)


def _estimates(found: Mapping[str, Any]) -> str:
    rows = [["document", "`cost.usd`", "from what was counted", "estimate to count"]]
    totals = [0.0, 0.0]
    for one in found["classes"]:
        own = cost.usd(model.work(one))
        count = cost.price(model.counted(one))
        totals = [totals[0] + own, totals[1] + count]
        rows.append([one["kind"], f"{own:.6f}", f"{count:.6f}", f"{own / count:.2f}"])
    rows.append(["**together**", f"{totals[0]:.6f}", f"{totals[1]:.6f}", f"{totals[0] / totals[1]:.2f}"])
    return table_of(rows)


def _where_and_when() -> str:
    region, read = model.listed()
    return (
        f"US dollars in {region}, as read on {read} on stored copies of the pages named, whose age varies.\n"
        f"`infra/` deploys to {DEPLOYED} unless told otherwise, where prices may differ. Some free amounts\n"
        "hold in regions of the United States alone: those of Cloud Storage, as far as is remembered.\n"
        "Compare both with the live pages, for your region, before you rely on them."
    )


def _prices() -> Table:
    rows = [
        [price.what, f"{price.usd:.10f}".rstrip("0"), f"{price.free:,}", HOW[price.how], f"<{price.source}>"]
        for price in model.prices().values()
    ]
    return [["price of", "US dollars", "free in a month", "as found", "where"], *rows]


def _sum(amounts: Mapping[str, float], *, free: bool = False) -> float:
    return math.fsum(model.usd(amounts, free=free).values())


def _per_thousand(totals: Iterable[float]) -> list[str]:
    """Of the total of each month."""
    return [_money(total / pages * 1_000) for total, pages in zip(totals, MONTHS, strict=True)]


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4f}"


def _from(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{seconds:,.0f} estimated seconds"


def _bytes(number: float) -> str:
    return f"{number / 1_000:,.0f} kB"


def table_of(rows: Table) -> str:
    """Return rows as Markdown; the first is the header."""
    header, *rest = rows
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(_lines([header, rule, *rest]))


def _lines(rows: Table) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |"
