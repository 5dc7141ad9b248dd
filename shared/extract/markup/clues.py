"""What elements and their attributes say about what stands in them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.extract.markup.found import Mark

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
        "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1",
        "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main",
        "menu", "nav", "ol", "p", "plaintext", "pre", "search", "section", "summary", "table", "tbody", "td",
        "tfoot", "th", "thead", "tr", "ul", "xmp",
    }
)  # fmt: skip
"""Elements that begin and end a paragraph."""
DROPPED = frozenset(
    {
        "applet", "audio", "button", "canvas", "datalist", "embed", "frame", "iframe", "map", "math", "meter",
        "noembed", "noframes", "noscript", "object", "option", "progress", "rp", "rt", "script", "select",
        "style", "svg", "template", "textarea", "video",
    }
)  # fmt: skip
"""Elements without prose, or with prose that a browser does not show."""
PRE = frozenset({"pre", "listing", "plaintext", "xmp"})
HEADINGS = {f"h{level}": level for level in range(1, 7)}

_TAGS = {
    "main": Mark.MAIN,
    "article": Mark.ARTICLE,
    "nav": Mark.ASIDE,
    "aside": Mark.ASIDE,
    "footer": Mark.ASIDE,
}
_ROLES = {
    "main": Mark.MAIN,
    "article": Mark.ARTICLE,
    "banner": Mark.HEADER,
    **dict.fromkeys(
        ("navigation", "contentinfo", "complementary", "search", "dialog", "alertdialog", "menu", "menubar",
         "toolbar", "tablist"),
        Mark.ASIDE,
    ),
}  # fmt: skip
_WHOLE = frozenset({"html", "body", "main", "article"})  # never suspected
_QUOTED = re.compile(
    r"(?i)(?:gmail_(?:quote|signature|attr)|moz-(?:cite-prefix|signature)|yahoo_quoted|protonmail_quote"
    r"|divRplyFwdMsg|appendonsend|OutlookMessageHeader)\S*"
)
"""What mail programs call the message that is answered, and signatures."""
_HIDDEN = re.compile(r"(?i)(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden)")
# A whole class or id, not a part of one: `has-sidebar` tells of a page, `social-responsibility` of a subject.
_SUSPECT = re.compile(
    r"""(?ix)
    (?:(?:site|page|main|global|top|bottom|primary|secondary|left|right|mobile|header|footer|js|the)[-_]{1,2})?
    (?:
      nav(?:bar|igation)? | (?:sub|mega|drop-?down-?)?menu | breadcrumbs? | sidebar | footer | masthead
      | cookies?(?:[-_]?(?:law|policy|info|notice|consent|bar|hint|layer|message))? | (?:cookie)?consent
      | gdpr
      | onetrust[-_a-z]*+ | cookiebot[a-z]*+ | usercentrics[-_a-z]*+ | didomi[-_a-z]*+
      | (?:social|share|sharing)[-_]?(?:media|shar(?:e|ing)|links?|icons?|buttons?|bar|tools?)
      | pagination | pager
      | related[-_]?(?:posts?|articles?|contents?|links?|news|stories|pages?|items?) | recommend(?:ed|ations?)
      | skip(?:[-_]?(?:link|nav|navigation|to[-_]?(?:main|content)))? | newsletter | pop-?up | modal
      | ads? | adverts? | advertisements? | advertising | sponsored | promo | tool-?bar | table-?of-?contents
      | sr-only | visually-?hidden | screen-?reader(?:-text)?
    )
    (?:[-_]{1,2}(?:bar|banner|wrap|wrapper|container|inner|outer|lists?|items?|links?|box|panel|content|area|widget
      |section|block|overlay|modal|dialog|popup|top|bottom|left|right|main|primary|secondary|menu|nav|signup))*
    """
)


def is_hidden(tag: str, attributes: Mapping[str, str]) -> bool:
    """Would a browser show it?"""
    if attributes.get("hidden", "until-found").lower() != "until-found" or _HIDDEN.search(
        attributes.get("style", "")[:2000]
    ):
        return True
    if tag == "dialog":
        return "open" not in attributes
    # A page that was saved while a dialog stood open hides all of its content from screen readers.
    return attributes.get("aria-hidden") == "true" and tag not in BLOCKS


def marks(tag: str, attributes: Mapping[str, str]) -> Mark:
    """What the element adds to what stands in it."""
    found = _TAGS.get(tag, Mark.NONE)
    if attributes:
        role = attributes.get("role")
        if role:
            found |= _ROLES.get(role.lower(), Mark.NONE)
        if tag not in _WHOLE and ("class" in attributes or "id" in attributes):
            found |= _named(f"{attributes.get('class', '')} {attributes.get('id', '')}"[:500])
        if tag == "blockquote" and attributes.get("type") == "cite":
            found |= Mark.ASIDE
    return found


@lru_cache(maxsize=4096)
def _named(names: str) -> Mark:
    """What classes and ids tell."""
    if any(map(_QUOTED.fullmatch, names.split())):
        return Mark.ASIDE
    return Mark.SUSPECT if any(map(_SUSPECT.fullmatch, names.split())) else Mark.NONE
