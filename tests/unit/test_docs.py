"""What the documentation names exists: links, files, commands, options, ports, topics, make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.main import headrace
from local.services import DEFAULT_PORT, TITLES
from shared.platform.records import TOPICS as STANDARDS
from shared.platform.settings import TOPICS

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "local/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")

LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(
    r"`((?:shared|functions|local|cli|model_export|training|samples|tests|requirements|benchmarks)/[\w./]*)`"
)
COMMAND = re.compile(r"(?:[`(]|\$ |bin/)headrace ([a-z]+)((?: (?:--[a-z-]+|[\w./…\[\]]+))*)")
TARGET = re.compile(r"`make ([a-z]+)`|^make ([a-z]+)", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists and, where it has a fragment, a heading in it."""
    for link in LINK.findall(page.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page: Path) -> None:
    """A path in code type is a path in the repository."""
    for name in FILE.findall(page.read_text("utf-8")):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    """`headrace x --y` can be typed."""
    for name, rest in COMMAND.findall(page.read_text("utf-8")):
        assert name in headrace.commands, name
        options = {option for parameter in headrace.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, (name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """`make x` can be typed."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {first or second for first, second in TARGET.findall(page.read_text("utf-8"))}
    assert named <= targets


def test_pages_stay_short() -> None:
    """README has at most 200 lines, a decision at most 25."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 200
    for page in (ROOT / "docs/decisions").glob("*.md"):
        assert len(page.read_text("utf-8").splitlines()) <= 25, page.name


def test_ports_are_those_of_the_stack() -> None:
    """The table of processes has every process, in order, with its port."""
    ports = [int(port) for port in re.findall(r"^\| [^|]+ \| (\d{4}) \|", ARCHITECTURE, re.MULTILINE)]
    assert ports == [DEFAULT_PORT + offset for offset in range(len(TITLES))]


def test_topics_are_all_described() -> None:
    """Every Pub/Sub topic has its line, and every code of a passage's topic its name."""
    section = ARCHITECTURE[ARCHITECTURE.index("### Topics") : ARCHITECTURE.index("### The work bucket")]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == set(TOPICS)
    assert set(re.findall(r"\| ([ESG]\d) \| [a-z]", ARCHITECTURE)) == set(STANDARDS)
