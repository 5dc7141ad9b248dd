"""`deploy/install`: what it reads, what it makes of answers, and of what gcloud and Terraform print."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from deploy.installing import apply, checks, destroy, main, problems, run, shell, values
from deploy.installing.problems import Problem
from deploy.installing.shell import PAUSES, ROOT, Shell

if TYPE_CHECKING:
    from pathlib import Path

QUESTIONS = {question.name: question for question in (values.PROJECT, *values.REST)}
PLACE = {"project": "my-project", "region": "europe-west1"}


def install() -> checks.Install:
    """An installation of which the values are known."""
    to = checks.Install(Shell(place=dict(PLACE)), given={})
    to.values = {**PLACE}
    return to


# Values


def test_what_is_kept_is_what_was_answered() -> None:
    """And Terraform's own spelling of lists, over several lines and with comments, is read too."""
    kept: dict[str, values.Value] = {
        "project": "my-project",
        "console_people": ["user:ada@example.org", "group:csr@example.org"],
    }
    assert values.read(values.written(kept)) == kept
    text = 'project="my-project" # ours\n# size = "large"\nalert_emails = [\n  "a@example.org",\n]\n'
    assert values.read(text) == {"project": "my-project", "alert_emails": ["a@example.org"]}


def test_defaults_are_those_of_terraform() -> None:
    """A file without them means the same to both."""
    variables = (ROOT / "infra" / "variables.tf").read_text("utf-8")
    for name, value in values.DEFAULTS.items():
        [default] = re.findall(rf'variable "{name}" \{{[^}}]*?\n  default\s*=\s*"([^"]+)"', variables)
        assert default == value


@pytest.mark.parametrize(
    ("name", "answer", "value"),
    [
        ("size", " small ", "small"),
        ("alert_emails", "a@example.org, b@example.org", ["a@example.org", "b@example.org"]),
        ("console_people", "allUsers", ["allUsers"]),
        ("project", "My-Project", None),
        ("region", "europe", None),
        ("size", "huge", None),
        ("console_people", "ada@example.org", None),
        ("console_people", "allUsers,user:ada@example.org", None),
        ("alert_emails", "", None),
        ("alert_emails", "${file@example.org", None),
    ],
)
def test_an_answer_is_what_terraform_takes_or_is_asked_for_again(name: str, answer: str, value: Any) -> None:
    """Nothing that HCL would read as more than a string gets into the file."""
    if value is None:
        with pytest.raises(Problem) as refused:
            values.checked(QUESTIONS[name], answer)
        assert refused.value.hint
    else:
        assert values.checked(QUESTIONS[name], answer) == value


def test_options_do_not_overrule_the_file() -> None:
    """A second project, or another region, in the same checkout would replace the first."""
    values.agree({"project": "one-project", "size": "small"}, {"size": "small"})
    with pytest.raises(Problem, match="size"):
        values.agree({"project": "one-project", "size": "small"}, {"size": "large"})


def test_services_are_enabled_that_the_file_asks_for() -> None:
    """`when` of infra/apis.json; what is commented out, false or empty asks for nothing."""
    text = 'console_people = ["allUsers"]\nprivate_egress = true\n# kms_key = "k"\nbudget = null\n'
    assert values.switched_on(text) & {"network", "private_egress", "kms_key", "budget", "console_iap"} == {
        "network",
        "private_egress",
    }
    assert "console_iap" in values.switched_on('console_people = ["user:ada@example.org"]')
    named = set(re.findall(r'"when": "(\w+)"', (ROOT / "infra" / "apis.json").read_text("utf-8")))
    variables = set(
        re.findall(r'^variable "(\w+)"', (ROOT / "infra" / "variables.tf").read_text("utf-8"), re.MULTILINE)
    )
    assert named <= variables | {"always", "console_iap", "network"}


# Checks


@pytest.mark.parametrize(
    ("infos", "value"),
    [
        ([{"dimensions": {"region": "europe-west1"}, "details": {"value": "20000"}}], 20000),
        (
            [
                {"dimensions": {"region": "us-central1"}, "details": {"value": "1"}},
                {"details": {"value": "200000"}, "applicableLocations": ["asia-east1", "europe-west1"]},
            ],
            200000,
        ),
        ([{"dimensions": {"region": "europe-west1"}, "details": {}}], 0),  # JSON leaves a zero out
        ([{"details": {"value": "-1"}, "applicableLocations": ["europe-west1"]}], -1),
        ([{"details": {"value": "5"}, "applicableLocations": ["us-central1"]}], None),
        ([], None),
    ],
)
def test_a_quota_is_read_for_the_region(infos: list[dict[str, Any]], value: int | None) -> None:
    """The first entry that is about the region is the most specific."""
    assert checks.allowed({"dimensionsInfos": infos}, "europe-west1") == value


def test_only_the_terraform_that_was_named_is_unpacked(tmp_path: Path) -> None:
    """Its program is executable; other bytes leave nothing behind."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("terraform", "#!/bin/sh\n")
    sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
    target = tmp_path / "tools" / "terraform"
    with pytest.raises(Problem, match="SHA-256"):
        checks.unpack_terraform(packed.getvalue() + b"x", sha256, target)
    assert not target.parent.exists()
    checks.unpack_terraform(packed.getvalue(), sha256, target)
    assert os.access(target, os.X_OK)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('{\n  "terraform_version": "1.14.3",\n  "platform": "linux_amd64"\n}', (1, 14, 3)),
        ('{"terraform_version": "1.15.0-rc1"}', (1, 15, 0)),
        ("To use Terraform in Cloud Shell, install it: https://developer.hashicorp.com/terraform", ()),
        ("", ()),
    ],
)
def test_a_program_that_is_no_terraform_has_no_version(printed: str, version: tuple[int, ...]) -> None:
    """As Cloud Shell has one: Terraform is fetched then, as where there is none."""
    assert checks.terraform_version(printed) == version
    assert (version >= checks.OLDEST_TERRAFORM) is bool(version)


@pytest.mark.parametrize("status", [0, 1])
def test_cloud_shells_placeholder_is_passed_over(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Terraform that was fetched is taken, however the placeholder ends."""
    fetched = tmp_path / "build" / f"terraform-{checks.TERRAFORM}" / "terraform"
    fetched.parent.mkdir(parents=True)
    fetched.touch()
    printed = {"gcloud": '{"Google Cloud SDK": "550.0.0"}', "make": "", "terraform": "Install it like this:"}
    for program, text in printed.items():
        path = tmp_path / program
        path.write_text(f"#!/bin/sh\necho '{text}'\nexit {status if program == 'terraform' else 0}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    to = checks.Install(Shell(), given={})
    assert "in build/" in checks.tools(to)
    assert to.terraform == str(fetched)


@pytest.mark.parametrize("cloud_shell", ["true", "false"])
def test_terraform_is_shown_the_login_that_was_made_in_cloud_shell(
    cloud_shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere it finds it by itself."""
    monkeypatch.setenv("CLOUD_SHELL", cloud_shell)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    shown = ("printenv", "GOOGLE_APPLICATION_CREDENTIALS")
    with pytest.raises(Problem):
        Shell().look(*shown)
    login = tmp_path / "application_default_credentials.json"
    login.write_text("{}")
    if cloud_shell == "true":
        assert Shell().look(*shown) == str(login)
    else:
        with pytest.raises(Problem):
            Shell().look(*shown)


def test_terraform_is_run_again_where_a_connection_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Cloud Shell loses them; if it stays lost, that is said in the end."""
    monkeypatch.setattr("deploy.installing.apply.PAUSES", (0,))
    to, ran = install(), tmp_path / "ran"
    terraform = tmp_path / "terraform"
    lost = "Error: Error reading Topic: Get ...: dial tcp [::1]:443: connect: cannot assign requested address"
    terraform.write_text(f"#!/bin/sh\n[ -e {ran} ] || {{ touch {ran}; echo '{lost}'; exit 1; }}\n")
    terraform.chmod(0o755)
    to.terraform = str(terraform)
    apply.terraform(to, "apply")
    terraform.write_text(f"#!/bin/sh\necho '{lost}'\nexit 1\n")
    with pytest.raises(Problem) as refused:
        apply.terraform(to, "apply")
    assert refused.value.code == "network"


# Problems


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            "ERROR: There was a problem refreshing your current auth tokens: Reauthentication failed.",
            "login-expired",
        ),
        ("ERROR: (gcloud.auth) Your default credentials were not found.", "login-expired"),
        ("oauth2/google: invalid token JSON from metadata: EOF", "login-expired"),
        ("dial tcp: lookup storage.googleapis.com: no such host", "network"),
        ("dial tcp [2607:f8b0::5f]:443: connect: cannot assign requested address", "network"),
        (
            "Billing account for project '123' is not found. Billing must be enabled for activation",
            "billing-off",
        ),
        ("Operation denied by org policy: constraints/gcp.resourceLocations", "organisation-policy"),
        (
            "One or more users named in the policy do not belong to a permitted customer, perhaps due to ...",
            "organisation-policy",
        ),
        (
            "Max instances must be set to 10 or fewer. Quota violated: CpuAllocPerProjectRegion",
            "quota",
        ),
        ("FAILED_PRECONDITION: due to quota restrictions, cannot run builds in this region", "region-builds"),
        ("googleapi: Error 409: The requested bucket name is not available., conflict", "name-taken"),
        ("googleapi: Error 403: Permission 'run.services.create' denied on resource", "no-rights"),
        ("Segmentation fault", "unknown"),
    ],
)
def test_a_failure_says_what_to_do(said: str, code: str) -> None:
    """In terms of the project, whatever command failed."""
    problem = problems.explain(said, "terraform apply", PLACE)
    assert problem.code == code
    assert problem.hint
    assert "{" not in problem.hint


@pytest.mark.parametrize(
    "said",
    [
        "Error 403: Cloud Pub/Sub API has not been used in project 123 before or it is disabled.",
        "Error 400: Service account service-1@gcp-sa-pubsub.iam.gserviceaccount.com does not exist.",
        "Error 404: Cannot find metric(s) that match type = custom. It could take up to 10 minutes",
        "Error 409: Aborted due to cross-transaction contention.",
        "Error creating Subscription: googleapi: Error 403: The caller does not have permission",
    ],
)
def test_what_passes_with_time_is_known(said: str) -> None:
    """And what does not is not waited for."""
    assert problems.PROPAGATING.search(said)
    for lasting in (
        "Error 403: Permission 'run.services.create' denied on resource",
        "409: The requested bucket name is not available. Please select a different name and try again.",
    ):
        assert not problems.PROPAGATING.search(lasting)
        assert not apply.EXISTS.search(lasting)


# Terraform

PLAN = """
  # google_pubsub_topic.all["uploads"] will be created
  + resource "google_pubsub_topic" "all" {
      + id      = (known after apply)
      + name    = "uploads"
      + message_storage_policy {
          + name = "inner"
        }
    }

  # google_service_account.builder will be created
  + resource "google_service_account" "builder" {
      + account_id = "headrace-builder"
      + email      = (known after apply)
    }
"""
FAILED = """
╷
│ Error: Error creating Topic: googleapi: Error 409: Resource already exists (resource=uploads).
│
│   with google_pubsub_topic.all["uploads"],
│   on topics.tf line 3, in resource "google_pubsub_topic" "all":
│    3: resource "google_pubsub_topic" "all" {
│
╵
╷
│ Error: Error 403: Cloud Run Admin API has not been used in project 1 before or it is disabled.
│
│   with google_cloud_run_v2_service.function["api"],
╵
"""


@pytest.mark.parametrize("printed", [FAILED, re.sub("[│╷╵] ?", "", FAILED)])
def test_errors_are_told_apart(printed: str) -> None:
    """With a frame around them or without; each has the resource that it is about."""
    first, second = apply.errors(printed)
    assert apply.EXISTS.search(first)
    assert not apply.EXISTS.search(second)
    assert [apply.address_of(error) for error in (first, second)] == [
        'google_pubsub_topic.all["uploads"]',
        'google_cloud_run_v2_service.function["api"]',
    ]


def test_what_a_killed_terraform_made_is_found_by_what_the_plan_says() -> None:
    """Not by a nested block's fields; what no plan or no table knows has no id."""
    to = install()
    assert (
        apply.import_id(to, 'google_pubsub_topic.all["uploads"]', PLAN)
        == "projects/my-project/topics/uploads"
    )
    assert apply.import_id(to, "google_service_account.builder", PLAN) == (
        "projects/my-project/serviceAccounts/headrace-builder@my-project.iam.gserviceaccount.com"
    )
    assert apply.import_id(to, 'google_pubsub_topic.all["batches"]', PLAN) is None
    assert apply.import_id(to, "google_pubsub_lite_topic.x", PLAN) is None


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("passages/space ASCENDING/__name__ ASCENDING/embedding VECTOR", "b"),
        ("passages/topic_names CONTAINS/index DESCENDING", "c"),
        ("passages/space DESCENDING", None),
        ("documents/space ASCENDING/embedding VECTOR", None),
    ],
)
def test_an_index_is_found_by_its_fields(key: str, name: str | None) -> None:
    """Its name is Firestore's own; `__name__` is in every index, said or not."""
    where = "projects/my-project/databases/(default)/collectionGroups/passages/indexes"
    listed: list[dict[str, Any]] = [
        {"name": f"{where}/a", "fields": [{"fieldPath": "space", "order": "ASCENDING"}]},
        {
            "name": f"{where}/b",
            "fields": [
                {"fieldPath": "space", "order": "ASCENDING"},
                {"fieldPath": "__name__", "order": "ASCENDING"},
                {"fieldPath": "embedding", "vectorConfig": {"dimension": 384, "flat": {}}},
            ],
        },
        {
            "name": f"{where}/c",
            "fields": [
                {"fieldPath": "topic_names", "arrayConfig": "CONTAINS"},
                {"fieldPath": "index", "order": "DESCENDING"},
                {"fieldPath": "__name__", "order": "DESCENDING"},
            ],
        },
    ]
    found = apply.index_name(f'google_firestore_index.composite["{key}"]', listed)
    assert found == (name and f"{where}/{name}")


def test_what_can_be_taken_over_is_what_terraform_makes() -> None:
    """Each type of the table is one of infra/."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "infra").glob("*.tf"))
    for kind in (*apply.IDS, *destroy.PROTECTED):
        assert f'resource "{kind}"' in sources, kind


# Build, end, destruction


def test_a_function_serves_when_its_traffic_goes_to_an_image_of_its_own() -> None:
    """Not to the placeholder, and not when a newer revision merely exists."""
    services: list[dict[str, Any]] = [
        {"metadata": {"name": "api"}, "status": {"traffic": [{"percent": 100, "revisionName": "api-2"}]}},
        {
            "metadata": {"name": "ingest"},
            "status": {
                "traffic": [{"percent": 100, "revisionName": "ingest-1"}],
                "latestReadyRevisionName": "ingest-2",
            },
        },
        {
            "metadata": {"name": "sweep"},
            "status": {"traffic": [{"percent": 100}], "latestReadyRevisionName": "sweep-2"},
        },
        {"metadata": {"name": "digest"}, "status": {}},
    ]
    revisions: list[dict[str, Any]] = [
        {"metadata": {"name": f"{name}-{number}"}, "spec": {"containers": [{"image": image}]}}
        for name in ("api", "ingest", "sweep")
        for number, image in ((1, run.PLACEHOLDER), (2, "europe-docker.pkg.dev/x/headrace/y@sha256:1"))
    ]
    assert run.deployed(services, revisions) == {"api", "sweep"}
    assert run.PLACEHOLDER in (ROOT / "infra" / "locals.tf").read_text("utf-8")


def test_a_build_is_waited_for_longer_than_it_may_take() -> None:
    """Its own time limit ends it, with a reason."""
    [limit] = re.findall(r"^timeout: (\d+)s", (ROOT / "cloudbuild.yaml").read_text("utf-8"), re.MULTILINE)
    assert int(limit) < run.POLLS * run.POLL_SECONDS


def test_what_an_idle_month_costs_is_read_from_the_page() -> None:
    """The figures that `make cost` wrote."""
    assert all(float(cost) > 0 for cost in main.idle_cost())


@pytest.mark.parametrize(
    ("listed", "said"),
    [("     12  x  gs://b/a\nTOTAL: 1234 objects, 5600000 bytes (5.34MiB)", "1,234 (5.6 MB)"), ("", "no")],
)
def test_what_will_be_lost_is_counted(listed: str, said: str) -> None:
    """By the last line of the listing."""
    assert destroy.count(listed) == said


# Commands


def test_a_command_is_tried_again_while_google_cloud_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when it will never pass."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    tries = tmp_path / "tries"
    late = f"echo >> {tries}; [ $(wc -l < {tries}) = 3 ] || {{ echo SERVICE_DISABLED >&2; exit 1; }}"
    Shell().do("sh", "-c", late)
    assert len(waited) == 2
    with pytest.raises(Problem):
        Shell().do("sh", "-c", "echo Permission denied >&2; exit 1")
    assert len(waited) == 2


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the pauses that are named."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with pytest.raises(Problem):
        Shell().look("sh", "-c", "echo SERVICE_DISABLED >&2; exit 1")
    assert tuple(waited) == PAUSES


def test_a_dry_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But shows what it would do, and never a secret."""
    shell = Shell(dry=True)
    shell.do("touch", str(tmp_path / "made"), stdin=b"secret")
    assert shell.follow("touch", str(tmp_path / "made")) == (0, "")
    assert not (tmp_path / "made").exists()
    printed = capsys.readouterr().out
    assert printed.count("$ touch") == 2
    assert "secret" not in printed


def test_it_needs_nothing_but_python() -> None:
    """No package is there in a fresh checkout: `-S` leaves them out, `-I` the environment."""
    started = subprocess.run(
        [sys.executable, "-I", "-S", "deploy/install", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    assert "upgrade" in started.stdout
    assert os.access(ROOT / "deploy" / "install", os.X_OK)


FOLLOWING = """
import sys
from pathlib import Path
from deploy.installing import shell
shell.LOCK, shell.LOG = Path(sys.argv[1]) / "lock", Path(sys.argv[1]) / "log"
running = shell.Shell()
running.hold()
print(running.follow("sh", "-c", sys.argv[2]))
"""


def start(folder: Path, script: str) -> subprocess.Popen[str]:
    """A run that holds a lock in the folder, and follows a script."""
    command = (sys.executable, "-c", FOLLOWING, str(folder), script)
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_what_was_begun_outlives_its_run_and_the_next_one_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no Terraform is taken for dead that is at work."""
    os.mkfifo(tmp_path / "go")
    first = start(tmp_path, f"echo begun; read line < {tmp_path}/go; echo $line > {tmp_path}/done")
    assert first.stdout is not None
    while first.stdout.readline() != "begun\n":
        pass
    first.kill()
    first.wait()
    monkeypatch.setattr(shell, "LOCK", tmp_path / "lock")
    with (tmp_path / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (tmp_path / "go").write_text("went on\n")
    second = Shell()
    second.hold()
    assert (tmp_path / "done").read_text() == "went on\n"
    assert second.lock is not None
    os.close(second.lock)


def test_a_plan_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever the output is cut; what comes before and after it is."""
    text = f"Acquired\na: Refreshing state... [id=1]\n{shell.PLAN}\n  + secret\nPlan: 1 to add\na: Made\nend"
    lines = shell.Lines()
    for place in range(0, len(text), 7):
        lines.show(text[place : place + 7])
    lines.end()
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if "build/" not in line] == [
        "Acquired",
        "Plan: 1 to add",
        "a: Made",
        "end",
    ]


def test_an_interrupt_is_passed_on_and_its_end_awaited(tmp_path: Path) -> None:
    """Terraform then stops in order, and notes what it has made."""
    os.mkfifo(tmp_path / "go")
    script = f"trap 'echo noted > {tmp_path}/state; exit 1' INT; echo begun; read line < {tmp_path}/go"
    first = start(tmp_path, script)
    assert first.stdout is not None
    while first.stdout.readline() != "begun\n":
        pass
    first.send_signal(signal.SIGINT)
    first.wait()
    assert (tmp_path / "state").read_text() == "noted\n"


def test_an_option_that_will_not_do_is_refused_before_anything_is_called() -> None:
    """To run the same command again would not help, so it does not say that."""
    command = ("deploy/install", "--size", "huge")
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stdout.split() == [
        "size:",
        "'huge'",
        "will",
        "not",
        "do.",
        "small,",
        "medium",
        "or",
        "large.",
    ]
