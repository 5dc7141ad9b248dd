"""Charts carry their numbers, keep to their box, and leave out what there is nothing to draw of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from shared.digests.render import html, outline
from shared.digests.render.outline import Stack
from shared.digests.render.templates import environment
from tests.digest_example import rich, single, topic_row
from tests.digest_quotes import link

if TYPE_CHECKING:
    from shared.digests.records import Digest

SVG = "{http://www.w3.org/2000/svg}"


charts: Any = environment().get_template("charts.html").module


def texts(drawing: str) -> list[str]:
    return ["".join(one.itertext()) for one in etree.fromstring(drawing).iter(f"{SVG}text")]


def extents(drawing: str) -> list[float]:
    """Right ends of bars, in per cent of the width."""
    bars = etree.fromstring(drawing).iter(f"{SVG}rect")
    return [float(bar.get("x").rstrip("%")) + float(bar.get("width").rstrip("%")) for bar in bars]


def test_stacks_say_their_numbers_and_share_a_scale() -> None:
    drawing = charts.stacked(
        [
            Stack("long", {"positive": 600, "neutral": 300, "negative": 100}, 1_000),
            Stack("short", {"positive": 0, "neutral": 50, "negative": 0}, 50),
        ],
        "chart",
        "Two bars",
    )
    assert texts(drawing) == [
        "long", "1,000", "▲ 600 positive ● 300 neutral ▼ 100 negative",
        "short", "50", "▲ 0 positive ● 50 neutral ▼ 0 negative",
    ]  # fmt: skip
    assert extents(drawing) == pytest.approx([48.0, 72.0, 80.0, 4.0])  # 80 * 0.6, 0.9, 1 and 0.05
    described = etree.fromstring(drawing).findtext(f"{SVG}desc")
    assert described == (
        "long: ▲ 600 positive ● 300 neutral ▼ 100 negative; short: ▲ 0 positive ● 50 neutral ▼ 0 negative"
    )


def test_stacks_of_nothing_are_drawn_without_bars() -> None:
    drawing = charts.stacked([Stack("none", {}, 0)], "chart", "Nothing")
    assert extents(drawing) == []
    assert texts(drawing)[1] == "0"


def test_pairs_say_their_numbers_and_share_a_scale() -> None:
    rows = [topic_row("E1"), topic_row("E4")]  # 34 and 41, 0 and 1
    drawing = charts.paired(rows, "chart", "Initiatives")
    assert texts(drawing) == [
        "E1 climate change", "34 implemented", "41 planned", "E4 biodiversity", "0 implemented", "1 planned",
    ]  # fmt: skip
    assert extents(drawing) == pytest.approx([53.07, 64.0, 0.0, 1.56], abs=0.01)  # 64 * 34/41, 1, 0, 1/41


def test_names_without_end_are_shortened() -> None:
    drawing = charts.stacked([Stack("x" * 500, {}, 0)], "chart", "Long")
    assert texts(drawing)[0] == "x" * (39) + "…"


@pytest.mark.parametrize("name", ["</text><script>", '"><g onload="x"', "a & b"])
def test_names_are_escaped(name: str) -> None:
    assert texts(charts.stacked([Stack(name, {}, 0)], "chart", name))[0] == name


def drawn(digest: Digest) -> dict[str, str]:
    lines, dates = outline.series(digest), outline.dates(digest)
    ends = outline.scale(lines)
    return {line.name: str(charts.trend("trend", line, ends, dates)) for line in lines}


def test_a_trend_has_a_point_a_window_and_a_gap_where_there_was_nothing() -> None:
    """Six windows, of which the third had no documents: five points, and lines 1-2, 4-5 and 5-6."""
    lines = drawn(rich())
    assert list(lines)[:3] == ["Negative in tone", "E1 climate change", "S1 own workforce"]
    assert len(lines) == 1 + outline.MAX_LINES
    tree = etree.fromstring(lines["E1 climate change"])
    assert len(list(tree.iter(f"{SVG}circle"))) == 5
    assert len([one for one in tree.iter(f"{SVG}line") if one.get("class") == "trend"]) == 3
    assert texts(lines["E1 climate change"]) == ["21%", "24%", "23%", "18%", "30%", "12 Oct", "16 Nov"]
    assert "26 Oct: \N{EN DASH}, 2 Nov: 23%" in (tree.findtext(f"{SVG}desc") or "")


def test_a_window_without_the_topic_that_is_asked_for_has_none_of_it() -> None:
    """Its documents were judged, so the topic's share is 0; nothing of it has a tone, which the page says."""
    digest = rich()
    silent = digest.trend[2].model_copy(update={"documents": 4, "judged": 60})
    said = digest.model_copy(update={"trend": [*digest.trend[:2], silent, *digest.trend[3:]]})
    lines = {one.name: one.values[2] for one in outline.series(said)}
    assert (lines["E1 climate change"], lines["Negative in tone"]) == (0.0, None)
    told = "Where there is no point, there was no passage to take a share of."
    assert told in html(said, link)
    assert told not in html(said.model_copy(update={"trend": digest.trend[3:]}), link)


def test_one_point_draws_no_line() -> None:
    """Nor does one window with documents among empty ones: its figures are said."""
    gap = rich().trend[2]
    alone = single().model_copy(update={"trend": [gap, gap, rich().trend[-1]]})
    for digest in (single(), alone):
        page = html(digest, link)
        assert "trend-0" not in page
        assert "only one week has a share: Negative in tone 22%; E1 climate change 30%;" in page


def test_no_window_with_documents_has_no_trend() -> None:
    """Nothing is said of nothing."""
    digest = rich().model_copy(update={"trend": [rich().trend[2]] * 3})
    assert "trend" not in dict(outline.sections(digest))


def test_of_many_windows_the_ends_have_points() -> None:
    digest = rich()
    windows = [point for point in digest.trend if point.passages] * 6
    line = drawn(digest.model_copy(update={"trend": windows}))["E1 climate change"]
    assert len(re.findall("<circle", line)) == 2
    assert len(re.findall('class="trend"', line)) == 29
    assert len(texts(line)) == 2 + 2


def test_of_many_windows_one_between_gaps_has_a_point_too() -> None:
    digest = rich()
    gap, full = digest.trend[2], digest.trend[-1]
    windows = [full, full, gap, full, gap, full, full, full, full]
    line = drawn(digest.model_copy(update={"trend": windows}))["E1 climate change"]
    assert len(re.findall("<circle", line)) == 3
    assert len(re.findall('class="trend"', line)) == 4


@pytest.mark.parametrize(("most", "ends"), [(0.0, 0.1), (0.1, 0.1), (0.11, 0.2), (0.75, 0.8), (1.0, 1.0)])
def test_the_scale_ends_at_a_round_number(most: float, ends: float) -> None:
    assert outline.scale([outline.Series("x", [None, most])]) == ends


def test_points_stay_within_their_box() -> None:
    for line in drawn(rich()).values():
        tree = etree.fromstring(line)
        for circle in tree.iter(f"{SVG}circle"):
            assert 0 < float(circle.get("cx").rstrip("%")) < 100
            assert 22 <= float(circle.get("cy")) <= 80


def test_the_bar_of_all_passages_says_how_many_it_shows() -> None:
    """Languages that the model does not judge have no tone: their passages are in no part of the bar."""
    digest = rich()
    assert ">All passages</text>" in html(digest, link)
    more = digest.overview.model_copy(update={"passages": 2_824})
    page = html(digest.model_copy(update={"overview": more}), link)
    assert ">Judged, of 2,824 passages</text>" in page
    assert ">1,164</text>" in page
