"""Whether a text says that its figures became better or worse."""

from __future__ import annotations

import pytest

from shared.platform.records import Sentiment
from shared.text.directions import MAX_READ, Direction, corrected, direction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # What fell or rose, with its verb behind it.
        ("Water use fell by 12 %.", "better"),
        ("Withdrawal per tonne of paper sank to 12 cubic metres, from 13 in 2023.", "better"),
        ("Our injury rate decreased.", "better"),
        ("The number of work-related accidents was 70 percent lower than in 2019.", "better"),
        ("Consumption of paper continued to decline.", "better"),
        ("Combined TRIF rose from 2.5 to 2.6.", "worse"),
        ("Total energy consumption increased by 4 percent year over year.", "worse"),
        ("In 2021, CO2 emissions were somewhat higher than in 2020.", "worse"),
        ("The share of women fell to 28 %.", "worse"),
        ("The amount of recycled waste rose.", "better"),
        ("Our use of renewable electricity grew to 95 percent.", "better"),
        (
            "Due to our purchases of renewable electricity, Scope 2 emissions have dropped significantly.",
            "better",
        ),
        ("Waste did increase in 2021.", "worse"),
        # A deed with its object.
        ("We cut emissions by 7 %.", "better"),
        ("New pumps run in Turin, reducing water consumption by 8 %.", "better"),
        ("The new plant has increased our waste to 30 tonnes.", "worse"),
        # A noun.
        ("We saw an increase in our emissions intensity of 6.9 %.", "worse"),
        ("The mill achieved a 40 % reduction in water withdrawal.", "better"),
        ("A reduction of 12 % in food waste was recorded.", "better"),
        ("Energy consumption was 146 TJ, an increase of 3 % over the previous year.", "worse"),
        ("There was a 37 % increase in renewable energy use.", "better"),
        # The rest of the text says nothing of directions, or the same.
        ("We run four mills. Water use fell by 12 %. Waste fell too.", "better"),
        # Both.
        ("Water use fell by 12 %. Waste rose by 3 %.", None),
        ("We cut emissions by 7 % and waste rose by 3 %.", None),
        # It has not happened, or nobody says that it has.
        ("Emissions did not fall.", None),
        ("Emissions haven't fallen.", None),
        ("We will cut emissions by 30 %.", None),
        ("Our target is a 30 % reduction in emissions.", None),
        ("We achieved a 30 % reduction in emissions by 2030.", None),
        ("A 54 % reduction in emissions can be achieved.", None),
        ("Reducing water consumption by 8 %.", None),
        # A concession, and a cause.
        ("Although the number of accidents fell by 23 %, more must be done.", None),
        ("The restatement was driven by increased waste.", None),
        # An attribute.
        ("We offer a course on an increased use of water.", None),
        ("The reduced-emissions fleet is here.", None),
        # What fell is no such figure: money, a method, another thing.
        ("Energy costs fell by 8 %.", None),
        ("Sales fell by 8 %.", None),
        ("Emissions savings rose by 8 %.", None),
        ("We increased waste separation by 8 %.", None),
        ("We increased the assurance level for emissions.", None),
        ("The number of employees rose to 12.", None),
        ("Emissions and satisfaction rose.", None),
        ("", None),
    ],
)
def test_the_direction_of_what_changed(text: str, expected: Direction | None) -> None:
    """Only what has happened to a metric that has a good direction is told; what is mixed is not."""
    assert direction(text) == expected


def test_a_sentence_is_read_up_to_a_limit() -> None:
    """A change behind it is not seen."""
    change = "water use fell by 12 %."
    assert direction("a " * (MAX_READ // 2 - len(change)) + change) == "better"
    assert direction("a " * (MAX_READ // 2) + change) is None


@pytest.mark.parametrize(
    ("text", "positive", "negative", "label"),
    [
        ("Water use fell by 12 %.", 0.2, 0.7, "positive"),
        ("Water use rose by 12 %.", 0.7, 0.2, "negative"),
        ("Water use fell by 12 %.", 0.1, 0.2, "neutral"),
    ],
)
def test_good_and_bad_are_exchanged_where_the_text_contradicts(
    text: str, positive: float, negative: float, label: str
) -> None:
    """And the label follows; whether anything has changed stays the model's word."""
    neutral = round(1 - positive - negative, 1)
    scores = {"positive": positive, "neutral": neutral, "negative": negative}
    said = Sentiment(label=max(scores, key=scores.__getitem__), scores=scores)  # type: ignore[arg-type]
    found = corrected(said, text)
    assert found.label == label
    assert found.scores == {"positive": negative, "neutral": neutral, "negative": positive}


def test_what_the_text_says_too_stays() -> None:
    """As it stays where the text says nothing."""
    said = Sentiment(label="negative", scores={"positive": 0.1, "neutral": 0.2, "negative": 0.7})
    assert corrected(said, "Water use rose by 12 %.") is said
    assert corrected(said, "Two people died.") is said
