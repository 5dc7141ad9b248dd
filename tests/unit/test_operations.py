"""Whoever is woken by an alert finds its section."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TITLE = re.compile(r'^\s+title\s+= "(.+)"$', re.MULTILINE)
ABSENT = re.compile(r'^\s+display_name += "Headrace: ([^$"]+)"$', re.MULTILINE)


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    """Under the same title, in the order of the page."""
    alerts = (ROOT / "infra/alerts.tf").read_text("utf-8")
    titles = {title.casefold() for title in [*TITLE.findall(alerts), *ABSENT.findall(alerts)]}
    assert len(titles) >= 6
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    sections = {title.casefold() for title in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert titles <= sections
    assert sections - titles == {"spend", "digests", "quotas", "by hand"}
