"""What a program imports, wherever in its functions: found in its text, without running it."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Closure:
    """Modules of `root` that `start` reaches, and modules of others that these import."""

    def __init__(self, root: Path, start: str) -> None:
        self._root = root
        self._own = {path.stem for path in root.iterdir() if (path / "__init__.py").exists()}
        self.reached: set[str] = set()
        self.missing: set[str] = set()
        """Imported as ours, and not there."""
        self.others: dict[str, set[str]] = {}
        """By whom they are imported."""
        self._follow(start)

    def _follow(self, module: str) -> None:
        if module in self.reached:
            return
        path = self._path(module)
        assert path is not None
        self.reached.add(module)
        if parent := module.rpartition(".")[0]:
            self._follow(parent)
        for name, parts in imported(ast.parse(path.read_text("utf-8"))):
            self._note(name, parts, module)

    def _note(self, name: str, parts: list[str], by: str) -> None:
        top = name.partition(".")[0]
        if top in self._own:
            if self._path(name) is None:
                self.missing.add(f"{name}, by {by}")
                return
            self._follow(name)
            for part in parts:
                if self._path(f"{name}.{part}"):
                    self._follow(f"{name}.{part}")
        elif top not in sys.stdlib_module_names:
            self.others.setdefault(name, set()).add(by)

    def _path(self, module: str) -> Path | None:
        path = self._root.joinpath(*module.split("."))
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if candidate.exists():
                return candidate
        return None


def imported(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """Each import that runs: its module, and what is taken from it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from ((alias.name, []) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.module
            yield child.module, [alias.name for alias in child.names]
        yield from imported(child)
