"""`headrace doctor --security`: check who can get in.

Four questions are asked of what serves: what is open to everybody, which accounts may act as others or
administer, which keys exist and how old they are, and whether what runs is pinned. What a local stack does
not have, and what the caller may not read, is reported as unknown. docs/security.md names the tools for the
rest (encryption, retention, drift from Terraform, vulnerabilities).

The `judge_…` functions are pure: they take what Google's clients return.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

from google.cloud.run_v2 import IngressTraffic, Job, Revision, Service
from google.cloud.secretmanager_v1 import SecretVersion

from cli.connect import CALL_SECONDS, region, shares, short
from cli.doctor import Target, find_target, guarded
from local.services import SIZES
from shared.api.findings import Finding
from shared.documents.store import now
from shared.platform.clients import LIMITS, jobs, publisher, secrets, storage_client
from shared.platform.settings import TOPICS, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from google.cloud.iam_admin_v1 import ServiceAccountKey

    from shared.api.findings import Status

    Run = Service | Job | Revision

PUBLIC, ROLES, ACCOUNT_KEYS, SECRETS = "public access", "roles", "account keys", "secret versions"
ACCOUNTS, IMAGES, UNPINNED, ASKED = "accounts", "images", "unpinned", "API without key"
CHECKS = (PUBLIC, ROLES, ACCOUNT_KEYS, SECRETS, ACCOUNTS, IMAGES, UNPINNED, ASKED)
FUNCTIONS = {*SIZES, "digest"}
API = "api"
ASK_FOR_A_KEY = frozenset({API, "console"})
"""Functions that people call, and that ask for a key themselves."""
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
INVOKER = "roles/run.invoker"
CHANGING = frozenset(f"roles/{name}" for name in ("owner", "editor", "admin", "writer"))
"""Basic roles that change things in every service."""
ADMIN = re.compile(r"roles/[\w.]{1,200}admin|roles/datastore\.owner", re.IGNORECASE)
ACTS_AS = re.compile(
    r"roles/iam\.(serviceAccount(User|TokenCreator|OpenIdTokenCreator)|workloadIdentityUser)"
)
DEFAULT_ACCOUNT = re.compile(r"(?:\d{1,30}-compute@developer|[^@]{1,100}@appspot)\.gserviceaccount\.com")
GOOGLES = re.compile(
    r"service-[\w-]{1,60}@[a-z0-9.-]{1,100}\.gserviceaccount\.com|\d{1,30}@cloudservices\.gserviceaccount\.com"
)
"""Service agents, which Google makes and grants: https://docs.cloud.google.com/iam/docs/service-agents."""
SECRET_DAYS, ACCOUNT_KEY_DAYS = 365, 90
PERMISSIONS = "roles/iam.securityReviewer, roles/viewer and roles/browser"
UNAUTHORISED, SUCCESS = (401, 403), range(200, 300)
_USER_MANAGED = 1


class Grant(NamedTuple):
    """A role that a member has."""

    role: str
    member: str


def audit(data: Path, project: str | None, model: Path, domain: str | None) -> Iterator[Finding]:
    """Yield every finding about the stack on `data`, or about a project in the cloud.

    `domain` is the one at which a load balancer serves the API, if there is one.
    """
    target, finding = find_target(data, project, model)
    if target is None:
        yield finding
        return
    checks: dict[str, Iterator[Finding]] = {}
    if target.cloud:
        checks = {ROLES: check_project(), ACCOUNT_KEYS: check_account_keys()}
        checks |= {PUBLIC: check_stores(), IMAGES: check_services()}
    else:
        absent = (PUBLIC, ROLES, ACCOUNT_KEYS, ACCOUNTS, IMAGES, UNPINNED)
        yield from (Finding(name, "unknown", "not on a local stack") for name in absent)
    checks |= {
        SECRETS: check_secrets(cloud=target.cloud),
        ASKED: check_entrance(target, domain),
    }
    for name, findings in checks.items():
        yield from guarded(name, findings, "unknown", PERMISSIONS)


def check_project() -> Iterator[Finding]:
    """Judge the project's own policy."""
    from google.cloud.resourcemanager_v3 import ProjectsClient

    policy = _policy(ProjectsClient(), f"projects/{settings().project}")
    revoke = f"gcloud projects remove-iam-policy-binding {settings().project}"
    yield from judge_policy(f"project {settings().project}", policy, revoke, is_project=True)


def check_account_keys() -> Iterator[Finding]:
    """Judge the keys of every service account of the project."""
    from google.cloud.iam_admin_v1 import IAMClient, ListServiceAccountKeysRequest

    client, kind = IAMClient(), ListServiceAccountKeysRequest.KeyType.USER_MANAGED
    for account in client.list_service_accounts(name=f"projects/{settings().project}", **LIMITS):
        request = {"name": f"projects/-/serviceAccounts/{account.email}", "key_types": [kind]}
        keys = client.list_service_account_keys(request=request, **LIMITS).keys
        yield from judge_account_keys(account.email, keys, now())


def check_stores() -> Iterator[Finding]:
    """Judge who may read buckets and topics."""
    made = settings()
    for name in (made.uploads_bucket, made.work_bucket, made.models_bucket, made.results_bucket):
        bucket = storage_client().lookup_bucket(name, **LIMITS)
        if bucket is None:  # `headrace doctor` reports it
            continue
        access = bucket.iam_configuration
        uniform = bool(access.uniform_bucket_level_access_enabled)
        yield judge_bucket(name, uniform=uniform, prevention=access.public_access_prevention)
        policy = grants(bucket.get_iam_policy(requested_policy_version=3, **LIMITS))
        revoke = f"gcloud storage buckets remove-iam-policy-binding gs://{name}"
        yield from judge_policy(f"gs://{name}", policy, revoke)
    for topic in TOPICS:
        policy = _policy(publisher(), f"projects/{made.project}/topics/{topic}")
        revoke = f"gcloud pubsub topics remove-iam-policy-binding {topic}"
        yield from judge_policy(f"topic {topic}", policy, revoke)


def check_services() -> Iterator[Finding]:
    """Judge each service, by its revisions that have traffic, and the job."""
    from google.cloud.run_v2 import RevisionsClient, ServicesClient

    client, revisions = ServicesClient(), RevisionsClient()
    services = client.list_services(parent=region(), **LIMITS)
    runs: list[Service | Job] = [service for service in services if short(service.name) in FUNCTIONS]
    if not runs:
        detail = f"There are no services in {region()}."
        yield Finding(IMAGES, "unknown", detail, "HEADRACE_JOB_LOCATION=REGION")
    if settings().job_name:
        runs.append(jobs().get_job(name=f"{region()}/jobs/{settings().job_name}", **LIMITS))
    for run in runs:
        traffic = shares(run) if isinstance(run, Service) else {}
        serving: list[Run] = [
            revisions.get_revision(name=f"{run.name}/revisions/{name}", **LIMITS) for name in sorted(traffic)
        ]
        for revision in serving or [run]:
            yield from judge_run(revision)
        yield from judge_callers(run, _policy(client if isinstance(run, Service) else jobs(), run.name))


def check_secrets(*, cloud: bool) -> Iterator[Finding]:
    """Judge the versions of the secrets that every deployment has, and who may read them."""
    made = settings()
    keys = (made.api_key_hash, made.api_key_hash_version)
    for name, used in ((made.redaction_key, made.redaction_key_version), keys):
        path = f"projects/{made.project}/secrets/{name}"
        versions = secrets().list_secret_versions(request={"parent": path}, **LIMITS)
        yield judge_version(name, used, versions, now(), lasting=name == made.redaction_key)
        if cloud:
            revoke = f"gcloud secrets remove-iam-policy-binding {name}"
            yield from judge_policy(f"secret {name}", _policy(secrets(), path), revoke)


def check_entrance(target: Target, domain: str | None) -> Iterator[Finding]:
    """Call the API without a key wherever a stranger could reach it."""
    addresses = [f"https://{domain}"] if domain else []
    if target.cloud:
        from google.cloud.run_v2 import ServicesClient

        api = ServicesClient().get_service(name=f"{region()}/services/{API}", **LIMITS)
        if api.ingress == IngressTraffic.INGRESS_TRAFFIC_ALL and not api.default_uri_disabled:
            addresses.append(api.uri)
        close = update(api, "--ingress=internal")
    else:
        processes = target.stack["processes"] if target.stack else []
        addresses += [f"http://127.0.0.1:{each['port']}" for each in processes if each["name"] == API]
        close = "stop the stack"
    if not addresses:
        detail = "the API's own address takes no calls from the internet, and no domain was given"
        yield Finding(ASKED, "unknown", detail, "headrace doctor --security --domain=DOMAIN, as in infra/")
    for address in addresses:
        try:
            with urllib.request.urlopen(f"{address}/v1/documents", timeout=CALL_SECONDS) as response:  # noqa: S310 - the stack's own, or the service's
                status = int(response.status)
        except urllib.error.HTTPError as error:
            status = error.code
        yield judge_answer(address, status, f"Until you know why: {close}")


def _policy(client: Any, resource: str) -> list[Grant]:  # noqa: ANN401 - each service has a class of its own
    """Return who has which role on a resource, with conditions, which older forms leave out."""
    request = {"resource": resource, "options": {"requested_policy_version": 3}}
    return grants(client.get_iam_policy(request=request, **LIMITS))


def grants(policy: Any) -> list[Grant]:  # noqa: ANN401 - Cloud Storage has a class of its own
    """Return the roles that a policy grants, whichever client it comes from."""
    pairs = (
        (binding["role"], binding["members"])
        if isinstance(binding, dict)
        else (binding.role, binding.members)
        for binding in policy.bindings
    )
    return sorted(Grant(role, member) for role, members in pairs for member in members)


def judge_policy(
    what: str, policy: Sequence[Grant], revoke: str, *, is_project: bool = False
) -> Iterator[Finding]:
    """Judge who has roles on something; `revoke` takes one away, without its member and role."""
    public = [grant for grant in policy if grant.member in EVERYBODY]
    if public:
        roles = ", ".join(f"{role} for {member}" for role, member in public)
        yield Finding(
            PUBLIC, "wrong", f"{what} is open to everybody: {roles}.", _with_grant(revoke, public[0])
        )
    else:
        yield Finding(PUBLIC, "ok", f"{what}: only named members")
    complaints = [(grant, complaint) for grant in policy if (complaint := _complaint(grant, is_project))]
    for grant, (status, why) in complaints:
        detail = f"{grant.member} has {grant.role} on {what}: {why}."
        yield Finding(ROLES, status, detail, _with_grant(revoke, grant))
    if is_project and not complaints:
        yield Finding(ROLES, "ok", f"no account may administer {what} or act as another")


def _with_grant(revoke: str, grant: Grant) -> str:
    return f"{revoke} --member={grant.member} --role={grant.role}"


def _complaint(grant: Grant, on_project: bool) -> tuple[Status, str] | None:  # noqa: FBT001 - one of two questions
    role, (kind, _, address) = grant.role, grant.member.partition(":")
    if kind == "domain" and role in CHANGING:
        return "wrong", "that is everybody of the domain"
    administers = role in CHANGING or ACTS_AS.fullmatch(role) or ADMIN.fullmatch(role)
    if kind != "serviceAccount" or GOOGLES.fullmatch(address) or not administers:
        return None
    if not on_project:
        return "wrong", "no function administers anything"
    if role in CHANGING:
        return "wrong", "a basic role reaches every service"
    does = "can act as other accounts" if ACTS_AS.fullmatch(role) else "can administer a service"
    return "warning", f"it {does}, which only the account that deploys needs"


def judge_bucket(name: str, *, uniform: bool, prevention: str) -> Finding:
    """Judge whether a mistake in one object's access list, or in a policy, could open a bucket."""
    update_bucket = f"gcloud storage buckets update gs://{name}"
    if not uniform:
        detail = f"{name}: objects have access lists of their own beside the bucket's policy."
        return Finding(PUBLIC, "wrong", detail, f"{update_bucket} --uniform-bucket-level-access")
    if prevention != "enforced":
        detail = f"{name}: public access is not prevented ({prevention})."
        return Finding(PUBLIC, "wrong", detail, f"{update_bucket} --public-access-prevention")
    return Finding(PUBLIC, "ok", f"{name}: uniform access, public access prevented")


def judge_account_keys(
    account: str, keys: Iterable[ServiceAccountKey], moment: datetime
) -> Iterator[Finding]:
    """Judge the keys of a service account that people can download: Headrace needs none."""
    usable = [key for key in keys if key.key_type == _USER_MANAGED and not key.disabled]
    for key in usable:
        age, identifier = (moment - key.valid_after_time).days, short(key.name)
        fix = f"gcloud iam service-accounts keys delete {identifier} --iam-account={account}"
        status: Status = "wrong" if age > ACCOUNT_KEY_DAYS else "warning"
        yield Finding(ACCOUNT_KEYS, status, f"{account} has a key, {age} days old: {identifier}.", fix)
    if not usable:
        yield Finding(ACCOUNT_KEYS, "ok", f"{account}: none")


def judge_version(
    name: str, used: int, versions: Iterable[SecretVersion], moment: datetime, *, lasting: bool
) -> Finding:
    """Judge the version of a secret that the settings name.

    A `lasting` secret may be old: another value would break what was stored under this one.
    """
    pinned = next((version for version in versions if short(version.name) == str(used)), None)
    if pinned is None or pinned.state != SecretVersion.State.ENABLED:
        state = "missing" if pinned is None else SecretVersion.State(pinned.state).name.lower()
        fix = f"gcloud secrets versions list {name}, and set the version that is enabled"
        return Finding(SECRETS, "wrong", f"{name}: version {used}, which the settings name, is {state}.", fix)
    age = (moment - pinned.create_time).days
    if age > SECRET_DAYS and not lasting:
        fix = f"gcloud secrets versions add {name} --data-file=FILE, then set the new version's number"
        return Finding(SECRETS, "warning", f"{name}: version {used} is {age} days old.", fix)
    return Finding(SECRETS, "ok", f"{name}: pinned to version {used}, {age} days old")


def judge_answer(address: str, status: int, fix: str) -> Finding:
    """Judge the answer to a call for documents without a key; `fix` closes what answers it."""
    if status in UNAUTHORISED:
        return Finding(ASKED, "ok", f"{address} answers {status}")
    if status in SUCCESS:
        return Finding(ASKED, "wrong", f"{address} answers {status} to a call without a key.", fix)
    detail = f"{address} answers {status}, which may not be the API's answer."
    return Finding(ASKED, "unknown", detail, "Ask where the API is reached: --domain=DOMAIN")


def judge_callers(run: Service | Job, policy: Sequence[Grant]) -> Iterator[Finding]:
    """Judge who may call a service or start the job; everybody may call what asks for a key itself."""
    name, kind = named(run), "jobs" if isinstance(run, Job) else "services"
    if isinstance(run, Service) and name in ASK_FOR_A_KEY:
        policy = [grant for grant in policy if grant.role != INVOKER]
    elif isinstance(run, Service) and run.invoker_iam_disabled:
        detail = f"{name} is open to everybody: Cloud Run does not ask who calls it."
        yield Finding(PUBLIC, "wrong", detail, update(run, "--invoker-iam-check"))
    revoke = f"gcloud run {kind} remove-iam-policy-binding {name} --region={run.name.split('/')[3]}"
    yield from judge_policy(name, policy, revoke)


def judge_run(run: Run) -> Iterator[Finding]:
    """Judge the account, the images and the secrets of a revision, a service's template or a job."""
    name, task = named(run), _task(run)
    if not task.service_account or DEFAULT_ACCOUNT.fullmatch(task.service_account):
        detail = f"{name} runs as {task.service_account or 'the default account'}, which is not its own."
        yield Finding(ACCOUNTS, "wrong", detail, update(run, "--service-account=ITS_OWN"))
    else:
        yield Finding(ACCOUNTS, "ok", f"{name}: {task.service_account}")
    loose = [each.image for each in task.containers if "@sha256:" not in each.image]
    if loose:
        detail = f"{name}: {', '.join(loose)} may be another image tomorrow."
        yield Finding(IMAGES, "warning", detail, update(run, "--image=NAME@sha256:DIGEST"))
    else:
        yield Finding(IMAGES, "ok", f"{name}: pinned by digest")
    unpinned = list(_judge_secrets(run))
    yield from unpinned or [Finding(UNPINNED, "ok", f"{name}: every secret by a pinned version")]


def _judge_secrets(run: Run) -> Iterator[Finding]:
    """Judge the versions of secrets in variables and in volumes; a volume without versions has the latest."""
    task = _task(run)
    variables = (variable for container in task.containers for variable in container.env)
    references = [(variable.name, variable.value_source.secret_key_ref) for variable in variables]
    read = [(name, reference.secret, reference.version) for name, reference in references]
    for volume in task.volumes:
        versions = [item.version for item in volume.secret.items] or ["latest"]
        read += [(f"volume {volume.name}", volume.secret.secret, version) for version in versions]
    for where, secret, version in read:
        if secret and not version.isdigit():
            detail = f"{named(run)}: {where} reads version {version or 'unset'} of {short(secret)}."
            fix = update(run, f"--update-secrets={where}={short(secret)}:NUMBER")
            yield Finding(UNPINNED, "wrong", detail, fix)


def _task(run: Run) -> Any:  # noqa: ANN401 - a revision, its template or a task's
    if isinstance(run, Revision):
        return run
    return run.template.template if isinstance(run, Job) else run.template


def named(run: Run) -> str:
    """Return the name of a job, or of a service, also for one of its revisions."""
    return short(run.name.partition("/revisions/")[0])


def update(run: Run, flags: str) -> str:
    """Return the command that changes a service or the job."""
    kind = "jobs" if isinstance(run, Job) else "services"
    return f"gcloud run {kind} update {named(run)} --region={run.name.split('/')[3]} {flags}"
