"""The `headrace` command: what each subcommand accepts, and how errors are printed.

What a subcommand needs is imported when it is called, so that `headrace --help` and completion are quick.
"""

from __future__ import annotations

import io
import re
import signal
import sys
from contextlib import contextmanager
from functools import partial
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cli.connect import explain_failure
from cli.options import (
    Stack,
    column_option,
    data_option,
    expires_option,
    grace_option,
    json_option,
    metadata_options,
    model_option,
    order_option,
    port_option,
    project_option,
    refuse_options,
    since_option,
    stack_model_option,
    stack_options,
    tasks_option,
    wait_option,
)
from cli.say import print_json, say, write
from local.services import ROOT
from shared.api.keys import MAX_PER_MINUTE, PER_MINUTE, Scope
from shared.documents.search import MAX_HITS
from shared.platform.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from types import FrameType

    from shared.documents.contents import Format, RowKind


WAIT_SECONDS = 600.0
FORMATS: tuple[Format, ...] = ("xlsx", "csv", "parquet", "jsonl")
SAMPLE_SUFFIXES = {".pdf", ".txt", ".csv", ".jsonl"}
COMPLETION = """Completion in bash (zsh and fish: write their name in place of bash):

\b
  eval "$(_HEADRACE_COMPLETE=bash_source headrace)"
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=COMPLETION)
@click.version_option(package_name="headrace")
def headrace() -> None:
    """Drop a file into a bucket; read what every passage of it says."""


@headrace.command()
@data_option
@model_option
@port_option
@click.option("--reset", is_flag=True, help="Delete everything stored in the directory first.")
def up(data: Path, model: Path, port: int | None, *, reset: bool) -> None:
    """Start the local stack and stay until Ctrl-C."""
    from local.stack import running

    with until_interrupted(say), running(data, model=model, port=port, reset=reset, say=say) as watch:
        say("ready")
        say(f"console: {watch.layout.console()}")
        watch.forever()


@headrace.command()
@data_option
@model_option
@port_option
@json_option
def run(data: Path, model: Path, port: int | None, *, as_json: bool) -> None:
    """Start the local stack, analyze the samples, print the results, and stay until Ctrl-C."""
    from cli.render import drop_and_follow, first_sentences, table, terminal
    from cli.results import document
    from local.stack import running

    console = terminal(stderr=as_json)
    print_line = partial(say, err=as_json)
    console.print(f"Starting the local stack on {data} …")
    stack = running(data, model=model, port=port, reset=False, say=print_line)
    with until_interrupted(print_line), stack as watch:
        paths = sorted(path for path in (ROOT / "samples").iterdir() if path.suffix in SAMPLE_SUFFIXES)
        console.print(f"Ready. Dropping {len(paths)} samples into the bucket.")
        identifiers = drop_and_follow(console, paths, timeout=WAIT_SECONDS)
        documents = [document(identifier) for identifier in identifiers]
        if as_json:
            print_json(documents)
        else:
            table(console, documents)
            first_sentences(console, documents)
        for line in ("", "The stack stays up until Ctrl-C. In a second terminal:", ""):
            console.print(line)
        console.print("  .venv/bin/headrace drop REPORT.pdf --wait")
        console.print(f"  .venv/bin/headrace show {identifiers[-1]}", highlight=False)
        console.print("  .venv/bin/headrace digest --open", highlight=False)
        console.print("")
        console.print(f"Or in a browser: {watch.layout.console()}", highlight=False, soft_wrap=True)
        watch.forever()


@headrace.command()
@data_option
@json_option
def env(data: Path, *, as_json: bool) -> None:
    """Print the stack's variables for a shell: eval "$(headrace env)"."""
    from local.stack import read_stack

    variables = read_stack(data)["environment"]
    if as_json:
        print_json(variables)
        return
    for name, value in variables.items():
        say(f"export {name}={value}")


@headrace.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--wait", is_flag=True, help="Follow the files until they are analyzed, and print the results.")
@click.option("--timeout", default=WAIT_SECONDS, show_default=True, help="With --wait: most seconds to wait.")
@metadata_options
@stack_options
def drop(  # noqa: PLR0913 - the options of a command
    files: tuple[Path, ...],
    *,
    wait: bool,
    timeout: float,
    metadata: dict[str, str],
    stack: Stack,
    as_json: bool,
) -> None:
    """Upload FILES into the bucket."""
    stack.connect()
    from cli import render, results

    if wait:
        console = render.terminal(stderr=as_json)
        identifiers = render.drop_and_follow(console, files, timeout=timeout, metadata=metadata)
        documents = [results.document(identifier) for identifier in identifiers]
        render.print_documents(console, documents, as_json=as_json)
        return
    dropped = results.drop_all(files, metadata=metadata)
    if as_json:
        print_json([results.received(item) for item in dropped])
        return
    for item in dropped:
        say(f"{item.id}  {item.name}")


@headrace.command()
@click.argument("ids", nargs=-1, metavar="[ID|NAME]...")
@stack_options
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print every passage, for a spreadsheet; without an id, of every document.",
)
@order_option
def show(ids: tuple[str, ...], *, stack: Stack, as_json: bool, as_csv: bool, by_page: bool) -> None:
    """Print documents by id or name; without one, list the newest."""
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.")
    stack.connect()
    from cli import render, results

    if as_csv:
        from shared.documents.contents import passages_of

        documents = map(results.document, ids) if ids else results.newest_first()
        render.print_csv(map(passages_of, documents))
        return
    chosen = map(results.document, ids) if ids else islice(results.newest_first(), results.LISTED)
    render.print_documents(
        render.terminal(), list(chosen), as_json=as_json, in_full=bool(ids), by_page=by_page
    )


@headrace.command()
@click.argument("ids", nargs=-1, metavar="[ID|NAME]...")
@click.option("--datapoint", metavar="CODE", help="Only this ESRS data point, for example E1-6.scope1.")
@click.option("--year", "period", metavar="PERIOD", help="Only this period: 2023, 2023-H1.")
@click.option("--topic", help="Only figures on this topic, for example E1.")
@click.option("--organisation", help="Only of this organisation; case and punctuation do not count.")
@click.option("--unit", help="Only in this unit, as figures have it: tCO2e, MWh, %, EUR.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="Most figures. [default: 100; with --json all of the documents that are named]",
)
@stack_options
def figures(
    ids: tuple[str, ...], *, limit: int | None, stack: Stack, as_json: bool, **wanted: str | None
) -> None:
    """List numbers with their meaning, data points first; without an id, data points of all documents."""
    stack.connect()
    from cli import results
    from cli.render import print_figures, terminal

    most = limit or (None if as_json and ids else results.LISTED)
    found = results.figures(ids, results.Wanted(**wanted), most)
    if as_json:
        print_json(found)
    else:
        print_figures(terminal(), found, most)


@headrace.command()
@click.argument("sides", nargs=-1, required=True, metavar="SIDE SIDE...")
@stack_options
def compare(sides: tuple[str, ...], *, stack: Stack, as_json: bool) -> None:
    """Compare 2 to 4 SIDES: each a document, or an organisation and a year ("Tarnholm Fibre 2025")."""
    stack.connect()
    from cli import compare as comparisons
    from cli.render import terminal

    made = comparisons.made(sides)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        comparisons.show(terminal(), made)


@headrace.command()
@click.argument("ids", nargs=-1, metavar="[ID|NAME]...")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="[default: follows from the name of the output]"
)
@click.option(
    "--rows",
    type=click.Choice(("figures", "initiatives", "passages")),
    help="What csv and parquet hold. [default: figures]",
)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; one that is there is replaced.",
)
@stack_options
def export(  # noqa: PLR0913 - the options of a command
    ids: tuple[str, ...],
    *,
    form: Format | None,
    rows: RowKind | None,
    output: Path,
    stack: Stack,
    as_json: bool,
) -> None:
    """Write documents into a workbook, CSV, Parquet or JSON lines; without an id, every document."""
    ending = output.suffix.removeprefix(".").lower()
    form = form or next((each for each in FORMATS if each == ending), None)
    if form is None:
        raise click.UsageError(f"Give --format, or a name that ends with one: {', '.join(FORMATS)}.")
    if rows and form not in {"csv", "parquet"}:
        raise click.UsageError(f"--rows goes with csv and parquet; {form} holds everything.")
    stack.connect()
    from cli import results
    from shared.documents.contents import content

    documents = [results.document(each) for each in ids] if ids else results.newest_first()
    notes = results.export(map(content, documents), form, rows or "figures", output)
    if as_json:
        print_json({"output": str(output), "format": form, "bytes": output.stat().st_size, "notes": notes})
        return
    say(f"{output}: {output.stat().st_size:,} bytes")
    for note in notes:
        say(f"Note: {note}")


@headrace.command()
@click.argument("ids", nargs=-1, metavar="[ID|NAME]...")
@click.option("--all", "every", is_flag=True, help="Every failed document.")
@since_option
@stack_options
def replay(
    ids: tuple[str, ...], *, every: bool, since: timedelta | None, stack: Stack, as_json: bool
) -> None:
    """Start new runs of documents that failed; results of their old runs are not computed again."""
    if bool(ids) == (every or since is not None):
        raise click.UsageError("Name documents, or use --all or --since SPAN.")
    stack.connect()
    from shared.documents.replay import replay as start_again
    from shared.documents.store import document_id

    started = start_again(ids, since=since)
    if as_json:
        print_json([document_id(event.bucket, event.name) for event in started])
        return
    for event in started:
        say(f"{document_id(event.bucket, event.name)}  {event.name}")
    if not started:
        say("No document has failed." if since is None else "No document has failed in that time.")


@headrace.command()
@click.argument("file", type=click.Path(path_type=Path))
@model_option
@column_option
@click.option("--embeddings", is_flag=True, help="With --json: 384 floats for each passage.")
@order_option
@json_option
def analyze(  # noqa: PLR0913 - the options of a command
    file: Path, *, model: Path, text_column: str | None, embeddings: bool, by_page: bool, as_json: bool
) -> None:
    """Analyze FILE in this process, without any stack."""
    from cli.inprocess import analyze as in_process

    analysis = in_process(file, model=model, text_column=text_column, embeddings=embeddings)
    if as_json:
        print_json(analysis)
        return
    from cli.render import print_analysis

    print_analysis(analysis, by_page=by_page)


@headrace.command()
@click.argument("question")
@click.option(
    "--limit", default=10, show_default=True, type=click.IntRange(1, MAX_HITS), help="Most passages."
)
@click.option("--topic", help="Only passages with this topic, for example E1.")
@click.option("--document", help="Only passages of this document, by id or name.")
@stack_model_option
@stack_options
def search(  # noqa: PLR0913 - the options of a command
    question: str,
    *,
    limit: int,
    topic: str | None,
    document: str | None,
    model: Path,
    stack: Stack,
    as_json: bool,
) -> None:
    """Find the stored passages that are nearest in meaning to QUESTION."""
    stack.connect()
    from cli import results

    hits = results.search(question, model=model, limit=limit, topic=topic, document=document)
    if as_json:
        print_json(hits)
        return
    from cli.render import print_hits, terminal

    print_hits(terminal(), hits)


@headrace.command()
@click.argument("question")
@click.option("--topic", help="Only from passages with this topic, for example E1.")
@click.option("--document", help="Only from this document, by id or name.")
@stack_model_option
@stack_options
def ask(  # noqa: PLR0913 - the options of a command
    question: str, *, topic: str | None, document: str | None, model: Path, stack: Stack, as_json: bool
) -> None:
    """Answer QUESTION from the documents, every sentence with its sources."""
    stack.connect()
    from cli import results

    answer = results.ask(question, model=model, topic=topic, document=document)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    from cli.render import print_answer, terminal

    print_answer(terminal(), answer)


@headrace.command()
@data_option
@project_option
@stack_model_option
def mcp(data: Path, project: str | None, model: Path) -> None:
    """Let an assistant search and read the documents, over the Model Context Protocol on standard input."""
    Stack(data, project).connect()
    from cli.results import library
    from shared.api.mcp_server import serve

    serve(library(model))


@headrace.command()
@click.option("--security", is_flag=True, help="Check who could get in instead: public access, keys, roles.")
@click.option("--domain", help="With --security: the domain at which a load balancer serves the API.")
@stack_model_option
@stack_options
def doctor(*, security: bool, domain: str | None, model: Path, stack: Stack, as_json: bool) -> None:
    """Check the stack, and say how to fix everything that is wrong."""
    if domain and not security:
        raise click.UsageError("--domain goes with --security.")
    from cli.doctor import examine, report

    if security:
        from cli.security import audit

        findings = audit(stack.data, stack.project, model, domain)
    else:
        findings = examine(stack.data, stack.project, model)
    report(findings, as_json=as_json)


@headrace.command()
@click.option("--markdown", is_flag=True, help="Print docs/settings.md.")
@json_option
def settings(*, markdown: bool, as_json: bool) -> None:
    """List every setting: its variable, its default, and what it does."""
    from cli import settings as listing
    from cli.render import terminal

    if as_json:
        print_json(listing.all_settings())
    elif markdown:
        write(listing.markdown())
    else:
        listing.show(terminal())


@headrace.group(invoke_without_command=True)
@click.option("--schedule", metavar="NAME", help="Use this schedule's filter, zone and window.")
@click.option("--since", metavar="SPAN", help="How far back: 12h, 7d, 4w. [default: the window, or 7d]")
@click.option("--open", "opened", is_flag=True, help="Open its page in the browser.")
@stack_options
@click.pass_context
def digest(  # noqa: PLR0913 - the options of a command
    context: click.Context,
    *,
    schedule: str | None,
    since: str | None,
    opened: bool,
    stack: Stack,
    as_json: bool,
) -> None:
    """Summarise a period's documents and what changed; without a command, the period until now."""
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return
    stack.connect()
    from cli import digest as digests
    from cli.render import terminal

    stored = digests.make(schedule, since)
    html = stored.html
    if opened or not stack.project:
        page = digests.page(stored, stack.data.resolve() / digests.PAGES)
        html = html if stack.project else str(page)
        if opened:
            digests.open_page(page)
    if as_json:
        print_json(digests.shape(stored, html))
    else:
        digests.show(terminal(), stored, html)


@digest.command("list")
@click.option("--schedule", metavar="NAME", help="Only digests of this schedule.")
@stack_options
def list_digests(*, schedule: str | None, stack: Stack, as_json: bool) -> None:
    """List the schedules, and the newest digests."""
    stack.connect()
    from cli import digest as digests
    from cli.render import terminal

    listed = digests.listing(schedule)
    if as_json:
        print_json(listed)
    else:
        digests.show_listing(terminal(), listed, schedule)


@digest.command("verify")
@click.argument("identifier", metavar="ID")
@stack_options
def verify_digest(identifier: str, *, stack: Stack, as_json: bool) -> None:
    """Compute a digest again from what is stored now, and list what differs; status 1 if anything does."""
    stack.connect()
    from cli import digest as digests
    from cli.render import terminal

    differences = digests.verified(digests.find(identifier))
    if as_json:
        print_json(differences)
    else:
        digests.show_differences(terminal(), identifier, differences)
    if differences:
        raise click.exceptions.Exit(1)


@headrace.group()
def keys() -> None:
    """Make, list, rotate and revoke keys of the API, the console and MCP."""


@keys.command("make")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it lets its holder do; may be repeated.",
)
@expires_option
@click.option(
    "--per-minute",
    type=click.IntRange(1, MAX_PER_MINUTE),
    default=PER_MINUTE,
    show_default=True,
    help="Most requests a minute, in each instance.",
)
@stack_options
def make_key(  # noqa: PLR0913 - the options of a command
    name: str,
    *,
    scopes: tuple[str, ...],
    expires: timedelta | None,
    per_minute: int,
    stack: Stack,
    as_json: bool,
) -> None:
    """Make a key NAME and print its secret, which is stored nowhere."""
    stack.connect()
    from cli import keys as printed
    from shared.api.keys import make
    from shared.platform.clients import firestore_client

    chosen = tuple(scope for scope in Scope if scope in scopes)
    key, secret = make(firestore_client(), name, chosen, expires=expires, per_minute=per_minute)
    printed.report_secret(key, secret, as_json=as_json)


@keys.command("list")
@stack_options
def list_keys(*, stack: Stack, as_json: bool) -> None:
    """List every key but the first, the newest first."""
    stack.connect()
    from cli import keys as printed
    from cli.render import terminal
    from shared.api.keys import listed
    from shared.platform.clients import firestore_client

    found = listed(firestore_client())
    if as_json:
        print_json([printed.shape(key) for key in found])
    else:
        printed.show(terminal(), found)


@keys.command("rotate")
@click.argument("which", metavar="ID|NAME")
@grace_option
@stack_options
def rotate_key(which: str, *, grace: timedelta, stack: Stack, as_json: bool) -> None:
    """Print a new secret of a key; an expiring key gets the same span of life again."""
    stack.connect()
    from cli import keys as printed
    from shared.api.keys import rotate
    from shared.platform.clients import firestore_client

    key, secret = rotate(firestore_client(), which, grace)
    printed.report_secret(key, secret, as_json=as_json)


@keys.command("revoke")
@click.argument("which", metavar="ID|NAME")
@stack_options
def revoke_key(which: str, *, stack: Stack, as_json: bool) -> None:
    """Revoke a key and both secrets of a rotated one, for ever."""
    stack.connect()
    from cli import keys as printed
    from shared.api.keys import revoke
    from shared.platform.clients import firestore_client

    printed.report_revoked(revoke(firestore_client(), which), as_json=as_json)


@headrace.command()
@click.argument("ids", nargs=-1, metavar="[ID|NAME]...")
@click.option("--find", "words", metavar="WORDS", help="Erase nothing; list the documents that hold WORDS.")
@click.option("--with-file", is_flag=True, help="Erase the uploaded file too, in all its versions.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@stack_options
def erase(  # noqa: PLR0913 - the options of a command
    ids: tuple[str, ...], *, words: str | None, with_file: bool, yes: bool, stack: Stack, as_json: bool
) -> None:
    """Erase everything made from documents: results, artefacts, and what digests quote of them."""
    if bool(ids) == (words is not None) or (words is not None and not words.strip()):
        raise click.UsageError("Name documents, or use --find WORDS.")
    if ids and not yes and not sys.stdin.isatty():
        raise click.UsageError("This is not a terminal, so the command cannot ask; use --yes.")
    stack.connect()
    from cli import erase as erasure
    from shared.api import erasing

    if words is not None:
        erasure.report_holding(words, as_json=as_json)
        return
    chosen = erasing.subjects(ids, with_file=with_file)
    if not yes:
        for subject in chosen:
            say(f"{subject.id}  {subject.name}", err=True)
        what = "their results and their files" if with_file else "their results"
        click.confirm(f"Erase {what}? This cannot be undone", abort=True, err=True)
    erasure.report(erasure.erase_with_pages(chosen, stack.data), as_json=as_json)


@headrace.group(invoke_without_command=True)
@click.option("--model", metavar="DIGEST", help="A model in the bucket of models. [default: the job's own]")
@click.option("--prefix", help="Only documents whose names begin with this.")
@click.option("--from-model", metavar="DIGEST", help="Only documents whose result is by this model.")
@tasks_option
@wait_option
@stack_options
@click.pass_context
def backfill(  # noqa: PLR0913 - the options of a command
    context: click.Context,
    *,
    model: str | None,
    prefix: str | None,
    from_model: str | None,
    tasks: int | None,
    wait: bool,
    stack: Stack,
    as_json: bool,
) -> None:
    """Analyze documents again with another model; results stay readable until the new ones are complete."""
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return
    stack.connect()
    from cli import jobs
    from shared.jobs.listing import Wanted

    wanted = Wanted(prefix=prefix, from_model=from_model)
    jobs.report(jobs.start_backfill(wanted, model, tasks), wait=wait, as_json=as_json)


@backfill.command("show")
@click.argument("identifier", metavar="ID")
@wait_option
@stack_options
def show_backfill(identifier: str, *, wait: bool, stack: Stack, as_json: bool) -> None:
    """Print how far a backfill is, and what it changed."""
    stack.connect()
    from cli import jobs
    from shared.jobs.listing import Backfill

    jobs.report(jobs.find_job(Backfill, identifier), wait=wait, as_json=as_json)


@backfill.command("resume")
@click.argument("identifier", metavar="ID")
@wait_option
@stack_options
def resume_backfill(identifier: str, *, wait: bool, stack: Stack, as_json: bool) -> None:
    """Continue a backfill that was interrupted, and try again what failed."""
    stack.connect()
    from cli import jobs

    jobs.report(jobs.resume_backfill(identifier), wait=wait, as_json=as_json)


@headrace.command()
@click.argument("place", metavar="[gs://BUCKET/PREFIX]", required=False)
@click.option(
    "--id", "identifier", help="Id of the training. [default: follows from the rows and the model in use]"
)
@click.option("--model", metavar="DIGEST", help="The model in use. [default: the one in the job's image]")
@wait_option
@stack_options
def train(  # noqa: PLR0913 - the options of a command
    place: str | None,
    *,
    identifier: str | None,
    model: str | None,
    wait: bool,
    stack: Stack,
    as_json: bool,
) -> None:
    """Train the heads again on what people corrected, and on labelled rows if a place of some is named.

    The model is published if it is better than the one in use.
    """
    stack.connect()
    from cli import jobs

    execution = jobs.start_training(place, identifier=identifier, model=model)
    jobs.report_training(execution, wait=wait, as_json=as_json)


@headrace.command("import")
@click.argument("target", metavar="gs://BUCKET/PREFIX|ID")
@click.option(
    "--missing",
    is_flag=True,
    help="Only files of the last 14 days that have no document: the functions are notified of them again.",
)
@tasks_option
@wait_option
@stack_options
def import_(  # noqa: PLR0913 - the options of a command
    target: str, *, missing: bool, tasks: int | None, wait: bool, stack: Stack, as_json: bool
) -> None:
    """Analyze every object under a prefix, archives with their members; or print an import by its ID."""
    if missing and (tasks or wait or not target.startswith("gs://")):
        raise click.UsageError("--missing goes with an address, and without --tasks and --wait.")
    stack.connect()
    from cli import jobs
    from shared.jobs.record import Import

    if missing:
        jobs.notify_missing(target, as_json=as_json)
        return
    is_new = target.startswith("gs://")
    job = jobs.start_import(target, tasks) if is_new else jobs.find_job(Import, target)
    jobs.report(job, wait=wait, as_json=as_json)


@contextmanager
def until_interrupted(print_line: Callable[[str], None]) -> Iterator[None]:
    """Leave the block at Ctrl-C or SIGTERM, the usual end of a stack, and print that it stopped."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell starts its background jobs with SIGINT ignored, and children inherit that.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print_line("stopped")


def main() -> NoReturn:
    """Run the command; print errors as sentences, and with `--json` also as an object on standard output."""
    try:
        # The name is that of the variables of completion too, however the command was started.
        status = headrace(prog_name="headrace", standalone_mode=False)
    except click.ClickException as error:
        page = io.StringIO()
        error.show(page)
        for line in page.getvalue().rstrip("\n").split("\n"):
            say(line, err=True)
        context = error.ctx if isinstance(error, click.UsageError) else None
        help_of = f"{context.command_path if context else 'headrace'} --help"
        _print_error(error, error.format_message(), help_of)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except Exception as error:
        problem = error if isinstance(error, HeadraceError) else explain_failure(error)
        if problem is None:
            raise
        hint = getattr(problem, "hint", None)
        say(f"headrace: {problem.message}{f' {hint}' if hint else ''}", err=True)
        _print_error(problem, problem.message, hint)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


def _print_error(error: Exception, message: str, hint: str | None) -> None:
    """Print an error as JSON if the arguments ask for it; they are searched, because they may not parse."""
    options = takewhile(lambda argument: argument != "--", sys.argv[1:])
    if "--json" in options:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()  # SetupError: setup_error
        code = getattr(error, "code", name)
        print_json({"code": code, "message": message, "hint": hint})
