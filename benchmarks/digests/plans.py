"""How well do cosines follow plans? `python -m benchmarks.digests.plans` prints what `NEAR` and `FAR` find.

Each entry of plans.json, written for this, has a plan, a sentence that says it was carried out, one that
announces it again, and two that must not be taken for either: `other` is on the same things, `elsewhere` does
the like with other things. A report that follows a plan up says one of the first two among all that other
entries say; one that does not says `other` or `elsewhere` among that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.digests.compute.follow import FAR, NEAR
from shared.inference.engine import Engine
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS = Path(__file__).with_name("plans.json")
KINDS = ("plan", "done", "again", "other", "elsewhere")
NEARS = (0.60, 0.65, 0.70, 0.75, 0.80)
FARS = (0.35, 0.40, 0.45, 0.50, 0.55)


class Found(NamedTuple):
    """Shares of what a threshold finds."""

    recall: float
    precision: float


class Cosines(NamedTuple):
    """Cosines of plans with sentences."""

    follow: NDArray[np.float32]
    """With those that follow them up: all that carry out, and then all that announce again."""
    not_follow: NDArray[np.float32]
    """With `other`, and then with `elsewhere`."""
    foreign: NDArray[np.float32]
    """With the nearest of what other entries say."""

    def near(self, threshold: float) -> Found:
        """Return what is taken for a follow-up from this cosine on."""
        right = int((self.follow >= threshold).sum())
        wrong = int((self.not_follow >= threshold).sum() + (self.foreign >= threshold).sum())
        return Found(right / len(self.follow), right / max(1, right + wrong))

    def far(self, threshold: float) -> Found:
        """Return the plans that are reported as vanished below this cosine."""
        nothing = np.maximum(self.not_follow, np.tile(self.foreign, 2)) < threshold
        followed = np.maximum(self.follow, np.tile(self.foreign, 2)) < threshold
        right, wrong = int(nothing.sum()), int(followed.sum())
        return Found(right / len(nothing), right / max(1, right + wrong))


def cosines(engine: Engine) -> Cosines:
    """Return the cosines of the entries' sentences, with this model."""
    entries = json.loads(PAIRS.read_text("utf-8"))
    embeddings = engine.run([entry[kind] for entry in entries for kind in KINDS]).embedding
    plans, *others = np.moveaxis(embeddings.reshape(len(entries), len(KINDS), -1), 1, 0)
    done, again, other, elsewhere = (plans @ each.T for each in others)
    mine = np.eye(len(entries), dtype=bool)
    foreign = np.concatenate([np.where(mine, -1, each) for each in (done, again, other, elsewhere)], axis=1)
    return Cosines(
        np.concatenate([np.diag(done), np.diag(again)]),
        np.concatenate([np.diag(other), np.diag(elsewhere)]),
        foreign.max(axis=1),
    )


def main() -> None:
    """Print what several thresholds find; those in use have a star."""
    engine = Engine(Settings.model_fields["model_dir"].default)
    measured = cosines(engine)
    print(f"{len(measured.foreign)} plans, model {engine.digest[:12]}\n")
    print("| cosine | follow-ups found | right of those | plans without, as vanished | right of those |")
    print("| --- | --- | --- | --- | --- |")
    for threshold in (*FARS, *NEARS):
        star = " *" if threshold in {NEAR, FAR} else ""
        near, far = measured.near(threshold), measured.far(threshold)
        shown = [f"{share:.0%}" for share in (*near, *far)]
        print(f"| {threshold:.2f}{star} | {' | '.join(shown)} |")


if __name__ == "__main__":
    main()
