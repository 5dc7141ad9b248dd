"""Whoever loads onnxruntime decides first that it reports to nobody; and one module alone loads it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.imports import imported

ROOT = Path(__file__).parents[2]
FOLDERS = (
    "benchmarks",
    "cli",
    "deploy",
    "functions",
    "local",
    "long_job",
    "model_export",
    "shared",
    "tests",
    "training",
)
RUNTIME = ROOT / "shared" / "inference" / "runtime.py"
CODE = """
import os, sys
from pathlib import Path
import shared.inference
assert "onnxruntime" not in sys.modules
from shared.inference.runtime import onnxruntime
onnxruntime.SessionOptions()
print(os.environ["ORT_DISABLE_TELEMETRY"], any(Path.home().iterdir()))
"""


@pytest.mark.parametrize("decided", [None, "1"])
def test_onnxruntime_reports_to_nobody(tmp_path: Path, decided: str | None) -> None:
    """It would keep an identifier of the device under the home directory as soon as it is loaded."""
    assert alone(tmp_path, decided) == "1 False"


def test_an_operator_may_decide_otherwise(tmp_path: Path) -> None:
    """What the environment says stays."""
    assert alone(tmp_path, "0").split()[0] == "0"


def alone(home: Path, decided: str | None) -> str:
    """What a process says that has nothing but a home of its own, and maybe the variable."""
    environment = {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    if decided is not None:
        environment["ORT_DISABLE_TELEMETRY"] = decided
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_nobody_else_loads_onnxruntime() -> None:
    """Another import could come first, before the variable is set."""
    loading = {
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        for name, _ in imported(ast.parse(path.read_text("utf-8")))
        if name.partition(".")[0] == "onnxruntime"
    }
    assert loading == {RUNTIME}
