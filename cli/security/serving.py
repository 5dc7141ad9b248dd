"""What serves, which is what is judged: of a service the revisions that have traffic, not its template.

Terraform changes the template, and moves no traffic to the revision that comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.deployment import shares
from cli.diagnosis.findings import Finding
from cli.security.services import API, LONG_JOB, environment, short
from shared.platform.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud.run_v2 import Service

    from cli.security.services import Run

SERVING = "serving"
INGEST, DIGEST = "ingest", "digest"
READERS = (API, DIGEST, INGEST, LONG_JOB)
"""Programs that read secrets which settings name: infra/secrets.tf."""


def revisions(service: Service) -> list[str]:
    """Those that have traffic."""
    return sorted(shares(service))


def judge_serving(service: Service) -> Finding:
    """Whether what was made last is what serves."""
    name, serving, latest = short(service.name), revisions(service), short(service.latest_ready_revision)
    if not serving:
        return Finding(SERVING, "unknown", f"{name}: no revision has traffic.", "headrace doctor")
    if serving != [latest]:
        detail = f"{name}: {', '.join(serving)} has traffic; {latest} is newer, or was configured since."
        fix = f"make promote FUNCTION={name}, or a build: docs/deploy.md, “By hand”"
        return Finding(SERVING, "warning", detail, fix)
    return Finding(SERVING, "ok", f"{name}: {latest}, the newest")


def settings_of(run: Run, project: str) -> Settings:
    """Those that its variables give it.

    Raises:
        SetupError: one does not parse, and the program would not start.
    """
    given = {
        variable: value
        for variable, value in environment(run).items()
        if variable.removeprefix(PREFIX).lower() in Settings.model_fields and variable.startswith(PREFIX)
    }
    return Settings.from_environment({"GOOGLE_CLOUD_PROJECT": project} | given)


def secrets_read(programs: Iterable[tuple[str, Settings]], webhooks: Iterable[str]) -> dict[str, set[int]]:
    """Of each secret the versions that these read.

    Args:
        programs: names, each with its settings; a name may come more than once.
        webhooks: secrets of digests' schedules, each with its version, as NAME/NUMBER.
    """
    found: dict[str, set[int]] = {}
    for program, made in programs:
        if program not in READERS:
            continue
        for name, version in _read(program, made, webhooks):
            found.setdefault(name, set()).add(version)
    return found


def _read(program: str, made: Settings, webhooks: Iterable[str]) -> Iterable[tuple[str, int]]:
    if program == API:
        return [(made.api_key_hash, made.api_key_hash_version)]
    told = (made.smtp_password, made.narrative_key, *webhooks)
    references = told if program == DIGEST else made.passwords.values()
    parts = ((reference or "").partition("/") for reference in references)
    pinned = [(name, int(version)) for name, _, version in parts if name]
    return [(made.redaction_key, made.redaction_key_version), *pinned]
