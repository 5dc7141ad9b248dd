"""`python -m deploy.state` writes down what is deployed: for each function what serves, and the job's image.

A revision carries the digest of the folder that it was made from as a label.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.functions import FUNCTIONS, LAST
from deploy.gcloud import Place, add_place, described, reporting
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT = "headrace-content"
"""Label with the digest."""
MODEL = "headrace-model"
"""Label with the beginning of the model's digest, of which all would be too long."""
CANDIDATE, PREVIOUS = "candidate", "previous"
"""Tags: of the revision that is tried, and of the one that served before."""
PROMOTION = "promotion-"
"""Begins a tag that says which promotion moved the function last, and of the last one, which is under way."""
JOB = "long-job"
STATE_FILE = Path("build/state.json")
GPU = "nvidia.com/gpu"
PUBLIC = "all"
"""Ingress with which anybody can reach a service, if they may call it."""


@dataclass(frozen=True)
class Revision:
    """One of a service."""

    name: str
    digest: str | None
    """None: it was not made here, as Terraform's placeholder."""
    image: str = ""
    """As its configuration names it."""
    model: str | None = None
    """As its label has it; None: it has no model, or was made when there was no such label."""


@dataclass(frozen=True)
class Service:
    """A function as it is deployed."""

    serving: Revision
    """What all traffic goes to, or most."""
    latest: Revision
    """What was made last, by a deployment or by Terraform, and has started."""
    candidate: str | None
    previous: str | None
    """Revisions of these tags."""
    url: str
    candidate_url: str | None
    ingress: str
    created: str
    """What was made last, whether it has started or not."""
    share: int
    """Percent of all traffic that `serving` gets."""
    promotions: list[str] = field(default_factory=list)
    """Tags: of the promotion that moved it; of the last one, of those that began: two, if two did at once."""


def under_way(services: Mapping[str, Service]) -> str | None:
    """Tag of the promotion that began and is not done; of several, that of the one that has moved something.

    The last function has it before any moves, and moving that one takes it away.
    """
    begun = services[LAST].promotions
    moved = {tag for name, service in services.items() if name != LAST for tag in service.promotions}
    return next((tag for tag in begun if tag in moved), begun[0] if begun else None)


@dataclass(frozen=True)
class Job:
    """The long job as it is deployed."""

    digest: str | None
    gpu: bool


@dataclass(frozen=True)
class State:
    """All that is deployed."""

    services: dict[str, Service]
    job: Job | None
    """None: there is none in this project."""


def read_service(place: Place, name: str, *, names_only: bool = False) -> Service:
    """A function's service; of its revisions no more than their names, where these are enough.

    Raises:
        SetupError: there is none.
    """
    found = described(place, "run", "services", "describe", name)
    if found is None:
        raise SetupError(
            f"There is no service {name} in {place.region}. Make it first: terraform -chdir=infra apply"
        )
    traffic = found["status"].get("traffic") or []
    most: dict[str, Any] = max(traffic, key=lambda part: part.get("percent", 0), default={})
    latest = found["status"].get("latestReadyRevisionName", "")
    tagged = {part["tag"]: part for part in traffic if part.get("tag")}
    serving = most.get("revisionName") or latest
    revisions = {
        name: Revision(name, None) if names_only else _revision(place, name) for name in {latest, serving}
    }
    return Service(
        serving=revisions[serving],
        latest=revisions[latest],
        candidate=tagged.get(CANDIDATE, {}).get("revisionName"),
        previous=tagged.get(PREVIOUS, {}).get("revisionName"),
        url=found["status"]["url"],
        candidate_url=tagged.get(CANDIDATE, {}).get("url"),
        ingress=_annotations(found).get("run.googleapis.com/ingress", PUBLIC),
        created=found["status"].get("latestCreatedRevisionName", ""),
        share=most.get("percent", 0),
        promotions=sorted(tag for tag in tagged if tag.startswith(PROMOTION)),
    )


def _revision(place: Place, name: str) -> Revision:
    found = described(place, "run", "revisions", "describe", name) or {}
    containers = found.get("spec", {}).get("containers") or [{}]
    labels = found.get("metadata", {}).get("labels", {})
    return Revision(name, labels.get(CONTENT), containers[0].get("image", ""), labels.get(MODEL))


def _annotations(found: Mapping[str, Any]) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def read_job(place: Place) -> Job | None:
    """The long job, where there is one."""
    found = described(place, "run", "jobs", "describe", JOB)
    if found is None:
        return None
    task = found["spec"]["template"]["spec"]["template"]["spec"]
    limits = task["containers"][0].get("resources", {}).get("limits", {})
    return Job((found["metadata"].get("labels") or {}).get(CONTENT), GPU in limits)


def read(place: Place) -> State:
    """Everything."""
    return State({name: read_service(place, name) for name in FUNCTIONS}, read_job(place))


def load(path: Path = STATE_FILE) -> State:
    """What an earlier step wrote down.

    Raises:
        SetupError: none did.
    """
    try:
        stored = json.loads(path.read_text())
    except FileNotFoundError:
        raise SetupError(f"{path} is missing: python -m deploy.state comes first.") from None
    services = {
        name: Service(
            **{**fields, "serving": Revision(**fields["serving"]), "latest": Revision(**fields["latest"])}
        )
        for name, fields in stored["services"].items()
    }
    return State(services, Job(**stored["job"]) if stored["job"] else None)


def main(arguments: list[str] | None = None) -> int:
    """Write the file; the exit status is 1 where the cloud could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m deploy.state", description=__doc__)
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        state = read(Place.of(options))
        STATE_FILE.parent.mkdir(exist_ok=True)
        STATE_FILE.write_text(json.dumps(asdict(state), indent=2) + "\n")

    return reporting("state", step)


if __name__ == "__main__":
    sys.exit(main())
