"""`python -m benchmarks.image`: how much the long job's image holds, and how soon it has started.

Sizes of packages are the registry's own, of the wheels that the pinned sets name for Linux on x86-64 and
Python 3.13: nothing of the set for a GPU is downloaded. The start is timed in what the image holds, staged in
a temporary directory with packages of its own.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit import dockerfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
MB = 1e6
RUNS = 7
LEFT_OUT = ("cusparse", "cusolver", "npp", "nvjpeg", "nccl")
"""Of CUDA's libraries those in NVIDIA's runtime images that onnxruntime does not load."""
FITTING = re.compile(r"-(py3-none|py2\.py3-none|cp313-cp313|cp3\d+-abi3)-(any|.*manylinux.*x86_64.*)\.whl$")
PROJECT = '[project]\nname = "sizes"\nversion = "0"\nrequires-python = "==3.13.*"\ndependencies = [\n{}\n]\n'


def sizes(requirements: Sequence[str]) -> dict[str, int]:
    """Bytes of the wheel of each package that these bring."""
    with tempfile.TemporaryDirectory() as directory:
        lines = ",\n".join(f"'''{requirement}'''" for requirement in requirements)
        (Path(directory) / "pyproject.toml").write_text(PROJECT.format(lines))
        subprocess.run([UV, "lock", "--quiet"], cwd=directory, check=True)
        lock = tomllib.loads((Path(directory) / "uv.lock").read_text())
    found = {}
    for package in lock["package"]:
        wheels = [wheel for wheel in package.get("wheels", ()) if FITTING.search(wheel["url"])]
        if wheels:
            found[package["name"]] = max(wheel["size"] for wheel in wheels)
    return found


def pinned(name: str) -> list[str]:
    """The requirements of a set, without their hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return [line.removesuffix(" \\") for line in text.splitlines() if re.match(r"[a-z0-9]", line)]


def folder(path: Path) -> int:
    """Bytes of its files."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def print_sizes() -> None:
    """Both variants, and what is not taken."""
    print("| packages, as downloaded | CPU | GPU |\n| --- | --- | --- |")
    plain, gpu = sizes(pinned("long_job")), sizes(pinned("long_job-gpu"))
    for title, pattern in (
        ("onnxruntime", r"onnxruntime"),
        ("CUDA's libraries and cuDNN", r"nvidia-"),
        ("everything else", r"(?!onnxruntime|nvidia-)"),
        ("together", ""),
    ):
        sums = (sum(size for name, size in one.items() if re.match(pattern, name)) for one in (plain, gpu))
        print(f"| {title} | " + " | ".join(f"{total / MB:,.0f} MB" for total in sums) + " |")
    largest = sorted(gpu, key=lambda name: -gpu[name])[:6]
    print("Largest: " + ", ".join(f"{name} {gpu[name] / MB:,.0f}" for name in largest))
    left = sizes([f"nvidia-{name}-cu12" for name in LEFT_OUT])
    chosen = {name: left[f"nvidia-{name}-cu12"] for name in LEFT_OUT}
    listed = ", ".join(f"{name} {size / MB:,.0f}" for name, size in chosen.items())
    print(f"Left out: {listed}; together {sum(chosen.values()) / MB:,.0f} MB")
    for variant in ("model", "model-gpu", "weights"):
        if (ROOT / "build" / variant).exists():
            print(f"build/{variant}: {folder(ROOT / 'build' / variant) / MB:.0f} MB")


def stage(root: Path) -> None:
    """The image's own files and packages, below `root`."""
    patterns = ROOT / "long_job" / "Dockerfile.dockerignore"
    dockerfile.stage(ROOT, dockerfile.read(ROOT / "long_job" / "Dockerfile"), patterns, root)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True)
    requirements = root / "build" / "requirements.txt"
    install: list[str | Path] = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
        root / "venv" / "bin" / "python",
    ]
    subprocess.run([*install, "--require-hashes", "-r", requirements], check=True)
    subprocess.run([root / "venv" / "bin" / "python", "-m", "compileall", "-q", root / "app"], check=True)


def timed(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Median of the seconds that a command takes, and the most memory that one of these took."""
    seconds, largest = [], 0
    for _ in range(RUNS):
        started = time.perf_counter()
        python = str(root / "venv" / "bin" / "python")
        pid = os.posix_spawn(
            python,
            [python, *arguments],
            {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", **environment},  # noqa: S108 - the image's
            file_actions=[(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)],
        )
        _, status, usage = os.wait4(pid, 0)
        seconds.append(time.perf_counter() - started)
        largest = max(largest, usage.ru_maxrss)
        assert os.waitstatus_to_exitcode(status) == 0, arguments
    spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
    return f"{statistics.median(seconds):.2f} s ({spread}), {largest / 1024:.0f} MiB"


def print_starts() -> None:
    """From a process's start to its end."""
    with tempfile.TemporaryDirectory() as directory, socket.socket() as free:
        root = Path(directory)
        stage(root)
        print(
            f"staged: packages {folder(root / 'venv') / MB:,.0f} MB, code {folder(root / 'app') / MB:,.0f} MB"
        )
        os.chdir(root / "app")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "local.firestore", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen([*command, "--data", str(root / "data")], cwd=ROOT)
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            place = {"FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{port}"}
            nothing = ["-m", "long_job", "document", "0" * 24, "--run", "1", "--generation", "1"]
            print("| what | seconds, peak memory |\n| --- | --- |")
            for title, arguments in (
                ("`python -m long_job --help`", ["-m", "long_job", "--help"]),
                ("a task that finds nothing to do", nothing),
                (
                    "the model loaded, one text answered",
                    ["-m", "long_job.check", str(root / "app" / "model")],
                ),
            ):
                print(f"| {title} | {timed(root, arguments, place)} |")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    print_sizes()
    print_starts()
