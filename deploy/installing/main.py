"""`deploy/install`: its options, the order of its steps, and what is said at the end."""

from __future__ import annotations

import argparse
import io
import os
import platform
import re
import shlex
import signal
import sys
import tomllib
from typing import TYPE_CHECKING

from deploy.installing import apply, checks, destroy, run, values
from deploy.installing.checks import Install
from deploy.installing.problems import NothingLeft, Problem, Refusal
from deploy.installing.shell import ROOT, Shell

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = tuple[str, Callable[[Install], str]]

BEFORE: list[Step] = [
    ("Tools", checks.tools),
    ("Login", checks.login),
    ("Project", checks.project),
]
CHECKED: list[Step] = [
    ("Billing", checks.billing),
    ("Rights", checks.rights),
    ("Values", checks.choose),
    ("Google's services", checks.services),
    ("Region", checks.region),
    ("Quotas", checks.quotas),
    ("Bucket of Terraform's state", apply.state_bucket),
    ("Infrastructure, some twenty minutes", apply.infrastructure),
    ("Secrets", run.secret_values),
]
AFTER: list[Step] = [("A first document", run.smoke_test), ("Doctor", run.doctor)]
STEPS: dict[str, list[Step]] = {
    "install": [*BEFORE, *CHECKED, ("Build and deployment", run.first_build), *AFTER],
    "upgrade": [*BEFORE, *CHECKED, ("Build and deployment", run.next_build), *AFTER],
    "destroy": [
        *BEFORE,
        ("Installation", destroy.installed),
        ("What will be lost", destroy.agree),
        ("Protection", destroy.unprotect),
        ("Destruction", destroy.everything),
        ("Bucket of Terraform's state", destroy.state),
    ],
}
DONE = {
    "install": "Headrace runs.",
    "upgrade": "Headrace runs as it is checked out here.",
    "destroy": "Headrace is gone.",
}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="deploy/install",
        description="Install Headrace in a Google Cloud project. What is done is left as it is: after a "
        "failure, or when it was stopped, run the same command again. Values that are not given are asked "
        "for, and kept in infra/terraform.tfvars.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=list(STEPS),
        default="install",
        help="install (default); upgrade: to what is checked out; destroy: delete all that Headrace has made",
    )
    parser.add_argument("--project", help="id of the Google Cloud project")
    parser.add_argument("--region", help="where everything is, for ever (default: europe-west1)")
    parser.add_argument("--size", help="small (default), medium or large")
    parser.add_argument(
        "--console-people", metavar="MEMBERS", help="user:…, group:…, with commas; or allUsers"
    )
    parser.add_argument("--alert-email", metavar="ADDRESSES", help="whom alerts go to, with commas")
    parser.add_argument("--dry-run", action="store_true", help="look, and show the commands; change nothing")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run a command; the exit status is 1 where a person has to do something, and 130 after Ctrl-C."""
    options = parse(arguments)
    for ended in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ended, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    to = Install(Shell(dry=options.dry_run), given={}, assume=options.yes)
    title = "Options"
    status = 1
    try:
        to.given = _given(options)
        to.shell.hold()
        steps = STEPS[options.command]
        for number, (title, step) in enumerate(steps, 1):
            print(f"\n{number} of {len(steps)}: {title}")
            skipped, result = to.shell.skipped, step(to)
            if to.shell.skipped == skipped:
                print(f"  {result}")
        _farewell(to, options.command)
        status = 0
    except NothingLeft as nothing:
        print(f"\n{nothing}")
        status = 0
    except Refusal as refusal:
        print(f"\n{refusal}\n{refusal.hint}")
    except Problem as problem:
        print(f"\n{problem} ({problem.code})\n{problem.hint}")
        print(f"\nThen run the same command again; it goes on where it stopped:\n  {_again(arguments)}")
        print(
            f"\nFor a report: {_versions()}, command {options.command}, step {title!r}, code {problem.code}"
        )
    except KeyboardInterrupt:
        print(f"\nStopped. Run the same command again; it goes on where it stopped:\n  {_again(arguments)}")
        status = 130
    finally:
        if to.key:
            print(f"\nThe API's key, which has every scope. Keep it, it is not shown again:\n  {to.key}")
    return status


def _given(options: argparse.Namespace) -> dict[str, values.Value]:
    said = {"alert_emails": options.alert_email} | {
        question.name: getattr(options, question.name)
        for question in (values.PROJECT, *values.REST)
        if question.name != "alert_emails"
    }
    questions = {question.name: question for question in (values.PROJECT, *values.REST)}
    return {name: values.checked(questions[name], value) for name, value in said.items() if value}


def _farewell(to: Install, command: str) -> None:
    print(f"\n{'Nothing was changed: this was a dry run.' if to.shell.dry else DONE[command]}")
    if command == "destroy" or to.shell.dry:
        return
    found = run.addresses(to)
    people = to.values.get("console_people") or []
    who = ", ".join(people)
    print(f"  The console: {found.get('console')}")
    how = {"allUsers": "with a key of the API", "": "nobody may: console_people"}
    print(f"    sign in: {how.get(who, f'with Google, as one of {who}')}")
    print(f"  The API: {found.get('api')}")
    if to.key is None:
        print("    its first key was shown when it was made. Another one, also if that is lost:")
        print(f"    {run.HEADRACE} keys make NAME --scope read --project {to.project}")
    print(f"  Drop a file: {run.HEADRACE} drop FILE --wait --project {to.project}")
    if os.environ.get("CLOUD_SHELL") != "true":
        print(f"    once before: gcloud auth application-default set-quota-project {to.project}")
    cost, left = idle_cost()
    print(f"  An idle month costs ${cost}, ${left} after the free tier; documents on top: docs/cost.md")


def idle_cost() -> tuple[str, str]:
    """Return the dollars of a month in which nothing comes, before and after the free tier: docs/cost.md."""
    _, table = (
        (ROOT / "docs/cost.md").read_text("utf-8").split("## What a month costs in which nothing comes")
    )
    found = re.search(r"^\| \*\*together\*\* \|[^|]*\| ([\d.]+) \| ([\d.]+) \|", table, re.MULTILINE)
    return (found[1], found[2]) if found else ("?", "?")


def _again(arguments: list[str]) -> str:
    return shlex.join(["deploy/install", *arguments])


def _versions() -> str:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    place = (
        "Cloud Shell"
        if os.environ.get("CLOUD_SHELL") == "true"
        else f"{platform.system()} {platform.machine()}"
    )
    return f"Headrace {version} ({run.checked_out()}), {place}, Python {platform.python_version()}"
