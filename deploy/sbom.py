"""Write what each deployable consists of, one CycloneDX file each, and look its packages up.

The packages are those of its requirement set that its platform installs, with the SHA-256 of every file that
pip would accept; the model is a component with its own digest, and with what it was made from. The same
sources give the same bytes: the serial number follows from the contents, and no time is said.
"""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import tomllib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from deploy.stage import BASE_IMAGE, FUNCTIONS, ROOT, version
from shared.inference.manifest import MODEL_FILE, TOKENIZER_FILE, read_manifest
from shared.platform.errors import Retryable, SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from shared.inference.manifest import Manifest

EXCEPTIONS = ROOT / "requirements" / "audit.toml"
MODEL, GPU_MODEL = ROOT / "build" / "model", ROOT / "build" / "model-gpu"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "headrace")
"""Namespace of serial numbers."""
_HASH = re.compile(r"--hash=(\w+):([0-9a-f]+)")
_FROM = re.compile(r"^FROM (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Deployable:
    """What is deployed as one image."""

    name: str
    base: str
    """The image it stands on."""
    python: str
    files: tuple[str, ...] = ()
    """Files of the model."""
    model: Path = MODEL


def deployables(root: Path = ROOT) -> list[Deployable]:
    """List the functions and the job's two variants, by name."""
    digits = BASE_IMAGE.removeprefix("python")
    python = f"{digits[0]}.{digits[1:]}"
    functions = [Deployable(each.name, BASE_IMAGE, python, each.model) for each in FUNCTIONS.values()]
    base = _FROM.findall((root / "long_job" / "Dockerfile").read_text())[-1]
    python, files = base.partition(":")[2].partition("-")[0], (MODEL_FILE, TOKENIZER_FILE)
    jobs = [
        Deployable("long_job", base, python, files),
        Deployable("long_job-gpu", base, python, files, GPU_MODEL),
    ]
    return sorted([*functions, *jobs], key=lambda each: each.name)


def requirements(text: str, python: str) -> Iterator[tuple[Requirement, list[tuple[str, str]]]]:
    """Read each requirement of a pinned set that Linux on x86-64 installs, with its files' digests."""
    platform = {
        "platform_machine": "x86_64",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    for line in text.replace("\\\n", " ").splitlines():
        wanted = line.partition("--hash=")[0].strip()
        if not wanted or wanted.startswith("#"):
            continue
        requirement = Requirement(wanted)
        if requirement.marker is None or requirement.marker.evaluate(platform):
            yield requirement, _HASH.findall(line)


def bill(deployable: Deployable, text: str, manifest: Manifest | None) -> str:
    """Return the bill of materials of a deployable, as JSON: its requirement set's, and its model's."""
    itself = Component(
        name=f"headrace-{deployable.name}",
        version=version(),
        type=ComponentType.APPLICATION,
        bom_ref=f"headrace:{deployable.name}@{version()}",
        licenses=[DisjunctiveLicense(id="Apache-2.0")],
        properties=_properties({"base-image": deployable.base, "python": deployable.python}),
    )
    parts = [_package(*each) for each in requirements(text, deployable.python)]
    if manifest is not None:
        parts += _model(manifest, deployable.files)
    bom = Bom(components=parts, serial_number=NAMESPACE)
    bom.metadata.component = itself
    bom.metadata.timestamp = None  # type: ignore[assignment] # then it is left out
    bom.register_dependency(itself, parts)
    bom.serial_number = uuid.uuid5(NAMESPACE, JsonV1Dot6(bom).output_as_string())
    return JsonV1Dot6(bom).output_as_string(indent=2)


def _package(wanted: Requirement, digests: Sequence[tuple[str, str]]) -> Component:
    [pin] = wanted.specifier
    purl = PackageURL("pypi", name=wanted.name.lower(), version=pin.version)
    # Of alternatives, of which a platform installs one: so no `hashes`, which would all have to hold.
    accepted = [Property(name=f"headrace:accepted:{kind}", value=value) for kind, value in digests]
    return Component(name=wanted.name, version=pin.version, purl=purl, bom_ref=str(purl), properties=accepted)


def _model(manifest: Manifest, files: Sequence[str]) -> Iterator[Component]:
    if MODEL_FILE in files:
        ancestors = [
            Component(
                name=source.name,
                version=source.revision,
                type=ComponentType.DATA,
                licenses=[DisjunctiveLicense(name=source.licence)],
                description=source.use,
                hashes=_hashes(source.sha256),
            )
            for source in manifest.sources
        ]
        yield Component(
            name=manifest.name,
            version=manifest.digest,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f"model:{manifest.digest}",
            hashes=_hashes(manifest.digest),
            pedigree=Pedigree(ancestors=ancestors),
            properties=_properties({"precision": manifest.precision, "space": manifest.space}),
        )
    digest = manifest.tokenizer.sha256
    reference = f"tokenizer:{digest}"
    yield Component(name=TOKENIZER_FILE, type=ComponentType.FILE, bom_ref=reference, hashes=_hashes(digest))


def _hashes(sha256: str | None) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _properties(values: Mapping[str, str]) -> list[Property]:
    return [Property(name=f"headrace:{name}", value=value) for name, value in values.items()]


def write(out: Path, chosen: Sequence[Deployable], root: Path = ROOT) -> list[Path]:
    """Write a file for each; return their paths.

    Raises:
        SetupError: the model of one is not built.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for each in chosen:
        text = (root / "requirements" / f"{each.name}.txt").read_text()
        manifest = read_manifest(each.model) if each.files else None
        paths.append(out / f"{each.name}.cdx.json")
        paths[-1].write_text(bill(each, text, manifest) + "\n")
    return paths


def write_all(out: Path, program: str | None, *, warn: bool = False) -> None:
    """Write all bills, but for a GPU job without a model; look the packages up where a program is given.

    Args:
        out: folder of the bills.
        program: pip-audit.
        warn: print what it finds, and go on.
    """
    chosen = deployables()
    if not GPU_MODEL.is_dir():
        print(f"long_job-gpu: left out, since {GPU_MODEL.relative_to(ROOT)} is not built")
        chosen = [each for each in chosen if each.model != GPU_MODEL]
    for path in write(out, chosen):
        print(path)
    if program:
        audit(program, [each.name for each in chosen], warn=warn)


def passed(path: Path, today: dt.date) -> list[str]:
    """Return the advisories that an audit lets pass, each until a day.

    Raises:
        SetupError: the time of one is over, or it has none.
    """
    try:
        exceptions = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{path}: {error}") from None
    if any(type(day) is not dt.date for day in exceptions.values()):
        raise SetupError(f"{path}: each advisory has a day: GHSA-0000-0000-0000 = 2026-12-31")
    if over := [f"{name}, until {day}" for name, day in exceptions.items() if day < today]:
        raise SetupError(
            f"{path}: the time of an exception is over ({'; '.join(over)}). Raise the package (make lock), "
            "or look at its advisory again and give it another day."
        )
    return list(exceptions)


def audit(program: str, names: Sequence[str], *, warn: bool = False) -> None:
    """Look up the packages of these requirement sets; with `warn`, without exceptions, and nothing fails.

    Raises:
        Retryable: a package is vulnerable, or could not be looked up.
        SetupError: the time of an exception is over.
    """
    # A release outlives the time of its exceptions, which must not stop whoever installs it.
    exceptions = [] if warn else passed(EXCEPTIONS, dt.datetime.now(dt.UTC).date())
    if exceptions:
        print(f"let pass: {', '.join(exceptions)} ({EXCEPTIONS.name} says why)")
    flags = ["--progress-spinner=off", "--disable-pip", "--require-hashes", "--strict"]
    flags += [f"--ignore-vuln={advisory}" for advisory in exceptions]
    sets = {name: f"--requirement={ROOT / 'requirements' / f'{name}.txt'}" for name in names}
    bad = [
        name for name, path in sets.items() if subprocess.run([program, path, *flags], check=False).returncode
    ]
    if not bad:
        return
    found = f"Packages of {', '.join(bad)} have known vulnerabilities, or could not be looked up: see above."
    if warn:
        print(f"{found} The build goes on. A newer release of Headrace may have mended them.")
    else:
        raise Retryable(
            f"{found} Raise them (make lock); what has no fix yet may pass for a while by {EXCEPTIONS.name}."
        )
