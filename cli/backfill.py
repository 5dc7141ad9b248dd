"""`headrace backfill`: the documents of a model that has been replaced, through the one that replaces it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from cli.deployment import need_job
from cli.objects import need_model
from shared.documents.delegation import has_not_ended, run_job
from shared.documents.passages import COLLECTION as PASSAGES
from shared.documents.store import COLLECTION as DOCUMENTS
from shared.jobs import backfills
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rich.console import Console

    from shared.jobs.backfills import Backfill, Wanted

POLL_SECONDS = 1.0
SHOWN_EXAMPLES = 8
SHOWN_DOCUMENTS = 10
MAX_TEXT = 160
LABELS = ("positive", "neutral", "negative", "implemented", "planned", "none", "untold")
"""Of sentiment, then of action, in the order in which they are printed."""


def start(wanted: Wanted, model: str | None, tasks: int | None) -> Backfill:
    """List what is wanted, and start the job on it.

    Raises:
        HeadraceError: there is no such model.
    """
    need_job()
    if model is not None:
        need_model(model)
    client = firestore_client()
    backfill = backfills.create(client, wanted, model, tasks or settings().job_tasks)
    return _listed_and_launched(backfill)


def resume(identifier: str) -> Backfill:
    """Go on with a backfill that was broken off, or take up again what failed.

    Raises:
        HeadraceError: there is nothing to go on with, or its job is still at it.
    """
    need_job()
    client = firestore_client()
    backfill = found(identifier)
    # The record ends some seconds before the execution does: whoever waited for it need not wait again.
    if backfill.state not in {"completed", "failed"} and has_not_ended(backfill.execution):
        raise HeadraceError(
            f"The job of backfill {backfill.id} is running: headrace backfill show {backfill.id}"
        )
    if backfill.state == "listing":
        return _listed_and_launched(backfill)
    again = backfills.list_again(client, backfill)
    if backfill.state == "completed" and not again:
        backfills.update(client, backfill.id, state="completed", report=backfill.report)
        return backfill
    return _launched(found(identifier))


def found(identifier: str) -> Backfill:
    """A backfill. Raises HeadraceError where there is none."""
    backfill = backfills.read(firestore_client(), identifier)
    if backfill is None:
        raise HeadraceError(f"There is no backfill {identifier}.")
    return backfill


def _listed_and_launched(backfill: Backfill) -> Backfill:
    backfills.list_documents(firestore_client(), backfill)
    return _launched(found(backfill.id))


def _launched(backfill: Backfill) -> Backfill:
    tasks = max(1, min(backfill.tasks, backfill.total))
    execution = run_job(["backfill", backfill.id], tasks)
    backfills.update(firestore_client(), backfill.id, execution=execution)
    return backfill.model_copy(update={"execution": execution})


def follow(identifier: str, say: Callable[[str], None]) -> Backfill:
    """Wait for its end, telling how far it is.

    Raises:
        HeadraceError: the job ended with work left.
    """
    said = ""
    while True:
        ended = not has_not_ended(found(identifier).execution)
        backfill = found(identifier)
        line = f"{sum(backfill.counts.values()):,} of {backfill.total:,} documents"
        if line != said:
            say(line)
            said = line
        if backfill.state != "running":
            return backfill
        if ended:
            raise HeadraceError(
                f"The job ended with work left. See its log; then: headrace backfill resume {backfill.id}"
            )
        time.sleep(POLL_SECONDS)


def report(backfill: Backfill, *, wait: bool, as_json: bool) -> None:
    """Print a backfill, at its end if that is to be waited for; exit status 1 where something failed."""
    from cli.output import print_json
    from cli.render import terminal

    if wait:
        progress = terminal(stderr=True)
        backfill = follow(backfill.id, lambda line: progress.print(line, highlight=False))
    if as_json:
        print_json(_shown(backfill))
    else:
        print_backfill(terminal(), backfill)
    if backfill.state == "failed" or backfill.counts.get("failed"):
        raise click.exceptions.Exit(1)


def _shown(backfill: Backfill) -> dict[str, Any]:
    """All that is known of it."""
    shown = backfill.model_dump(mode="json")
    shown["examples"] = [_told(example) for example in _examples(backfill)]
    return shown


def print_backfill(console: Console, backfill: Backfill) -> None:
    """State, counts, and what the other model changed."""
    from rich.text import Text

    console.print(f"backfill {backfill.id}: {backfill.state}, {backfill.total:,} documents", highlight=False)
    console.print(f"model {backfill.model or 'of the job'}", highlight=False)
    for outcome, count in backfill.counts.items():
        console.print(f"  {outcome.replace('_', ' '):<12}{count:>8,}", highlight=False)
    if backfill.error:
        # In a line of its own: the message may end in a command.
        console.print(Text(backfill.error.message, "red"))
        console.print(Text(backfill.error.hint, "red"))
    if backfill.report:
        _print_report(console, backfill, backfill.report)


def _print_report(console: Console, backfill: Backfill, report: Mapping[str, Any]) -> None:
    from rich.text import Text

    compared = report["comparison"]
    changed, passages = compared["changed"], compared["passages"]
    share = f" ({changed / passages:.1%})" if passages else ""
    console.print()
    console.print(f"{changed:,} of {passages:,} passages have other labels{share}", highlight=False)
    before, after = compared["initiatives_before"], compared["initiatives_after"]
    console.print(f"initiatives: {before:,} before, {after:,} after", highlight=False)
    if drift := compared["drift"]:
        figures = "  ".join(f"{name} {drift[name]:.4f}" for name in ("mean", "p5", "min"))
        console.print(f"cosine of old and new embedding: {figures}", highlight=False)
    for name in ("sentiment", "action"):
        _print_matrix(console, name, compared[name])
    _print_topics(console, compared)
    most = report["most_changed"][:SHOWN_DOCUMENTS]
    examples = [_told(example) for example in _examples(backfill)[:SHOWN_EXAMPLES]]
    names = _names(row["document"] for row in [*most, *report["errors"], *examples])
    if most:
        console.print()
        console.print("most changed documents")
    for row in most:
        changed = f"{row['changed']:,} of {row['passages']:,}"
        console.print(Text(f"  {names[row['document']]}  {row['document']}  {changed}"))
    for row in report["errors"]:
        console.print(Text(f"  {names[row['document']]}  {row['error']['message']}", "red"))
    for example in examples:
        where = f"{names[example['document']]}, passage {example['index']}"
        change = f"  {_labels(example['old'])} → {_labels(example['new'])}"
        console.print()
        console.print(Text.assemble((where, "cyan"), change))
        console.print(Text(f"  {example['text'] or '(no longer stored)'}", "bright_black"))
    console.print()
    console.print(f"all documents: {report['uri']}", highlight=False)


def _print_matrix(console: Console, name: str, matrix: Mapping[str, Mapping[str, int]]) -> None:
    from rich.table import Table

    told = {*matrix, *(label for row in matrix.values() for label in row)}
    columns = [label for label in LABELS if label in told]
    grid = Table(title=f"{name}: old by new", box=None, header_style="bold", title_justify="left")
    for column in ("", *columns):
        grid.add_column(column, justify="right" if column else "left")
    for old in columns:
        row = matrix.get(old, {})
        grid.add_row(old, *(f"{row.get(new, 0):,}" for new in columns))
    console.print()
    console.print(grid)


def _print_topics(console: Console, compared: Mapping[str, Any]) -> None:
    gained, lost = compared["topics_gained"], compared["topics_lost"]
    if topics := sorted({*gained, *lost}):
        told = "  ".join(f"{topic} +{gained.get(topic, 0):,} -{lost.get(topic, 0):,}" for topic in topics)
        console.print()
        console.print(f"topics gained and lost: {told}", highlight=False)


def _examples(backfill: Backfill) -> list[dict[str, Any]]:
    return backfill.report["comparison"]["examples"] if backfill.report else []


def _told(example: Mapping[str, Any]) -> dict[str, Any]:
    """An example with its text, as long as that is stored."""
    passages = firestore_client().collection(DOCUMENTS).document(example["document"]).collection(PASSAGES)
    stored = passages.document(f"{example['run']}-{example['index']}").get(["text"]).to_dict()
    text = " ".join(stored["text"].split()) if stored else None
    return {**example, "text": text if text is None or len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"}


def _names(documents: Iterable[str]) -> dict[str, str]:
    """What the documents are called; those that are gone have no name any more."""
    client = firestore_client()
    references = [client.collection(DOCUMENTS).document(document) for document in sorted({*documents})]
    found = client.get_all(references, ["name"]) if references else ()
    return {one.id: (one.to_dict() or {}).get("name", "(erased)") for one in found}


def _labels(labels: Mapping[str, Any]) -> str:
    return " ".join([labels["sentiment"], labels["action"], *labels["topics"]])
