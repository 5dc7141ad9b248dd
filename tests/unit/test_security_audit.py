"""The audit of a deployment goes by the settings that its services have, not by those of whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from google.cloud.run_v2 import Job, Revision, Service

from cli.diagnosis.findings import Target
from cli.main import headrace
from cli.options import MODEL
from cli.security import asking
from cli.security.asking import guarded
from cli.security.audit import Audit, Rules
from cli.security.entrance import ASKED
from shared.inference.manifest import read_manifest
from shared.platform.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.diagnosis.findings import Finding

WHERE = "projects/p/locations/europe-west4"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of whoever asks: other versions and terms than the deployment's."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    monkeypatch.setenv("HEADRACE_API_KEY_HASH_VERSION", "9")
    monkeypatch.setenv("HEADRACE_RETENTION", '{"": 1}')
    settings.cache_clear()
    yield
    settings.cache_clear()


def service(name: str, account: str = "", **variables: str) -> Service:
    env = [{"name": variable, "value": value} for variable, value in variables.items()]
    template = {"service_account": account, "containers": [{"image": "i", "env": env}]}
    return Service(name=f"{WHERE}/services/{name}", template=template)


def audit(folder: Path, *running: Service | Job, cloud: bool = True) -> Audit:
    """Of what runs there, which is read already, and has no traffic yet."""
    made = Audit(Target(folder, MODEL, None, cloud=cloud), Rules())
    made._running = list(running)
    return made


def revision(name: str, of: Service) -> Revision:
    """With the service's configuration."""
    template = of.template
    return Revision(
        name=f"{of.name}/revisions/{name}",
        service_account=template.service_account,
        containers=template.containers,
    )


def test_settings_are_those_of_ingest(tmp_path: Path) -> None:
    """Variables that are no settings are left alone, such as the framework's own."""
    variables = {"HEADRACE_API_KEY_HASH_VERSION": "3", "HEADRACE_RETENTION": '{"hr/": 30}', "WORKERS": "2"}
    made = audit(tmp_path, service("ingest", **variables, HEADRACE_OF_ANOTHER_VERSION="x"), service("api"))
    [deployed] = made._deployed("ingest")
    assert (deployed.project, deployed.api_key_hash_version) == ("my-project", 3)
    [found] = made.retention()
    assert found.detail.startswith("Results end only under hr/")


def test_settings_of_a_local_stack_are_this_environments(tmp_path: Path) -> None:
    """Its functions have the same."""
    made = audit(tmp_path, cloud=False)
    assert made._deployed("ingest") == made._deployed("api") == [settings()]
    [found] = made.retention()
    assert found.status == "ok"


def test_a_setting_that_does_not_parse_is_wrong(tmp_path: Path) -> None:
    """The function would not start."""
    made = audit(tmp_path, service("ingest", HEADRACE_RETENTION="a year"))
    [found] = guarded("retention", made.retention)
    assert (found.check, found.status) == ("retention", "wrong")
    assert "HEADRACE_RETENTION" in found.detail


def test_what_serves_is_judged_and_not_what_was_configured_since(tmp_path: Path) -> None:
    """Secrets, accounts, retention and model: Terraform's change of the template has no traffic yet."""
    digest = read_manifest(MODEL).digest
    api = service("api", "new@p", HEADRACE_API_KEY_HASH_VERSION="2")
    ingest = service("ingest", "in@p", HEADRACE_RETENTION='{"": 30}', HEADRACE_MODEL_DIGEST=digest)
    made = audit(tmp_path, api, ingest)
    old = service("api", "old@p", HEADRACE_API_KEY_HASH_VERSION="1")
    made._serving = [revision("api-2", old), revision("ingest-1", service("ingest", "in@p"))]
    assert [one.api_key_hash_version for one in made._deployed("api")] == [1]
    assert [dict(made._configured())["api"].api_key_hash_version] == [2]
    assert made._accounts() == {"old@p": {"api"}, "in@p": {"ingest"}}
    assert [one.status for one in made.retention()] == ["warning"]
    assert "ingest runs whichever" in " ".join(one.detail for one in made.model())


def test_of_revisions_that_share_the_traffic_each_is_judged(tmp_path: Path) -> None:
    """A part of the calls comes to each."""
    made = audit(tmp_path, service("api"))
    versions = [service("api", HEADRACE_API_KEY_HASH_VERSION=number) for number in ("1", "2")]
    made._serving = [revision(f"api-{at}", one) for at, one in enumerate(versions)]
    assert [one.api_key_hash_version for one in made._deployed("api")] == [1, 2]


def test_settings_of_a_service_that_is_not_there_are_unknown(tmp_path: Path) -> None:
    """Not those of nobody."""
    [found] = audit(tmp_path, service("api")).retention()
    assert (found.check, found.status) == ("retention", "unknown")


def test_each_function_that_holds_the_model_is_to_pin_it(tmp_path: Path) -> None:
    """By its own variable."""
    digest = read_manifest(MODEL).digest
    pinned = service("api", HEADRACE_MODEL_DIGEST=digest)
    found = list(audit(tmp_path, service("ingest"), pinned, service("sweep")).model())
    assert [(one.status, one.detail.partition(" runs ")[0].partition(":")[0]) for one in found[1:]] == [
        ("warning", "analyze"),
        ("ok", "api"),
        ("warning", "ingest"),
    ]


def test_accounts_are_those_of_services_and_job(tmp_path: Path) -> None:
    """Which are judged more strictly than others of the project; the default has no name there."""
    job = Job(name=f"{WHERE}/jobs/long-job", template={"template": {"service_account": "job@p"}})
    assert audit(tmp_path, service("api", "api@p"), service("sweep"), job)._accounts() == {
        "api@p": {"api"},
        "job@p": {"long-job"},
    }


def test_pushes_and_builds_act_as_accounts_of_headraces_too(tmp_path: Path) -> None:
    """They are judged as those of services are, and by their work where a service shares one."""
    builder = "headrace-builder@my-project.iam.gserviceaccount.com"
    assert audit(tmp_path, service("api", "api@p"), service("sweep", builder))._ours() == {
        "api@p": {"api"},
        builder: {"sweep", "builder"},
        "headrace-pusher@my-project.iam.gserviceaccount.com": {"pusher"},
    }


def test_an_api_behind_a_balancer_is_not_asked_at_its_own_address(tmp_path: Path) -> None:
    """That is Google's front end's to answer; without a domain there is nothing to ask."""
    api = Service(
        name=f"{WHERE}/services/api",
        uri="https://api-x.run.app",
        ingress="INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
    )
    [found] = audit(tmp_path, service("ingest"), api).without_key()
    assert (found.check, found.status) == (ASKED, "unknown")
    assert "--domain=DOMAIN" in str(found.fix)


def test_the_domain_comes_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together with the audit, which alone asks for it."""
    told: list[Rules] = []

    def examine(*given: Any) -> Iterator[Finding]:
        told.append(given[-1])
        yield from ()

    monkeypatch.setattr(asking, "examine", examine)
    assert CliRunner().invoke(headrace, ["doctor", "--domain", "api.example.org"]).exit_code == 2
    asked = CliRunner().invoke(headrace, ["doctor", "--security", "--domain", "api.example.org"])
    assert (asked.exit_code, [rules.domain for rules in told]) == (0, ["api.example.org"])


def test_without_an_api_or_a_stack_there_is_none_to_ask(tmp_path: Path) -> None:
    """That there is no API is another check's to say."""
    assert list(audit(tmp_path, service("ingest")).without_key()) == []
    assert list(audit(tmp_path, cloud=False).without_key()) == []
