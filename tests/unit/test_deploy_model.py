"""Which model a function gets that is deployed by hand."""

from __future__ import annotations

import pytest

from deploy.cloud import Revision, Service, State
from deploy.model import serving
from deploy.stage import FUNCTIONS
from shared.platform.errors import SetupError

OLD, NEW = "a" * 40, "b" * 40
PLACEHOLDER = Revision("x-0", None)


def state(**revisions: Revision) -> State:
    """What serves; of functions that are not named, nothing that was deployed."""
    found = {name: revisions.get(name, PLACEHOLDER) for name in FUNCTIONS}
    return State({name: Service(one, one, "", 100, "", "all") for name, one in found.items()}, None)


def made(model: str | None) -> Revision:
    return Revision("x-1", "digest", model=model)


@pytest.mark.parametrize(
    ("found", "model"),
    [
        (state(), ""),  # the first: the repository's own
        (state(api=made(OLD)), OLD),  # the second of a first deployment by hand
        (state(api=made(OLD), analyze=made(OLD), ingest=made(OLD), sweep=made(None)), OLD),
    ],
)
def test_it_is_the_one_that_serves(found: State, model: str) -> None:
    """Functions without a model have no say."""
    assert serving(found, "api") == model


@pytest.mark.parametrize("other", [NEW, None])
def test_where_there_is_not_one_it_has_to_be_named(other: str | None) -> None:
    """As after a rollback of one function, or of revisions that were made without the label."""
    found = state(api=made(OLD), analyze=made(other), ingest=made(other))
    with pytest.raises(SetupError, match=f"api: {OLD}.* make deploy FUNCTION=api MODEL_DIGEST="):
        serving(found, "api")
