"""What is found in a page: a block of text, and where in the page it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.extract.shapes import BlockKind


class Mark(IntFlag):
    """Where in the page something stands."""

    NONE = 0
    MAIN = auto()
    ARTICLE = auto()
    ASIDE = auto()
    """The author says: navigation, a footer, something beside the content."""
    HEADER = auto()
    """In a header of the page, not of an article."""
    SUSPECT = auto()
    """A class or id says so."""


@dataclass(frozen=True, slots=True)
class Found:
    """A block, the characters of it that are links, and of a heading its level, 1 to 6."""

    text: str
    kind: BlockKind
    marks: Mark
    linked: int = 0
    level: int = 0
