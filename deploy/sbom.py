"""`python -m deploy.sbom` writes what each deployable consists of (CycloneDX); `--audit` looks that up.

The pinned sets say it all: name, version and the hashes of every file that may be installed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.functions import FUNCTIONS
from deploy.gcloud import reporting
from deploy.stage import version
from shared.errors import Retryable

OUT = Path("build/sbom")
SETS = (*FUNCTIONS, "long_job", "long_job-gpu")
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.IGNORECASE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bom(name: str, requirements: str) -> dict[str, Any]:
    """Of a deployable with these requirements; the same text gives the same."""
    components: list[dict[str, Any]] = []
    for line in requirements.splitlines():
        if found := _PIN.match(line):
            package, pinned = found[1].lower(), found[2]
            purl = f"pkg:pypi/{package}@{pinned}"
            component = {"type": "library", "bom-ref": purl, "name": package, "version": pinned, "purl": purl}
            # The files differ by machine: which of them is installed is not known here.
            components.append(component | {"properties": []})
        for digest in _HASH.findall(line):
            components[-1]["properties"].append({"name": "headrace:sha256", "value": digest})
    about = {"type": "application", "name": f"headrace-{name}", "version": version()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": components,
    }


def audited(program: str, name: str) -> bool:
    """Whether no part has a known vulnerability; false also where one could not be looked up."""
    flags = ("--disable-pip", "--require-hashes", "--strict")
    done = subprocess.run([program, f"--requirement=requirements/{name}.txt", *flags], check=False)
    return done.returncode == 0


def main(arguments: list[str] | None = None) -> int:
    """All sets; the exit status is 1 where one is vulnerable or could not be looked up."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sbom", description=__doc__)
    parser.add_argument("--audit", metavar="PROGRAM", help="look the packages up: where pip-audit is")
    options = parser.parse_args(arguments)

    def step() -> None:
        OUT.mkdir(parents=True, exist_ok=True)
        for name in SETS:
            made = bom(name, Path(f"requirements/{name}.txt").read_text())
            (OUT / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
        bad = [name for name in SETS if options.audit and not audited(options.audit, name)]
        if bad:
            raise Retryable(
                f"Not deployed because of {', '.join(bad)}: see above, and raise what is named (make lock)."
            )
        print(f"{len(SETS)} sets in {OUT}")

    return reporting("sbom", step)


if __name__ == "__main__":
    sys.exit(main())
