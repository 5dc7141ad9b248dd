"""Do services and jobs run as accounts of their own, from images that cannot change, with pinned secrets?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from google.cloud.run_v2 import IngressTraffic, Job

from cli.diagnosis.findings import Finding
from cli.security.policies import is_default
from shared.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from google.cloud.run_v2 import Service

ACCOUNTS, IMAGES, INGRESS, UNPINNED, ABUSE = "accounts", "images", "ingress", "unpinned", "abuse"
SECRET_NAME = re.compile(r"(?:^|_)(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?|HASH)(?:_|$)")
_SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
API = "api"
"""The one function that people call."""


def short(name: str) -> str:
    """Of a resource: the last part of its path."""
    return name.rpartition("/")[2]


def task(run: Service | Job) -> Any:  # noqa: ANN401 - a revision's or a task's template
    """What has containers and an account."""
    return run.template.template if isinstance(run, Job) else run.template


def environment(run: Service | Job) -> dict[str, str]:
    """Its plain variables."""
    return {one.name: one.value for container in task(run).containers for one in container.env if one.value}


def judge_service(run: Service | Job) -> Iterator[Finding]:
    """Everything but who may call it."""
    kind = "jobs" if isinstance(run, Job) else "services"
    update = f"gcloud run {kind} update {short(run.name)} --region={_region(run.name)}"
    yield _account(run, update)
    yield _images(run, update)
    yield from _variables(run, update)
    if not isinstance(run, Job):
        yield _ingress(run, update)
    if not isinstance(run, Job) and short(run.name) == API:
        yield _instances(run, update)


def _account(run: Service | Job, update: str) -> Finding:
    account, name = task(run).service_account, short(run.name)
    if not account or is_default(account):
        shown = account or "the default account"
        detail = f"{name} runs as {shown}, which other work shares."
        return Finding(ACCOUNTS, "wrong", detail, f"{update} --service-account=ITS_OWN")
    return Finding(ACCOUNTS, "ok", f"{name}: {account}")


def judge_shared_accounts(used: Mapping[str, str]) -> Finding:
    """Whether each service has an account of its own; `used` is the account of each."""
    sharing: dict[str, list[str]] = {}
    for name, account in sorted(used.items()):
        sharing.setdefault(account, []).append(name)
    shared = {account: names for account, names in sharing.items() if len(names) > 1}
    if shared:
        said = "; ".join(f"{', '.join(names)} as {account}" for account, names in shared.items())
        fix = "Give each an account of its own: what one may do, none of the others needs to."
        return Finding(ACCOUNTS, "warning", f"Several run as one account: {said}.", fix)
    return Finding(ACCOUNTS, "ok", "no two share an account")


def _images(run: Service | Job, update: str) -> Finding:
    loose = [one.image for one in task(run).containers if "@sha256:" not in one.image]
    if loose:
        detail = f"{short(run.name)}: {', '.join(loose)} may be another image tomorrow."
        return Finding(IMAGES, "warning", detail, f"{update} --image=NAME@sha256:DIGEST")
    return Finding(IMAGES, "ok", f"{short(run.name)}: by digest")


def _variables(run: Service | Job, update: str) -> Iterator[Finding]:
    name, complaints = short(run.name), 0
    for container in task(run).containers:
        for one in container.env:
            reference = one.value_source.secret_key_ref
            if reference.secret and not reference.version.isdigit():
                version = reference.version or "unset"
                fix = f"{update} --update-secrets={one.name}={short(reference.secret)}:NUMBER"
                detail = f"{name}: {one.name} reads version {version} of {short(reference.secret)}."
                yield Finding(UNPINNED, "wrong", detail, fix)
            elif one.name.endswith("_EMULATOR_HOST"):
                detail = f"{name}: {one.name} points it at an emulator."
                yield Finding(UNPINNED, "wrong", detail, f"{update} --remove-env-vars={one.name}")
            elif one.value and one.name not in _SETTINGS and SECRET_NAME.search(one.name):
                fix = f"Put it into Secret Manager, and {update} --update-secrets={one.name}=SECRET:NUMBER"
                yield Finding(UNPINNED, "wrong", f"{name}: {one.name} holds its value in plain sight.", fix)
            else:
                continue
            complaints += 1
    if not complaints:
        yield Finding(UNPINNED, "ok", f"{name}: no secret in its variables but by a pinned version")


def _ingress(service: Service, update: str) -> Finding:
    name = short(service.name)
    if service.ingress == IngressTraffic.INGRESS_TRAFFIC_ALL and short(name) != API:
        detail = f"{name} takes calls from the internet; Pub/Sub reaches it without."
        return Finding(INGRESS, "warning", detail, f"{update} --ingress=internal")
    if service.ingress == IngressTraffic.INGRESS_TRAFFIC_UNSPECIFIED:
        return Finding(
            INGRESS, "warning", f"{name}: it is not said from where.", f"{update} --ingress=internal"
        )
    where = IngressTraffic(service.ingress).name.removeprefix("INGRESS_TRAFFIC_").replace("_", " ").lower()
    return Finding(INGRESS, "ok", f"{name}: {where}")


def _instances(service: Service, update: str) -> Finding:
    most = service.template.scaling.max_instance_count
    if not most:
        detail = (
            f"{short(service.name)}: whoever calls it often enough decides how many instances you pay for."
        )
        return Finding(ABUSE, "warning", detail, f"{update} --max-instances=NUMBER")
    return Finding(ABUSE, "ok", f"{short(service.name)}: at most {most} instances")


def _region(name: str) -> str:
    return name.partition("/locations/")[2].partition("/")[0] or "REGION"
