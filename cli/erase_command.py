"""The command that erases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cli.connect import connect
from cli.options import data_option, json_option, project_option
from cli.say import say

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID|NAME]...")
@click.option("--find", "words", metavar="WORDS", help="Erase nothing; list the documents that hold WORDS.")
@click.option("--with-file", is_flag=True, help="The uploaded file too, in all its versions.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@project_option
@json_option
def erase(  # noqa: PLR0913 - the options of a command
    ids: tuple[str, ...],
    *,
    words: str | None,
    with_file: bool,
    yes: bool,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Erase all that was made of documents: results, artefacts, and what digests quote of them."""
    if bool(ids) == (words is not None) or (words is not None and not words.strip()):
        raise click.UsageError("Name documents, or say --find WORDS.")
    if ids and not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here; say --yes.")
    connect(data, project)
    if words is not None:
        _find(words, as_json=as_json)
        return
    from cli import erase as erasing
    from cli.output import print_json

    chosen = erasing.subjects(ids, with_file=with_file)
    if not yes:
        for subject in chosen:
            say(f"{subject.id}  {subject.name}", err=True)
        what = "their results and their files" if with_file else "their results"
        click.confirm(f"Erase {what}? There is no way back", abort=True, err=True)
    done = erasing.erase(chosen, data)
    if as_json:
        print_json([one.model_dump() for one in done])
    for erased in () if as_json else done:
        what = f"kept. {erased.kept}" if erased.kept else "erased"
        say(f"{erased.id}  {erased.name}: {what}")
        for line in erased.stays:
            say(f"  stays: {line}")
    if any(erased.kept for erased in done):
        raise click.exceptions.Exit(1)


def _find(words: str, *, as_json: bool) -> None:
    from cli.erase import holding
    from cli.output import print_json

    found = list(holding(words))
    if as_json:
        print_json([one.model_dump() for one in found])
        return
    for one in found:
        held = "1 passage" if one.passages == 1 else f"{one.passages} passages"
        say(f"{one.id}  {one.name}: {held}")
    if not found:
        say("No document holds these words.")
