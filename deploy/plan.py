"""`python -m deploy.plan [NAME...]` decides what a deployment does, by what is deployed and what is staged.

A function is deployed anew only if its folder has changed; what an earlier build deployed and did not live to
promote is taken as it is. With names, other functions stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from deploy.functions import FUNCTIONS, LAST
from deploy.gcloud import reporting
from deploy.job import job_digest
from deploy.stage import ROOT, digest, named
from deploy.state import Service, State, load, under_way
from shared.platform.errors import SetupError

PLAN_FILE = Path("build/plan.json")
VARIANT_FILE, JOB_DONE, JOB_IMAGE = (Path(f"build/job.{name}") for name in ("variant", "unchanged", "image"))
"""For the step that builds the job's image, which has no Python; in the last it names what it pushed."""
Action = Literal["keep", "reuse", "deploy"]


@dataclass(frozen=True)
class Step:
    """What becomes of one function."""

    action: Action
    digest: str
    """Of the folder as it is staged."""
    revision: str | None
    """That takes part in the smoke test; None: the one that is still to be deployed."""
    before: str | None
    """The revision that serves now, if a deployment made it; where it has moved, the one before."""
    moved: bool = False
    """Whether a promotion that broke off has moved it: this one finishes that."""


@dataclass(frozen=True)
class Plan:
    """What a deployment does."""

    functions: dict[str, Step]
    job: str | None
    """Digest of the job that is to be deployed; None: it stays, or there is none."""
    promotion: str | None = None
    """Tag of a promotion that broke off, which this one finishes."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        begun = self.job is not None or self.promotion is not None
        return begun or any(step.action != "keep" for step in self.functions.values())


def decide(service: Service, wanted: str, *, fixed: bool = False) -> Step:
    """One function's step; `fixed`: it is not to change."""
    before = service.serving.name if service.serving.digest else None
    if fixed or (service.serving.digest == wanted and service.serving.name == service.latest.name):
        return Step("keep", wanted, service.serving.name, before)
    # Deployed by a build that ended early; or configured anew by Terraform, which moves no traffic.
    if service.latest.digest == wanted:
        return Step("reuse", wanted, service.latest.name, before)
    return Step("deploy", wanted, None, before)


def plan(state: State, folders: dict[str, str], job: str | None, names: list[str]) -> Plan:
    """The whole deployment; `folders` has the digest of each staged folder, `job` that of the job.

    Raises:
        SetupError: some alone are named, while a promotion that broke off is to be finished.
    """
    only = set(names) or set(FUNCTIONS)
    promotion = under_way(state.services)
    if names and promotion:
        # Moving the last one would end it, with the others where they are and their way back lost.
        raise SetupError("A promotion broke off; a build finishes it first: gcloud builds submit")
    steps = {}
    for name in FUNCTIONS:
        service = state.services[name]
        step = decide(service, folders.get(name, ""), fixed=name not in only)
        if name != LAST and promotion in service.promotions:
            # What it was moved to may be replaced once more; a rollback goes back beyond both.
            step = replace(step, moved=True, before=service.previous)
        steps[name] = step
    deployed = state.job is not None and not names and state.job.digest != job
    return Plan(steps, job if deployed else None, promotion)


def staged_digest(folder: Path) -> str:
    """Of a folder that `deploy.stage` made.

    Raises:
        SetupError: it did not.
    """
    if not (folder / "main.py").is_file():
        raise SetupError(f"{folder} is missing: python -m deploy.stage comes first.")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return digest({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


def read_plan(path: Path = PLAN_FILE) -> Plan:
    """What an earlier step decided.

    Raises:
        SetupError: none did.
    """
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        raise SetupError(f"{path} is missing: python -m deploy.plan comes first.") from None
    steps = {name: Step(**step) for name, step in stored["functions"].items()}
    return Plan(steps, stored["job"], stored["promotion"])


def main(arguments: list[str] | None = None) -> int:
    """Decide, and say it; the exit status is 1 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.plan", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions (default: all, and the job)")
    options = parser.parse_args(arguments)

    def step() -> None:
        state = load()
        functions = named(options.names)
        folders = {function.name: staged_digest(Path("build") / function.name) for function in functions}
        gpu = state.job is not None and state.job.gpu
        made = plan(state, folders, job_digest(ROOT, gpu=gpu), options.names)
        VARIANT_FILE.write_text("-gpu" if gpu else "")
        for left in (JOB_DONE, JOB_IMAGE):
            left.unlink(missing_ok=True)
        if made.job is None:
            JOB_DONE.touch()
        fresh = PLAN_FILE.with_suffix(".tmp")
        fresh.write_text(json.dumps(asdict(made), indent=2) + "\n")
        os.replace(fresh, PLAN_FILE)  # noqa: PTH105 - a file onto another, at once
        for name, one in made.functions.items():
            print(f"{name:<11} {one.action:<7} {one.digest}")
        print(f"{'long-job':<11} {'deploy' if made.job else 'keep'}")

    return reporting("plan", step)


if __name__ == "__main__":
    sys.exit(main())
