"""`python -m deploy.promote` moves traffic to what was tried, function by function, and deploys the job.

Whoever is sent messages goes before whoever sends them, so that no message meets code older than its sender.
What served before keeps the tag `previous`: `python -m deploy.rollback` moves traffic back.

What is deployed was read when the build began, and much can happen in its hour: so nothing moves, and no
build is green, unless all still serves what served then. A promotion that has begun is named by a tag of the
last function, whose own move takes the tag away, and by the same tag of each that it has moved: so another
build stops, and the one that finishes it knows what to leave as it is.
"""

from __future__ import annotations

import argparse
import secrets
import sys

from deploy.candidate import VERSION_LABEL, tried
from deploy.functions import FUNCTIONS, LAST
from deploy.gcloud import Place, add_place, gcloud, reporting
from deploy.plan import JOB_IMAGE, Plan, Step, read_plan
from deploy.stage import version
from deploy.state import (
    CANDIDATE,
    CONTENT,
    JOB,
    PREVIOUS,
    PROMOTION,
    Service,
    State,
    load,
    read_job,
    read_service,
)
from shared.platform.errors import Retryable, SetupError

BEFORE_JOB = "analyze"
"""The last function before the job: ingest, which starts it, comes after."""


def check(began: State, now: State) -> None:
    """Whether all is deployed as it was when this build began.

    Raises:
        Retryable: it is not; what this build decided and tried is of a state that is no more.
    """
    for name in FUNCTIONS:
        same(name, began.services[name], now.services[name])
    if began.services[LAST].promotions != now.services[LAST].promotions:
        raise Retryable("Another build has begun to promote since this one began. Build again.")
    if (began.job and began.job.digest) != (now.job and now.job.digest):
        raise Retryable(f"{JOB}: another build has deployed it since this one began. Build again.")


def same(name: str, began: Service, now: Service) -> None:
    """The same of one function's traffic."""
    if began.serving.name != now.serving.name:
        raise Retryable(
            f"{name}: another build, a rollback or `make promote` has moved its traffic since this build "
            f"began ({now.serving.name}, not {began.serving.name}). Build again."
        )


def promote(place: Place, plan: Plan, began: State, now: State) -> None:
    """Everything, in order; `began` and `now` is what was deployed when the build began, and is.

    Raises:
        Retryable: another build has come between, or gcloud failed; what has moved has moved, and the next
            build goes on from there.
    """
    for name in FUNCTIONS:
        tried(name, now.services[name])
    promotion = plan.promotion or PROMOTION + secrets.token_hex(4)
    if plan.promotion is None:
        tag = f"--update-tags={promotion}={now.services[LAST].serving.name}"
        gcloud(place, "run", "services", "update-traffic", LAST, tag)
    for name in FUNCTIONS:
        move(place, name, plan.functions[name], began.services[name], promotion)
        if name == BEFORE_JOB and plan.job:
            deploy_job(place, plan.job)


def move(place: Place, name: str, step: Step, began: Service, promotion: str) -> None:
    """Traffic of one function."""
    service = read_service(place, name, names_only=True)
    same(name, began, service)
    revision = tried(name, service)
    if step.action == "keep":
        # What an earlier deployment replaced is not what a rollback of this one goes back to.
        options = [f"--remove-tags={CANDIDATE}" if step.moved else "--clear-tags"]
    else:
        tags = {PREVIOUS: step.before, promotion: revision if name != LAST else None}
        kept = ",".join(f"{tag}={of}" for tag, of in tags.items() if of)
        options = [f"--to-revisions={revision}=100", f"--set-tags={kept}" if kept else "--clear-tags"]
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
    """Move traffic, if the plan changes anything; the exit status is 1 where that failed or came too late."""
    parser = argparse.ArgumentParser(prog="python -m deploy.promote", description=__doc__)
    add_place(parser)
    options = parser.parse_args(arguments)

    def step() -> None:
        plan, began, place = read_plan(), load(), Place.of(options)
        services = {name: read_service(place, name, names_only=True) for name in FUNCTIONS}
        now = State(services, read_job(place))
        check(began, now)
        if plan.changes:
            promote(place, plan, began, now)
        else:
            print("nothing has changed")

    return reporting("promote", step)


if __name__ == "__main__":
    sys.exit(main())
