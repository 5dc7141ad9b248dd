"""`python -m deploy.stage [NAME...]` puts all that a function needs into one folder, and that is deployed.

The same sources give the same bytes: files in order, with fixed modes and times. A folder's digest, over
names and contents and the base image they run on, tells whether a function has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.functions import BASE_IMAGE, FUNCTIONS, Function
from deploy.imports import Source
from shared.platform.errors import HeadraceError, SetupError

ROOT = Path(__file__).resolve().parent.parent
FILE_MODE, FOLDER_MODE = 0o644, 0o755
EPOCH = 315_532_800
"""1980-01-01, the first moment that a zip file can name."""
DIGEST_LENGTH = 40
"""Hexadecimal digits: a label of Google Cloud has at most 63 characters."""
REQUIREMENTS, VERSION, DIGESTS = "requirements.txt", "VERSION", "digests.toml"
NO_DIGESTS = b"# No schedules here; those in Firestore count.\n"


@dataclass(frozen=True)
class Staged:
    """A folder that is ready to be deployed."""

    name: str
    folder: str
    digest: str
    files: int
    size: int
    """Bytes."""


def stage(function: Function, out: Path, model: Path, source: Source) -> Staged:
    """Make `out/NAME` anew, in place of what is there.

    Raises:
        SetupError: something that belongs in it is missing.
    """
    contents = collect(function, model, source)
    out.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{function.name}-", dir=out))
    try:
        _write(fresh, contents)
        shutil.rmtree(out / function.name, ignore_errors=True)
        fresh.rename(out / function.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    size = sum(len(content) for content in contents.values())
    return Staged(function.name, str(out / function.name), digest(contents), len(contents), size)


def collect(function: Function, model: Path, source: Source) -> dict[str, bytes]:
    """Every file of the folder by its path in it, sorted.

    Raises:
        SetupError: one is missing.
    """
    root, start = source.root, f"functions.{function.name}.main"
    modules = source.needed(start)
    if not modules:
        raise SetupError(f"There is no {root / 'functions' / function.name / 'main.py'}.")
    own = [module for module in modules if module.name.startswith("functions")]
    if all(module.path.name in {"__init__.py", "main.py"} for module in own):
        modules = [module for module in modules if module.name == start or module not in own]
    places = {_place(module.path.relative_to(root), function): module.path for module in modules}
    packages = {module.path.parent for module in modules if module.path.is_relative_to(root / "shared")}
    data = [
        path for package in packages for path in package.iterdir() if path.is_file() and path.suffix != ".py"
    ]
    places |= {path.relative_to(root).as_posix(): path for path in data}
    places |= {f"model/{name}": model / name for name in function.model}
    places[REQUIREMENTS] = root / "requirements" / f"{function.name}.txt"
    contents = {place: _read(path) for place, path in places.items()}
    contents[VERSION] = f"{version(root)}\n".encode()
    if function.digests:
        schedules = root / DIGESTS
        contents[DIGESTS] = schedules.read_bytes() if schedules.is_file() else NO_DIGESTS
    return dict(sorted(contents.items()))


def digest(contents: dict[str, bytes]) -> str:
    """Of what a folder holds and what it runs on."""
    whole = hashlib.sha256(BASE_IMAGE.encode())
    for place, content in sorted(contents.items()):
        whole.update(f"\0{place}\0{hashlib.sha256(content).hexdigest()}".encode())
    return whole.hexdigest()[:DIGEST_LENGTH]


def version(root: Path = ROOT) -> str:
    """Headrace's."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def _place(path: Path, function: Function) -> str:
    # The framework loads main.py of the folder; what else a function has of its own keeps its name.
    main = f"functions/{function.name}/main.py"
    return "main.py" if path.as_posix() == main else path.as_posix()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        hint = "Build the model: make model" if path.parent.name == "model" else "Is the checkout whole?"
        raise SetupError(f"{path} is missing. {hint}") from None


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    for place, content in contents.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for path in (folder, *folder.rglob("*")):
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
    for path in sorted((folder, *folder.rglob("*")), reverse=True):  # folders after what lies in them
        os.utime(path, (EPOCH, EPOCH))


def named(names: list[str]) -> list[Function]:
    """The functions of these names, or all.

    Raises:
        SetupError: there is no such function.
    """
    if unknown := [name for name in names if name not in FUNCTIONS]:
        raise SetupError(f"There is no function {unknown[0]}. There are: {', '.join(sorted(FUNCTIONS))}")
    return [FUNCTIONS[name] for name in names] or list(FUNCTIONS.values())


def main(arguments: list[str] | None = None) -> int:
    """Stage, and say what was made; the exit status is 1 where something is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stage", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions (default: all)")
    parser.add_argument("--out", type=Path, default=Path("build"), help="(default: %(default)s)")
    parser.add_argument("--model", type=Path, default=Path("build/model"), help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        source = Source(ROOT)
        made = [stage(function, options.out, options.model, source) for function in named(options.names)]
    except HeadraceError as error:
        print(f"stage: {error.message}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([asdict(one) for one in made], indent=2))
    else:
        for one in made:
            size = f"{one.files:>4} files  {one.size / 1e6:>5.1f} MB"
            print(f"{one.name:<11} {one.digest}  {size}  {one.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
