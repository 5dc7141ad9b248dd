"""Staged functions, each in an environment with its own requirements alone, served as in Cloud Run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.pubsub_server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]
DEPLOYED = "3.13"
"""The Python of deploy.stage.BASE_IMAGE."""
SETTINGS = json.loads((ROOT / "infra" / "functions.json").read_text())


def interpreter() -> str | None:
    """Where that Python is on this machine."""
    for found in (shutil.which(f"python{DEPLOYED}"), f"/usr/bin/python{DEPLOYED}"):
        if found and _answers(found):
            return found
    return None


def _answers(python: str) -> bool:
    if not Path(python).exists():
        return False
    asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.stdout.strip() == DEPLOYED


def install(folder: Path, out: Path, python: str) -> Path:
    """An environment with the folder's requirements and nothing else; with uv's cache it is cheap."""
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", "--python", python, str(out)], check=True)
    install_ = [uv, "pip", "install", "--quiet", "--python", str(out / "bin" / "python"), "--require-hashes"]
    subprocess.run([*install_, "-r", str(folder / "requirements.txt")], check=True)
    return out


@contextmanager
def serving(name: str, folder: Path, environment: Path, emulators: Mapping[str, str]) -> Iterator[int]:
    """The function on a port, with the variables that the buildpack and Terraform give it."""
    port, given = free_port(), SETTINGS[name]
    variables = {"PORT": str(port), "FUNCTION_TARGET": name, "FUNCTION_SIGNATURE_TYPE": "http"}
    variables |= {"WORKERS": str(given["workers"]), "THREADS": str(given["threads"]), **given["environment"]}
    command = [str(environment / "bin" / "functions-framework"), "--target", name, "--source", "main.py"]
    kept = {
        variable: os.environ[variable] for variable in ("HOME", "LANG", "TMPDIR") if variable in os.environ
    }
    with (folder.parent / f"{name}.log").open("wb") as log:
        path = f"{environment / 'bin'}{os.pathsep}{os.defpath}"
        process = subprocess.Popen(
            command, cwd=folder, env={**kept, "PATH": path, **variables, **emulators}, stdout=log, stderr=log
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(60)
