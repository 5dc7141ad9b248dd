"""From what was measured to the lines of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.model.report import Row, Target
from benchmarks.model.stats import TIMES
from benchmarks.model.throughput import FASTEMBED_DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.model.capacity import Capacity
    from benchmarks.model.order import Orders
    from benchmarks.model.service import Service
    from benchmarks.model.stats import Samples
from benchmarks.model.throughput import Search, Throughput

SHOWN_OPERATORS = 7


def throughput_rows(measured: Throughput, found: Search) -> Iterator[Row]:
    """Texts a second against everybody."""
    rates = measured.rates

    def against(what: str, mine: str, theirs: str, limit: float | None) -> Row:
        left, right = rates[mine], rates[theirs]
        ratio = left.over(right)
        return Row(
            what,
            f"{left.median:.0f} / {right.median:.1f} texts/s",
            str(ratio),
            Target(ratio.value, "at least", limit, f" {TIMES}") if limit else None,
        )

    best = found.described["fastembed"]
    yield against("int8 with every head / the book's app", "int8", "book", 18)
    yield against("int8 embedding only / the book's app", "int8-embedding", "book", 25)
    yield against(f"fp32 embedding only / {best}, the best found", "fp32-embedding", "fastembed, best", 1.5)
    beside, default = "fp32-embedding beside fastembed's default", "fastembed, default"
    yield against(
        f"fp32 embedding only / fastembed at its default batch {FASTEMBED_DEFAULT}", beside, default, 20
    )
    cosine = measured.cosines["fastembed"]
    yield Row(
        "fp32 embeddings, ours and fastembed's",
        "least cosine of the first 200",
        f"{cosine:.6f}",
        Target(cosine, "at least", 0.9999, ""),
    )
    yield against("int8 embedding only / fastembed, the same best", "int8-embedding", "fastembed, best", 4)
    torch, exported = "sentence-transformers", "sentence-transformers, ONNX"
    yield against(f"int8 with every head / {found.described[torch]}", "int8", f"{torch}, best", 4)
    yield against(f"int8 with every head / {found.described[exported]}", "int8", f"{exported}, best", 4)
    yield against(f"int8 with every head / {torch} at its default batch 32", "int8", f"{torch}, default", 4)
    yield against(f"fp32 embedding only / {found.described[torch]}", "fp32-embedding", f"{torch}, best", None)
    yield against("int8 / our own fp32, every head", "int8", "fp32", 1.8)
    yield against("int8 / our own fp32, embedding only", "int8-embedding", "fp32-embedding", None)


def capacity_rows(measured: Capacity) -> Iterator[Row]:
    """The share of the peak, and what the rest goes into."""
    share = measured.reached.over(measured.peak)
    yield Row(
        "eight-bit matrix operations of the shipped model / measured peak of the cores",
        f"{measured.reached.median:.2f} / {measured.peak.median:.2f} Tera-op/s",
        f"{share.value:.0%} ({share.low:.0%}-{share.high:.0%})",
    )
    shown = list(measured.operators.items())[:SHOWN_OPERATORS]
    yield Row(
        "where the time of the graph goes",
        ", ".join(f"{name} {part:.0%}" for name, part in shown),
        f"tokenising: {measured.tokenising:.1%} of all",
    )


def memory_rows(peak: float, fp32_peak: float) -> Iterator[Row]:
    """Peak resident memory."""
    target = Target(peak, "at most", 200, " MiB")
    yield Row("peak resident memory, 1,000 mixed passages, every head", "int8", f"{peak:.0f} MiB", target)
    yield Row("the same, fp32", "fp32", f"{fp32_peak:.0f} MiB")


def startup_rows(measured: Mapping[str, Samples]) -> Iterator[Row]:
    """Process start to first answer."""
    mine, theirs = measured["ours"].median, measured["book"].median
    share = theirs / mine
    figures = f"{mine:.2f} / {theirs:.2f} s"
    yield Row(
        "process start to first answer (import, load, one batch of 8)",
        f"{figures}; one text: {measured['ours, one text'].median:.2f} s",
        f"{mine:.2f} s",
        Target(mine, "at most", 0.4, " s"),
    )
    yield Row(
        "the book's app, process start to first answer / ours",
        figures,
        f"{share:.1f} {TIMES}",
        Target(share, "at least", 8, f" {TIMES}"),
    )


def service_rows(measured: Service) -> Iterator[Row]:
    """The endpoint beside the book's."""
    p50, p99 = measured.p50.median, measured.p99.median
    yield Row(
        "POST /v1/analyze, one sentence, warm, p50",
        f"the book's: {measured.book_p50.median:.0f} ms",
        f"{p50:.1f} ms",
        Target(p50, "at most", 12, " ms"),
    )
    yield Row(
        "POST /v1/analyze, one sentence, warm, p99",
        "median of five rounds of 200",
        f"{p99:.1f} ms",
        Target(p99, "at most", 40, " ms"),
    )
    rates = measured.rates
    for name, what in (
        ("book", "the book's app under gunicorn, 4 workers"),
        ("book, 1 thread", "the same with torch held to one thread a worker, which suits it better"),
    ):
        ratio = rates["ours"].over(rates[name])
        yield Row(
            f"requests/s under 32 clients / {what}",
            f"{rates['ours'].median:.0f} / {rates[name].median:.1f} requests/s",
            str(ratio),
            Target(ratio.value, "at least", 15, f" {TIMES}"),
        )
    mine, theirs = measured.memory["ours"], measured.memory["book"]
    yield Row(
        "memory of the two services after that load, shared pages counted once",
        f"{mine:.0f} / {theirs:.0f} MiB",
        f"{mine / theirs:.2f} {TIMES}",
        Target(mine / theirs, "at most", 0.25, f" {TIMES}"),
    )


def order_rows(measured: Orders) -> Iterator[Row]:
    """The spread over input orders."""
    for what, rates in (
        ("texts given at once", measured.at_once),
        ("texts given 64 at a time", measured.by_call),
    ):
        share = measured.spread(rates)
        yield Row(
            f"spread over input order, {what}",
            ", ".join(f"{name} {samples.median:.0f}" for name, samples in rates.items()) + " texts/s",
            f"{share:.1%}",
            Target(share * 100, "at most", 10, " %"),
        )
