"""What a digest looks like: a page, Markdown, JSON, and a few lines; the same digest gives the same bytes.

`words` says how numbers, dates and changes are told, `outline` and `tables` what stands in which section;
`page` and `markdown` put that into their form, and `charts` and `trend` draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.forms.brief import brief, headline
from shared.digests.forms.markdown import markdown
from shared.digests.forms.page import html

if TYPE_CHECKING:
    from shared.digests.records import Digest

__all__ = ["as_json", "brief", "headline", "html", "markdown"]


def as_json(digest: Digest) -> str:
    """All fields, in their order."""
    return digest.model_dump_json(indent=2) + "\n"
