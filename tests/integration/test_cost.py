"""A document that completes stores what it cost, of its own run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared import cost
from shared.views import document_view
from tests.integration.documents_life import SIZES, Life
from tests.integration.documents_servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with serving(tmp_path_factory.mktemp("cost")):
        yield


def stored(life: Life, document: str) -> dict[str, Any]:
    return life.documents.reference(document).get().to_dict() or {}


def test_a_run_that_completes_stores_its_estimate() -> None:
    """In the document, and in what the API shows of it."""
    life = Life()
    claim = life.claim(1)
    life.analyse(claim, 1)
    found = stored(life, claim.document)
    own = {"cost": {"cpu_seconds": 0.0}}
    assert found["cost"]["usd"] == cost.usd(cost.work_of(found | own, found["cost"]["cpu_seconds"])) > 0
    assert document_view(found)["cost"] == found["cost"]


def test_a_new_run_has_no_estimate_until_it_completes() -> None:
    """That of the run before is not shown as its own."""
    life = Life()
    life.analyse(life.claim(1), 1)
    claim = life.claim(2)
    life.analyse(claim, 2, batches=len(SIZES) - 1)
    assert "usd" not in stored(life, claim.document)["cost"]
