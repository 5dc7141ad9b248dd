"""Headrace's model in the forms that are compared: the shipped one, its fp32 twin, and embedding only."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.model.contestant import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FORMS = {
    "fp32": ("--precision", "fp32"),
    "int8-embedding": ("--embedding-only",),
    "fp32-embedding": ("--precision", "fp32", "--embedding-only"),
}
"""Options of `python -m model_export build`."""


def write_variants(shipped: Path, weights: Path, target: Path) -> dict[str, Path]:
    """Build three more model directories under `target`; returns all four by name, the shipped as `int8`."""
    directories = {"int8": shipped}
    for name, options in FORMS.items():
        directories[name] = target / name
        command = [
            *(sys.executable, "-m", "model_export", "build", "--weights", str(weights)),
            *("--out", str(directories[name]), *options),
        ]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return directories
