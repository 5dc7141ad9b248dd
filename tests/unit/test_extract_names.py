"""Names of organisations: holders of rights, and names told from persons."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from shared.extract.core import extract
from shared.extract.facts import holder, state_facts
from shared.extract.shapes import Block, Extracted, ExtractOptions
from shared.platform.errors import Rejected

SHARED = Path(os.environ.get("HEADRACE_SHARED", Path(__file__).parents[3] / "shared"))
SAMPLES = SHARED / "data" / "samples"


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
    assert time.process_time() - started < 10


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
