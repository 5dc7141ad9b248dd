"""Title, organisation and year are what the document states; where it does not, nothing is said."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shared.errors import Rejected
from shared.extract import Block, Extracted, ExtractOptions, extract
from shared.extract.facts import state_facts
from shared.extract.names import holder, is_organisation

SHARED = Path(os.environ.get("HEADRACE_SHARED", Path(__file__).parents[3] / "shared"))
SAMPLES = SHARED / "data" / "samples"


@dataclass(frozen=True)
class Case:
    """A document's headings and text, and what it states."""

    name: str
    headings: tuple[str, ...]
    text: str
    title: str | None = None
    organisation: str | None = None
    year: int | None = None


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
        "Responsible paper",
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
    assert state_facts(known) == known


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


def test_rows_of_data_state_nothing() -> None:
    """A review that names a company is not by that company."""
    rows = [
        Block("I bought it from Tyne Board Ltd in the financial year 2023.", "row", row=at)
        for at in range(1, 9)
    ]
    extracted = Extracted("text/csv", None, None, rows)
    assert state_facts(extracted) == extracted


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("\u00a9 2024 Alnemill Paper plc. All rights reserved.", "Alnemill Paper plc"),
        ("Copyright (c) 2019-2024 by Cartiera Alne S.p.A.", "Cartiera Alne S.p.A."),
        ("\u00a9 Alnemill Paper, 2024 | Imprint", "Alnemill Paper"),
        ("Copyright 2024 Alne & Co. All rights reserved", "Alne & Co."),
        ("\u00a9 2024", None),
        ("\u00a9 all rights reserved", None),
        ("Water at the mill", None),
    ],
)
def test_the_holder_of_rights_is_named(line: str, name: str | None) -> None:
    """With the full stop that belongs to the legal form, without the one that ends the line."""
    assert holder(line) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Alnemill Paper plc", True),
        ("Mill Foundation", True),
        ("University of Alnwick", True),
        ("Ada Miller", False),
        ("Miller, Ada", False),
    ],
)
def test_an_organisation_is_told_from_a_person(name: str, *, expected: bool) -> None:
    """By its legal form, or by what it calls itself."""
    assert is_organisation(name) is expected


@pytest.mark.parametrize(
    "text",
    [
        *("Alne Ltd " * 40_000, "A " * 200_000, "& " * 200_000, "2023 " * 80_000, "report 2023 " * 30_000),
        *("Group " * 60_000, "FY23 " * 80_000, "\u00a9 " * 200_000, "A. " * 120_000, "Ltd " * 100_000),
    ],
    ids=["names", "capitals", "signs", "years", "reports", "groups", "periods", "rights", "stops", "forms"],
)
def test_facts_are_found_in_one_pass(text: str) -> None:
    """Hostile text takes about as long as other text."""
    blocks = [Block(text), Block(f"\u00a9 2024 {text[:50_000]}"), Block(text[:190], "heading")]
    started = time.process_time()
    state_facts(Extracted("text/plain", None, None, blocks))
    assert time.process_time() - started < 5


# By the start of the file's SHA-256: the organisations that would be right, and the year; None where the
# document does not say.
STATED: dict[str, tuple[set[str | None], int | None]] = {
    "bbec46181a042259": ({"1&1 AG"}, 2023),
    "da0dcf25f5ce8bfd": ({"ATOSS Software AG"}, 2023),
    "2173316656b7a13a": ({"IONOS Group SE"}, 2023),
    "bf13da5f1d23affb": ({"Addiko Bank AG", "Addiko Group"}, 2023),
    "b8999e427f46ee20": ({"Reply S.p.A."}, 2019),
    "a5b083047d6a3c67": ({"PEGASO S.r.l.", "Pegaso S.r.l."}, 2019),
    "51dd1f099e283a2c": ({"JPMorgan Chase & Co."}, 2024),
    "f1448773017a89c1": ({"Groupe Casino"}, 2018),
    "fea1aab2ee290eb1": ({"RCS MediaGroup S.p.A.", "Gruppo RCS MediaGroup"}, 2017),
    "4b9926341fbb041b": ({"La CSR\u00b3 Srl SB"}, 2018),
    "ed19b413c2cd8c3b": ({"Grasim Industries Limited"}, 2024),
    "156f067650a4b782": ({"NTT DATA Corporation", "NTT DATA Group"}, 2014),
    "23ca5bfb9f0b5642": ({"Amazon.com, Inc.", "Amazon"}, None),
    "515d04caa487a143": ({"Groupe PSA"}, None),
    "72aaf7a5483fb12f": ({"Tesco", "Groundwork"}, None),
    "d0da97d60ba1e7e2": ({"Danone"}, 2022),
    "ec07288bc50cc069": ({"Deutsche Post DHL Group", "Deutsche Post AG"}, 2020),
    "e8db3c9a89e8afa9": ({"SAP SE"}, 2025),
    "fc9b86eb0c0e85a6": ({"Amazon"}, 2026),
    "d2f08e6cdf0a4a57": ({None}, None),
    "36e9f6e0d2188139": ({None}, None),
}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the sample documents are not at {SAMPLES}")
def test_facts_of_real_reports() -> None:
    """No wrong organisation or year; of those stated, 75% of the organisations and 90% of the years."""
    organisations, years = [], []
    stated_organisations = stated_years = 0
    for path in sorted(SAMPLES.glob("*/*")):
        key = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        if key not in STATED:
            continue
        try:
            extracted = extract(path, name=path.name, content_type=None, options=ExtractOptions())
        except Rejected:
            pytest.fail(f"{path.name} is rejected")
        stated = state_facts(extracted)
        right, year = STATED[key]
        assert stated.organisation in right | {None}, path.name
        assert stated.year in {year, None}, path.name
        organisations.append(stated.organisation is not None)
        years.append(stated.year is not None)
        stated_organisations += None not in right
        stated_years += year is not None
    assert sum(organisations) >= 0.75 * stated_organisations
    assert sum(years) >= 0.9 * stated_years
