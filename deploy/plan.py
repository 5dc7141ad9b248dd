"""Decide what a deployment does, from what is deployed and what is staged.

A function is deployed anew only if its folder has changed; what an earlier build deployed and did not live to
serve is taken as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

from deploy.cloud import read_written
from deploy.stage import DIGEST_LENGTH, FUNCTIONS, ROOT, staged_digest

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploy.cloud import Service, State

PLAN_FILE = Path("build/plan.json")
VARIANT_FILE, JOB_UNCHANGED, JOB_IMAGE = (
    Path(f"build/job.{name}") for name in ("variant", "unchanged", "image")
)
"""Files for the step that builds the job's image, which has no Python; it writes the last one."""
JOB_SOURCES = ("long_job", "shared", "model_export", "training", "build/weights")
"""What the job's Dockerfile copies from, beside the model and the requirements of its variant."""


@dataclass(frozen=True)
class Step:
    """What becomes of one function."""

    action: Literal["keep", "reuse", "deploy"]
    digest: str
    """Digest of the folder as it is staged."""
    revision: str | None
    """The revision that is to serve; None: it is still to be deployed."""
    before: str | None
    """The revision that serves now, if a deployment made it."""


@dataclass(frozen=True)
class Plan:
    """What a deployment does."""

    functions: dict[str, Step]
    job: str | None
    """Digest of the job that is to be deployed; None: it stays, or there is none."""

    @property
    def changed(self) -> list[str]:
        """The functions that get another revision, in the order in which traffic moves."""
        return [name for name in FUNCTIONS if self.functions[name].action != "keep"]


_PLAN = TypeAdapter(Plan)


def decide(service: Service, wanted: str, *, fixed: bool = False) -> Step:
    """Decide what becomes of one function; `fixed`: it is not to change."""
    serving, latest = service.serving, service.latest
    before = serving.name if serving.digest else None
    if fixed or (serving.digest == wanted and serving.name == latest.name):
        return Step("keep", wanted, serving.name, before)
    # Deployed by a build that ended early; or configured anew by Terraform, which moves no traffic.
    if latest.digest == wanted:
        return Step("reuse", wanted, latest.name, before)
    return Step("deploy", wanted, None, before)


def plan(state: State, folders: dict[str, str], job: str | None, names: Collection[str]) -> Plan:
    """Decide everything; `folders` has the digest of each staged folder, `job` that of the job."""
    only = set(names) or set(FUNCTIONS)
    steps = {
        name: decide(state.services[name], folders.get(name, ""), fixed=name not in only)
        for name in FUNCTIONS
    }
    deployed = state.job is not None and not names and state.job.digest != job
    return Plan(steps, job if deployed else None)


def write_plan(state: State, names: Collection[str]) -> Plan:
    """Decide, and write the decision down for the steps that follow."""
    folders = {name: staged_digest(Path("build") / name) for name in names or FUNCTIONS}
    gpu = state.job is not None and state.job.gpu
    decided = plan(state, folders, job_digest(ROOT, gpu=gpu), names)
    VARIANT_FILE.write_text("-gpu" if gpu else "")
    for left in (JOB_UNCHANGED, JOB_IMAGE):
        left.unlink(missing_ok=True)
    if decided.job is None:
        JOB_UNCHANGED.touch()
    PLAN_FILE.write_bytes(_PLAN.dump_json(decided, indent=2))
    return decided


def read_plan() -> Plan:
    """Return what an earlier step decided."""
    return _PLAN.validate_json(read_written(PLAN_FILE))


def job_digest(root: Path, *, gpu: bool) -> str:
    """Return the digest of what the image is built from, and of the parts of `shared/` that it leaves out."""
    variant = "-gpu" if gpu else ""
    sources = (*JOB_SOURCES, f"build/model{variant}", f"requirements/long_job{variant}.txt")
    whole = hashlib.sha256()
    for path in sorted(path for source in sources for path in (root / source, *(root / source).rglob("*"))):
        if path.is_file() and path.parent.name != "__pycache__" and not path.name.startswith("."):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"\0{path.relative_to(root).as_posix()}\0{content}".encode())
    return whole.hexdigest()[:DIGEST_LENGTH]
