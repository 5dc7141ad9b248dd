"""`headrace doctor`: examine a stack, local or in the cloud, and say what to do about what is wrong."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from shlex import quote
from typing import TYPE_CHECKING

import click
from rich.text import Text

from cli.connect import connect, is_local
from cli.diagnosis import Finding, Target
from cli.render import terminal
from cli.say import print_json, say
from local.services import EMULATORS
from local.stack import read_stack
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console

    Check = Callable[[Target], Iterator[Finding]]

STYLES = {"ok": "green", "warning": "yellow", "wrong": "red", "unknown": "cyan"}
INDENT = " " * 26


def examine(data: Path, project: str | None, model: Path) -> Iterator[Finding]:
    """Yield every finding, in an order in which early findings explain later ones."""
    try:
        connect(data, project)
    except SetupError as error:
        yield Finding("stack", "wrong", error.message, f"headrace up --data {quote(str(data))}")
        return
    from cli.diagnosis.digests import check_digests
    from cli.diagnosis.documents import check_documents, check_uploads
    from cli.diagnosis.resources import (
        check_buckets,
        check_deliveries,
        check_deployment,
        check_disk,
        check_job,
        check_model,
        check_processes,
        check_secrets,
        check_settings,
        check_subscriptions,
        check_topics,
    )

    target = Target(data, model, _own_stack(data), cloud=not is_local())
    settings = list(check_settings(target))
    yield from settings
    if settings[0].status == "wrong":
        return  # nothing else can be asked without them
    deployment = list(check_deployment(target))
    yield from deployment
    target = replace(target, read=all(finding.status == "ok" for finding in deployment))
    services: dict[str, tuple[Check, ...]] = {
        "model": (check_model,),
        "processes": (check_processes,),
        "deliveries": (check_deliveries,),
        "disk": (check_disk,),
        "Secret Manager": (check_secrets,),
        "Cloud Storage": (check_buckets,),
        "Pub/Sub": (check_topics, check_subscriptions),
        "Cloud Run": (check_job,),
        "Firestore": (check_documents, check_digests),
        "uploads": (check_uploads,),
    }
    for service, checks in services.items():
        for check in checks:
            yield from _guarded(service, check, target)


def audit(data: Path, project: str | None, model: Path, *, domain: str | None) -> Iterator[Finding]:
    """Yield every finding about security."""
    from cli import security

    yield from security.examine(data, project, model, _own_stack, domain)


def report(findings: Iterator[Finding], *, as_json: bool) -> None:
    """Print the findings as they come; exit with status 1 if something is wrong."""
    seen, console = [], terminal()
    for finding in findings:
        seen.append(finding)
        if not as_json:
            _print(console, finding)
    if as_json:
        print_json([asdict(finding) for finding in seen])
    else:
        wrong, warnings, unknown = (
            sum(finding.status == kind for finding in seen) for kind in ("wrong", "warning", "unknown")
        )
        verdict = f"{wrong} wrong, {warnings} to look at" if wrong or warnings else "all is well"
        console.print()
        say(verdict + (f", as far as could be asked: {unknown} unknown" if unknown else ""))
    if any(finding.status == "wrong" for finding in seen):
        raise click.exceptions.Exit(1)


def _print(console: Console, finding: Finding) -> None:
    status = (f"{finding.status:<8}", STYLES[finding.status])
    console.print(Text.assemble(status, f" {finding.check:<16} {finding.detail}"), soft_wrap=True)
    if finding.fix:
        console.print(Text(f"{INDENT}→ {finding.fix}"), soft_wrap=True)


def _guarded(service: str, check: Check, target: Target) -> Iterator[Finding]:
    """Yield the findings of a check, and one about its service if that fails."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    try:
        yield from check(target)
    except GoogleAuthError as error:
        login = "gcloud auth application-default login"
        yield Finding(service, "wrong", f"No credentials: {type(error).__name__}.", login)
    except (GoogleAPIError, RequestException) as error:
        fix = target.repair("See https://status.cloud.google.com, and whether your account may read it.")
        yield Finding(service, "wrong", f"It does not answer as it should: {type(error).__name__}.", fix)


def _own_stack(data: Path) -> dict[str, object] | None:
    """Return `stack.json` if the environment names that stack and not an emulator of the user's."""
    try:
        stack = read_stack(data)
    except SetupError:
        return None
    same = all(os.environ.get(name) == stack["environment"].get(name) for name in EMULATORS)
    return stack if same else None
