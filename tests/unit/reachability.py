"""Which of our modules does a function need, and which packages do those import?

Read from the source: a module is needed if one that is needed imports it anywhere, in a function's body too,
or names it in a string, as those do that load readers by name. What only type checkers import is left out.
Packages are told more finely, by definitions: `shared.platform.clients` makes clients of five packages, each
in a function of its own, and a function that never calls `jobs()` needs no `google-cloud-run`.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("functions", "shared")
_MODULE = re.compile(r"(shared(?:\.\w+)+)(?::\w+)?")
_TYPES_ONLY = "TYPE_CHECKING"
_TOP = ""
"""Name of a module's own code, which runs when it is imported."""

Definition = tuple[str, str]
"""Module and name; the name is empty for the module's own code."""


@dataclass
class Module:
    """One source file, read once."""

    name: str
    path: Path
    tree: ast.Module = field(repr=False)

    @cached_property
    def package(self) -> str:
        """What relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def parts(self) -> dict[str, list[ast.stmt]]:
        """The statements of each definition of the top level; of the module itself under the empty name."""
        parts: dict[str, list[ast.stmt]] = {_TOP: []}
        for statement in _without_types(self.tree.body):
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                parts.setdefault(statement.name, []).append(statement)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for name in (
                    node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)
                ):
                    parts.setdefault(name, []).append(statement)
                parts[_TOP].append(statement)
            else:
                parts[_TOP].append(statement)
        return parts


class Source:
    """The modules of a source tree."""

    def __init__(self, root: Path, ours: tuple[str, ...] = OURS) -> None:
        """`root` holds the folders `ours`."""
        self.root, self.ours = root, ours
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """The module of that name, or None where there is none of ours."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> Module | None:
        if name.partition(".")[0] not in self.ours:
            return None
        base = self.root.joinpath(*name.split("."))
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                return Module(name, path, ast.parse(path.read_bytes(), str(path)))
        return None

    def needed(self, start: str) -> list[Module]:
        """`start` and every module of ours it may come to import, packages around them included; by name."""
        found: dict[str, Module] = {}
        waiting = self._beside(start)
        while waiting:
            name = waiting.pop()
            module = self.module(name)
            if module is None or name in found:
                continue
            found[name] = module
            waiting += [parent for parent in [name.rpartition(".")[0]] if parent]
            waiting += [target for target, _ in _imports(module, _without_types(module.tree.body)) if target]
            waiting += _named(module.tree)
        return [found[name] for name in sorted(found)]

    def packages(self, start: str) -> dict[str, set[str]]:
        """Each foreign module that `start` may come to import, with those of ours that do."""
        foreign: dict[str, set[str]] = {}
        for module_name, name in self.definitions(start):
            module = self.module(module_name)
            assert module is not None
            for target, _ in _imports(module, module.parts.get(name, [])):
                root = target.partition(".")[0]
                if self.module(target) is None and root not in {*sys.stdlib_module_names, *self.ours}:
                    foreign.setdefault(target, set()).add(module_name)
        return foreign

    def definitions(self, start: str) -> set[Definition]:
        """Every definition of ours that `start` may come to use, those of its folder included."""
        seen: set[Definition] = set()
        waiting: list[Definition] = [(each, name) for each in self._beside(start) for name in self._all(each)]
        while waiting:
            module_name, name = waiting.pop()
            module = self.module(module_name)
            if (module_name, name) in seen or module is None:
                continue
            seen.add((module_name, name))
            waiting.append((module_name, _TOP))
            waiting += [(parent, _TOP) for parent in [module_name.rpartition(".")[0]] if parent]
            statements = module.parts.get(name, [])
            used = _used(statements)
            if name and name not in module.parts:  # what it has from elsewhere, as a package's __init__ does
                waiting += self._resolve(module, {name})
            for target, names in _imports(module, statements):
                if self.module(target) is None:
                    continue
                waiting.append((target, _TOP))
                if name:  # inside a definition, the names that it imports are what it uses
                    waiting += self._taken(target, names, used)
            waiting += self._resolve(module, used)
            if name:
                waiting += [(target, part) for target in _named_in(statements) for part in self._all(target)]
        return seen

    def _beside(self, start: str) -> list[str]:
        """A function's module and those in its folder, which it loads by name: pages of the console."""
        package = start.rpartition(".")[0]
        folder = self.root.joinpath(*package.split("."))
        return [f"{package}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]

    def _all(self, name: str) -> list[str]:
        """Every name that a module has, its own or from elsewhere."""
        module = self.module(name)
        return (
            [*module.parts, *(bound for bound, _, _ in _bindings(module, module.tree.body))] if module else []
        )

    def _taken(self, target: str, names: list[str], used: set[str]) -> list[Definition]:
        """What `from target import names` takes: definitions, and of modules the attributes that are used."""
        taken: list[Definition] = []
        for name in names:
            inner = f"{target}.{name}"
            if self.module(inner) is None:
                taken.append((target, name))
                continue
            attributes = {
                use.partition(".")[2].partition(".")[0] for use in used if use.startswith(f"{name}.")
            }
            # Under another name, or handed on whole: all of it may be used.
            taken += [(inner, part) for part in attributes or self._all(inner)]
        return taken

    def _resolve(self, module: Module, used: set[str]) -> list[Definition]:
        """Definitions behind the names and the `module.attribute`s that a definition uses."""
        found: list[Definition] = []
        roots = {name.partition(".")[0] for name in used}
        found += [(module.name, root) for root in roots & set(module.parts)]
        for bound, target, name in _bindings(module, module.tree.body):
            inner = f"{target}.{name}" if name else target
            if self.module(inner):  # a module was imported: its attributes, where they are named
                attributes = {
                    use.partition(".")[2].partition(".")[0] for use in used if use.startswith(f"{bound}.")
                }
                found += [(inner, attribute) for attribute in attributes]
            elif bound in roots and name:
                found.append((target, name))
        return found


def _without_types(statements: list[ast.stmt]) -> list[ast.stmt]:
    return [
        statement
        for statement in statements
        if not (isinstance(statement, ast.If) and _TYPES_ONLY in ast.dump(statement.test))
    ]


def _imports(module: Module, statements: list[ast.stmt]) -> list[tuple[str, list[str]]]:
    """Modules that the statements import, with the names they take of each."""
    found: list[tuple[str, list[str]]] = []
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            target = _target(module, node)
            names = [alias.name for alias in node.names]
            found.append((target, names))
            found += [(f"{target}.{name}", []) for name in names]
    return found


def _target(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = module.package.split(".")
    return ".".join(base[: len(base) - node.level + 1] + ([node.module] if node.module else []))


def _bindings(module: Module, statements: list[ast.stmt]) -> list[tuple[str, str, str]]:
    """(name here, module, name there) of the module's own imports."""
    found: list[tuple[str, str, str]] = []
    for node in statements:
        if isinstance(node, ast.ImportFrom):
            target = _target(module, node)
            found += [(alias.asname or alias.name, target, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.asname or alias.name, alias.name, "") for alias in node.names]
    return found


def _used(statements: list[ast.stmt]) -> set[str]:
    """Names, and dotted names from their root on, that the statements mention."""
    used: set[str] = set()
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.add(f"{node.value.id}.{node.attr}")
    return used


def _named(tree: ast.AST) -> list[str]:
    """Our modules that strings name, as `"shared.extract.core:extract"` does."""
    strings = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return [name for text in strings for name in _MODULE.findall(text)]


def _named_in(statements: list[ast.stmt]) -> list[str]:
    return [name for statement in statements for name in _named(statement)]
