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
_PROGRAM = '#!/bin/sh\nexec "{python}" "{script}" "$@"\n'
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
        shutil.copy(ROOT / "cloudbuild.yaml", made.checkout)
        made.bin.mkdir()
        for name in ("gcloud", "terraform"):
            script = ROOT / "tests" / "cloud" / f"{name}.py"
            (made.bin / name).write_text(_PROGRAM.format(python=sys.executable, script=script))
            (made.bin / name).chmod(0o755)
        store(made.state_file, state)
        return made

    @property
    def checkout(self) -> Path:
        return self.folder / "headrace"

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

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
