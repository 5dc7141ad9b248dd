"""Quotes for digests made by hand; their companies and sentences are invented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.digests.records import Quote
from shared.platform.tables import Figure

if TYPE_CHECKING:
    from shared.digests.records import Source
    from shared.platform.records import ActionLabel

ORGANISATIONS = {
    "Tarnholm Fibre": (
        "reports/tarnholm/sustainability-2026.pdf",
        "Tarnholm Fibre Sustainability Report 2026",
    ),
    "Velmora Foods": ("reports/velmora_2026.pdf", None),
    "Oskell Logistics": (
        "reports/oskell annual & non-financial report.pdf",
        "Oskell Logistics: Annual Report",
    ),
}


def link(of: Source) -> str:
    """As in the cloud, near enough."""
    return f"https://storage.cloud.google.com/{of.bucket}/{of.name.replace(' ', '%20')}#page={of.page}"


def quote(
    organisation: str | None,
    text: str,
    *topics: str,
    page: int | None = 12,
    action: ActionLabel = "none",
    negative: float = 0.1,
    positive: float = 0.2,
    figures: tuple[Figure, ...] = (),
    also: int = 0,
    sure: float | None = None,
    year: int | None = 2026,
) -> Quote:
    name, title = ORGANISATIONS.get(organisation or "", ("reviews/staff-reviews.csv", None))
    return Quote(
        document=f"{len(name):020x}",
        bucket="acme-uploads",
        name=name,
        title=title,
        organisation=organisation,
        year=year,
        index=(page or 1) * 7,
        page=page if title or organisation else None,
        row=None if title or organisation else page,
        text=text,
        topics=list(topics),
        action=action,
        negative=negative,
        positive=positive,
        figures=list(figures),
        also=also,
        sure=sure,
    )


def percentage(value: float, text: str) -> Figure:
    return Figure(kind="percentage", value=value, unit="%", text=text)


SOLAR = quote(
    "Tarnholm Fibre",
    "Since March the drying halls at both mills run on heat from our own biomass plant, which cut scope 1 "
    "emissions by 38% against 2022.",
    "E1",
    page=14, action="implemented", positive=0.91, also=4,
    figures=(percentage(38, "38%"), Figure(kind="year", value=2022, unit="year", text="2022")),
)  # fmt: skip
FLEET = quote(
    "Tarnholm Fibre",
    "By 2029 we will replace all 64 diesel tractors in the yards by electric ones, for EUR 7.5 million.",
    "E1", "E2",
    page=16, action="planned",
    figures=(
        Figure(kind="year", value=2029, unit="year", text="2029"),
        Figure(kind="amount", value=7.5e6, unit="EUR", text="EUR 7.5 million"),
    ),
)  # fmt: skip
WATER = quote(
    "Velmora Foods",
    "In August untreated rinse water from the Harlow plant reached the river for eleven hours, and the "
    "regulator has opened proceedings.",
    "E3", "E2", page=41, negative=0.97, also=1, sure=0.97,
)  # fmt: skip
TRAINING = quote(
    "Oskell Logistics",
    "Every driver has completed the new fatigue training; accidents fell from 4.1 to 2.6 per million hours.",
    "S1", page=None, action="implemented", positive=0.95,
)  # fmt: skip
OLD_PLAN = quote(
    "Tarnholm Fibre", "We intend to move the drying halls to renewable heat by 2026.", "E1",
    page=9, action="planned", year=2025,
)  # fmt: skip
PACKAGING = quote(
    "Velmora Foods", "From 2027 all trays will be made of at least 80% recycled material.", "E5",
    page=22, action="planned", figures=(percentage(80, "80%"),),
)  # fmt: skip
LEAFLET = quote(
    None, "We will take back every crate free of charge from next spring.", "E5",
    page=7, action="planned", year=None,
)  # fmt: skip
BIKES = quote(
    "Oskell Logistics", "Cargo bicycles now serve the three inner districts.", "E1",
    page=17, action="implemented",
)  # fmt: skip
REVIEW = quote(
    None, "Shifts are announced two days ahead, and nobody asks whether you can make it.", "S1",
    page=118, negative=0.93, year=None,
)  # fmt: skip
