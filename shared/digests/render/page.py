"""A digest as a page: one file that asks nothing of any network, runs no script, and prints."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.digests.render import outline, words
from shared.platform.records import SENTIMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

    from shared.digests.records import Digest, Quote

HERE = Path(__file__).parent


def html(digest: Digest, link: Callable[[Quote], str]) -> str:
    """The page.

    Args:
        digest: what it says.
        link: the address at which a quote can be read; what is no web address makes no link.
    """
    from markupsafe import Markup

    style = (HERE / "page.css").read_text(encoding="utf-8")
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    template = _environment().get_template("page.html")
    return template.render(
        digest=digest,
        href=lambda quote: outline.web_address(link(quote)),
        style=Markup(style),  # noqa: S704 - our own file
        # Only this style applies, so that text that were taken for markup could not even hide a sentence.
        policy=f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'",
        **_charts(digest),
    )


def _charts(digest: Digest) -> dict[str, object]:
    from shared.digests.render import charts

    tones = {label: one.count for label in SENTIMENTS for one in digest.sentiments if one.name == label}
    every, judged = digest.overview.passages, sum(tones.values())
    named = "All passages" if judged == every else f"Judged, of {words.count(every)} passages"
    tone = charts.Stack(named, tones, judged)
    stacks = [
        charts.Stack(words.topic(row.name), row.sentiment, row.share.count) for row in outline.topics(digest)
    ]
    planned = outline.planned_topics(digest)
    lines = outline.series(digest)
    return {
        "patterns": charts.PATTERNS,
        "tone_chart": charts.stacked([tone], "tone-chart", "All passages by tone"),
        "topics_chart": charts.stacked(stacks, "topics-chart", "Passages by topic and tone")
        if stacks
        else None,
        "planned_chart": charts.paired(planned, "planned-chart", "Initiatives by topic") if planned else None,
        "multiples": charts.multiples(digest),
        "gap": any(value is None for line in lines for value in line.values),
        "labelled": charts.LABELLED,
        "scale": words.percent(charts.scale(lines)),
    }


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def printed(value: object) -> object:
        """Whatever is put into the page goes through here, and is escaped after."""
        return words.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["together"] = words.together
    made.globals |= {"words": words, "outline": outline}
    return made
