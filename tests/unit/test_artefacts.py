from hypothesis import given
from hypothesis import strategies as st

from shared.documents.artefacts import plan_batches
from shared.platform.records import Passage


def passages(tokens: list[int]) -> list[Passage]:
    return [
        Passage(index=index, span=(0, 1), text="x", tokens=count, page=None, row=None)
        for index, count in enumerate(tokens)
    ]


@given(
    tokens=st.lists(st.integers(1, 300), max_size=200),
    max_passages=st.integers(1, 64),
    max_tokens=st.integers(1, 1000),
)
def test_batches_cover_every_passage_once_within_both_limits(
    tokens: list[int], max_passages: int, max_tokens: int
) -> None:
    """Consecutive, complete, never empty; over the token limit only where a single passage is."""
    ranges = list(plan_batches(passages(tokens), max_passages=max_passages, max_tokens=max_tokens))
    assert [position for start, end in ranges for position in range(start, end)] == list(range(len(tokens)))
    for start, end in ranges:
        assert 1 <= end - start <= max_passages
        assert end - start == 1 or sum(tokens[start:end]) <= max_tokens
