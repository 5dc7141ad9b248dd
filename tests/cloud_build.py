"""Runs cloudbuild.yaml step by step on this machine, with stand-ins for gcloud and docker.

The steps that need a cloud or minutes (`STANDS_FOR`) are replaced by what they would leave; all others run as
they are written, in the order that `waitFor` asks for, beside a Cloud Storage. Functions are not started:
trials are scripted (tests/rollout_standin.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.record import NAME
from deploy.stage import FUNCTIONS, MODEL
from shared.platform.clients import storage_client

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("deploy", "functions", "shared", "requirements", "long_job", "model_export", "training")
PROJECT, REPOSITORY = "headrace-test", "europe-west1-docker.pkg.dev/headrace-test/headrace"
SUBSTITUTION = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
STANDS_FOR = {"setup", "test", "audit", "model"}
POOL = 5
"""Processors of the smallest regional pool, which no project can raise: https://cloud.google.com/build/quotas."""
MACHINES = {"UNSPECIFIED": 2, "E2_MEDIUM": 1, "E2_STANDARD_2": 2, "E2_HIGHCPU_8": 8, "E2_HIGHCPU_32": 32}
"""Processors of a build's machine, https://cloud.google.com/build/pricing."""
ROLLOUT = ROOT / "tests" / "rollout_standin.py"
DOCKER = """#!/bin/sh
echo "$@" >> "$DOCKER_CALLS"
case "$1" in inspect) echo {repository}/long-job@sha256:{digest};; esac
"""


@dataclass
class CloudBuild:
    """A checkout, and a project to which it is deployed."""

    workspace: Path
    storage: str
    """The address of Cloud Storage."""
    bucket: str
    """The work bucket, with the record of the last deployment."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Variables that say where tokens come from (tests/token_server.py)."""
    environment: dict[str, str] = field(default_factory=dict)
    substitutions: dict[str, str] = field(default_factory=dict)
    """What whoever starts a build gives it."""
    builds: int = 0

    @classmethod
    def fresh(
        cls, folder: Path, storage: str, bucket: str, tokens: dict[str, str], *, job: bool = True
    ) -> CloudBuild:
        """As after `terraform apply`: every service serves the placeholder."""
        made = cls(folder / "workspace", storage, bucket, tokens)
        for source in SOURCES:
            shutil.copytree(
                ROOT / source, made.workspace / source, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("pyproject.toml", "cloudbuild.yaml"):
            shutil.copy(ROOT / name, made.workspace)
        (made.workspace / "build" / "model").mkdir(parents=True)
        for name in MODEL:
            (made.workspace / "build" / "model" / name).write_text(f"a stand-in for {name}\n")
        made.name_model("build/model", "a" * 64)
        services: dict[str, Any] = {}
        for name in FUNCTIONS:
            first = f"{name}-00001-ter"
            services[name] = {
                "revisions": [{"name": first, "labels": {}}],
                "template_revision": None,
                "serving": first,
                "tags": {},
            }
        long = {"image": "us-docker.pkg.dev/cloudrun/container/hello", "limits": {"cpu": "4"}, "labels": {}}
        pool = {"processors": POOL, "taken": 0, "most": 0}
        job_now = long if job else None
        cloud = {"services": services, "job": job_now, "pool": pool, "indexes": [index("documents", "state")]}
        made.store({"project": PROJECT, "calls": []} | cloud)
        made.install_stand_ins()
        return made

    def name_model(self, folder: str, digest: str) -> None:
        """Give the model in a folder this digest."""
        (self.workspace / folder / "manifest.json").write_text(json.dumps({"digest": digest}))

    def install_stand_ins(self) -> None:
        """`gcloud` and `docker`, to be first in PATH."""
        self.bin.mkdir()
        gcloud = f'#!/bin/sh\nexec "{sys.executable}" -I -S "{ROOT / "tests" / "gcloud_standin.py"}" "$@"\n'
        docker = DOCKER.format(repository=REPOSITORY, digest="a" * 64)
        for name, script in (("gcloud", gcloud), ("docker", docker)):
            (self.bin / name).write_text(script)
            (self.bin / name).chmod(0o755)

    @property
    def bin(self) -> Path:
        return self.workspace.parent / "bin"

    @property
    def state_file(self) -> Path:
        return self.workspace.parent / "cloud.json"

    def store(self, state: dict[str, Any]) -> None:
        self.state_file.write_text(json.dumps(state))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.state_file.read_text())
        return found

    def serving(self) -> dict[str, str]:
        """Which revision each function serves."""
        return {name: service["serving"] for name, service in self.state()["services"].items()}

    def tags(self) -> dict[str, dict[str, str]]:
        """The tags of each function that has any."""
        return {name: one["tags"] for name, one in self.state()["services"].items() if one["tags"]}

    def take_trials(self) -> list[str]:
        """The trials since the last time."""
        path = self.workspace.parent / "trials"
        trials = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return trials

    def record(self) -> dict[str, Any]:
        """The record of the last deployment."""
        blob = storage_client().bucket(self.bucket).blob(NAME)
        found: dict[str, Any] = json.loads(blob.download_as_bytes())
        return found

    def take_calls(self) -> list[str]:
        """What was asked of gcloud since the last time, but for questions: command, name and what matters."""
        state = self.state()
        calls = [" ".join(call) for call in state["calls"] if not {"describe", "list"} & set(call)]
        self.store(state | {"calls": []})
        return calls

    def docker_calls(self) -> list[str]:
        path = self.workspace.parent / "docker.calls"
        return path.read_text().splitlines() if path.exists() else []

    def run(self, *, until: str | None = None) -> str | None:
        """Run the build; the step that failed, or None. `until`: it is cancelled after that step.

        A build whose machine the pool has not ends as `pool`.
        """
        config = yaml.safe_load((self.workspace / "cloudbuild.yaml").read_text())
        processors = MACHINES[config["options"].get("machineType", "UNSPECIFIED")]
        if processors > POOL:
            return "pool"
        self._take(processors)
        try:
            return self._steps(config, until)
        finally:
            self._take(0)

    def _take(self, processors: int) -> None:
        state = self.state()
        self.store(state | {"pool": state["pool"] | {"taken": processors}})

    def _steps(self, config: dict[str, Any], until: str | None) -> str | None:
        substitutions = self._substitutions(config)
        environment = self._environment(config, substitutions)
        done: set[str] = set()
        waiting = list(config["steps"])
        while waiting:
            step = next(one for one in waiting if set(one.get("waitFor", [])) - {"-"} <= done)
            waiting.remove(step)
            if not self._step(step, substitutions, environment):
                return str(step["id"])
            done.add(step["id"])
            if step["id"] == until:
                return None
        return None

    def _step(self, step: dict[str, Any], substitutions: dict[str, str], environment: dict[str, str]) -> bool:
        if step["id"] in STANDS_FOR:
            return True
        arguments = [substituted(argument, substitutions) for argument in step["args"]]
        program = step["entrypoint"]
        if "python" in program:
            program, arguments = sys.executable, _with_scripted_trials(arguments)
        own = dict(variable.split("=", 1) for variable in step.get("env", []))
        own = {name: substituted(value, substitutions) for name, value in own.items()}
        return self._run([program, *arguments], environment | own | self.environment)

    def command(self, *arguments: str) -> bool:
        """Run a command of `deploy` as a person does; whether it could be done."""
        config = yaml.safe_load((self.workspace / "cloudbuild.yaml").read_text())
        environment = self._environment(config, self._substitutions(config)) | self.environment
        return self._run([sys.executable, str(ROLLOUT), *arguments], environment)

    def _run(self, command: list[str], environment: dict[str, str]) -> bool:
        ran = subprocess.run(
            command, cwd=self.workspace, env=environment, capture_output=True, text=True, check=False
        )
        self.said = ran.stdout + ran.stderr
        return ran.returncode == 0

    def _substitutions(self, config: dict[str, Any]) -> dict[str, str]:
        self.builds += 1
        known = {"PROJECT_ID": PROJECT, "BUILD_ID": f"build-{self.builds}"}
        for name, value in (config["substitutions"] | self.substitutions).items():
            known[name] = substituted(value, known)
        return known

    def _environment(self, config: dict[str, Any], substitutions: dict[str, str]) -> dict[str, str]:
        given = dict(variable.split("=", 1) for variable in config["options"]["env"])
        environment = {name: substituted(value, substitutions) for name, value in given.items()}
        return environment | {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "GCLOUD_STATE": str(self.state_file),
            "DOCKER_CALLS": str(self.workspace.parent / "docker.calls"),
            "TRIALS": str(self.workspace.parent / "trials"),
            "STORAGE_EMULATOR_HOST": self.storage,
            "HEADRACE_WORK_BUCKET": self.bucket,
            **self.tokens,
        }


def index(collection: str, *fields: str, lists: int = 0, broken: bool = False) -> dict[str, Any]:
    """An index for the stand-in, shown as being built so often."""
    name = f"projects/{PROJECT}/databases/(default)/collectionGroups/{collection}/indexes/"
    shown = {
        "name": name + "-".join((collection, *fields)),
        "queryScope": "COLLECTION",
        "fields": [{"fieldPath": name, "order": "ASCENDING"} for name in (*fields, "__name__")],
        "state": "NEEDS_REPAIR" if broken else "READY",
    }
    return {"shown": shown, "lists": lists}


def _with_scripted_trials(arguments: list[str]) -> list[str]:
    return [str(ROLLOUT), *arguments[2:]] if arguments[:2] == ["-m", "deploy"] else arguments


def substituted(text: str, known: dict[str, str]) -> str:
    """Cloud Build's substitutions; an unknown one is an error, as `MUST_MATCH` has it."""
    return SUBSTITUTION.sub(lambda found: known[found[1] or found[2]], text)
