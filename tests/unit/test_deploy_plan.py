"""What a deployment decides to do, from what serves, what was made last, and what is staged."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from deploy import cloud, trial
from deploy.cloud import Job, Revision, Service, State
from deploy.plan import decide, plan
from deploy.stage import FUNCTIONS, ROOT
from shared.documents.model import Document
from shared.inference.manifest import Manifest
from shared.platform.errors import Retryable, SetupError
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from pathlib import Path


def service(serving: Revision, latest: Revision | None = None) -> Service:
    """A service of which only the revisions matter."""
    newest = latest or serving
    return Service(serving, newest, newest.name, 100, "https://x", "all")


OLD, NEW = Revision("x-1", "old"), Revision("x-2", "new")
PLACEHOLDER = Revision("x-0", None)
CONFIGURED = Revision("x-3", "new")


@pytest.mark.parametrize(
    ("found", "fixed", "action", "revision", "before"),
    [
        (service(PLACEHOLDER), False, "deploy", None, None),  # Terraform's: nothing to go back to
        (service(OLD), False, "deploy", None, "x-1"),
        (service(NEW), False, "keep", "x-2", "x-2"),
        (service(OLD, NEW), False, "reuse", "x-2", "x-1"),  # an earlier build did not live to promote it
        (service(NEW, CONFIGURED), False, "reuse", "x-3", "x-2"),  # Terraform changed what it is given
        (service(NEW, OLD), False, "deploy", None, "x-2"),  # rolled back, then this commit again
        (service(OLD, NEW), True, "keep", "x-1", "x-1"),  # another function is deployed by hand
    ],
)
def test_a_functions_step(
    found: Service,
    fixed: bool,  # noqa: FBT001 - a value of the row
    action: str,
    revision: str | None,
    before: str | None,
) -> None:
    """Built anew only where nothing that was built has this content."""
    step = decide(found, "new", fixed=fixed)
    assert (step.action, step.revision, step.before) == (action, revision, before)


def test_one_function_by_hand_leaves_all_else_alone() -> None:
    """The job too, however much has changed."""
    everything = State({name: service(OLD) for name in FUNCTIONS}, Job("old", gpu=False))
    made = plan(everything, {"ingest": "new"}, "new", ["ingest"])
    assert made.changed == ["ingest"]
    assert made.job is None


def test_nothing_changes_where_all_is_as_it_is() -> None:
    """A job that there is not needs no image."""
    everything = State({name: service(NEW) for name in FUNCTIONS}, None)
    made = plan(everything, dict.fromkeys(FUNCTIONS, "new"), "anything", [])
    assert (made.changed, made.job) == ([], None)


def test_a_step_without_the_one_before_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the command that comes first."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SetupError, match="deploy state comes first"):
        cloud.load_state()


COMPLETED: dict[str, Any] = {
    "state": "completed",
    "model": "m",
    "passages": 5,
    "initiatives": 1,
    "topics": dict.fromkeys(TOPICS, 0) | {"E1": 2},
    "summary": [
        {"page": None, "text": "In 2025 we replaced the gas boilers of four factories by heat pumps."}
    ],
    "error": None,
}
MODEL = Manifest.model_construct(digest="m", topics=TOPICS)


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"state": "rejected"}, "ended as rejected"),
        ({"model": "other"}, "analyzed with model other"),
        ({"initiatives": 0}, "did not find"),
        ({"topics": dict.fromkeys(TOPICS, 0) | {"G1": 1}}, "did not find"),
        ({"passages": 0}, "has 0 passages"),
        ({"summary": []}, "the summary []"),
    ],
)
def test_a_sample_that_is_not_as_it_must_be_fails(differs: dict[str, Any], said: str) -> None:
    """Each way on its own; as it must be, it passes."""
    trial.check(Document.model_construct(**COMPLETED), MODEL)
    with pytest.raises(Retryable, match=re.escape(said)):
        trial.check(Document.model_construct(**COMPLETED | differs), MODEL)


@pytest.mark.parametrize("topics", [(), ("water", "waste")])
def test_a_model_without_the_samples_topic_can_be_deployed(topics: tuple[str, ...]) -> None:
    """One that only embeds, or has another taxonomy, whose counts stand beside our topics'."""
    model = Manifest.model_construct(digest="m", topics=topics)
    nothing = COMPLETED | {"initiatives": 0, "topics": dict.fromkeys((*TOPICS, *topics), 0)}
    trial.check(Document.model_construct(**nothing), model)
    with pytest.raises(Retryable, match="the summary"):
        trial.check(Document.model_construct(**nothing | {"summary": []}), model)


def test_the_table_of_functions_is_that_of_the_infrastructure() -> None:
    """A function that one of them does not know would not be made, or not be deployed."""
    assert set(json.loads((ROOT / "infra" / "functions.json").read_text())) == set(FUNCTIONS)
    assert {path.parent.name for path in (ROOT / "functions").glob("*/main.py")} == set(FUNCTIONS)
