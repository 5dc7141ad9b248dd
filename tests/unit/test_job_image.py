"""The image of the long job, without Docker: what it copies is there and enough, and its steps run.

uv stands in for pip: it checks the same hashes, in a quarter of the time. Not done here: the base image, the
image's user, the packages of the variant for a GPU, and everything that a GPU or Cloud Run would show.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from deploy.stage import BASE_IMAGE
from tests.unit import dockerfile
from tests.unit.imports import Closure

if TYPE_CHECKING:
    from tests.unit.dockerfile import Instruction

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "long_job" / "Dockerfile"
IGNORE = ROOT / "long_job" / "Dockerfile.dockerignore"
MODEL = ROOT / "build" / "model"
UV = Path(sys.executable).parent / "uv"
VARIANTS = ("", "-gpu")
NEVER_IMPORTED = {
    "google.cloud.run_v2": "starts jobs, and a job starts none",
    "torch": "tunes layers, by hand; the job trains heads alone",
    "torch.nn": "the same",
}
needs_model = pytest.mark.skipif(not (MODEL / "manifest.json").exists(), reason="no model: run make model")


@pytest.fixture(scope="module", params=VARIANTS, ids=("cpu", "gpu"))
def instructions(request: pytest.FixtureRequest) -> list[Instruction]:
    return dockerfile.read(DOCKERFILE, VARIANT=request.param)


def values(instructions: list[Instruction], name: str) -> list[str]:
    return [instruction.value for instruction in instructions if instruction.name == name]


def test_what_is_copied_is_there(instructions: list[Instruction]) -> None:
    """And is not hidden from the build; models are made, not kept."""
    for value in values(instructions, "COPY"):
        source = value.split()[0]
        if source.startswith("--from"):
            assert source == "--from=packages"
        elif not source.startswith("build/"):
            assert dockerfile.visible(ROOT, source, IGNORE), source


def test_the_build_sees_no_more_than_it_copies() -> None:
    """Neither what no job imports, nor anything that a working directory may hold by accident."""
    hidden = (
        "shared/api",
        ".git",
        "tests",
        "samples",
        "functions",
        "requirements/dev.txt",
    )
    assert [source for source in hidden if dockerfile.visible(ROOT, source, IGNORE)] == []
    seen = dockerfile.visible(ROOT, "long_job", IGNORE)
    assert Path("long_job/main.py") in seen
    assert not [path for path in seen if "__pycache__" in path.parts or "Dockerfile" in path.name]


def test_rules_of_a_sound_image(instructions: list[Instruction]) -> None:
    """The rules of hadolint that could bite here, for where it is not installed."""
    assert all(re.search(r":\d+\.\d+-\w+-\w+( AS \w+)?$", image) for image in values(instructions, "FROM"))
    assert not {"ADD", "MAINTAINER", "SHELL", "HEALTHCHECK", "CMD"} & {each.name for each in instructions}
    (install,) = (run for run in values(instructions, "RUN") if "pip" in run and "install" in run)
    assert {"--require-hashes", "--no-cache-dir"} <= set(shlex.split(install))
    assert not re.search(r"\bsudo\b|\bcd\b|\|(?!\|)|apt", " ".join(values(instructions, "RUN")))
    assert re.fullmatch(r"[1-9]\d*", values(instructions, "USER")[-1]), "a number, and not root's"
    (entry,) = values(instructions, "ENTRYPOINT")
    assert json.loads(entry) == ["/venv/bin/python", "-m", "long_job"]
    names = [each.name for each in instructions]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in {"RUN", "COPY"})
    assert all(Path(value).is_absolute() for value in values(instructions, "WORKDIR"))


def test_the_job_runs_on_the_python_that_the_build_tests(instructions: list[Instruction]) -> None:
    """And that the functions are deployed on, so that nothing runs on a version which was not tried."""
    steps = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())["steps"]
    tested = {step["name"].removeprefix("python:") for step in steps if step["name"].startswith("python:")}
    runs = {re.split("[:-]", image)[1] for image in values(instructions, "FROM")}
    assert runs == tested
    assert {f"python{version.replace('.', '')}" for version in runs} == {BASE_IMAGE}


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(["hadolint", str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_variants_pin_the_same_packages() -> None:
    """But for onnxruntime and the libraries of the GPU, of which each has its own."""
    plain, gpu = (_pins(f"long_job{variant}") for variant in VARIANTS)
    only = {name for name in gpu if name not in plain}
    assert {name for name in plain if name not in gpu} == {"onnxruntime"}
    assert {name for name in only if not name.startswith("nvidia-")} == {"onnxruntime-gpu"}
    assert {name: pin for name, pin in gpu.items() if name in plain} == {
        name: pin for name, pin in plain.items() if name in gpu
    }
    assert all(name.endswith("-cu12") for name in only if name.startswith("nvidia-")), "of one CUDA"


def _pins(name: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for found in re.finditer(
        r"^([a-z0-9-]+)==(\S+)", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE
    ):
        pins.setdefault(found[1], set()).add(found[2])
    return pins


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's file system, but for what its base brings: copied, and its own steps run."""
    if not (MODEL / "manifest.json").exists():
        pytest.skip("no model: run make model")
    root = tmp_path_factory.mktemp("image")
    instructions = dockerfile.read(DOCKERFILE)
    dockerfile.stage(ROOT, instructions, IGNORE, root)
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}")
    for command in values(instructions, "RUN"):
        if command.startswith("useradd"):
            continue  # would make a user of this machine
        moved = re.sub(r"(?<=\s)/(venv|app|build)\b", f"{root}/\\1", f" {command}")
        pip = re.compile(r"pip --python (\S+) install --no-cache-dir")
        assert pip.search(moved) or "pip " not in moved
        moved = pip.sub(f"{UV} pip install --python \\1", moved)
        directory = root / "app" if "long_job" in command else root
        run(["sh", "-c", moved], directory, PATH=f"{root / 'bin'}:{os.environ['PATH']}")
    return root


def run(command: list[str], directory: Path, **environment: str) -> str:
    """Run in a bare environment, but for how the registry is found; the standard output."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    done = subprocess.run(
        command,
        cwd=directory,
        env={**kept, "HOME": os.environ.get("HOME", "/"), **environment},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_the_job_starts_from_its_own_packages_alone(staged: Path) -> None:
    """Nothing of this checkout, or of its environment, is near."""
    shown = run([f"{staged}/venv/bin/python", "-m", "long_job", "--help"], staged / "app")
    assert "document" in shown
    where = run(
        [f"{staged}/venv/bin/python", "-c", "import shared; print(shared.__path__[0])"], staged / "app"
    )
    assert where.strip() == f"{staged}/app/shared"


def test_all_that_the_job_may_import_is_in_the_image(staged: Path) -> None:
    """Ours, also where a function imports it late; and others' packages, installed."""
    closure = Closure(staged / "app", "long_job.__main__")
    assert "shared.extract.sandbox.zygote" in closure.reached, "the closure is followed"
    assert closure.missing == set(), "add it to long_job/Dockerfile.dockerignore"
    names = sorted(closure.others.keys() - NEVER_IMPORTED.keys())
    program = "import importlib, sys\nfor name in sys.argv[1:]:\n  importlib.import_module(name); print(name)"
    found = run([f"{staged}/venv/bin/python", "-c", program, *names], staged / "app").split()
    assert {"numpy", "onnxruntime", "tokenizers"} <= set(found)
    assert found == names


def test_every_module_that_the_job_may_load_can_be_imported(staged: Path) -> None:
    """Those of `shared` too that are found by name at run time, as the extractors of formats are."""
    by_name = {
        ".".join(path.relative_to(staged / "app").with_suffix("").parts)
        for path in (staged / "app" / "shared").rglob("*.py")
        if path.name not in {"__main__.py", "__init__.py"}
    }
    assert "shared.extract.pdf.reader" in by_name
    modules = sorted((by_name | Closure(staged / "app", "long_job.__main__").reached) - {"long_job.__main__"})
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "  try: importlib.import_module(name)\n"
        "  except ModuleNotFoundError as missing:\n"
        "    if missing.name != 'torch': raise\n"
    )
    run([f"{staged}/venv/bin/python", "-c", program, *modules], staged / "app")


def test_an_altered_model_ends_the_build(staged: Path, tmp_path: Path) -> None:
    """And says which file is not what its manifest names."""
    model = shutil.copytree(staged / "app" / "model", tmp_path / "model")
    with (model / "model.onnx").open("ab") as graph:
        graph.write(b"x")
    command = [f"{staged}/venv/bin/python", "-m", "long_job.check", str(model)]
    done = subprocess.run(command, cwd=staged / "app", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "model.onnx was altered" in done.stderr
