"""`python -m benchmarks.annotations.agreement`: how far two readers agree, and what the evaluation set holds.

Cohen's kappa (J. Cohen, "A coefficient of agreement for nominal scales", 1960): of the evaluation sentences
for each topic as a yes or no, the action and the sentiment; of the passages and sentences in
`model_export/data` that were read twice for all labels but topics, which have their micro-F1.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from benchmarks.annotations.load import Label, read_keys, read_labels, read_table
from model_export.labelled import OWN
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Agreement beyond chance of two label sequences over the same items; 1 where both are one constant.

    Raises:
        ValueError: the sequences are empty or of different lengths.
    """
    total = len(first)
    if not total:
        raise ValueError("Kappa needs at least one item.")
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    left, right = Counter(first), Counter(second)
    expected = sum(left[label] * right[label] for label in left) / total**2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def _has(code: str, label: Label) -> bool:
    return code in label.topics


_SCALES: dict[str, Callable[[Label], Hashable]] = {
    **{code: partial(_has, code) for code in TOPICS},
    "topic set": attrgetter("topics"),
    "action": attrgetter("action"),
    "sentiment": attrgetter("sentiment"),
}
_CAVEAT = """\
One annotator made the first pass and another the second, apart, the second blind to the first. Both read
the same guideline and may share leanings, so others may agree less; what both got wrong alike does not
show here."""


def report() -> str:
    """Kappa and the number of sentences labelled differently, by scale; then counts of the final labels."""
    first, second, final = read_labels("pass1"), read_labels("pass2"), read_labels()
    lines = [f"{len(final)} sentences", *_CAVEAT.splitlines(), "", f"{'':<12}{'kappa':>7}{'apart':>8}"]
    for name, of in _SCALES.items():
        one, two = [of(first[text]) for text in final], [of(second[text]) for text in final]
        apart = sum(a != b for a, b in zip(one, two, strict=True))
        lines.append(f"{name:<12}{kappa(one, two):>7.3f}{apart:>8}")
    uniform = {key.text for key in read_keys() if key.drawn == "random"}
    everywhere = _counts(list(final.values()))
    at_random = _counts([label for text, label in final.items() if text in uniform])
    lines += ["", f"{'final label':<22}{'all':>6}{'random':>8}"]
    lines += [f"{name:<22}{count:>6}{at_random[name]:>8}" for name, count in sorted(everywhere.items())]
    return "\n".join(lines)


def _counts(labels: list[Label]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for label in labels:
        topics = [f"topic {code}" for code in label.topics] or ["topic none"]
        counts.update([*topics, f"action {label.action}", f"sentiment {label.sentiment}"])
    return counts


_Place = tuple[str, str, str]
"""A passage's id, and where a sentence begins and ends in it: empty for the whole passage."""


def readings() -> str:
    """How far two blind readings of passages and sentences agree, and the second with the labels kept."""
    first, second = _by_place("first"), _by_place("second")
    passages = {(row["id"], "", ""): row for row in read_table(OWN / "passages.tsv")}
    kept = passages | _by_place("sentences")
    groups: dict[str, list[_Place]] = {"passages, first round": [], "passages, later": [], "sentences": []}
    for place in second:
        round_ = "first round" if kept[place]["reader"].startswith("1.") else "later"
        groups["sentences" if place[1] else f"passages, {round_}"].append(place)
    scales = ("action", "outcome", "salience", "initiative")
    lines = [f"{len(second):,} passages and sentences read twice, the second time blind", ""]
    for title, left in (("before settling", first), ("second and kept", kept)):
        lines.append(f"{title:<22}{'number':>8}{'topics':>8}" + "".join(f"{scale:>11}" for scale in scales))
        for name, places in groups.items():
            one, two = [left[place] for place in places], [second[place] for place in places]
            kappas = [kappa([row[of] for row in one], [row[of] for row in two]) for of in scales]
            numbers = "".join(f"{value:>11.3f}" for value in kappas)
            lines.append(f"{name:<22}{len(places):>8}{_topics_f1(one, two):>8.3f}{numbers}")
    return "\n".join(lines)


def _by_place(name: str) -> dict[_Place, dict[str, str]]:
    return {(row["passage"], row["start"], row["end"]): row for row in read_table(OWN / f"{name}.tsv")}


def _topics_f1(first: Sequence[dict[str, str]], second: Sequence[dict[str, str]]) -> float:
    """Twice the topics that both readers gave over all that either gave; 1 where neither gave any."""
    one, two = ([set(row["topics"].split(",")) - {""} for row in rows] for rows in (first, second))
    given = sum(map(len, one + two))
    return 2 * sum(len(a & b) for a, b in zip(one, two, strict=True)) / given if given else 1.0


if __name__ == "__main__":
    print(report(), readings(), sep="\n\n")
