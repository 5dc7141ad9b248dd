"""Render a digest from templates: as a page, and as Markdown.

The page is one file that requests nothing from any network, runs no script, and prints.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.digests.render import outline, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    from shared.digests.records import Digest, Source

HERE = Path(__file__).parent
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$@])")
"""What could begin markup in Markdown, wherever it stands."""
STARTS = re.compile(r"^([-+=]|\d{1,9}(?=[.)]))")
"""What could begin a list or a heading at the start of a line."""
ADDRESSES = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(\bwww)(\.)")
"""What is made a link without any markup."""
IN_ADDRESS = str.maketrans({"<": "%3C", ">": "%3E", "\\": "%5C", " ": "%20", "|": "%7C"})


def html(digest: Digest, link: Callable[[Source], str]) -> str:
    """Render a digest as a page; `link` returns where a quote can be read, if that is a web address."""
    from markupsafe import Markup

    style = (HERE / "page.css").read_text(encoding="utf-8")
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        environment()
        .get_template("page.html")
        .render(
            digest=digest,
            href=lambda source: outline.web_address(link(source)),
            style=Markup(style),  # noqa: S704 - our own file
            # Only this style applies, so text that was taken for markup could not even hide a sentence.
            policy=f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'",
        )
    )


def markdown(digest: Digest, link: Callable[[Source], str]) -> str:
    """Render a digest as Markdown; `link` is as for the page."""
    from markupsafe import Markup

    def href(source: Source) -> Markup | None:
        address = outline.web_address(link(source))
        return None if address is None else Markup(address.translate(IN_ADDRESS))  # noqa: S704 - it is Markdown

    text = environment(escape).get_template("digest.md.jinja").render(digest=digest, href=href)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def mail(digest: Digest, page: str) -> str:
    """Render the figures and changes of a digest for mail programs, with the address of its page."""
    return environment().get_template("mail.html").render(digest=digest, page=page)


def escape(text: str) -> str:
    """Escape a text so that Markdown shows it as it is."""
    safe = SPECIAL.sub(r"\\\1", words.clean(text))
    safe = ADDRESSES.sub(lambda match: match[0][:-1] + "\\" + match[0][-1], safe)
    return STARTS.sub(lambda match: f"\\{match[0]}" if match[0] in "-+=" else f"{match[0]}\\", safe)


@lru_cache(maxsize=2)
def environment(escaping: Callable[[str], str] | None = None) -> Environment:
    """Return the templates; every value they print is escaped, by `escaping` instead of as HTML if given."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def printed(value: object) -> object:
        if isinstance(value, Markup):
            return value
        if escaping is not None:
            return Markup(escaping(str(value)))  # noqa: S704 - escaped
        return words.clean(value) if isinstance(value, str) else value

    templates = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.globals |= {"words": words, "outline": outline}
    return templates
