"""Deploy new revisions without traffic, try them, move traffic to them, and move it back where that fails.

Traffic moves to who receives messages before who sends them, so that no message meets code older than its
sender, and back in the opposite order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import trial
from deploy.cloud import (
    BUILDER,
    CANDIDATE,
    CONTENT,
    JOB,
    MODEL,
    VERSION,
    gcloud,
    identity_token,
    place,
    read_service,
    serve,
)
from deploy.plan import JOB_IMAGE
from deploy.record import Record, read
from deploy.stage import BASE_IMAGE, DIGEST_LENGTH, FUNCTIONS, version
from shared.platform.errors import Retryable, SetupError

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploy.cloud import Revision, Service, State
    from deploy.plan import Plan, Step

BEFORE_JOB = "analyze"
"""The last function before the job: ingest, which starts it, comes after."""
ALL = 100
"""Percent."""


def roll_out(state: State, plan: Plan, deployment: str) -> None:
    """Do what was planned when `state` was read, or nothing where nothing has changed.

    Raises:
        Exception: it failed, or another deployment came between. What had moved has moved back; of what was
            deployed, the next deployment builds nothing again.
    """
    place()  # before the record is taken: nothing can be done where a variable is missing
    last, generation, _ = read()
    if last.finished and not plan.changed and plan.job is None and generation == state.generation:
        print("nothing has changed")
        return
    held = Record.take(deployment, generation=state.generation)
    try:
        trial.clear()
        candidates = _deploy(plan, held)
        for name, service in candidates.items():
            _try(name, service, at_tag=True)
            held.write()
        _move(plan, held, candidates)
        # Also what an earlier deployment has moved that was killed.
        for name in FUNCTIONS:
            if name in candidates or name in held.before:
                held.write()
                _try(name, read_service(name), at_tag=False)
    except Exception:
        _move_back(held, list(held.before))
        trial.clear()
        held.finish()
        raise
    trial.clear()
    held.finish()


def _deploy(plan: Plan, held: Record) -> dict[str, Service]:
    """Make the candidates; return the services with their tags.

    Each is built by a build of its own in the pool in which this one runs, whose processors a new project
    cannot raise above five: one after another fit beside this one, several at once would wait for each other.
    """
    services = {}
    for name in plan.changed:
        services[name] = prepare(name, plan.functions[name])
        print(f"{name}: {services[name].candidate} ({plan.functions[name].action})")
        held.write()
    return services


def prepare(name: str, step: Step) -> Service:
    """Make a function's candidate; return its service.

    Raises:
        Retryable: gcloud failed, or the revision is not what was asked for.
    """
    if step.action == "deploy":
        gcloud("run", "deploy", name, *_flags(name, step))
    service = read_service(name)
    if step.action == "deploy" and service.latest.digest != step.digest:
        raise Retryable(f"The newest revision of {name}, {service.latest.name}, is not this deployment's.")
    revision = step.revision or service.latest.name
    if service.candidate != revision:
        # Not by `run deploy --tag`, which would leave the revision's name in the service's template:
        # Terraform's next change would ask for another revision of that name, and be refused.
        tag = f"--update-tags={CANDIDATE}={revision}"
        gcloud("run", "services", "update-traffic", name, tag)
        service = read_service(name)
    return service


def _flags(name: str, step: Step) -> list[str]:
    # What a service is given, from memory to identity, is Terraform's; a deployment brings the code alone.
    project, _, repository = place()
    account = f"{BUILDER}@{project}.iam.gserviceaccount.com"
    labels = {CONTENT: step.digest, VERSION: version().replace(".", "-")}
    if FUNCTIONS[name].model:
        manifest = json.loads(Path(f"build/{name}/model/manifest.json").read_text())
        labels[MODEL] = manifest["digest"][:DIGEST_LENGTH]
    return [
        f"--source=build/{name}",
        f"--function={name}",
        f"--base-image={BASE_IMAGE}",
        "--automatic-updates",
        f"--image={repository}/{name}",
        f"--build-service-account=projects/{project}/serviceAccounts/{account}",
        "--no-traffic",
        f"--update-labels={','.join(f'{label}={value}' for label, value in labels.items())}",
    ]


def _try(name: str, service: Service, *, at_tag: bool) -> None:
    if service.closed:
        _see_started(name, service, service.latest if at_tag else service.serving)
        return
    address = service.candidate_url if at_tag else service.url
    assert address is not None
    # The token's audience is the service itself, whatever the tag.
    token = identity_token(service.url)
    model = Path(f"build/{name}/model") if FUNCTIONS[name].model else None
    print(
        f"{name}: {trial.attempt(trial.Target(name, address, token, model, whole=not at_tag))} at {address}"
    )


def _see_started(name: str, service: Service, revision: Revision) -> None:
    """Take Cloud Run's word for a revision that cannot be called: it asked for a page before it was ready."""
    if revision.probe is None or revision.probe != trial.PAGES.get(name):
        raise SetupError(
            f"{name} cannot be tried: it is {service.closed}, and Cloud Run asks {revision.name} for no page "
            "as it starts. What Terraform makes can be tried: terraform -chdir=infra apply"
        )
    print(f"{name}: not called, it is {service.closed}; {revision.name} gave {revision.probe} as it started")


def _move(plan: Plan, held: Record, candidates: dict[str, Service]) -> None:
    before = {name: of for name in candidates if (of := plan.functions[name].before)}
    held.before = before | held.before  # what served first is what a rollback goes back to
    held.write()
    for name in FUNCTIONS:
        if name in candidates:
            assert candidates[name].candidate is not None
            serve(name, str(candidates[name].candidate))
        if name == BEFORE_JOB and plan.job:
            deploy_job(plan.job)


def _move_back(held: Record, names: list[str]) -> None:
    for name in reversed(FUNCTIONS):
        if name in names:
            held.write()  # stops here where another deployment has taken the record
            serve(name, held.before[name])
            del held.before[name]


def deploy_job(digest: str) -> None:
    """Give the job its new image, named by digest; executions that are under way keep theirs.

    Raises:
        SetupError: no image was built.
    """
    image = JOB_IMAGE.read_text().strip() if JOB_IMAGE.is_file() else ""
    if "@sha256:" not in image:
        raise SetupError(f"The long job has changed, but {JOB_IMAGE} names no image of it by digest.")
    labels = f"{CONTENT}={digest},{VERSION}={version().replace('.', '-')}"
    gcloud("run", "jobs", "deploy", JOB, f"--image={image}", f"--labels={labels}")
    print(f"{JOB}: {image}")


def roll_back(names: Collection[str]) -> None:
    """Serve again what served before the last deployment; twice is as once.

    A deployment that is under way stops at its next step. The long job has no traffic to move: build the
    earlier commit again.
    """
    place()
    held = Record.take("rollback", rollback=True)
    known = held.before
    for name in names:
        if name not in known:
            print(f"{name}: nothing to go back to, the last deployment has not moved it")
    _move_back(held, [name for name in names if name in known])
    held.finish()


def promote(names: Collection[str]) -> None:
    """Serve what `terraform apply` has configured anew, where its code is what serves.

    A change of environment, memory or instances makes a revision of the code that was deployed last, and no
    traffic moves to it. Any other code is to be tried first. Twice is as once.

    Raises:
        SetupError: the newest revision of one may not serve; then none has moved.
        Retryable: gcloud failed; the next call goes on from there.
    """
    moving = {}
    for name in names:
        service = read_service(name)
        newest, serving = service.latest, service.serving
        if service.created != newest.name:
            raise SetupError(f"{name}: {service.created}, the newest, has not started. Its log says why.")
        if (newest.digest, newest.image) != (serving.digest, serving.image):
            raise SetupError(
                f"{name}: {newest.name}, the newest, has other code than {serving.name}, which serves: "
                "it was rolled back, or never tried. Build what is to serve: docs/deploy.md"
            )
        if newest.name != serving.name or service.share != ALL:
            moving[name] = service
    if moving:
        held = Record.take("promote")
        for name, service in moving.items():
            if service.latest.name != service.serving.name:
                held.before.setdefault(name, service.serving.name)
            held.write()
            serve(name, service.latest.name)
        held.finish()
