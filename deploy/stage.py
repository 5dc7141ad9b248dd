"""Put all that a function needs into one folder, which is what is deployed.

The same sources give the same bytes: files in order, with fixed modes and times. A folder's digest, over
names, contents and the base image, tells whether a function has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from shared.platform.errors import SetupError

ROOT = Path(__file__).resolve().parent.parent
BASE_IMAGE = "python313"
"""Base image of Cloud Run functions, which Google keeps patched."""
MODEL = ("MODEL_CARD.md", "manifest.json", "model.onnx", "tokenizer.json")
TOKENIZER = ("manifest.json", "tokenizer.json")
"""The model's files for counting tokens, which needs no graph."""
DOCUMENTS = ("platform", "documents", "text", "extract")
"""What is imported by all that handles documents; of `extract`, not the readers of formats."""
DRAWING = ("extract/pdf", "extract/sandbox")
"""And by what draws pages of PDFs."""
READERS = ("extract/markup", "extract/office", *DRAWING)


@dataclass(frozen=True)
class Function:
    """One of `functions/`; its folder, its service and its requirement set have its name."""

    name: str
    shared: tuple[str, ...]
    """Folders of `shared/` that are staged, each without the folders in it."""
    model: tuple[str, ...] = ()
    """Files of the model that it reads."""


FUNCTIONS = {
    function.name: function
    for function in (
        Function("deadletter", DOCUMENTS),
        Function("digest", (*DOCUMENTS, "digests", "digests/compute", "digests/notify", "digests/render")),
        Function("api", (*DOCUMENTS, "inference", "intake", "digests", "digests/render", "api"), MODEL),
        Function(
            "console", (*DOCUMENTS, *DRAWING, "api", "digests", "digests/render", "inference", "intake")
        ),
        Function("analyze", (*DOCUMENTS, "inference"), MODEL),
        Function("sweep", (*DOCUMENTS, "intake", "digests", "digests/render")),
        Function("ingest", (*DOCUMENTS, *READERS, "inference", "intake"), TOKENIZER),
    )
}
"""The functions in the order in which traffic moves: receivers of messages before senders."""
FILE_MODE, FOLDER_MODE = 0o644, 0o755
EPOCH = 315_532_800
"""1980-01-01, the first moment that a zip file can name."""
DIGEST_LENGTH = 40
"""Hexadecimal digits: a label of Google Cloud has at most 63 characters."""
REQUIREMENTS, VERSION, DIGESTS = "requirements.txt", "VERSION", "digests.toml"
SCHEDULED = ("api", "console", "digest")
"""Functions that read schedules: they make digests, take orders for them, or show when they come."""
NO_DIGESTS = b"# No schedules here; those in Firestore count.\n"


def stage(function: Function, out: Path, model: Path, root: Path = ROOT) -> Path:
    """Make `out/NAME` anew, in place of what is there, and return it.

    Raises:
        SetupError: something that belongs in it is missing.
    """
    contents = collect(function, model, root)
    out.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{function.name}-", dir=out))
    try:
        _write(fresh, contents)
        shutil.rmtree(out / function.name, ignore_errors=True)
        return fresh.rename(out / function.name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def collect(function: Function, model: Path, root: Path = ROOT) -> dict[str, bytes]:
    """Return every file of the folder by its path in it, sorted.

    Raises:
        SetupError: one is missing.
    """
    folders = [root / "shared", *(root / "shared" / name for name in function.shared)]
    sources = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    places = {path.relative_to(root).as_posix(): path for path in sources}
    # The framework loads main.py of the folder.
    own = root / "functions" / function.name
    places["main.py"] = own / "main.py"
    if (own / "templates").is_dir():  # more than a handler: its modules are imported by their full names
        files = [path for path in own.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        places |= {path.relative_to(root).as_posix(): path for path in files if path != places["main.py"]}
        places["functions/__init__.py"] = root / "functions" / "__init__.py"
    places[REQUIREMENTS] = root / "requirements" / f"{function.name}.txt"
    places |= {f"model/{name}": model / name for name in function.model}
    contents = {place: _read(path) for place, path in places.items()}
    contents[VERSION] = f"{version(root)}\n".encode()
    if function.name in SCHEDULED:
        schedules = root / DIGESTS
        contents[DIGESTS] = schedules.read_bytes() if schedules.is_file() else NO_DIGESTS
    return dict(sorted(contents.items()))


def staged_digest(folder: Path) -> str:
    """Return the digest of the files in a folder that `stage` made, and of its base image.

    Raises:
        SetupError: it did not.
    """
    if not (folder / "main.py").is_file():
        raise SetupError(f"{folder} is missing: python -m deploy stage comes first.")
    whole = hashlib.sha256(BASE_IMAGE.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"\0{path.relative_to(folder).as_posix()}\0{content}".encode())
    return whole.hexdigest()[:DIGEST_LENGTH]


def version(root: Path = ROOT) -> str:
    """Return Headrace's version."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


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
