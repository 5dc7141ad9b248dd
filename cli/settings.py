"""`headrace settings`: every setting with its default, its bounds and what it does; docs/settings.md too."""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from shared.platform.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo
    from rich.console import Console

PROJECT = "PROJECT"
"""Stands for the project's name in defaults that follow from it."""
BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
HEAD = """# Settings

Every setting, written by `headrace settings --markdown`. An environment variable sets it, on the local stack
as in the cloud, where Terraform gives it to the functions. A variable that begins with `HEADRACE_` and is
none of these, or whose value does not fit, stops the process at start, with its name and an example.

`GOOGLE_CLOUD_PROJECT` names the project. `HEADRACE_DATA` is the command line's own: the local stack's
directory.

| variable | default | what it is |
| --- | --- | --- |
"""


def all_settings() -> list[dict[str, Any]]:
    """Return each setting in the order of the code: variable, default, bounds, about."""
    [body] = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(body, ast.ClassDef)
    about = {
        ast.unparse(field.target): " ".join(ast.literal_eval(docstring.value).split())
        for field, docstring in pairwise(body.body)
        if isinstance(field, ast.AnnAssign) and isinstance(docstring, ast.Expr)
    }
    return [
        {
            "variable": f"{PREFIX}{name.upper()}",
            "default": _default(name, field),
            "bounds": ", ".join(_bounds(field)),
            "about": about[name],
        }
        for name, field in Settings.model_fields.items()
        if name != "project"
    ]


def markdown() -> str:
    """Return the whole of docs/settings.md."""
    rows = []
    for setting in all_settings():
        default = f"`{setting['default']}`" if setting["default"] else ""
        text = _text(setting).replace("|", "\\|")
        rows.append(f"| `{setting['variable']}` | {default} | {text} |\n")
    return HEAD + "".join(rows)


def show(console: Console) -> None:
    """Print every setting for a person."""
    for setting in all_settings():
        default = "" if setting["default"] is None else f"  {setting['default']}"
        console.print(Text.assemble((setting["variable"], "cyan"), default))
        console.print(Padding(Text(_text(setting)), (0, 0, 0, 4)))


def _text(setting: dict[str, Any]) -> str:
    bounds = f" ({setting['bounds']})" if setting["bounds"] else ""
    return f"{setting['about']}{bounds}"


def _default(name: str, field: FieldInfo) -> str | None:
    if field.is_required():
        return f"{PROJECT}-{name.removesuffix('_bucket')}"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bounds(field: FieldInfo) -> Iterator[str]:
    for bound in field.metadata:
        for name, words in BOUNDS.items():
            limit = getattr(bound, name, None)
            if limit is not None and not (name == "gt" and limit == 0):
                yield f"{words} {limit:,g}" if isinstance(limit, float) else f"{words} {limit:,}"
