"""`python -m deploy.promote` moves traffic to what was tried, function by function, and deploys the job.

Whoever is sent messages goes before whoever sends them, so that no message meets code older than its sender.
What served before keeps the tag `previous`: `python -m deploy.rollback` moves traffic back.
"""

from __future__ import annotations

import argparse
import sys

from deploy.candidate import VERSION_LABEL, tried
from deploy.functions import FUNCTIONS
from deploy.gcloud import Place, add_place, gcloud, reporting
from deploy.plan import JOB_IMAGE, Plan, Step, read_plan
from deploy.stage import version
from deploy.state import CANDIDATE, CONTENT, JOB, PREVIOUS, read_service
from shared.errors import SetupError

BEFORE_JOB = "analyze"
"""The last function before the job: ingest, which starts it, comes after."""


def promote(place: Place, plan: Plan) -> None:
    """Everything, in order.

    Raises:
        Retryable: gcloud failed; what has moved has moved, and the next build goes on from there.
    """
    for name in FUNCTIONS:
        move(place, name, plan.functions[name])
        if name == BEFORE_JOB and plan.job:
            deploy_job(place, plan.job)


def move(place: Place, name: str, step: Step) -> None:
    """Traffic of one function."""
    service = read_service(place, name)
    revision = tried(name, service)
    if step.action == "keep":
        # What an earlier deployment replaced is not what a rollback of this one goes back to.
        options = [f"--remove-tags={CANDIDATE}" if step.moved else "--clear-tags"]
    else:
        options = [f"--to-revisions={revision}=100"]
        options.append(f"--set-tags={PREVIOUS}={step.before}" if step.before else "--clear-tags")
    gcloud(place, "run", "services", "update-traffic", name, *options)
    print(f"{name}: {revision}")


def deploy_job(place: Place, digest: str) -> None:
    """Give the job its new image, named by digest; executions that are under way keep theirs.

    Raises:
        SetupError: no image was built.
    """
    image = JOB_IMAGE.read_text().strip() if JOB_IMAGE.is_file() else ""
    if "@sha256:" not in image:
        raise SetupError(f"The long job has changed, but {JOB_IMAGE} names no image of it by digest.")
    labels = f"{CONTENT}={digest},{VERSION_LABEL}={version().replace('.', '-')}"
    gcloud(place, "run", "jobs", "deploy", JOB, f"--image={image}", f"--labels={labels}")
    print(f"{JOB}: {image}")


def main(arguments: list[str] | None = None) -> int:
    """Move traffic, if the plan changes anything; the exit status is 1 where that failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.promote", description=__doc__)
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        plan = read_plan()
        if plan.changes:
            promote(Place.of(options), plan)
        else:
            print("nothing has changed")

    return reporting("promote", step)


if __name__ == "__main__":
    sys.exit(main())
