"""A checkout beside a Google Cloud of one's own: what a test of the installer runs, and what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud.state import Cloud, changing, load, store

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = '#!/bin/sh\nexec "{python}" {flags} "{script}" "$@"\n'
_MAKE = "#!/bin/sh\nexit 0\n"
_NO_WAITING = """
import os, pathlib, time

really = time.sleep

def sleep(seconds):
    if seconds < 1:  # as subprocess does while a program runs
        return really(seconds)
    with pathlib.Path(os.environ["CLOUD_STATE"]).with_name("clock").open("a") as clock:
        clock.write(f"{seconds} ")

time.sleep = sleep
"""
"""As sitecustomize: time is not waited for, but goes by."""
_NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", ".terraform*", "terraform.tfvars", "*_override.tf", "tests"
)


@dataclass
class Ground:
    """A folder with a checkout, programs and a project."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    """Variables of whatever runs here, beside those that it needs."""
    said: str = ""
    """What the installer printed last."""

    @classmethod
    def fresh(cls, folder: Path, state: dict[str, Any], **environment: str) -> Ground:
        """A checkout of what an installation reads, and the project that `state` is."""
        made = cls(folder, environment)
        for name in ("deploy", "infra"):
            shutil.copytree(ROOT / name, made.checkout / name, ignore=_NOT_COPIED)
        (made.checkout / "docs").mkdir()
        for name in ("cloudbuild.yaml", "pyproject.toml", "docs/cost.md"):
            shutil.copy(ROOT / name, made.checkout / name)
        scripts = made.checkout / ".venv" / "bin"
        for where in (made.bin, made.python, scripts):
            where.mkdir(parents=True)
        (made.python / "sitecustomize.py").write_text(_NO_WAITING)
        for program in (made.bin / "gcloud", made.bin / "terraform", scripts / "headrace"):
            flags = "" if program.name == "terraform" else "-I -S"
            script = ROOT / "tests" / "cloud" / f"{program.name}.py"
            _write(program, _PROGRAM.format(python=sys.executable, flags=flags, script=script))
        _write(made.bin / "make", _MAKE)
        store(made.state_file, state)
        return made

    @property
    def checkout(self) -> Path:
        return self.folder / "headrace"

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Where the installer's Python looks for modules first."""
        return self.folder / "python"

    @property
    def state_file(self) -> Path:
        return self.folder / "cloud.json"

    @property
    def commands(self) -> list[str]:
        """Everything that was called, as one would type it."""
        return [" ".join(call) for call in self.cloud.state["calls"]]

    @property
    def cloud(self) -> Cloud:
        """The project as it is; changes of it are lost."""
        return Cloud(load(self.state_file))

    @property
    def outcome(self) -> dict[str, Any]:
        """What the project came to, without what is made up anew each time, and how it came to it."""
        state = self.cloud.state
        kept = {"apis": state["apis"], "agents": sorted(state["agents"]), "builds": state["builds"]}
        resources = {kind: found for kind, found in state["resources"].items() if found}
        policies = {
            resource: sorted(bindings) for resource, bindings in state["policies"].items() if bindings
        }
        versions = {name: len(found) for name, found in state["secrets"].items() if found}
        objects = {bucket: sorted(found) for bucket, found in state["objects"].items() if found}
        parts = {"resources": resources, "policies": policies, "secrets": versions, "objects": objects}
        return kept | parts

    def change(self, **state: Any) -> None:
        """Set parts of the project's state."""
        with changing(self.state_file) as cloud:
            cloud.state.update(state)

    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in the checkout, with `said` on its standard input."""
        environment = {
            "CLOUD_STATE": str(self.state_file),
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.python),
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
        } | self.environment
        return subprocess.run(
            command,
            cwd=self.checkout,
            env=environment,
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )

    def install(self, *arguments: str, answers: str = "") -> int:
        """Run `deploy/install` as a person does; its exit status. What it printed is `said`."""
        done = self.run(sys.executable, "deploy/install", *arguments, said=answers)
        self.said = done.stdout + done.stderr
        return done.returncode

    def copied(self, folder: Path) -> Ground:
        """The same again, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Ground(folder, dict(self.environment))


def _write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)
