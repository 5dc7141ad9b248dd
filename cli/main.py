"""The `headrace` command."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from cli import jobs, options
from cli.connect import connect
from cli.digest_commands import digest
from cli.erase_command import erase
from cli.options import column_option, data_option, json_option, model_option, port_option, project_option
from cli.say import say, write
from local.services import ROOT
from shared.documents.search import MAX_HITS
from shared.platform.errors import HeadraceError, Permanent

if TYPE_CHECKING:
    from datetime import timedelta

WAIT_SECONDS = 600.0
SAMPLE_SUFFIXES = {".pdf", ".txt", ".csv", ".jsonl"}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def headrace() -> None:
    """Drop a file into a bucket; read what every passage of it says."""


@headrace.command()
@data_option
@model_option
@port_option
@click.option("--reset", is_flag=True, help="Forget everything stored in the directory first.")
def up(data: Path, model: Path, port: int | None, *, reset: bool) -> None:
    """Start the local stack and stay until Ctrl-C."""
    from cli.output import until_interrupted
    from local.stack import running

    with until_interrupted(), running(data, model=model, port=port, reset=reset, say=say) as watch:
        say("ready")
        watch.forever()


@headrace.command()
@data_option
@model_option
@port_option
def run(data: Path, model: Path, port: int | None) -> None:
    """Start the local stack, analyse the samples, show the results, and stay until Ctrl-C."""
    from cli.output import drop_and_follow, until_interrupted
    from cli.render import table, terminal
    from cli.results import document
    from local.stack import running

    console = terminal()
    console.print(f"Starting the local stack on {data} …")
    with until_interrupted(), running(data, model=model, port=port, reset=False, say=say) as watch:
        paths = sorted(path for path in (ROOT / "samples").iterdir() if path.suffix in SAMPLE_SUFFIXES)
        console.print(f"Ready. Dropping {len(paths)} samples into the bucket.")
        identifiers = drop_and_follow(console, paths, timeout=WAIT_SECONDS)
        table(console, [document(identifier) for identifier in identifiers])
        console.print()
        console.print("The stack stays up until Ctrl-C. In a second terminal:")
        console.print()
        console.print("  .venv/bin/headrace drop REPORT.pdf --wait")
        console.print(f"  .venv/bin/headrace show {identifiers[-1]}", highlight=False)
        console.print("  .venv/bin/headrace digest --open", highlight=False)
        watch.forever()


@headrace.command()
@data_option
@json_option
def env(data: Path, *, as_json: bool) -> None:
    """Print the stack's variables for a shell: eval "$(headrace env)"."""
    from local.stack import read_stack

    variables = read_stack(data)["environment"]
    if as_json:
        write(json.dumps(variables, indent=2) + "\n")
        return
    for name, value in variables.items():
        say(f"export {name}={value}")


@headrace.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option("--wait", is_flag=True, help="Follow the files until they are analysed, and print the results.")
@click.option("--timeout", default=WAIT_SECONDS, show_default=True, help="Seconds to wait.")
@column_option
@data_option
@project_option
@json_option
def drop(  # noqa: PLR0913 - the options of a command
    files: tuple[Path, ...],
    *,
    wait: bool,
    timeout: float,
    text_column: str | None,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Upload FILES into the bucket."""
    connect(data, project)
    from cli import output, results
    from cli.render import terminal

    if wait:
        console = terminal(stderr=as_json)
        identifiers = output.drop_and_follow(console, files, timeout=timeout, text_column=text_column)
        documents = [results.document(identifier) for identifier in identifiers]
        output.print_documents(console, documents, as_json=as_json)
        return
    dropped = results.drop_all(files, text_column=text_column)
    if as_json:
        output.print_json([results.received(item) for item in dropped])
        return
    for item in dropped:
        say(f"{item.id}  {item.name}")


@headrace.command()
@click.argument("ids", nargs=-1)
@data_option
@project_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print every passage, for a spreadsheet.")
def show(ids: tuple[str, ...], *, data: Path, project: str | None, as_json: bool, as_csv: bool) -> None:
    """Print documents by id or name; without one, list the newest."""
    if as_csv and (as_json or not ids):
        raise click.UsageError("--csv goes with the ids or names of documents, and without --json.")
    connect(data, project)
    from cli import output, results
    from cli.render import terminal

    if as_csv:
        output.print_csv((shown, results.published_passages(shown)) for shown in map(results.document, ids))
    elif ids:
        documents = [results.document(identifier) for identifier in ids]
        output.print_documents(terminal(), documents, as_json=as_json)
    else:
        output.print_table(results.all_documents(), as_json=as_json)


@headrace.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every failed document.")
@options.since_option
@data_option
@project_option
@json_option
def replay(  # noqa: PLR0913 - the options of a command
    ids: tuple[str, ...],
    *,
    every: bool,
    since: timedelta | None,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Start new runs of documents that failed; what their old runs found is not computed again."""
    if bool(ids) == (every or since is not None):
        raise click.UsageError("Name documents, or say --all or --since HOURS.")
    connect(data, project)
    from cli import replay as replaying

    started = replaying.replay(ids, since=since)
    if as_json:
        say(json.dumps([line.partition("  ")[0] for line in started]))
        return
    for line in started or [replaying.none_failed(since)]:
        say(line)


@headrace.command()
@click.argument("file", type=click.Path(path_type=Path))
@model_option
@column_option
@click.option("--embeddings", is_flag=True, help="With --json: 384 floats for each passage.")
@json_option
def analyze(file: Path, *, model: Path, text_column: str | None, embeddings: bool, as_json: bool) -> None:
    """Analyse FILE in this process, without any stack."""
    from cli.inprocess import analyze as in_process
    from cli.output import print_json

    analysis = in_process(file, model=model, text_column=text_column, embeddings=embeddings)
    if as_json:
        print_json(analysis)
        return
    from cli.output import print_analysis

    print_analysis(analysis)


@headrace.command()
@click.argument("question")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, MAX_HITS), help="Passages.")
@click.option("--topic", help="Only passages with this topic, for example E1.")
@click.option("--document", help="Only passages of this document, by id or name.")
@options.asked_model_option
@data_option
@project_option
@json_option
def search(  # noqa: PLR0913 - the options of a command
    question: str,
    *,
    limit: int,
    topic: str | None,
    document: str | None,
    model: Path,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Find the stored passages that are nearest in meaning to QUESTION."""
    connect(data, project)
    from cli import search as searching

    hits = searching.search(question, model=model, limit=limit, topic=topic, document=document)
    if as_json:
        from cli.output import print_json

        print_json(hits)
        return
    from cli.render import terminal

    searching.print_hits(terminal(), hits)


@headrace.command()
@click.option("--security", is_flag=True, help="Check instead who could get in: public access, keys, roles.")
@click.option("--domain", help="With --security: under which a load balancer serves the API.")
@options.asked_model_option
@data_option
@project_option
@json_option
def doctor(  # noqa: PLR0913 - the options of a command
    *,
    security: bool,
    domain: str | None,
    model: Path,
    data: Path,
    project: str | None,
    as_json: bool,
) -> None:
    """Examine the stack, and say of everything that is wrong what to do."""
    if domain and not security:
        raise click.UsageError("--domain goes with --security.")
    from cli import doctor as examining

    if security:
        findings = examining.audit(data, project, model, domain=domain)
    else:
        findings = examining.examine(data, project, model)
    examining.report(findings, as_json=as_json)


@headrace.command()
@click.option("--markdown", is_flag=True, help="Print docs/settings.md.")
@json_option
def settings(*, markdown: bool, as_json: bool) -> None:
    """List every setting: its variable, its default, and what it does."""
    from cli import settings as described
    from cli.output import print_json
    from cli.render import terminal

    if as_json:
        print_json(described.listed())
    elif markdown:
        write(described.markdown())
    else:
        described.show(terminal())


headrace.add_command(digest)
headrace.add_command(erase)
headrace.add_command(jobs.backfill)
headrace.add_command(jobs.import_)
headrace.add_command(jobs.train)


def main() -> NoReturn:
    """Run the command; an error is one line that says what to do."""
    try:
        status = headrace(standalone_mode=False)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        for line in told.getvalue().rstrip("\n").split("\n"):
            say(line, err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except HeadraceError as error:
        hint = f" {error.hint}" if isinstance(error, Permanent) else ""
        say(f"headrace: {error.message}{hint}", err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
