"""What a digest looks like: a page, Markdown, JSON, and a few lines; the same digest gives the same bytes.

`words` formats numbers, dates and changes, `outline` decides what stands in which section, `page` and
`markdown` render that, and `charts` draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.render.markdown import brief, headline, markdown
from shared.digests.render.page import html

if TYPE_CHECKING:
    from shared.digests.records import Digest

__all__ = ["as_json", "brief", "headline", "html", "markdown"]


def as_json(digest: Digest) -> str:
    """All fields, in their order."""
    return digest.model_dump_json(indent=2) + "\n"
