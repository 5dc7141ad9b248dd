"""Figures and exports of stored documents on the command line."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from cli.main import headrace
from shared.documents.figures import DocumentFigure, DocumentTable, Packed, key_figures, pack
from shared.documents.store import document_id
from shared.platform.clients import firestore_client
from shared.platform.errors import HeadraceError
from shared.platform.tables import Cell, Row
from tests.documents import made
from tests.integration.api_server import MODEL
from tests.integration.documents_servers import PROJECT, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUCKET = f"{PROJECT}-uploads"
SCOPE1, WATER = "E1-6.scope1", "E3-4.withdrawal"
TABLE = DocumentTable(
    number=0,
    page=7,
    caption="Emissions",
    columns=2,
    rows=(
        Row(kind="head", cells=(Cell(text="2024", column=1),)),
        Row(kind="row", cells=(Cell(text="Scope 1", column=0), Cell(text="9,100", column=1))),
    ),
)


def figure(value: float, **more: Any) -> DocumentFigure:
    fields: dict[str, Any] = {
        "kind": "quantity", "unit": "tCO2e", "text": f"{value:,.0f} t", "metric": "Scope 1", "period": "2024",
        "passage": 0, "page": 7,
    }  # fmt: skip
    return DocumentFigure(value=value, **(fields | more))


def store(name: str, organisation: str, *figures: DocumentFigure) -> str:
    """A completed document with one passage, one table and these figures."""
    identifier, client = document_id(BUCKET, name), firestore_client()
    about = {"name": name, "organisation": organisation, "title": None, "year": 2024}
    told = about | {
        "published_run": 1,
        "passages": 1,
        "state": "completed",
        "tables": 1,
        "figures": len(figures),
    }
    document = client.collection("documents").document(identifier)
    document.set(made(id=identifier, bucket=BUCKET).model_dump() | told)
    passage = dict.fromkeys(("page", "row", "sentiment", "action")) | {"topics": [], "figures": []}
    document.collection("passages").document("1-0").set({"run": 1, "index": 0, "text": "=1+1"} | passage)
    packed = pack(Packed(figures=figures, tables=(TABLE,)))
    document.collection("batches").document("1-0").set({"run": 1, "start": 0, "packed": [packed]})
    coded = tuple(each for each in figures if each.datapoint)
    outcome = about | {
        "document": identifier, "run": 1, "organisation_key": organisation.casefold(),
        "codes": sorted({each.datapoint for each in coded if each.datapoint}),
        "datapoints": pack(Packed(figures=coded)),
    }  # fmt: skip
    client.collection("outcomes").document(identifier).set(outcome)
    return identifier


@pytest.fixture(scope="module", autouse=True)
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two reports, of which one has figures without a data point too."""
    with serving(tmp_path_factory.mktemp("figures")):
        first = store(
            "tarnholm.pdf", "Tarnholm Fibre",
            figure(3, unit="people", metric="Drivers", page=2),
            figure(9_100, datapoint=SCOPE1, table=0, cell=(1, 1)),
            figure(13_400, datapoint=SCOPE1, period="2023"),
            figure(0.5, unit="%", metric="Share"),
        )  # fmt: skip
        yield first, store("velmora.pdf", "Velmora Foods", figure(70, datapoint=WATER, unit="m3", topic="E3"))


def run(*arguments: str) -> str:
    done = CliRunner().invoke(headrace, arguments, standalone_mode=False, catch_exceptions=False)
    return done.output


def listed(*arguments: str) -> list[tuple[str, float, str | None]]:
    found = json.loads(run("figures", "--json", *arguments))
    return [(each["name"], each["value"], each["datapoint"]) for each in found]


def test_figures_of_a_document_begin_with_its_data_points() -> None:
    """The newest period first; then the others as they stand."""
    assert listed("tarnholm.pdf") == [
        ("tarnholm.pdf", 9_100, SCOPE1),
        ("tarnholm.pdf", 13_400, SCOPE1),
        ("tarnholm.pdf", 3, None),
        ("tarnholm.pdf", 0.5, None),
    ]
    lines = run("figures", "tarnholm.pdf").splitlines()
    assert lines[0].split() == [
        "organisation",
        "metric",
        "data",
        "point",
        "value",
        "period",
        "qualifier",
        "page",
    ]
    assert lines[1].split() == ["Tarnholm", "Fibre", "Scope", "1", SCOPE1, "9,100", "tCO2e", "2024", "7"]


def test_without_a_document_data_points_of_all_are_listed() -> None:
    """Filtered by what is asked for, in any case; each names its document."""
    everything = listed()
    assert {name for name, _, _ in everything} == {"tarnholm.pdf", "velmora.pdf"}
    assert {code for _, _, code in everything} == {SCOPE1, WATER}
    assert listed("--datapoint", "e1-6.SCOPE1", "--year", "2023") == [("tarnholm.pdf", 13_400, SCOPE1)]
    assert listed("--organisation", "velmora foods") == [("velmora.pdf", 70, WATER)]
    assert listed("--unit", "m3") == listed("--topic", "E3") == [("velmora.pdf", 70, WATER)]
    assert listed("velmora.pdf", "--organisation", "Tarnholm Fibre") == []
    assert run("figures", "--year", "1999") == "There are no such figures.\n"
    assert len(listed("--limit", "1")) == 1


def test_a_data_point_that_does_not_exist_is_refused_with_those_of_its_topic() -> None:
    """The codes need not be looked up elsewhere."""
    with pytest.raises(HeadraceError, match=r"no data point 'E3-4.rain'; there are: E3-4.withdrawal, "):
        run("figures", "--datapoint", "E3-4.rain")


def test_a_document_shows_each_data_point_once() -> None:
    """The command shows data points of the newest period, and counts tables and figures."""
    shown = run("show", "tarnholm.pdf")
    assert "1 table · 4 figures" in shown
    assert "Key figures (1 data point)" in shown
    assert "E1-6.scope1  Gross Scope 1 GHG emissions, 2024: 9,100 tCO2e" in shown
    assert "13,400" not in shown


def test_key_figures_are_the_newest_totals_that_say_enough() -> None:
    """The command shows one figure of each code, and none without unit and period."""
    figures: list[dict[str, Any]] = [
        {"datapoint": WATER, "value": 20, "unit": None, "period": None},
        {"datapoint": SCOPE1, "value": 1, "unit": "t", "period": "2023", "confidence": 1.0},
        {
            "datapoint": SCOPE1,
            "value": 2,
            "unit": "t",
            "period": "2024",
            "confidence": 0.9,
            "qualifier": "of which",
        },
        {"datapoint": SCOPE1, "value": 3, "unit": "t", "period": "2024", "confidence": 0.6},
        {
            "datapoint": SCOPE1,
            "value": 4,
            "unit": "t",
            "period": "2024",
            "confidence": 0.5,
            "qualifier": "total",
        },
        {"datapoint": None, "value": 5, "unit": "t", "period": "2024"},
    ]
    assert [each["value"] for each in key_figures(figures)] == [4]


def test_a_search_answers_with_the_value() -> None:
    """Before passages: of the organisation and year that are asked for."""
    model = ["--model", str(MODEL)]
    [hit, *_] = json.loads(run("search", "scope 1 emissions of Tarnholm Fibre in 2023", "--json", *model))
    assert (hit["text"], hit["page"]) == ("Gross Scope 1 GHG emissions, 2023: 13,400 tCO2e", 7)
    assert (hit["figure"]["value"], hit["name"]) == (13_400, "tarnholm.pdf")
    lines = run("search", "scope 1 emissions of Tarnholm Fibre in 2024", *model).splitlines()
    assert lines[0].strip() == "Gross Scope 1 GHG emissions, 2024: 9,100 tCO2e"
    assert lines[1].split() == [
        "Tarnholm",
        "Fibre",
        "tarnholm.pdf",
        "p.",
        "7",
        document_id(BUCKET, "tarnholm.pdf"),
    ]


def test_an_export_holds_what_is_stored(tmp_path: Path) -> None:
    """All documents where none is named; the file appears once it is whole."""
    path = tmp_path / "all.xlsx"
    assert run("export", "--output", str(path)) == f"{path}: {path.stat().st_size:,} bytes\n"
    book = load_workbook(io.BytesIO(path.read_bytes()))
    assert book.sheetnames[:4] == ["Documents", "Key figures", "Initiatives", "Passages"]
    assert sorted(book.sheetnames[4:]) == ["p7 Emissions", "p7 Emissions (2)"]
    values = [row[5] for row in book["Key figures"].iter_rows(min_row=2, values_only=True)]
    assert {*values} == {0.5, 3, 70, 9_100, 13_400}
    assert {row[11] for row in book["Passages"].iter_rows(min_row=2, values_only=True)} == {"'=1+1"}
    address = book["Key figures"]["M2"].hyperlink
    assert (address.location, address.target.endswith(".pdf")) == ("page=7", True)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_the_format_follows_from_the_name_or_is_given(tmp_path: Path, form: str) -> None:
    """The same file either way."""
    named, given = tmp_path / f"one.{form}", tmp_path / "other.txt"
    run("export", "velmora.pdf", "--output", str(named))
    told = json.loads(run("export", "velmora.pdf", "--output", str(given), "--format", form, "--json"))
    assert named.read_bytes() == given.read_bytes()
    assert told == {"output": str(given), "format": form, "bytes": given.stat().st_size, "notes": []}


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Neither half a file nor another one's content."""
    with pytest.raises(HeadraceError, match="cannot be written: No such file"):
        run("export", "--output", str(tmp_path / "none" / "all.csv"))
    path = tmp_path / "kept.csv"
    path.write_text("kept")
    with pytest.raises(HeadraceError, match="There is no document"):
        run("export", "velmora.pdf", "missing.pdf", "--output", str(path))
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "options", [["--output", "a.zip"], ["--output", "a"], ["--output", "a.xlsx", "--rows", "passages"], []]
)
def test_options_that_say_nothing_are_refused(options: list[str]) -> None:
    """Before anything is read or written."""
    done = CliRunner().invoke(headrace, ["export", *options])
    assert done.exit_code == 2
