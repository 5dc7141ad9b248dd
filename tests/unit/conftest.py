"""What several files of unit tests need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.cuts import write_tokenizer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one, so that no model has to be built."""
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))
