"""How well do cosines follow plans? `python -m benchmarks.digests.plans` prints what `NEAR` and `FAR` find.

Each entry of plans.json, written for this, has a plan, a sentence that says it was carried out, one that
announces it again, and two that must not be taken for either: `other` is on the same things, `elsewhere` does
the like with other things. A report that follows a plan up says one of the first two among all that other
entries say; one that does not says `other` or `elsewhere` among that.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from shared.digests.compute.follow import FAR, NEAR
from shared.inference import Engine
from shared.settings import Settings

PAIRS = Path(__file__).with_name("plans.json")
KINDS = ("plan", "done", "again", "other", "elsewhere")
NEARS = (0.60, 0.65, 0.70, 0.75, 0.80)
FARS = (0.35, 0.40, 0.45, 0.50, 0.55)


def main() -> None:
    """Print precision and recall for several thresholds; those in use have a star."""
    entries = json.loads(PAIRS.read_text("utf-8"))
    engine = Engine(Settings.model_fields["model_dir"].default)
    found = engine.run([entry[kind] for entry in entries for kind in KINDS]).embedding
    vectors = dict(zip(KINDS, np.moveaxis(found.reshape(len(entries), len(KINDS), -1), 1, 0), strict=True))
    cosine = {kind: vectors["plan"] @ vectors[kind].T for kind in KINDS[1:]}
    own = {kind: np.diag(one) for kind, one in cosine.items()}
    foreign = np.concatenate(
        [np.where(np.eye(len(entries), dtype=bool), -1, one) for one in cosine.values()], axis=1
    )
    nearest_foreign = foreign.max(axis=1)
    follow = np.concatenate([own["done"], own["again"]])
    wrong = np.concatenate([own["other"], own["elsewhere"], nearest_foreign])
    print(f"{len(entries)} plans, model {engine.digest[:12]}\n")
    print("| near | follow-ups found | of what is found, right | other, or elsewhere, taken for one |")
    print("| --- | --- | --- | --- |")
    for near in NEARS:
        right, false = int((follow >= near).sum()), int((wrong >= near).sum())
        star = " *" if near == NEAR else ""
        print(
            f"| {near:.2f}{star} | {right / len(follow):.0%} | {right / max(1, right + false):.0%} "
            f"| {(own['other'] >= near).mean():.0%}, {(own['elsewhere'] >= near).mean():.0%} |"
        )
    print(
        "\n| far | plans not followed up, told as vanished | followed plans told so | nothing on its things |"
    )
    print("| --- | --- | --- | --- |")
    for far in FARS:
        dropped = np.concatenate(
            [np.maximum(nearest_foreign, own[kind]) < far for kind in ("other", "elsewhere")]
        )
        silent = nearest_foreign < far
        lost = np.maximum(np.tile(nearest_foreign, 2), follow) < far
        star = " *" if far == FAR else ""
        print(f"| {far:.2f}{star} | {dropped.mean():.0%} | {lost.mean():.1%} | {silent.mean():.0%} |")


if __name__ == "__main__":
    main()
