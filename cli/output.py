"""Printing and following, shared by the commands."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.render import STATE_STYLES, full, table, terminal
from cli.results import Progress, drop_all, follow, found_initiatives
from cli.say import HIDDEN, say, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from rich.console import Console

BAR_WIDTH = 20
MAX_FULL = 8
"""Documents that are printed in full."""
FAILED_STATES = {"rejected", "failed"}


def print_json(value: object) -> None:
    """One JSON value on standard output; what a terminal would obey is escaped in it."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    write(HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")


def print_csv(documents: Iterable[tuple[dict[str, Any], Iterable[dict[str, Any]]]]) -> None:
    """Every passage of the documents, under one header; into a file or a pipe as it is."""
    from cli.export import csv_lines

    put = write if sys.stdout.isatty() else sys.stdout.write
    for at, (shown, passages) in enumerate(documents):
        for line in islice(csv_lines(shown["name"], passages), min(at, 1), None):
            put(line)


def print_documents(console: Console, documents: list[dict[str, Any]], *, as_json: bool) -> None:
    """Documents in full, many of them in a table; exit status 1 where one was rejected or failed."""
    if as_json:
        print_json(documents)
    elif len(documents) > MAX_FULL:
        table(console, documents)
    else:
        for shown in documents:
            full(console, shown, found_initiatives(shown))
    exit_by_state(documents)


def print_analysis(analysis: dict[str, Any]) -> None:
    """What `headrace analyze` found, in full; of an archive a table of its members."""
    if "members" in analysis:
        table(terminal(), [analysis["document"], *_documents(analysis["members"])])
        return
    initiatives = [
        passage
        for passage in analysis["passages"]
        if passage["topics"] and (passage["action"] or {}).get("label", "none") != "none"
    ]
    full(terminal(), analysis["document"], initiatives)


def _documents(members: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The documents of members, and of theirs."""
    for member in members:
        yield member["document"]
        yield from _documents(member.get("members", ()))


def print_table(documents: list[dict[str, Any]], *, as_json: bool) -> None:
    """Documents, one line each; exit status 1 where one was rejected or failed."""
    if as_json:
        print_json(documents)
    elif documents:
        table(terminal(), documents)
    else:
        say("No documents yet: headrace drop FILE")
    exit_by_state(documents)


def exit_by_state(documents: Sequence[dict[str, Any]]) -> None:
    """Leave the process with status 1 where a document was rejected or failed."""
    if any(shown["state"] in FAILED_STATES for shown in documents):
        raise click.exceptions.Exit(1)


def drop_and_follow(
    console: Console, paths: Sequence[Path], *, timeout: float, text_column: str | None = None
) -> list[str]:
    """Upload files and show their states live until all have ended; their ids, and those of members."""
    dropped = drop_all(paths, text_column=text_column)
    progress = {item.id: Progress(item, "uploaded", 0, None) for item in dropped}
    with Live(_states(progress), console=console, refresh_per_second=12, transient=True) as live:
        for change in follow(dropped, timeout):
            progress[change.dropped.id] = change
            live.update(_states(progress))
            if not console.is_terminal:
                console.print(Text(f"{change.dropped.name}: {change.state}{_count(change)}"))
    return list(progress)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Leave the block at Ctrl-C or SIGTERM; that is how a stack is meant to end."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell starts its background jobs with SIGINT ignored, and children inherit that.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        say("stopped")


def _states(progress: dict[str, Progress]) -> Table:
    grid = Table(box=None, show_header=False, pad_edge=False)
    for item in progress.values():
        filled = round(BAR_WIDTH * item.done / item.total) if item.total else 0
        bar = Text.assemble(("━" * filled, "green"), ("━" * (BAR_WIDTH - filled), "bright_black"))
        grid.add_row(
            Text(item.dropped.name),
            Text(item.state, STATE_STYLES.get(item.state, "cyan")),
            bar,
            _count(item),
        )
    return grid


def _count(progress: Progress) -> str:
    if progress.job:
        return f" {progress.job}"
    return f" {progress.done}/{progress.total}" if progress.total else ""
