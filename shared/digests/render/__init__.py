"""Render a digest as a page, Markdown, JSON and a headline; the same digest gives the same bytes.

`words` formats numbers, dates and changes; `outline` decides what stands in which section; `templates`
renders that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.render.outline import headline
from shared.digests.render.templates import html, mail, markdown

if TYPE_CHECKING:
    from shared.digests.records import Digest

__all__ = ["as_json", "headline", "html", "mail", "markdown"]


def as_json(digest: Digest) -> str:
    """Return all fields as JSON, in their order."""
    return digest.model_dump_json(indent=2) + "\n"
