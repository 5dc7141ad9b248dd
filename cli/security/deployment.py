"""What is deployed, as the audit has read it: services, the job, and what serves, with its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud.run_v2 import Job

from cli.diagnosis.findings import Finding
from cli.security import reading, services, serving
from cli.security.given import BUILDER, PUSHER
from shared.platform.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.run_v2 import Service

    from cli.diagnosis.findings import Target
    from cli.security.services import Run


class Deployment:
    """Read once, when it is first asked for."""

    def __init__(self, target: Target) -> None:
        """Of `target`."""
        self.target = target
        self._running: list[Service | Job] | None = None
        self._serving: list[Run] | None = None

    def _services(self) -> list[Service | Job]:
        if self._running is None:
            job = reading.job()
            self._running = [*reading.services(), *([job] if job else [])]
        return self._running

    def _accounts(self) -> dict[str, set[str]]:
        """What each runs: of the job's and the services' accounts."""
        found: dict[str, set[str]] = {}
        for one in self._tasks():
            if account := services.task(one).service_account:
                found.setdefault(account, set()).add(services.program(one))
        return found

    def _ours(self) -> dict[str, set[str]]:
        """The same with those that infra/ makes for what is no service."""
        found = self._accounts()
        for name in (PUSHER, BUILDER):
            address = f"headrace-{name}@{settings().project}.iam.gserviceaccount.com"
            found.setdefault(address, set()).add(name)
        return found

    def _tasks(self, program: str | None = None) -> list[Run]:
        """What serves of a program, or of all: revisions with traffic, and the job."""
        if self._serving is None:
            found: list[Run] = []
            for one in self._services():
                found += ([] if isinstance(one, Job) else reading.revisions(one)) or [one]
            self._serving = found
        return [one for one in self._serving if program in {None, services.program(one)}]

    def _deployed(self, program: str) -> list[Settings]:
        """The settings of what serves of it; here those of this environment."""
        if not self.target.cloud:
            return [settings()]
        return [serving.settings_of(one, settings().project) for one in self._tasks(program)]

    def _absent(self, check: str, *programs: str) -> Iterator[Finding]:
        """Of functions of which nothing is known."""
        for name in programs if self.target.cloud else ():
            if name != services.LONG_JOB and not self._tasks(name):
                detail = f"No service {name} was found, and so no setting of it."
                yield Finding(check, "unknown", detail, "HEADRACE_JOB_LOCATION=REGION")

    def _configured(self) -> Iterator[tuple[str, Settings]]:
        """Each service with the settings of its template, which is not what serves until traffic moves."""
        for one in self._services() if self.target.cloud else ():
            yield services.program(one), serving.settings_of(one, settings().project)

    def _api(self) -> Service | None:
        if not self.target.cloud:
            return None
        running = (one for one in self._services() if not isinstance(one, Job))
        return next((one for one in running if services.short(one.name) == services.API), None)

    def _local_addresses(self) -> list[str]:
        if self.target.stack is None:
            return []
        ports = {process["name"]: process["port"] for process in self.target.stack["processes"]}
        return [f"http://127.0.0.1:{ports[services.API]}"]
