"""Who is measured, by kind of file: each module's READERS load a library and return what reads with it.

They run in Headrace's environment and in the peers', so that they import nothing but the one contestant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What was found in a file; `text` only where somebody looks at it."""

    characters: int = 0
    pages: int = 0
    """0 where it is not told."""
    text: str = ""


Read = Callable[[str], Reading]
"""Takes a file's path."""
Load = Callable[[], Read]


def headrace(*modules: str) -> Read:
    """Headrace's extraction; `modules` are those that it imports on the first file of a format."""
    from importlib import import_module
    from pathlib import Path

    from shared.extract.core import extract
    from shared.extract.shapes import ExtractOptions

    for module in modules:
        import_module(module)

    def read(path: str) -> Reading:
        extracted = extract(Path(path), name=path, content_type=None, options=ExtractOptions())
        texts = [block.text for block in extracted.blocks]
        return Reading(sum(map(len, texts)), extracted.pages or 0)

    return read
