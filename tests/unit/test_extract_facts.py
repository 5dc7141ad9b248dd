"""Title, organisation and year are what the document states; where it does not, nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from shared.extract.core import MAX_STATED, extract
from shared.extract.facts import state_facts
from shared.extract.shapes import Block, Extracted, ExtractOptions
from tests.unit.office_files import line, pptx, shape, slide

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A document's headings and text, and what it states."""

    name: str
    headings: tuple[str, ...]
    text: str
    title: str | None = None
    organisation: str | None = None
    year: int | None = None


FACTS = ("title", "organisation", "year")
WATER = "The mills drew less water from the river than in the years before, and returned all of it. "
CASES = (
    Case(
        "legal form in the title",
        ("Alnemill Paper AG Sustainability Report 2023",),
        WATER
        + "Alnemill Paper AG has four mills. The shares of Alnemill Paper AG are listed. Morpeth Ltd is not.",
        "Alnemill Paper AG Sustainability Report 2023",
        "Alnemill Paper AG",
        2023,
    ),
    Case(
        "name in the title, no legal form",
        ("Alnemill Sustainability Report 2022/23",),
        WATER + "Alnemill has four mills. " * 5,
        "Alnemill Sustainability Report 2022/23",
        "Alnemill",
        2023,
    ),
    Case(
        "year in the text, comparisons beside it",
        ("Responsible paper", "Separate non-financial statement"),
        "For the financial year 2021 we report on four mills. In the financial year 2021 the mills drew "
        "less water. Sales rose in the fiscal year 2021. In the financial year 2020 they had fallen.",
        "Separate non-financial statement",
        None,
        2021,
    ),
    Case(
        "short years",
        ("Responsible paper at Alnemill",),
        "In FY2022/23 emissions fell. FY2022/23 was dry. FY23 targets were met. FY22 was wetter.",
        "Responsible paper at Alnemill",
        None,
        2023,
    ),
    Case(
        "years that agree on nothing",
        ("Ten years of paper",),
        "In the financial year 2019 sales rose. In the financial year 2020 they fell. In fiscal 2021 both.",
        "Ten years of paper",
    ),
    Case(
        "an aim is no reporting year",
        ("Vision 2030: paper without waste",),
        WATER,
        "Vision 2030: paper without waste",
    ),
    Case(
        "laws and targets are no years of a report",
        ("Responsible paper at Alnemill",),
        "We report under Directive 2014/95/EU and Decree 254/2016, and aim at net zero by 2040. " * 5,
        "Responsible paper at Alnemill",
    ),
    Case(
        "the auditor is not the reporter",
        ("Environmental statement 2020",),
        WATER + "Assurance was given by KPMG AG. KPMG AG is independent. KPMG AG has done so since 2012.",
        "Environmental statement 2020",
        None,
        2020,
    ),
    Case(
        "two companies, equally often",
        ("Joint report 2020",),
        "Alne Paper Ltd and Tyne Board Ltd report together. Alne Paper Ltd makes paper. Tyne Board Ltd makes "
        "board. Alne Paper Ltd and Tyne Board Ltd share a mill.",
        "Joint report 2020",
        None,
        2020,
    ),
    Case(
        "named once in passing",
        ("Notes on paper making",),
        WATER + "Felt is bought from Tyne Board Ltd.",
        "Notes on paper making",
    ),
    Case(
        "a heading that is nothing but the name",
        ("Annual review", "Alnemill Holdings plc", "2019"),
        WATER + "Alnemill Holdings plc was founded by two brothers. Alnemill Holdings plc has four mills.",
        "Annual review",
        "Alnemill Holdings plc",
        2019,
    ),
    Case(
        "rights",
        ("Sustainability at the mill",),
        "\u00a9 2024 Alnemill. All rights reserved.\n" + WATER + "Alnemill makes paper. Alnemill buys wood.",
        "Sustainability at the mill",
        "Alnemill",
    ),
    Case(
        "rights in a picture",
        ("Sustainability at the mill",),
        "\u00a9 2024 Pictures Unlimited\n" + WATER,
        "Sustainability at the mill",
    ),
    Case(
        "German",
        ("Nachhaltigkeitsbericht 2021", "Alnem\u00fchle GmbH & Co. KG"),
        "Die Alnem\u00fchle GmbH & Co. KG betreibt vier M\u00fchlen. Im Gesch\u00e4ftsjahr 2021 "
        "sank der Verbrauch. Die Alnem\u00fchle GmbH & Co. KG legt diesen Bericht vor.",
        "Nachhaltigkeitsbericht 2021",
        "Alnem\u00fchle GmbH & Co. KG",
        2021,
    ),
    Case(
        "French",
        ("D\u00e9claration de performance extra-financi\u00e8re",),
        "Le groupe Alnemoulin exploite quatre moulins. Au cours de l\u2019exercice 2018, le groupe "
        "Alnemoulin a investi. L\u2019exercice 2018 du groupe Alnemoulin. Pour l\u2019exercice 2018, le "
        "groupe Alnemoulin et le groupe Alnemoulin.",
        "D\u00e9claration de performance extra-financi\u00e8re",
        "Groupe Alnemoulin",
        2018,
    ),
    Case(
        "Italian",
        ("Relazione annuale 2017",),
        "Cartiera Alne S.p.A. gestisce quattro cartiere. I soci di Cartiera Alne S.p.A. si sono riuniti. "
        "La sede di Cartiera Alne S.p.A. \u00e8 a Verona.",
        "Relazione annuale 2017",
        "Cartiera Alne S.p.A.",
        2017,
    ),
    Case(
        "boilerplate first", ("Table of Contents", "Imprint", "Water at the mill"), WATER, "Water at the mill"
    ),
    Case("a section is not the document", ("2.4 Water at the mill",), WATER),
    Case(
        "a date is no title",
        ("30 August 2024", "www.example.com", "Water at the mill"),
        WATER,
        "Water at the mill",
    ),
    Case("a heading below the text is none", (), WATER * 3 + "\n# Water at the mill\n" + WATER),
    Case(
        "no organisation in part of a name",
        ("Audit of a mill",),
        "Miller, Weaver & Spinner LLP wrote it. " * 5,
        "Audit of a mill",
    ),
)


def document(case: Case) -> Extracted:
    lines = [*(f"# {heading}" for heading in case.headings), *case.text.split("\n")]
    return Extracted(
        "text/plain",
        None,
        None,
        [Block(line.removeprefix("# "), "heading" if line.startswith("# ") else "text") for line in lines],
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_stated_is_found_and_nothing_else(case: Case) -> None:
    """A wrong fact is worse than none."""
    stated = state_facts(document(case))
    assert (stated.title, stated.organisation, stated.year) == (case.title, case.organisation, case.year)


def test_what_the_reader_found_stays() -> None:
    """Metadata of the file go before a look at its text."""
    extracted = document(CASES[0])
    known = Extracted("x", "A title", None, extracted.blocks, organisation="Somebody", year=1999)
    assert state_facts(known) == replace(known, facts_from=dict.fromkeys(FACTS, "document"))


@pytest.mark.parametrize(
    "line",
    [
        "Port Ansley, 18 November 2025",
        "M\u00dcNCHEN, 3. M\u00e4rz 2024",
        "Paris, le 1er mars 2024",
        "Madrid, 4 de mayo de 2024 \u2013",
        "San Francisco, Calif., Nov. 18, 2025",
        "Press release",
    ],
)
def test_a_dateline_is_no_title_even_where_its_reader_took_it_for_one(line: str) -> None:
    """Plain text has nothing but its first short line."""
    release = document(Case("", (line, "Bark instead of gas at the mill"), WATER))
    assert state_facts(replace(release, title=line)).title == "Bark instead of gas at the mill"


@pytest.mark.parametrize("line", ["Annual report, 31 December 2024", "Water, wood and work, 12 years on"])
def test_a_title_with_a_date_is_one(line: str) -> None:
    """A report may carry the day on which its year ends."""
    assert state_facts(document(Case("", (line, "Bark at the mill"), WATER))).title == line


@pytest.mark.parametrize(
    "line",
    [
        "About this report",
        "A message from our chair",
        "Welcome to Alnemill",
        "The mill at a glance",
        "WE MAKE PAPER THAT LASTS",
        "Inside this report",
        "Assurance report 45",
    ],
)
def test_a_section_or_a_slogan_is_no_title_of_a_long_report(line: str) -> None:
    """What is not called a report, or is a part of one, may name anything."""
    long = document(Case("", (line,), "\n".join([WATER * 10] * 80)))
    assert state_facts(long).title is None
    called = document(Case("", (line, "2021 Responsible Paper Report"), "\n".join([WATER * 10] * 80)))
    assert state_facts(called).title == "2021 Responsible Paper Report"


def test_a_beneficiary_is_not_the_organisation() -> None:
    """A name with a legal form counts only if the text is about it."""
    text = (
        "We at Alnemill gave to Mill Girls Inc. again. "
        + "The mills of Alnemill and Alnemill's wood grew. " * 30
    )
    stated = state_facts(
        document(Case("", ("Notes on paper",), text + "Mill Girls Inc. and Mill Girls Inc. won."))
    )
    assert stated.organisation == "Alnemill"


def test_what_the_uploader_states_wins() -> None:
    """Object metadata goes before the document, and says so."""
    metadata = {
        "organisation": " Tyne  Board ",
        "year": "2020",
        "title": "Board",
        "tags": "peer, board,peer,",
    }
    stated = state_facts(document(CASES[0]), name="alnemill_2019.pdf", metadata=metadata)
    assert (stated.organisation, stated.year, stated.title) == ("Tyne Board", 2020, "Board")
    assert stated.tags == ["peer", "board"]
    assert stated.facts_from == dict.fromkeys(FACTS, "upload")


@pytest.mark.parametrize(
    "metadata",
    [{"year": "soon"}, {"year": "3020"}, {"title": "a" * 201}, {"tags": ",".join(map(str, range(21)))}],
)
def test_invalid_metadata_are_left_out_with_a_warning(metadata: dict[str, str]) -> None:
    """A document is not lost for the sake of its tags."""
    stated = state_facts(document(CASES[0]), metadata=metadata)
    assert (stated.year, stated.title) == (2023, CASES[0].title)
    assert len(stated.warnings) == 1
    assert len(stated.tags) <= 20


def test_the_name_of_the_file_is_the_last_resort() -> None:
    """It must agree with the text, and is marked as a guess."""
    paper = document(Case("", ("Notes on paper",), "Alne Mill makes paper. " * 5))
    stated = state_facts(paper, name="alne-mill_sustainability_2021.pdf")
    assert (stated.organisation, stated.year) == ("Alne Mill", 2021)
    assert stated.facts_from == {"title": "document", "organisation": "name", "year": "name"}
    assert state_facts(paper, name="tyne_2020_2021.pdf").facts_from == {"title": "document"}


def test_rows_of_data_state_nothing() -> None:
    """A review that names a company is not by that company."""
    rows = [
        Block("I bought it from Tyne Board Ltd in the financial year 2023.", "row", row=at)
        for at in range(1, 9)
    ]
    extracted = Extracted("text/csv", None, None, rows)
    assert state_facts(extracted) == extracted


LONG = "A heading of many words. " * 50_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", f"<h1>{LONG}</h1><p>{WATER}</p>".encode()),
        ("a.md", f"# {LONG}\n\n{WATER}".encode()),
        ("a.pptx", pptx({"one": slide(shape(line(LONG), kind="title"), shape(line(WATER)))})),
    ],
    ids=["html", "markdown", "pptx"],
)
def test_a_heading_of_a_megabyte_is_no_title_of_a_megabyte(tmp_path: Path, name: str, content: bytes) -> None:
    """What is stored in a document's record is bounded, and cut between words."""
    path = tmp_path / name
    path.write_bytes(content)
    title = extract(path, name=name, content_type=None, options=ExtractOptions()).title
    assert title is not None
    assert MAX_STATED - 20 < len(title) <= MAX_STATED
    assert LONG.startswith(f"{title} ")
