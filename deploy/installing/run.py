"""Make it run: the secrets' values, the build, a first document, the doctor."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
import time
from typing import TYPE_CHECKING, Any

from deploy.installing.problems import Problem, last_line
from deploy.installing.shell import ROOT
from deploy.quotas import table

if TYPE_CHECKING:
    from deploy.installing.checks import Install

POLL_SECONDS = 20
POLLS = 1100
"""So often a build is looked at: for longer than it may take, which is `timeout` of cloudbuild.yaml."""
ENDED = ("SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED")
PLACEHOLDER = "us-docker.pkg.dev/cloudrun/container/hello"
"""Image that services begin with: infra/locals.tf."""
SAMPLE = "samples/velmora_press_release.txt"
HEADRACE = ".venv/bin/headrace"


def secret_values(to: Install) -> str:
    """Give each of the two secrets a value, if it has none; only gcloud's standard input has seen them."""
    made = []
    if not _has_value(to, "redaction-key"):
        _add_value(to, "redaction-key", secrets.token_bytes(32))
        made.append("redaction-key")
    if not _has_value(to, "api-key-hash"):
        key = secrets.token_urlsafe(32)
        _add_value(to, "api-key-hash", hashlib.sha256(key.encode()).hexdigest().encode())
        made.append("api-key-hash")
        to.key = None if to.shell.dry else key
    return f"made {' and '.join(made)}" if made else "have values"


def _has_value(to: Install, name: str) -> bool:
    of = (name, f"--project={to.project}", "--format=value(name)")
    return bool(to.listed("secrets", "versions", "list", *of))


def _add_value(to: Install, name: str, value: bytes) -> None:
    command = ("gcloud", "secrets", "versions", "add", name, f"--project={to.project}", "--data-file=-")
    to.shell.do(*command, stdin=value, shown="(a random value) | ")


def first_build(to: Install) -> str:
    """Build and deploy, unless every function serves already."""
    if running := _running_build(to):
        _wait(to, running)
    if _all_serve(to):
        return "every function serves"
    return _build(to)


def next_build(to: Install) -> str:
    """Build and deploy what is checked out; a build that runs already ends first."""
    if running := _running_build(to):
        try:
            _wait(to, running)
        except Problem as problem:
            print(f"  {problem} The next one may do better.")
    return _build(to)


def _running_build(to: Install) -> dict[str, Any] | None:
    return next(iter(to.asked("builds", "list", *to.where, "--ongoing", "--filter=tags:headrace")), None)


def _all_serve(to: Install) -> bool:
    services, revisions = (to.asked("run", kind, "list", *to.where) for kind in ("services", "revisions"))
    return set(table("functions")) <= deployed(services, revisions)


def deployed(services: list[dict[str, Any]], revisions: list[dict[str, Any]]) -> set[str]:
    """Return the services whose traffic goes to a revision with an image of their own."""
    images = {each["metadata"]["name"]: each["spec"]["containers"][0]["image"] for each in revisions}
    found = set()
    for service in services:
        status = service.get("status", {})
        most: dict[str, Any] = max(status.get("traffic") or [{}], key=lambda part: part.get("percent", 0))
        revision = most.get("revisionName") or status.get("latestReadyRevisionName", "")
        if not images.get(revision, PLACEHOLDER).startswith(PLACEHOLDER):
            found.add(service["metadata"]["name"])
    return found


def _build(to: Install) -> str:
    tests = "skip" if released() else "run"
    printed = to.shell.do(
        *("gcloud", "builds", "submit", "--config=cloudbuild.yaml", *to.where),
        f"--substitutions=_REGION={to.region},_TESTS={tests},_AUDIT=warn",
        f"--gcs-source-staging-dir=gs://run-sources-{to.project}-{to.region}/builds",
        *("--async", "--format=json"),
    )
    return "" if to.shell.dry else _wait(to, json.loads(printed))


def _wait(to: Install, build: dict[str, Any]) -> str:
    print(f"  Its log: {build.get('logUrl')}")
    last = ""
    for _ in range(POLLS):
        seen = to.asked("builds", "describe", build["id"], *to.where)
        step = next((step["id"] for step in seen.get("steps", ()) if step.get("status") == "WORKING"), "")
        if step != last:
            print(f"  {time.strftime('%H:%M')}  {step or seen.get('status', '').lower()}")
            last = step
        if seen.get("status") in ENDED:
            return _ended(seen)
        time.sleep(POLL_SECONDS)
    raise Problem("build-slow", "The build has not ended.", f"Look at its log: {build.get('logUrl')}")


def _ended(build: dict[str, Any]) -> str:
    if build["status"] == "SUCCESS":
        return f"build {build['id']}"
    failed = next((step["id"] for step in build.get("steps", ()) if step.get("status") == "FAILURE"), None)
    where = f"at its step {failed}" if failed else f"({build['status']})"
    raise Problem(
        "build-failed",
        f"The build failed {where}. What served before it still serves; nothing was lost.",
        f"The end of its log says why: {build.get('logUrl')}",
    )


def released() -> bool:
    """Tell whether a released version is checked out, unchanged: its tests have run."""
    return _git("describe", "--exact-match", "--tags", "--match=v*", "HEAD") not in {None, ""} and (
        _git("status", "--porcelain", "--untracked-files=no") == ""
    )


def checked_out() -> str:
    """Return the version that is checked out, as git calls it."""
    return _git("describe", "--tags", "--always", "--dirty") or "unknown"


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def smoke_test(to: Install) -> str:
    """Drop a sample file as a person would, and show what comes of it."""
    _local(to, "make", ".venv/.run")
    _local(to, HEADRACE, "drop", SAMPLE, "--project", to.project, "--wait")
    return f"{SAMPLE} was analyzed"


def doctor(to: Install) -> str:
    """Let the doctor look at what runs."""
    _local(to, HEADRACE, "doctor", "--project", to.project)
    return "it runs"


def _local(to: Install, *command: str) -> None:
    code, output = to.shell.follow(*command)
    if code:
        raise Problem(
            "check-failed",
            f"Headrace is deployed, but {' '.join(command[:2])} failed: {last_line(output)}",
            "Do what it says above, and run the same command again.",
        )


def addresses(to: Install) -> dict[str, str]:
    """Return Terraform's outputs that are addresses."""
    printed = json.loads(to.shell.look(to.terraform, "-chdir=infra", "output", "-json") or "{}")
    return {name: printed[name]["value"] for name in ("console", "api") if name in printed}
