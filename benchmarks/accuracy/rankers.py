"""TextRank and LexRank by sumy, over our sentences: what summaries are compared with."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np
from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
from sumy.nlp.stemmers import Stemmer
from sumy.summarizers.lex_rank import LexRankSummarizer
from sumy.summarizers.text_rank import TextRankSummarizer
from sumy.utils import get_stop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WORD = re.compile(r"[^\W\d_]+")


def text_rank(sentences: Sequence[str], length: int) -> list[str]:
    """The `length` sentences that share most words with the others; Mihalcea and Tarau 2004."""
    return _summary(_TextRank(Stemmer("english")), sentences, length)


def lex_rank(sentences: Sequence[str], length: int) -> list[str]:
    """The `length` sentences most central in the graph of similar ones; Erkan and Radev 2004."""
    return _summary(_LexRank(Stemmer("english")), sentences, length)


def _summary(
    summarizer: TextRankSummarizer | LexRankSummarizer, sentences: Sequence[str], length: int
) -> list[str]:
    summarizer.stop_words = get_stop_words("english")
    document = ObjectDocumentModel([Paragraph([Sentence(text, _Words) for text in sentences])])
    return [str(sentence) for sentence in summarizer(document, length)]


class _Words:
    """A tokenizer for sumy, whose own needs a download."""

    @staticmethod
    def to_words(sentence: str) -> tuple[str, ...]:
        return tuple(_WORD.findall(sentence.lower()))


class _TextRank(TextRankSummarizer):  # type: ignore[misc]  # sumy has no types
    """The same matrix as sumy's, by products of arrays: a report takes seconds, not minutes."""

    def _create_matrix(self, document: ObjectDocumentModel) -> Floats:
        words = [self._to_words_set(sentence) for sentence in document.sentences]
        counts = _counts(words)
        logs = np.array([math.log(len(some)) if some else 0.0 for some in words])
        shared, norms = counts @ counts.T, logs[:, None] + logs
        weights = np.where(norms > 0, shared / np.where(norms > 0, norms, 1.0), shared)
        weights /= weights.sum(axis=1)[:, None] + self._ZERO_DIVISION_PREVENTION
        return np.asarray((1 - self.damping) / len(words) + self.damping * weights)


class _LexRank(LexRankSummarizer):  # type: ignore[misc]  # sumy has no types
    """The same."""

    def _create_matrix(
        self,
        sentences: list[list[str]],
        threshold: float,
        tf_metrics: list[dict[str, float]],  # noqa: ARG002 - sumy's signature
        idf_metrics: dict[str, float],
    ) -> Floats:
        counts = _counts(sentences)
        weights = counts / np.maximum(counts.max(axis=1), 1)[:, None] * np.array(list(idf_metrics.values()))
        norms = np.linalg.norm(weights, axis=1)
        weights /= np.where(norms > 0, norms, 1.0)[:, None]
        alike = (weights @ weights.T > threshold).astype(np.float64)
        return np.asarray(alike / np.maximum(alike.sum(axis=1), 1)[:, None])

    def _compute_idf(self, sentences: list[list[str]]) -> dict[str, float]:
        counts = _counts(sentences)
        within = (counts > 0).sum(axis=0).tolist()
        words = dict.fromkeys(word for sentence in sentences for word in sentence)
        return {
            word: math.log(len(sentences) / (1 + number)) for word, number in zip(words, within, strict=True)
        }


def _counts(sentences: Sequence[Sequence[str]]) -> Floats:
    """How often each word is in each sentence, words in the order in which they come first."""
    words = dict.fromkeys(word for sentence in sentences for word in sentence)
    place = {word: number for number, word in enumerate(words)}
    counts = np.zeros((len(sentences), len(place)))
    for row, sentence in enumerate(sentences):
        for word in sentence:
            counts[row, place[word]] += 1
    return counts
