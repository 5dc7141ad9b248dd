"""The steps of a build, each with its own bar; what was done before from the same inputs is not repeated."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.progress import TaskID

_ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = ("numpy", "onnx", "tokenizers")


T = TypeVar("T")


class Tick(Protocol):
    """How a long step tells how far it is."""

    def __call__(self, done: int, total: int) -> None: ...


class Steps:
    """Runs steps, shows them, and keeps their results by the digest of what went into them.

    A result is kept as one file, `{step}.{inputs}.{content}`, the two digests shortened; a file whose content
    is not what its name says counts as absent. Of each step the last result alone is kept.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._code = code_digest()
        self._progress = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TextColumn("{task.fields[note]:<24}"),
            TimeElapsedColumn(),
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing; the bars stay as they are."""
        self._progress.stop()

    def run(self, title: str, compute: Callable[[Tick], T], note: str = "") -> T:
        """A step whose result is not kept."""
        bar = self._progress.add_task(title, total=1, note=note)
        result = compute(self._tick(bar))
        self._progress.update(bar, completed=1, total=1)
        return result

    def once(
        self, title: str, inputs: Iterable[str], compute: Callable[[Tick], bytes], note: str = ""
    ) -> bytes:
        """A step whose result depends on `inputs` (digests, names), our code and the libraries alone."""
        key = digest_of(title, self._code, *inputs)[:16]
        name = title.replace(" ", "-")
        known = self._find(f"{name}.{key}.*")
        if known is not None:
            self._progress.add_task(title, total=1, completed=1, note="unchanged")
            return known
        result = self.run(title, compute, note)
        self._keep(name, f"{name}.{key}.{hashlib.sha256(result).hexdigest()[:16]}", result)
        return result

    def _tick(self, bar: TaskID) -> Tick:
        return lambda done, total: self._progress.update(bar, completed=done, total=total)

    def _find(self, pattern: str) -> bytes | None:
        for path in self._cache.glob(pattern):
            content = path.read_bytes()
            if path.name.endswith(hashlib.sha256(content).hexdigest()[:16]):
                return content
        return None

    def _keep(self, name: str, file: str, content: bytes) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, prefix=".", delete=False) as scratch:
            scratch.write(content)
        for old in self._cache.glob(f"{name}.*"):
            old.unlink(missing_ok=True)
        os.replace(scratch.name, self._cache / file)  # noqa: PTH105 - onto a name that may exist


def digest_of(*parts: str) -> str:
    """One SHA-256 of several strings, none of which may run into the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def code_digest() -> str:
    """Changes when our code or a library that writes or runs the graph does."""
    from shared.inference.runtime import onnxruntime

    # Asked of the module: onnxruntime comes in distributions of several names.
    versions = [onnxruntime.__version__, *(import_module(name).__version__ for name in _LIBRARIES)]
    return digest_of(*(path.read_text("utf-8") for path in _code()), *versions)


def _code() -> Iterator[Path]:
    for folder in ("model_export", "shared/inference"):
        yield from sorted((_ROOT / folder).glob("*.py"))
    yield _ROOT / "shared" / "platform" / "records.py"
