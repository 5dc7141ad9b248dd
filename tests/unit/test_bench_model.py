"""The pure parts of the model's bench: statistics, the table, the plots."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.model.capacity import token_operations
from benchmarks.model.plots import HEIGHT, WIDTH, Axis, Line, _spaced, plot
from benchmarks.model.report import BEGIN, END, Row, Target, insert, table
from benchmarks.model.stats import Samples, interleave, percentile, spread, turns
from benchmarks.model.texts import COUNT, gather

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


def test_everybody_has_a_turn_in_every_round_and_a_first_turn_in_time() -> None:
    """No contestant runs always after the same one, or always first."""
    seen = list(turns(["a", "b", "c"], 3))
    assert [[name for number, name in seen if number == one] for one in range(3)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
    ]


def test_interleaved_measures_get_their_round_and_keep_their_values() -> None:
    """Values are those of the measure's own rounds, in order."""
    samples = interleave({"a": lambda number: number + 1.0, "b": lambda number: number * 10.0}, 3)
    assert samples == {"a": Samples([1, 2, 3]), "b": Samples([0, 10, 20])}


def test_a_ratio_is_of_medians_and_its_range_of_rounds() -> None:
    """One round disturbed by others moves the range and not the ratio."""
    ratio = Samples([100, 110, 20]).over(Samples([10, 10, 10]))
    assert (ratio.value, ratio.low, ratio.high) == (10, 2, 11)


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [
        (100, 0.99, 99),  # one of a hundred may be slower
        (200, 0.99, 198),
        (10, 0.99, 10),  # no whole value may: the slowest
        (5, 0.5, 3),
        (1, 0.5, 1),
    ],
)
def test_a_percentile_is_one_of_the_values(count: int, share: float, expected: int) -> None:
    """The least value that enough of the others do not exceed, whatever their order."""
    assert percentile([float(value) for value in range(count, 0, -1)], share) == expected


def test_spread_is_a_share_of_the_middle() -> None:
    """(110 - 90) / 100."""
    assert spread([110, 90, 100]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("target", "asked", "verdict"),
    [
        (Target(16, "at least", 15, " x"), "≥ 15 x", "met"),
        (Target(12, "at least", 15, " x"), "≥ 15 x", "missed by 20%"),
        (Target(250, "at most", 250, " MiB"), "≤ 250 MiB", "met"),
        (Target(300, "at most", 250, " MiB"), "≤ 250 MiB", "missed by 20%"),
        (Target(0.99995, "at least", 0.9999, ""), "≥ 0.9999", "met"),
    ],
)
def test_a_target_says_by_how_much_it_is_missed(target: Target, asked: str, verdict: str) -> None:
    """In parts of the limit, on whichever side it lies."""
    assert (target.asked, target.verdict) == (asked, verdict)


def test_the_table_is_markdown_with_a_line_a_row() -> None:
    """A row without a target is reported and not judged."""
    text = table([Row("a", "1 / 2", "0.5", Target(1, "at most", 2, " s")), Row("b", "", "3")])
    lines = text.splitlines()
    assert lines[2:] == ["| a | 1 / 2 | 0.5 | ≤ 2 s | met |", "| b |  | 3 | report |  |"]
    assert {line.count("|") for line in lines} == {6}


def test_figures_replace_what_stood_between_the_markers(tmp_path: Path) -> None:
    """And nothing else of the page, however often."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        insert(page, "new")
        assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    """Figures are not put somewhere at random."""
    page = tmp_path / "page.md"
    page.write_text("nothing here\n")
    with pytest.raises(ValueError, match="no markers"):
        insert(page, "new")
    assert page.read_text() == "nothing here\n"


def test_the_page_in_the_documentation_has_its_markers(tmp_path: Path) -> None:
    """`make bench-model` finds the place for its figures."""
    page = tmp_path / "performance.md"
    page.write_text((ROOT / "docs" / "performance.md").read_text("utf-8"))
    insert(page, "| new |")
    assert "| new |" in page.read_text()


def test_a_plot_is_an_image_with_every_line_inside_it() -> None:
    """Well-formed, readable without colour (each line is named), nothing beyond the edges."""
    lines = [Line("a <b>", [(1, 10), (64, 300)]), Line("c", [(1, 90), (4, 9)])]
    root = ET.fromstring(plot("title", "x", "y", lines, (4, 10)))
    space = "{http://www.w3.org/2000/svg}"
    assert {"a <b>", "c"} <= {text.text for text in root.iter(f"{space}text")}
    drawn = [line.attrib["points"] for line in root.iter(f"{space}polyline")]
    assert len(drawn) == len(lines)
    for point in " ".join(drawn).split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_an_axis_holds_its_values_between_powers_of_its_base() -> None:
    """Ends and ticks are powers; a value on an end stays there."""
    axis = Axis.over("y", 10, [10, 350])
    assert axis.ticks() == [10, 100, 1000]
    assert axis.share(10) == 0
    assert axis.share(100) == pytest.approx(0.5)


def test_labels_never_cover_each_other_nor_leave_the_plot() -> None:
    """Even where all lines end at the same place, at the bottom."""
    placed = _spaced([360.0, 360.0, 365.0, 365.0, 50.0])
    assert all(below - above >= 18 - 1e-9 for above, below in pairwise(sorted(placed)))
    assert max(placed) <= HEIGHT


def test_operations_of_a_token_are_two_for_each_eight_bit_weight() -> None:
    """Tables that rows are taken from multiply nothing, and float weights are not eight-bit."""
    weights: dict[str, NDArray[Any]] = {
        "table": np.zeros((1000, 8), np.int8),
        "first": np.zeros((8, 16), np.int8),
        "second": np.zeros((16, 4), np.int8),
        "scale": np.zeros(16, np.int8),
        "float": np.zeros((4, 4), np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"]),
            helper.make_node("MatMulInteger", ["rows", "first"], ["out"]),
        ],
        "graph",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.INT32, ["n", 16])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    assert token_operations(graph) == 2 * (8 * 16 + 16 * 4)


def test_there_are_always_as_many_texts_and_all_different(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the shared reports too: equal texts would be computed once, and flatter us."""
    monkeypatch.setenv("HEADRACE_SHARED", str(tmp_path))
    texts, source = gather(ROOT / "build" / "model" / "tokenizer.json")
    assert len(set(texts)) == COUNT
    assert "samples/" in source
