"""Do services and jobs run as accounts of their own, from images that cannot change, with pinned secrets?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.run_v2 import IngressTraffic, Job, Revision, Service

from cli.diagnosis.findings import Finding
from cli.security.buckets import judge_key
from cli.security.policies import INVOKER, PUBLIC, Binding, is_default, judge_resource
from shared.platform.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from google.cloud.run_v2 import Volume

    from cli.security.given import Kind
    from cli.security.policies import Accounts

    Run = Service | Job | Revision
    """A service stands for its template, which need not be what serves."""

ACCOUNTS, IMAGES, INGRESS, UNPINNED, ABUSE = "accounts", "images", "ingress", "unpinned", "abuse"
SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?|HASH)(?:_|$)")
_SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
API = "api"
"""The one function that people call."""
LONG_JOB = "long-job"
"""The program's name, whatever the job's is."""


def short(name: str) -> str:
    """Of a resource: the last part of its path."""
    return name.rpartition("/")[2]


def task(run: Run) -> Any:  # noqa: ANN401 - a revision, its or a task's template
    """What has containers and an account."""
    if isinstance(run, Revision):
        return run
    return run.template.template if isinstance(run, Job) else run.template


def named(run: Run) -> str:
    """A job's name, or a service's, also of its revisions."""
    return short(run.name.partition("/revisions/")[0])


def program(run: Run) -> str:
    """What runs there, of Headrace's programs."""
    return LONG_JOB if isinstance(run, Job) else named(run)


def environment(run: Run) -> dict[str, str]:
    """Its plain variables."""
    return {one.name: one.value for container in task(run).containers for one in container.env if one.value}


def update(run: Run, flags: str) -> str:
    """The command that changes it."""
    kind = "jobs" if isinstance(run, Job) else "services"
    return f"gcloud run {kind} update {named(run)} --region={_region(run.name)} {flags}"


def judge_service(run: Service | Job, serving: Sequence[Run] = ()) -> Iterator[Finding]:
    """Everything but who may call it; `serving`: the revisions to judge in place of the template."""
    for one in serving or (run,):
        yield _account(one)
        yield _images(one)
        yield from _secrets(one)
        if program(one) == API:
            yield _instances(one)
    if isinstance(run, Service):
        yield _ingress(run)


def judge_encryption(run: Run, *, required: bool) -> Finding:
    """By whose key its image is encrypted, where it runs."""
    key = task(run).encryption_key
    return judge_key(named(run), key, update(run, "--key=KEY"), required=required)


def judge_callers(run: Service | Job, granted: list[Binding], accounts: Accounts) -> Iterator[Finding]:
    """Who may call or start it: whom its policy names, or everybody, where Cloud Run is told not to ask."""
    kind: Kind = "job" if isinstance(run, Job) else "service"
    name, meant = short(run.name), kind == "service" and short(run.name) == API
    unasked = not isinstance(run, Job) and run.invoker_iam_disabled
    if unasked and meant:
        granted = [*granted, Binding(INVOKER, ("allUsers",))]
    elif unasked:
        detail = f"{name} is open to everybody: Cloud Run does not ask who calls it."
        yield Finding(PUBLIC, "wrong", detail, update(run, "--invoker-iam-check"))
    revoke = f"gcloud run {kind}s remove-iam-policy-binding {name} --region={_region(run.name)}"
    for found in judge_resource(kind, name, granted, accounts, revoke, meant=meant):
        if found.status != "ok" or meant or not unasked:
            yield found


def _account(run: Run) -> Finding:
    account, name = task(run).service_account, named(run)
    if not account or is_default(account):
        shown = account or "the default account"
        detail = f"{name} runs as {shown}, which other work shares."
        return Finding(ACCOUNTS, "wrong", detail, update(run, "--service-account=ITS_OWN"))
    return Finding(ACCOUNTS, "ok", f"{name}: {account}")


def judge_shared_accounts(used: Iterable[tuple[str, str]]) -> Finding:
    """Whether each service has an account of its own; `used` has names, each with an account."""
    sharing: dict[str, list[str]] = {}
    for name, account in sorted(set(used)):
        sharing.setdefault(account, []).append(name)
    shared = {account: names for account, names in sharing.items() if len(names) > 1}
    if shared:
        said = "; ".join(f"{', '.join(names)} as {account}" for account, names in shared.items())
        fix = "Give each an account of its own: what one may do, none of the others needs to."
        return Finding(ACCOUNTS, "warning", f"Several run as one account: {said}.", fix)
    return Finding(ACCOUNTS, "ok", "no two share an account")


def _images(run: Run) -> Finding:
    loose = [one.image for one in task(run).containers if "@sha256:" not in one.image]
    if loose:
        detail = f"{named(run)}: {', '.join(loose)} may be another image tomorrow."
        return Finding(IMAGES, "warning", detail, update(run, "--image=NAME@sha256:DIGEST"))
    return Finding(IMAGES, "ok", f"{named(run)}: by digest")


def _secrets(run: Run) -> Iterator[Finding]:
    """In variables and in files, whose secrets are versions that cannot change, or no secrets at all."""
    complaints = [*_variables(run), *_volumes(run)]
    yield from complaints
    if not complaints:
        detail = f"{named(run)}: no secret in its variables and volumes but by a pinned version"
        yield Finding(UNPINNED, "ok", detail)


def _variables(run: Run) -> Iterator[Finding]:
    name = named(run)
    for container in task(run).containers:
        for one in container.env:
            reference = one.value_source.secret_key_ref
            if reference.secret and not reference.version.isdigit():
                yield _unpinned(run, one.name, f"{name}: {one.name}", reference.secret, reference.version)
            elif one.name.endswith("_EMULATOR_HOST"):
                detail = f"{name}: {one.name} points it at an emulator."
                yield Finding(UNPINNED, "wrong", detail, update(run, f"--remove-env-vars={one.name}"))
            elif one.value and one.name not in _SETTINGS and SECRET_NAME.search(one.name):
                replace = update(run, f"--update-secrets={one.name}=SECRET:NUMBER")
                detail = f"{name}: {one.name} holds its value in plain sight."
                yield Finding(UNPINNED, "wrong", detail, f"Put it into Secret Manager, and {replace}")


def _volumes(run: Run) -> Iterator[Finding]:
    """A volume that names no versions has one file, named after the secret: its latest version."""
    for volume in task(run).volumes:
        if not volume.secret.secret:
            continue
        folder = _mounted(run, volume)
        files = {item.path: item.version for item in volume.secret.items}
        for path, version in (files or {short(volume.secret.secret): "latest"}).items():
            if not version.isdigit():
                file = f"{folder}/{path}"
                yield _unpinned(run, file, f"{named(run)}: {file}", volume.secret.secret, version)


def _unpinned(run: Run, target: str, what: str, secret: str, version: str) -> Finding:
    detail = f"{what} reads version {version or 'unset'} of {short(secret)}."
    return Finding(
        UNPINNED, "wrong", detail, update(run, f"--update-secrets={target}={short(secret)}:NUMBER")
    )


def _mounted(run: Run, volume: Volume) -> str:
    """Where the first container that has it finds it."""
    mounts = (one for container in task(run).containers for one in container.volume_mounts)
    return next((str(one.mount_path) for one in mounts if one.name == volume.name), f"volume {volume.name}")


def _ingress(service: Service) -> Finding:
    name = short(service.name)
    if service.ingress == IngressTraffic.INGRESS_TRAFFIC_ALL and short(name) != API:
        detail = f"{name} takes calls from the internet; Pub/Sub reaches it without."
        return Finding(INGRESS, "warning", detail, update(service, "--ingress=internal"))
    if service.ingress == IngressTraffic.INGRESS_TRAFFIC_UNSPECIFIED:
        return Finding(
            INGRESS, "warning", f"{name}: it is not said from where.", update(service, "--ingress=internal")
        )
    where = IngressTraffic(service.ingress).name.removeprefix("INGRESS_TRAFFIC_").replace("_", " ").lower()
    return Finding(INGRESS, "ok", f"{name}: {where}")


def _instances(run: Run) -> Finding:
    most = task(run).scaling.max_instance_count
    if not most:
        detail = f"{named(run)}: whoever calls it often enough decides how many instances you pay for."
        return Finding(ABUSE, "warning", detail, update(run, "--max-instances=NUMBER"))
    return Finding(ABUSE, "ok", f"{named(run)}: at most {most} instances")


def _region(name: str) -> str:
    return name.partition("/locations/")[2].partition("/")[0] or "REGION"
