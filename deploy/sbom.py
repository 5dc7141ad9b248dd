"""`python -m deploy.sbom [OUT/]` writes what each deployable consists of, one CycloneDX file each.

The packages are those of its requirement set that its platform installs, with the SHA-256 of every file that
pip would accept; the model is a component with its own digest, and with what it was made from. The same
sources give the same bytes: no random serial number, and no time but that of `SOURCE_DATE_EPOCH`.
`--audit` looks their packages up in a database of known vulnerabilities as well.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from deploy.exceptions import passed
from deploy.functions import BASE_IMAGE, FUNCTIONS
from deploy.gcloud import reporting
from deploy.stage import version
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest
from shared.platform.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.inference.manifest import Manifest, Source

ROOT = Path(__file__).resolve().parent.parent
OUT = Path("build/sbom")
EXCEPTIONS = ROOT / "requirements" / "audit.toml"
MODEL, GPU_MODEL = ROOT / "build" / "model", ROOT / "build" / "model-gpu"
SPECIFICATION = "1.6"
LICENCE = "Apache-2.0"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "headrace")
"""Of serial numbers, which follow from the contents."""
_HASH = re.compile(r"--hash=(\w+):([0-9a-f]+)")
_FROM = re.compile(r"^FROM (\S+)$", re.MULTILINE)

Component = dict[str, Any]


@dataclass(frozen=True)
class Deployable:
    """What is deployed as one image."""

    name: str
    base: str
    """The image it stands on."""
    python: str
    files: tuple[str, ...] = ()
    """Of the model."""
    model: Path = MODEL


def deployables(root: Path = ROOT) -> list[Deployable]:
    """All of them, by name."""
    digits = re.fullmatch(r"python(\d)(\d+)", BASE_IMAGE)
    assert digits is not None
    functions = [
        Deployable(one.name, BASE_IMAGE, ".".join(digits.groups()), one.model) for one in FUNCTIONS.values()
    ]
    base = _FROM.findall((root / "long_job" / "Dockerfile").read_text())[-1]
    python = base.partition(":")[2].partition("-")[0]
    files = (MODEL_FILE, TOKENIZER_FILE)
    jobs = [
        Deployable("long_job", base, python, files),
        Deployable("long_job-gpu", base, python, files, GPU_MODEL),
    ]
    return sorted([*functions, *jobs], key=lambda one: one.name)


def requirements(text: str, python: str) -> Iterator[tuple[Requirement, list[tuple[str, str]]]]:
    """Each requirement of a pinned set that Linux on x86-64 installs, with its files' digests."""
    platform = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    for line in text.replace("\\\n", " ").splitlines():
        wanted = line.partition("--hash=")[0].strip()
        if not wanted or wanted.startswith("#"):
            continue
        found = Requirement(wanted)
        if found.marker is None or found.marker.evaluate(platform):
            yield found, _HASH.findall(line)


def bill(deployable: Deployable, text: str, manifest: Manifest | None, moment: str | None) -> Component:
    """The bill of materials of one deployable.

    Args:
        deployable: what it is of.
        text: its requirement set.
        manifest: of the model that it has files of.
        moment: when it is made, RFC 3339; None: not said.
    """
    parts = [_package(*one) for one in requirements(text, deployable.python)]
    if manifest is not None:
        parts += _model(manifest, deployable.files)
    parts.sort(key=lambda part: str(part["bom-ref"]))
    itself = f"headrace:{deployable.name}@{version()}"
    contents: Component = {
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": itself,
                "name": f"headrace-{deployable.name}",
                "version": version(),
                "licenses": [{"license": {"id": LICENCE}}],
                "properties": _properties({"base-image": deployable.base, "python": deployable.python}),
            }
        },
        "components": parts,
        "dependencies": [{"ref": itself, "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    serial = uuid.uuid5(NAMESPACE, json.dumps(contents, sort_keys=True))
    if moment is not None:
        contents["metadata"]["timestamp"] = moment
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        **contents,
    }


def _package(wanted: Requirement, digests: Sequence[tuple[str, str]]) -> Component:
    [pin] = wanted.specifier
    purl = f"pkg:pypi/{wanted.name.lower()}@{pin.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": wanted.name,
        "version": pin.version,
        "purl": purl,
        # Of alternatives, of which a platform installs one: so no `hashes`, which would all have to hold.
        "properties": [
            {"name": f"headrace:accepted:{kind}", "value": value} for kind, value in sorted(digests)
        ],
    }


def _model(manifest: Manifest, files: Sequence[str]) -> Iterator[Component]:
    if MODEL_FILE in files:
        yield {
            "type": "machine-learning-model",
            "bom-ref": f"model:{manifest.digest}",
            "name": manifest.name,
            "version": manifest.digest,
            "hashes": [{"alg": "SHA-256", "content": manifest.digest}],
            "pedigree": {"ancestors": [_ancestor(one) for one in manifest.sources]},
            "properties": _properties({"precision": manifest.precision, "space": manifest.space}),
        }
    yield {
        "type": "file",
        "bom-ref": f"tokenizer:{manifest.tokenizer.sha256}",
        "name": TOKENIZER_FILE,
        "hashes": [{"alg": "SHA-256", "content": manifest.tokenizer.sha256}],
    }


def _ancestor(source: Source) -> Component:
    found: Component = {
        "type": "data",
        "name": source.name,
        "version": source.revision,
        "licenses": [{"license": {"name": source.licence}}],
        "description": source.use,
    }
    if source.sha256 is not None:
        found["hashes"] = [{"alg": "SHA-256", "content": source.sha256}]
    return found


def _properties(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": f"headrace:{name}", "value": value} for name, value in sorted(values.items())]


def written_at(environ: Mapping[str, str]) -> str | None:
    """The moment of `SOURCE_DATE_EPOCH`, where that is set."""
    seconds = environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(seconds), UTC).isoformat() if seconds else None


def write(out: Path, chosen: Sequence[Deployable], root: Path = ROOT) -> list[Path]:
    """One file each; their paths.

    Raises:
        SetupError: the model of one is not built.
    """
    out.mkdir(parents=True, exist_ok=True)
    moment, paths = written_at(os.environ), []
    for one in chosen:
        text = (root / "requirements" / f"{one.name}.txt").read_text()
        manifest = read_manifest(one.model) if one.files else None
        paths.append(out / f"{one.name}.cdx.json")
        paths[-1].write_text(json.dumps(bill(one, text, manifest, moment), indent=2) + "\n")
    return paths


def audited(program: str, name: str, exceptions: Sequence[str]) -> bool:
    """Whether no package has a known vulnerability; false also where one could not be looked up."""
    flags = ["--progress-spinner=off", "--disable-pip", "--require-hashes", "--strict"]
    flags += [f"--ignore-vuln={one}" for one in exceptions]
    path = ROOT / "requirements" / f"{name}.txt"
    done = subprocess.run([program, f"--requirement={path}", *flags], check=False)
    return done.returncode == 0


def audit(program: str, names: Sequence[str]) -> None:
    """Look up these sets.

    Raises:
        Retryable: of one, something is vulnerable or could not be looked up.
        SetupError: the time of an exception is over.
    """
    exceptions = passed(EXCEPTIONS, datetime.now(UTC).date())
    if exceptions:
        print(f"let pass: {', '.join(exceptions)} ({EXCEPTIONS.name} says why)")
    if bad := [name for name in names if not audited(program, name, exceptions)]:
        raise Retryable(
            f"Packages of {', '.join(bad)} have known vulnerabilities, or could not be looked up: see above. "
            f"Raise them (make lock); what has no fix yet may pass for a while by {EXCEPTIONS.name}."
        )


def main(arguments: list[str] | None = None) -> int:
    """All of them; the exit status is 1 where a model is missing, or a package is vulnerable or not found."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sbom", description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=OUT, help="folder that they are written into")
    parser.add_argument("--audit", metavar="PROGRAM", help="look the packages up: where pip-audit is")
    options = parser.parse_args(arguments)

    def step() -> None:
        chosen = deployables()
        if not GPU_MODEL.is_dir():
            print(f"long_job-gpu: left out, since {GPU_MODEL.relative_to(ROOT)} is not built")
            chosen = [one for one in chosen if one.model != GPU_MODEL]
        for path in write(options.out, chosen):
            print(path)
        if options.audit:
            audit(options.audit, [one.name for one in chosen])

    return reporting("sbom", step)


if __name__ == "__main__":
    sys.exit(main())
