"""The report's words and numbers as `report.toml` holds them; a misspelt or missing field fails here."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Grid(Part):
    """A table. A row of one cell is a heading within it."""

    heading: str
    columns: list[str]
    rows: list[list[str]]


class Glance(Part):
    """Page 2: what the company is, and the year in four tiles of (value, label, up or down)."""

    heading: str
    about: str
    tiles: list[tuple[str, str, Literal["up", "down"]]]
    sites: Grid


class Letter(Part):
    """Page 3."""

    title: str
    left: str
    right: str
    quote: str
    signature: str
    role: str


class Chapter(Part):
    """One page: a coloured head, three facts of (value, label), two columns, a chart.

    `code` and `also` are standards, such as E1.
    """

    code: str
    also: str | None = None
    title: str
    standfirst: str
    facts: list[tuple[str, str]]
    left: str
    right: str
    figure: str
    """A key of `Report.charts`."""

    @property
    def codes(self) -> str:
        """What stands in the head and on the contents page."""
        return f"{self.code} · {self.also}" if self.also else self.code


class Figures(Part):
    """The last page: a table, then two columns."""

    title: str
    standfirst: str
    grid: Grid
    left: str
    right: str


class Series(Part):
    """A line, or one colour of a chart's bars."""

    name: str
    values: list[float]


class Chart(Part):
    """`columns` and `bars` stack their series; a `line` has one, and may stop short of the last label."""

    kind: Literal["columns", "bars", "line"]
    title: str
    caption: str
    labels: list[str]
    series: list[Series]
    last_is_target: bool = False
    target: float | None = None


class Report(Part):
    """The whole document."""

    title: str
    company: str
    author: str
    subject: str
    motto: str
    glance: Glance
    letter: Letter
    chapter: list[Chapter]
    figures: Figures
    charts: dict[str, Chart]


def load() -> Report:
    """Read `report.toml`, which lies beside this file."""
    return Report.model_validate(tomllib.loads(Path(__file__).with_name("report.toml").read_text("utf-8")))
