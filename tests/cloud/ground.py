"""A checkout beside a Google Cloud of one's own: what a test of the installer runs, and what came of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cloud.state import Cloud, load, store

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = '#!/bin/sh\nexec "{python}" {flags} "{script}" "$@"\n'
_MAKE = "#!/bin/sh\nexit 0\n"
_NO_WAITING = "import time\n\ntime.sleep = lambda seconds: None\n"
"""As sitecustomize: what is waited for comes at the next call, not after a time."""
_NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", ".terraform*", "terraform.tfvars", "*_override.tf", "tests"
)


@dataclass
class Ground:
    """A folder with a checkout, programs and a project."""

    folder: Path

    @classmethod
    def fresh(cls, folder: Path, state: dict[str, Any]) -> Ground:
        """A checkout of what an installation reads, and the project that `state` is."""
        made = cls(folder)
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
    def cloud(self) -> Cloud:
        """The project as it is; changes of it are lost."""
        return Cloud(load(self.state_file))

    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program in the checkout, with `said` on its standard input."""
        environment = {
            "CLOUD_STATE": str(self.state_file),
            "HOME": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self.python),
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
        }
        return subprocess.run(
            command,
            cwd=self.checkout,
            env=environment,
            input=said,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    def install(self, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run `deploy/install` as a person does; both its outputs are `stdout`."""
        done = self.run(sys.executable, "deploy/install", *arguments, said=said)
        done.stdout += done.stderr
        return done

    def copied(self, folder: Path) -> Ground:
        """The same again, elsewhere."""
        shutil.copytree(self.folder, folder, symlinks=True)
        override = folder / self.checkout.name / "infra" / "backend_override.tf"
        if override.exists():
            override.write_text(override.read_text().replace(str(self.folder), str(folder)))
        return Ground(folder)


def _write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)
