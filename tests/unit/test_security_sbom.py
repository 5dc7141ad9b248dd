"""Bills of materials: valid CycloneDX, the same bytes each time, nothing of what is deployed left out."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy import sbom
from deploy.__main__ import main
from deploy.sbom import GPU_MODEL, MODEL, Deployable, deployables, passed, requirements, write
from deploy.stage import FUNCTIONS
from shared.inference.manifest import read_manifest
from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = Deployable("sweep", "python313", "3.13")
A, B, C = ("a" * 64, "b" * 64, "c" * 64)
SET = f"""\
anyio==4.16.0 \\
    --hash=sha256:{B} \\
    --hash=sha256:{A}
# a comment
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{C}
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{A}
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{B}
"""


def bill(deployable: Deployable, text: str) -> dict[str, Any]:
    """Of a deployable without a model."""
    made: dict[str, Any] = json.loads(sbom.bill(deployable, text, None))
    return made


def here() -> Sequence[Deployable]:
    """All but what needs a model that is built for GPUs."""
    return [one for one in deployables() if one.model != GPU_MODEL]


def names(made: dict[str, Any], kind: str = "library") -> set[str]:
    return {f"{part['name']}=={part['version']}" for part in made["components"] if part["type"] == kind}


def test_every_bill_is_valid(tmp_path: Path) -> None:
    """By CycloneDX's own schema, in its strict form."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for path in write(tmp_path, here()):
        assert validator.validate_str(path.read_text()) is None, path.name
    made = sbom.bill(FUNCTION, SET, read_manifest(MODEL))
    broken = json.dumps(json.loads(made) | {"components": [{"name": "of no type"}]})
    assert validator.validate_str(broken) is not None


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    """Serial number and all; another requirement gives another."""
    first, second = (write(tmp_path / name, here()) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert "timestamp" not in first[0].read_text()
    serials = {bill(FUNCTION, text)["serialNumber"] for text in (SET, SET.replace("4.16", "4.17"))}
    assert len(serials) == 2


@pytest.mark.parametrize(
    ("python", "wanted"),
    [("3.11", {"anyio==4.16.0", "numpy==2.4.6"}), ("3.13", {"anyio==4.16.0", "numpy==2.5.5"})],
)
def test_packages_are_those_that_the_platform_installs(python: str, wanted: set[str]) -> None:
    """Markers are decided for Linux and the version that the image has."""
    made = bill(Deployable("x", "base", python), SET)
    assert names(made) == wanted
    [anyio] = [part for part in made["components"] if part["name"] == "anyio"]
    assert anyio["purl"] == "pkg:pypi/anyio@4.16.0"
    assert [one["value"] for one in anyio["properties"]] == [A, B]


def test_every_pinned_package_is_in_its_bill() -> None:
    """Each name of a set, but for those of other platforms; and every one has digests."""
    for one in here():
        text = (ROOT / "requirements" / f"{one.name}.txt").read_text()
        pinned = set(re.findall(r"^([\w.-]+)==\S+(?= \\$)", text, re.MULTILINE))
        found = {wanted.name: digests for wanted, digests in requirements(text, one.python)}
        assert pinned <= set(found)
        assert all(found.values())


def test_the_model_is_a_component_with_its_digest(tmp_path: Path) -> None:
    """Where it is in the image; a function that only counts tokens has the tokenizer alone."""
    manifest = read_manifest(MODEL)
    made = {path.name.partition(".")[0]: json.loads(path.read_text()) for path in write(tmp_path, here())}
    holding = {name for name, one in made.items() if names(one, "machine-learning-model")}
    assert holding == {"analyze", "api", "long_job"}
    [model] = [part for part in made["api"]["components"] if part["type"] == "machine-learning-model"]
    assert model["hashes"] == [{"alg": "SHA-256", "content": manifest.digest}]
    assert {one["name"] for one in model["pedigree"]["ancestors"]} == {one.name for one in manifest.sources}
    tokenizers = [
        part["hashes"][0]["content"] for part in made["ingest"]["components"] if part["type"] == "file"
    ]
    assert tokenizers == [manifest.tokenizer.sha256]
    assert not [part for part in made["sweep"]["components"] if part["type"] != "library"]


def test_every_deployable_has_a_bill(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The functions and the job; without a model for GPUs the job of that kind is said to be left out."""
    assert {one.name for one in deployables()} == {*FUNCTIONS, "long_job", "long_job-gpu"}
    assert {one.python for one in deployables() if one.name.startswith("long_job")} == {"3.13"}
    assert main(["sbom", str(tmp_path)]) == 0
    written = {path.name.removesuffix(".cdx.json") for path in tmp_path.iterdir()}
    if GPU_MODEL.is_dir():
        assert "long_job-gpu" in written
    else:
        assert "long_job-gpu: left out" in capsys.readouterr().out
    assert written >= {*FUNCTIONS, "long_job"}


def test_a_model_that_is_not_built_is_an_error(tmp_path: Path) -> None:
    """No bill is written without the model that is deployed."""
    lacking = Deployable("api", "python313", "3.13", ("model.onnx",), tmp_path / "none")
    with pytest.raises(SetupError, match="There is no model"):
        write(tmp_path, [lacking])
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(("program", "status"), [("/bin/true", 0), ("/bin/false", 1)])
def test_a_package_that_could_not_be_looked_up_fails_the_build(
    program: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that is vulnerable: the program's exit status decides."""
    monkeypatch.setattr(sbom, "EXCEPTIONS", tmp_path / "audit.toml")
    sbom.EXCEPTIONS.touch()
    assert main(["sbom", str(tmp_path), "--audit", program]) == status


def test_whoever_installs_a_release_is_warned_of_what_was_published_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The build goes on, and an exception of the release whose time is over hides nothing."""
    monkeypatch.setattr(sbom, "EXCEPTIONS", tmp_path / "audit.toml")
    sbom.EXCEPTIONS.write_text("GHSA-1 = 2020-01-01")
    program = tmp_path / "pip-audit"
    program.write_text('#!/bin/sh\ncase "$@" in *ignore-vuln*) exit 2;; *api.txt*) exit 1;; esac\n')
    program.chmod(0o755)
    arguments = ["sbom", str(tmp_path), "--audit", str(program)]
    assert main([*arguments, "--advisories", "warn"]) == 0
    assert "Packages of api have known vulnerabilities, or could not" in capsys.readouterr().out
    assert main(arguments) == 1
    assert main([*arguments, "--advisories", "ignore"]) != 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GHSA-1 = 2026-05-30", r"is over \(GHSA-1, until 2026-05-30\). Raise the package"),
        ('GHSA-1 = "2026-05-31"', "each advisory has a day"),
        ("GHSA-1 = 2026-05-31T00:00:00Z", "each advisory has a day"),
        ("[GHSA-1]", "each advisory has a day"),
        ("[[exception", "end of an array"),
    ],
)
def test_an_exception_has_an_end(text: str, said: str, tmp_path: Path) -> None:
    """Its last day included; after it the build stops, and says what to do."""
    (tmp_path / "audit.toml").write_text("GHSA-1 = 2026-05-31")
    assert passed(tmp_path / "audit.toml", date(2026, 5, 31)) == ["GHSA-1"]
    (tmp_path / "audit.toml").write_text(text)
    with pytest.raises(SetupError, match=said):
        passed(tmp_path / "audit.toml", date(2026, 5, 31))


def test_the_projects_own_exceptions_can_be_read() -> None:
    """And what the file shows as an example can be taken over."""
    text = sbom.EXCEPTIONS.read_text()
    passed(sbom.EXCEPTIONS, date.min)
    assert tomllib.loads(re.sub("^# (?=GHSA)", "", text, flags=re.MULTILINE))


def test_what_is_deployed_is_looked_up_with_its_exceptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every set once; that of a job with a GPU, of which there is no model, is not."""
    monkeypatch.setattr(sbom, "GPU_MODEL", ROOT / "build" / "no-model-for-gpus")
    monkeypatch.setattr(sbom, "EXCEPTIONS", tmp_path / "audit.toml")
    sbom.EXCEPTIONS.write_text("GHSA-1 = 9999-12-31")
    program, calls = tmp_path / "pip-audit", tmp_path / "calls"
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    program.chmod(0o755)
    assert main(["sbom", str(tmp_path / "out"), "--audit", str(program)]) == 0
    made = calls.read_text().splitlines()
    assert sorted(re.findall(r"requirements/(\S+)\.txt", calls.read_text())) == sorted(
        [*FUNCTIONS, "long_job"]
    )
    assert all(call.endswith("--strict --ignore-vuln=GHSA-1") for call in made)
