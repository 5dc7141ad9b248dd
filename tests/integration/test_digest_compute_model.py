"""Plans are followed with the model that is built here: the thresholds are of its cosines."""

from __future__ import annotations

from benchmarks.digests.plans import cosines
from shared.digests.compute.follow import FAR, NEAR
from shared.inference.engine import Engine
from shared.platform.settings import Settings


def test_the_thresholds_are_right_for_the_model() -> None:
    """Most follow-ups are found, nearly all that is found is one, and no followed plan has vanished."""
    found = cosines(Engine(Settings.model_fields["model_dir"].default))
    near, far = found.near(NEAR), found.far(FAR)
    assert near.recall >= 0.85
    assert near.precision >= 0.95
    assert far.recall >= 0.4
    assert far.precision == 1.0
