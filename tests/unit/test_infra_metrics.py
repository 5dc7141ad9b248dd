"""What alerts and the dashboard are made of: lines that count, where buckets end, what Google gives back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cost import model
from shared.platform.errors import Malformed
from tests.unit.infra_plan import of_type

DOCS = Path(__file__).parents[2] / "docs"
CLAUSE = re.compile(r'(NOT )?(?:jsonPayload\.(\w+)(?:(:\*)|="([^"]+)")|(severity)=([A-Z]+))')


def failures() -> str:
    """The filter of the lines that are counted as failures, without whose they are."""
    [metric] = [
        one
        for one in of_type("plain", "google_logging_metric").values()
        if one["name"] == "headrace/failures"
    ]
    return str(metric["filter"].partition('NOT jsonPayload.message_id:"sample" AND ')[2])


def matches(asked: str, line: dict[str, Any]) -> bool:
    """Whether Cloud Logging would find a line by these clauses: a field that is there, or is just this."""
    parts = [part.strip("()").split(" OR ") for part in asked.split(" AND ")]
    return all(any(holds(clause, line) for clause in part) for part in parts)


def holds(asked: str, line: dict[str, Any]) -> bool:
    """The same of one clause."""
    clause = CLAUSE.fullmatch(asked)
    assert clause, asked
    negated, field, there, value, own, severity = clause.groups()
    found = field in line if there else line.get(field or own) == (value or severity)
    return found is not bool(negated)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        pytest.param(
            {"message": "event handled", "exception": "ValueError", "severity": "WARNING"},
            True,
            id="unforeseen",
        ),
        pytest.param({"message": "event handled", "exception": "SetupError"}, True, id="not set up"),
        pytest.param(
            {"message": "a schedule was not planned", "exception": "KeyError", "severity": "ERROR"},
            True,
            id="unforeseen, and not the event's end",
        ),
        pytest.param({"message": "event handled"}, False, id="done, or an outage"),
        pytest.param({"message": "digest failed for good", "severity": "ERROR"}, False, id="told by another"),
        pytest.param(
            {"message": "event handled", "exception": Malformed.__name__, "severity": "WARNING"},
            False,
            id="somebody else's message",
        ),
        pytest.param(
            {"message": "not delivered", "exception": "HTTPError", "severity": "WARNING"},
            False,
            id="a webhook's outage",
        ),
        pytest.param(
            {"message": "digest failed, the next tick tries again", "exception": "Retryable"}
            | {"severity": "WARNING"},
            False,
            id="a digest's outage",
        ),
    ],
)
def test_failures_that_count(line: dict[str, str], *, counts: bool) -> None:
    """Neither outages, which are tried again, nor bad input wake anybody (docs/operations.md)."""
    assert matches(failures(), line) is counts


@pytest.mark.parametrize("page", ["observability.md", "operations.md"])
def test_failures_are_looked_for_as_they_are_counted(page: str) -> None:
    """Whoever looks finds the lines that made the alert, and no others."""
    assert failures().replace(" AND ", " ") in (DOCS / page).read_text("utf-8")


def test_an_alert_asks_for_where_a_bucket_ends() -> None:
    """A percentile lies anywhere in its bucket: of one that goes past the threshold, it tells too early."""
    [alert] = [
        one["conditions"][0]["condition_threshold"][0]
        for one in of_type("plain", "google_monitoring_alert_policy").values()
        if "more than 15 minutes" in one["display_name"]
    ]
    assert "headrace/oldest_seconds" in alert["filter"]
    [metric] = [
        one
        for one in of_type("plain", "google_logging_metric").values()
        if one["name"] == "headrace/oldest_seconds"
    ]
    [buckets] = metric["bucket_options"][0]["explicit_buckets"]
    assert alert["threshold_value"] in buckets["bounds"]
    assert buckets["bounds"] == sorted(buckets["bounds"])
    assert not metric["bucket_options"][0]["exponential_buckets"]


def test_alerts_are_counted_as_they_are_billed() -> None:
    """By condition, and by time series returned: one to each, as none is grouped."""
    policies = of_type("plain", "google_monitoring_alert_policy").values()
    conditions = [condition for policy in policies for condition in policy["conditions"]]
    assert len(conditions) == model.conditions()
    for condition in conditions:
        [kind] = [kind for kind in ("condition_threshold", "condition_absent") if condition[kind]]
        [aggregation] = condition[kind][0]["aggregations"]
        assert aggregation["cross_series_reducer"] in {"REDUCE_MAX", "REDUCE_SUM"}
        assert not aggregation["group_by_fields"]


def test_the_dashboard_says_nothing_that_is_not_given_back() -> None:
    """Cloud Monitoring leaves out what is zero or empty: each plan would find the dashboard changed."""
    [dashboard] = of_type("plain", "google_monitoring_dashboard").values()
    made = json.loads(dashboard["dashboard_json"])
    tiles = made["mosaicLayout"]["tiles"]
    assert [(tile.get("xPos", 0), tile.get("yPos", 0)) for tile in tiles[:4]] == [
        (0, 0),
        (24, 0),
        (0, 16),
        (24, 16),
    ]

    def check(value: Any, where: str) -> None:
        assert value or value is False, where
        if isinstance(value, dict):
            for name, inner in value.items():
                check(inner, f"{where}.{name}")
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                check(inner, f"{where}[{index}]")

    check(made, "dashboard")
