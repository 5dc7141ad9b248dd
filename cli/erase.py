"""`headrace erase`: print what holds some words, what was erased, and what stays."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.digest import PAGES
from cli.say import print_json, say
from shared.api.erasing import erase, holding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.api.erasing import Erased, Subject


def erase_with_pages(chosen: Sequence[Subject], data: Path) -> list[Erased]:
    """Erase documents, and the pages of digests that `headrace digest` put into `data`."""
    pages = data.resolve() / PAGES
    return erase(chosen, before_digest=lambda digest: (pages / f"{digest}.html").unlink(missing_ok=True))


def report_holding(words: str, *, as_json: bool) -> None:
    """Print the documents that hold some words, and in how many passages."""
    holders = list(holding(words))
    if as_json:
        print_json([asdict(holder) for holder in holders])
        return
    for holder in holders:
        count = "1 passage" if holder.passages == 1 else f"{holder.passages} passages"
        say(f"{holder.id}  {holder.name}: {count}")
    if not holders:
        say("No document holds these words.")


def report(done: Sequence[Erased], *, as_json: bool) -> None:
    """Print what was erased and what stays; exit with status 1 if something was uploaded meanwhile."""
    if as_json:
        print_json([asdict(erased) for erased in done])
    for erased in () if as_json else done:
        what = f"kept. {erased.kept}" if erased.kept else "erased"
        say(f"{erased.id}  {erased.name}: {what}")
        for line in erased.stays:
            say(f"  stays: {line}")
    if any(erased.kept for erased in done):
        raise click.exceptions.Exit(1)
