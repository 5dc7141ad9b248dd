"""What a person sees of results: a table of documents, and one document in full."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.say import UNSAFE, escape
from shared.platform.records import TOPIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

STATE_STYLES = {"completed": "green", "rejected": "yellow", "failed": "red"}
SENTIMENT_STYLES = {"positive": "green", "neutral": "bright_black", "negative": "red"}
BAR_WIDTH = 24
TOP_TOPICS = 3
COLUMNS = ("document", "id", "state", "time", "passages", "+/=/-", "initiatives", "topics", "pages")
"""In the order in which a narrow terminal keeps them; the first `ALWAYS` are shown in any."""
RIGHT = {"time", "passages", "+/=/-", "initiatives", "pages"}
ALWAYS = 3
GAP = 2
MAX_NAME = 40
WHERE_WIDTH = 7
WIDTH_WITHOUT_TERMINAL = 160
SHOWN_INITIATIVES = 12
MAX_TEXT = 220


class _Terminal(Console):
    """Prints no control but its own, and no line end inside a text: each is shown escaped."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        return super().render(self._safe(renderable) if isinstance(renderable, Text) else renderable, options)

    def _safe(self, text: Text) -> Text:
        edges = [edge for found in UNSAFE.finditer(text.plain) for edge in found.span()]
        return text.blank_copy().join(
            Text(escape(part.plain), part.get_style_at_offset(self, 0)) if UNSAFE.match(part.plain) else part
            for part in text.divide(edges)
        )


def terminal(*, stderr: bool = False) -> Console:
    """Where results are printed; wide enough for every column where there is no terminal."""
    # A name in brackets is no markup, and one between colons no emoji.
    made = _Terminal(stderr=stderr, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = WIDTH_WITHOUT_TERMINAL
    return made


def table(console: Console, documents: list[dict[str, Any]]) -> None:
    """One line a document, with as many columns as the width has room for."""
    rows = [_row(shown) for shown in documents]
    widths = [
        max([len(name), *(len(row[position]) for row in rows)]) for position, name in enumerate(COLUMNS)
    ]
    widths[0] = min(widths[0], MAX_NAME)
    grid = Table(box=None, header_style="bold", pad_edge=False)
    room, shown_columns = console.width, 0
    for name, width in zip(COLUMNS, widths, strict=True):
        room -= width + GAP
        if room < -GAP and shown_columns >= ALWAYS:
            break
        grid.add_column(
            name,
            justify="right" if name in RIGHT else "left",
            overflow="fold",
            no_wrap=shown_columns > 0,
            max_width=width,
        )
        shown_columns += 1
    for row in rows:
        grid.add_row(*row[:shown_columns])
    console.print(grid)


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


def job_progress(told: dict[str, Any]) -> str:
    """How far the long job is, for a person."""
    parts = [f"{told['done']:,} of {told['total']:,} {told['unit']}"]
    if told["rate"]:
        parts.append(f"{told['rate']:,.1f} a second")
    if told["eta_seconds"] is not None:
        parts.append(f"{timedelta(seconds=round(told['eta_seconds']))} left")
    return ", ".join(parts)


def full(console: Console, shown: dict[str, Any], initiatives: list[dict[str, Any]]) -> None:
    """Summary, topics, sentiment and initiatives of one document, with pages."""
    console.print()
    console.print(Text(shown["title"] or shown["name"], "bold"))
    facts = [shown["name"], shown["id"] or "", shown["state"], _count(shown["pages"], "page")]
    facts += [
        _count(shown["members"], "member"),
        _count(shown["passages"] or None, "passage"),
        shown["language"] or "",
        _seconds(shown),
        _usd(shown),
    ]
    console.print(Text(" · ".join(filter(None, facts)), "bright_black"))
    if shown["progress"]:
        console.print(Text(f"The long job is at it: {job_progress(shown['progress'])}", "cyan"))
    if shown["error"]:
        style = STATE_STYLES.get(shown["state"], "")
        console.print(Text(f"{shown['error']['message']} {shown['error']['hint']}", style))
    for warning in shown["warnings"] or []:
        console.print(Text(f"Note: {warning}", "yellow"))
    if not shown["passages"] or (shown["error"] and shown["published_run"] is None):
        return
    section(console, "Summary")
    for sentence in shown["summary"]:
        passage(console, sentence["page"], None, sentence["text"])
    section(console, "Sentiment")
    bars(console, shown["sentiment"], SENTIMENT_STYLES)
    section(console, "Topics")
    topics = {f"{code} {TOPIC_NAMES.get(code, '')}": count for code, count in shown["topics"].items()}
    bars(console, {name: count for name, count in topics.items() if count}, {})
    section(console, f"Initiatives ({shown['initiatives']})")
    for initiative in initiatives[:SHOWN_INITIATIVES]:
        codes = " ".join(topic["name"] for topic in initiative["topics"])
        label = f"{codes} {initiative['action']['label']}"
        passage(console, initiative["page"], initiative["row"], initiative["text"], label)
    if (rest := shown["initiatives"] - SHOWN_INITIATIVES) > 0:
        # Nothing is stored of what `headrace analyze` read.
        every = f"headrace show {shown['id']} --csv" if shown["id"] else "headrace analyze FILE --json"
        console.print(Text(f"  … and {rest} more, among all passages: {every}", "bright_black"))


def section(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, "bold cyan"))


def passage(console: Console, page: int | None, row: int | None, text: str, label: str = "") -> None:
    where = f"p. {page}" if page else f"row {row}" if row else ""
    text = " ".join(text.split())
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1].rstrip() + "…"
    line = Text.assemble((f"{label}  " if label else "", "cyan"), short)
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=WHERE_WIDTH)
    grid.add_column()
    grid.add_row(Text(where, "bright_black"), line)
    console.print(Padding(grid, (0, 0, 0, 2)))


def bars(console: Console, counts: dict[str, int], styles: dict[str, str]) -> None:
    most = max([*counts.values(), 1])
    width = max([len(name) for name in counts], default=0)
    for name, count in counts.items():
        bar = "█" * max(round(BAR_WIDTH * count / most), 1 if count else 0)
        line = Text.assemble(f"  {name:<{width}}  ", (f"{bar:<{BAR_WIDTH}}", styles.get(name, "blue")))
        console.print(line.append(f" {count}"))


def _count(number: int | None, noun: str) -> str:
    return "" if number is None else f"{number:,} {noun}{'' if number == 1 else 's'}"


def _usd(shown: dict[str, Any]) -> str:
    usd = (shown.get("cost") or {}).get("usd")
    return "" if usd is None else f"about ${usd:.4f}"


def _seconds(shown: dict[str, Any]) -> str:
    seconds = shown["timings"].get("total_seconds")
    return "" if seconds is None else f"{seconds:.1f} s"
