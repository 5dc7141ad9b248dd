"""What happens to a few files, drawn from a seed: uploads, repeated notifications, and kills."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

SECONDS = 2.5
"""In which everything happens."""
KILLED = ("ingest", "analyze", "pubsub", "firestore")
"""Not Cloud Storage: the local one forgets the notifications that it has not sent."""
UNREADABLE = b"\x89PNG\r\n\x1a\n" + bytes(64)
"""An image that calls itself a text: rejected."""
_SUBJECTS = ("The works", "Our suppliers", "The board", "The mine", "Customers", "The new plant", "The union")
_VERBS = ("cut", "will cut", "failed to cut", "reported", "plans to report", "recycled", "contested")
_OBJECTS = (
    "emissions of carbon dioxide",
    "waste water",
    "accidents at work",
    "bribery",
    "land use",
    "prices",
)


@dataclass(frozen=True)
class Step:
    """One thing that happens `at` seconds after the beginning."""

    at: float
    kind: Literal["drop", "recreate", "announce", "kill"]
    target: str
    """A file's name, or what is killed."""
    content: bytes = b""
    number: int = 0
    """Of the generation that is announced once more, counted back from the newest."""


def history(seed: int) -> list[Step]:
    """The steps of a seed in their order; the last content of each name is what must stand in the end."""
    random = Random(seed)
    steps: list[Step] = []
    contents: list[bytes] = []
    for number in range(random.randint(1, 3)):
        name = f"soak-{seed}-{number}.txt"
        at = random.uniform(0, SECONDS / 3)
        for _ in range(random.choice((1, 1, 2, 3))):
            contents.append(
                random.choice(contents) if contents and random.random() < 0.2 else text(random, seed)
            )
            steps.append(Step(at, "drop", name, contents[-1]))
            at = random.uniform(at, SECONDS)
            if random.random() < 0.25:
                steps.append(Step(at, "recreate", name, contents[-1]))
                at = random.uniform(at, SECONDS)
        steps += [
            Step(random.uniform(SECONDS / 3, SECONDS), "announce", name, number=random.choice((0, 0, 1)))
            for _ in range(random.choice((0, 1, 5)))
        ]
    steps += [
        Step(random.uniform(0, SECONDS), "kill", random.choice(KILLED)) for _ in range(random.randint(1, 4))
    ]
    return sorted(steps, key=lambda step: step.at)


def text(random: Random, seed: int) -> bytes:
    """A report of up to 60 passages that no other history has; now and then something unreadable."""
    if random.random() < 0.1:
        return UNREADABLE + random.randbytes(8)
    paragraphs = [
        f"{random.choice(_SUBJECTS)} {random.choice(_VERBS)} {random.choice(_OBJECTS)} "
        f"by {random.randint(2, 60)}% at site {seed}-{random.randrange(1000)}."
        for _ in range(random.choice((1, 5, 20, 60)))
    ]
    return "\n\n".join(paragraphs).encode()
