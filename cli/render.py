"""What people see of results: documents in a table or in full, hits, live progress; CSV for spreadsheets."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.connect import is_local
from cli.results import Progress, drop_all, follow, job_progress, stored_key_figures
from cli.say import UNSAFE, escape, print_json, say, write
from shared.documents.export import PASSAGES, csv_lines
from shared.documents.figures import key_figures
from shared.documents.views import quantity
from shared.platform.records import TOPIC_NAMES
from shared.text.datapoints import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

    from shared.api.ask import Answer
    from shared.documents.export import Content


STATE_STYLES = {"completed": "green", "rejected": "yellow", "failed": "red"}
SENTIMENT_STYLES = {"positive": "green", "neutral": "bright_black", "negative": "red"}
BAR_WIDTH = 24
TOP_TOPICS = 3
COLUMNS = ("document", "id", "state", "time", "passages", "+/=/-", "initiatives", "topics", "pages")
"""Columns in the order in which a narrow terminal keeps them; the first `ALWAYS` are always shown."""
RIGHT = {"time", "passages", "+/=/-", "initiatives", "pages"}
ALWAYS = 3
GAP = 2
MAX_NAME = 40
PLACE_WIDTH = 7
WIDTH_WITHOUT_TERMINAL = 160
SHOWN_FIGURES = 8
MAX_METRIC = 90
NARROW = 110
"""Columns of a terminal under which figures are shown without qualifier, and one organisation once."""
FIGURE_COLUMNS = ("organisation", "metric", "data point", "value", "period", "qualifier", "page")
SHOWN_EVIDENCE = 6
"""Figures and passages that are printed where no sentence cites any."""
MAX_FULL = 8
"""The number of documents up to which each is printed in full."""
FAILED_STATES = {"rejected", "failed"}
MAX_TEXT = 500


class _Terminal(Console):
    """A console that escapes control characters and line ends inside texts, and prints only its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        return super().render(self._safe(renderable) if isinstance(renderable, Text) else renderable, options)

    def _safe(self, text: Text) -> Text:
        edges = [edge for unsafe in UNSAFE.finditer(text.plain) for edge in unsafe.span()]
        return text.blank_copy().join(
            Text(escape(part.plain), part.get_style_at_offset(self, 0)) if UNSAFE.match(part.plain) else part
            for part in text.divide(edges)
        )


def terminal(*, stderr: bool = False) -> Console:
    """Return the console for results; without a terminal it is wide enough for every column."""
    # A name in brackets is not markup, and a name between colons is not an emoji.
    console = _Terminal(stderr=stderr, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    return console


def table(console: Console, documents: list[dict[str, Any]]) -> None:
    """Print one line per document, with as many columns as the width has room for."""
    rows = [_row(shown) for shown in documents]
    grid, room = Table(box=None, header_style="bold", pad_edge=False), console.width
    for position, name in enumerate(COLUMNS):
        width = max([len(name), *(len(row[position]) for row in rows)])
        width = width if position else min(width, MAX_NAME)
        room -= width + GAP
        if room < -GAP and position >= ALWAYS:
            break
        justify: Literal["left", "right"] = "right" if name in RIGHT else "left"
        grid.add_column(name, justify=justify, overflow="fold", no_wrap=position > 0, max_width=width)
    for row in rows:
        grid.add_row(*row[: len(grid.columns)])
    console.print(grid)


def first_sentences(console: Console, documents: list[dict[str, Any]]) -> None:
    """Print of each document what matters most, with its page."""
    for shown in documents:
        for sentence in shown["summary"][:1]:
            section(console, shown["title"] or shown["name"])
            passage(console, sentence["page"], None, sentence["text"])


def _row(shown: dict[str, Any]) -> list[str | Text]:
    sentiment = shown["sentiment"]
    counts = sorted(shown["topics"].items(), key=lambda item: -item[1])
    state = shown["state"] + (f" ({shown['error']['code']})" if shown["error"] else "")
    return [
        Text(shown["name"]),
        shown["id"] or "",
        Text(state, STATE_STYLES.get(shown["state"], "")),
        _seconds(shown),
        str(shown["passages"] or ""),
        f"{sentiment['positive']}/{sentiment['neutral']}/{sentiment['negative']}",
        str(shown["initiatives"]),
        " ".join(f"{name}:{count}" for name, count in counts[:TOP_TOPICS] if count),
        str(shown["pages"] or ""),
    ]


def full(
    console: Console, shown: dict[str, Any], figures: Sequence[dict[str, Any]] = (), *, by_page: bool = False
) -> None:
    """Print summary, key figures, sentiment, topics, incidents and initiatives of one document, with pages.

    Lists have the best first, or go by page.
    """
    console.print()
    console.print(Text(shown["title"] or shown["name"], "bold"))
    facts = [shown["name"], shown["id"], shown["state"], _count(shown["pages"], "page")]
    facts += [_count(shown["members"], "member"), _count(shown["passages"] or None, "passage")]
    facts += [_count(shown.get(f"{noun}s") or None, noun) for noun in ("table", "figure")]
    facts += [shown["language"], _seconds(shown)]
    if not is_local() and (usd := (shown.get("cost") or {}).get("usd")) is not None:
        facts.append(f"about ${usd:.4f}")  # a local stack costs nothing
    console.print(Text(" · ".join(filter(None, facts)), "bright_black"))
    if shown["progress"]:
        console.print(Text(f"The long job is working on it: {job_progress(shown['progress'])}", "cyan"))
    if shown["error"]:
        style = STATE_STYLES.get(shown["state"], "")
        console.print(Text(f"{shown['error']['message']} {shown['error']['hint']}", style))
    for warning in shown["warnings"] or []:
        console.print(Text(f"Note: {warning}", "yellow"))
    if not shown["passages"] or (shown["error"] and shown["published_run"] is None):
        return
    section(console, "Summary")
    for sentence in _ordered(shown["summary"], by_page=by_page):
        passage(console, sentence["page"], None, sentence["text"])
    _key_figures(console, shown, figures)
    section(console, "Sentiment")
    bars(console, shown["sentiment"], SENTIMENT_STYLES)
    section(console, "Topics")
    topics = {f"{code} {TOPIC_NAMES.get(code, '')}": count for code, count in shown["topics"].items()}
    bars(console, {name: count for name, count in topics.items() if count}, {})
    _lists(console, shown, by_page=by_page)


def _lists(console: Console, shown: dict[str, Any], *, by_page: bool) -> None:
    incidents, initiatives = shown.get("incidents") or [], shown.get("initiatives_top") or []
    if incidents:
        section(console, "Incidents")
    for each in _ordered(incidents, by_page=by_page):
        _listed(console, each)
    section(console, f"Initiatives ({shown['initiatives']})")
    for each in _ordered(initiatives, by_page=by_page):
        _listed(console, each, each["action"])
    if (rest := shown["initiatives"] - len(initiatives)) > 0:
        # `headrace analyze` stores nothing.
        every = f"headrace show {shown['id']} --csv" if shown["id"] else "headrace analyze FILE --json"
        console.print(Text(f"  … and {rest} more, among all passages: {every}", "bright_black"))


def _ordered(sentences: list[dict[str, Any]], *, by_page: bool) -> list[dict[str, Any]]:
    return sorted(sentences, key=lambda each: each["page"] or each.get("index", 0)) if by_page else sentences


def _listed(console: Console, each: dict[str, Any], action: str = "") -> None:
    label = " ".join(filter(None, [*each["topics"], action, f"{each['sure']:.0%}"]))
    passage(console, each["page"], each["row"], each["text"], label)


def section(console: Console, title: str) -> None:
    """Print the title of a section."""
    console.print()
    console.print(Text(title, "bold cyan"))


def passage(console: Console, page: int | None, row: int | None, text: str, label: str = "") -> None:
    """Print one passage, cut to `MAX_TEXT`, with its place in the document."""
    text = " ".join(text.split())
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1].rstrip() + "…"
    line = Text.assemble((f"{label}  " if label else "", "cyan"), short)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=PLACE_WIDTH)
    grid.add_column()
    grid.add_row(Text(_place(page, row), "bright_black"), line)
    console.print(Padding(grid, (0, 0, 0, 2)))


def _key_figures(console: Console, shown: dict[str, Any], figures: Sequence[dict[str, Any]]) -> None:
    if figures:
        section(console, f"Key figures ({_count(len(figures), 'data point')})")
    for figure in figures[:SHOWN_FIGURES]:
        period = f", {figure['period']}" if figure.get("period") else ""
        name = names().get(figure["datapoint"], figure["datapoint"])
        text = f"{name}{period}: {quantity(figure['value'], figure['unit'])}"
        passage(console, figure.get("page"), None, text, figure["datapoint"])
    if (rest := len(figures) - SHOWN_FIGURES) > 0 and shown["id"]:
        console.print(Text(f"  … and {rest} more: headrace figures {shown['id']}", "bright_black"))


def print_figures(console: Console, figures: list[dict[str, Any]], limit: int | None) -> None:
    """Print a line for each figure, with as many columns as the width has room for."""
    if not figures:
        console.print("There are no such figures.")
        return
    rows = [_figure_cells(figure) for figure in figures]
    shown = list(FIGURE_COLUMNS)
    if console.width < NARROW:
        shown.remove("qualifier")
        if len({row["organisation"] for row in rows}) == 1:
            console.print(Text(rows[0]["organisation"], "bold"))
            shown.remove("organisation")
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown:
        justify: Literal["left", "right"] = "right" if name in {"value", "page"} else "left"
        grid.add_column(
            name, justify=justify, overflow="fold", no_wrap=name not in {"organisation", "metric"}
        )
    for row in rows:
        grid.add_row(*(Text(row[name]) for name in shown))
    console.print(grid)
    if len(figures) == limit:
        more = f"These are the first {limit:,}; for more: --limit N, or headrace export"
        console.print(Text(more, "bright_black"))


def _figure_cells(figure: dict[str, Any]) -> dict[str, str]:
    cells = {
        "organisation": figure["organisation"] or figure["title"] or figure["name"],
        "metric": _end_of(figure["metric"]),
        "data point": figure["datapoint"],
        "value": quantity(figure["value"], figure["unit"]),
        "period": figure["period"],
        "qualifier": figure["qualifier"],
        "page": figure["page"],
    }
    return {name: " ".join(str(cell or "").split())[:MAX_TEXT] for name, cell in cells.items()}


def _end_of(metric: str) -> str:
    """Return a label with as many of its parents as `MAX_METRIC` characters have room for."""
    *parents, shown = metric.split(" > ")
    for parent in reversed(parents):
        if len(parent) + len(shown) > MAX_METRIC:
            return f"… > {shown}"
        shown = f"{parent} > {shown}"
    return shown


def bars(console: Console, counts: dict[str, int], styles: dict[str, str]) -> None:
    """Print a bar chart of counts."""
    most = max([*counts.values(), 1])
    width = max([len(name) for name in counts], default=0)
    for name, count in counts.items():
        bar = "█" * max(round(BAR_WIDTH * count / most), 1 if count else 0)
        line = Text.assemble(f"  {name:<{width}}  ", (f"{bar:<{BAR_WIDTH}}", styles.get(name, "blue")))
        console.print(line.append(f" {count}"))


def _place(page: int | None, row: int | None) -> str:
    return f"p. {page}" if page else f"row {row}" if row else ""


def _count(number: int | None, noun: str) -> str:
    return "" if number is None else f"{number:,} {noun}{'' if number == 1 else 's'}"


def _seconds(shown: dict[str, Any]) -> str:
    seconds = shown["timings"].get("total_seconds")
    return "" if seconds is None else f"{seconds:.1f} s"


def print_hits(console: Console, hits: list[dict[str, Any]]) -> None:
    """Print each hit of a search: figures that answer it first, then score, document, page and text."""
    if not hits:
        console.print("Nothing was found among the passages that this model has read.")
    for hit in hits:
        facts = "  ".join(filter(None, [hit["name"], _place(hit["page"], hit["row"]), hit["document"]]))
        if hit.get("figure"):
            console.print(Text(hit["text"], "bold"))
            whose = hit["figure"]["organisation"]
            console.print(
                Padding(Text(f"{whose}  {facts}" if whose else facts, "bright_black"), (0, 0, 1, 6))
            )
            continue
        console.print(Text.assemble((f"{hit['score']:.2f}  ", "cyan"), (facts, "bright_black")))
        console.print(Padding(Text(hit["text"]), (0, 0, 1, 6)))


def print_answer(console: Console, answer: Answer) -> None:
    """Print an answer's sentences with what they cite; without sentences, the best that was found."""
    for said in answer.sentences:
        numbers = ", ".join(map(str, said.cites))
        console.print(Text.assemble(said.text, (f" [{numbers}]", "cyan")))
    if answer.note:
        console.print(Text(answer.note, "italic"))
    cited = {number for said in answer.sentences for number in said.cites}
    shown = [each for each in answer.evidence if each.number in cited] or answer.evidence[:SHOWN_EVIDENCE]
    for each in shown:
        source = each.source
        facts = (source.organisation, source.name, _place(source.page, None), source.document)
        about = "  ".join(filter(None, facts))
        console.print()
        console.print(Text.assemble((f"[{each.number}]  ", "cyan"), (about, "bright_black")))
        console.print(Padding(Text(each.text), (0, 0, 0, 6)))


def print_csv(contents: Iterable[Content]) -> None:
    """Print every passage of the documents."""
    # Escaped for a terminal only: a spreadsheet gets the text as it is.
    put = write if sys.stdout.isatty() else sys.stdout.write
    for line in csv_lines(contents, PASSAGES):
        put(line)


def print_documents(
    console: Console,
    documents: list[dict[str, Any]],
    *,
    as_json: bool,
    in_full: bool = True,
    by_page: bool = False,
) -> None:
    """Print documents in full, or many as a table; exit with status 1 if any was rejected or failed."""
    if as_json:
        print_json(documents)
    elif not documents:
        say("No documents yet: headrace drop FILE")
    elif not in_full or len(documents) > MAX_FULL:
        table(console, documents)
    else:
        for shown in documents:
            full(console, shown, stored_key_figures(shown), by_page=by_page)
    if any(shown["state"] in FAILED_STATES for shown in documents):
        raise click.exceptions.Exit(1)


def print_analysis(analysis: dict[str, Any], *, by_page: bool) -> None:
    """Print the result of `headrace analyze` in full, or an archive as a table of its members."""
    if "members" in analysis:
        table(terminal(), [analysis["document"], *(member["document"] for member in analysis["members"])])
        return
    full(terminal(), analysis["document"], key_figures(analysis["figures"]), by_page=by_page)


def drop_and_follow(
    console: Console, paths: Sequence[Path], *, timeout: float, metadata: dict[str, str] | None = None
) -> list[str]:
    """Upload files and show their states until all have ended; return their ids and those of members."""
    dropped = drop_all(paths, metadata=metadata)
    progress = {item.id: Progress(item, "uploaded", 0, None) for item in dropped}
    with Live(_states(progress), console=console, refresh_per_second=12, transient=True) as live:
        for change in follow(dropped, timeout):
            progress[change.dropped.id] = change
            live.update(_states(progress))
            if not console.is_terminal:
                console.print(Text(f"{change.dropped.name}: {change.state}{_progress_count(change)}"))
    return list(progress)


def _states(progress: dict[str, Progress]) -> Table:
    grid = Table(box=None, show_header=False, pad_edge=False)
    for item in progress.values():
        state = Text(item.state, STATE_STYLES.get(item.state, "cyan"))
        grid.add_row(Text(item.dropped.name), state, _progress_count(item))
    return grid


def _progress_count(progress: Progress) -> str:
    if progress.job:
        return f" {progress.job}"
    return f" {progress.done}/{progress.total}" if progress.total else ""
