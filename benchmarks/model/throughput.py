"""Texts a second, side by side: first each peer's best setting is looked for, then everybody takes turns."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.model.contestant import Contestant, Spec, ours, peer
from benchmarks.model.stats import Samples, interleave

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.model.contestant import Paths

SIZES = (1, 4, 16, 64)
"""Texts in a batch, as the plot shows them."""
SEARCH_TEXTS = 64
SEARCH_ROUNDS = 3
SLICE = 200
"""Texts of a round; each round takes the next, so that five rounds see all thousand."""
ROUNDS = 5
BOOK_TEXTS = 50
"""The book's app does the first so many of a slice: it is slow, and its rate depends on no batch."""
WARM_TEXTS = 16
FASTEMBED_DEFAULT = 256
"""Its default `batch_size`: a slice is one batch, a little smaller than that, which is in its favour."""


@dataclass(frozen=True)
class Curve:
    """Texts a second against texts in a batch."""

    name: str
    rates: Mapping[int, float]


@dataclass(frozen=True)
class Search:
    """The best settings found, and the curves seen on the way."""

    best: dict[str, Spec]
    """By the peer's name."""
    described: dict[str, str]
    curves: list[Curve]


@dataclass(frozen=True)
class Throughput:
    """Texts a second of everybody, and whether the embeddings are the same."""

    rates: dict[str, Samples]
    cosines: dict[str, float]
    """Least cosine of a peer's embeddings with our fp32's, over the first slice."""


def search(paths: Paths, directories: Mapping[str, Path]) -> Search:
    """Try settings on the first texts, in turns."""
    loaded = {
        "Headrace int8, all heads": ours("ours", directories["int8"]),
        "Headrace fp32, embedding": ours("ours", directories["fp32-embedding"]),
        "fastembed": peer(paths, "fastembed"),
        "fastembed, 1 thread": peer(paths, "fastembed", threads=1),
        "fastembed, 2 processes of 1 thread": peer(paths, "fastembed", threads=1, processes=2),
        "sentence-transformers": peer(paths, "sentence-transformers"),
        "sentence-transformers, ONNX": peer(paths, "sentence-transformers-onnx"),
    }
    with ExitStack() as stack:
        running = {name: stack.enter_context(Contestant(spec, paths.texts)) for name, spec in loaded.items()}
        options = {
            (name, size): {"call" if name.startswith("Headrace") else "batch_size": size}
            for name in loaded
            for size in SIZES
        }
        for contestant in running.values():
            contestant.seconds(0, WARM_TEXTS, {})
        measures: dict[str, Callable[[int], float]] = {
            f"{name}|{size}": partial(_search_rate, running[name], chosen)
            for (name, size), chosen in options.items()
        }
        rates = {name: samples.median for name, samples in interleave(measures, SEARCH_ROUNDS).items()}
    curves = [Curve(name, {size: rates[f"{name}|{size}"] for size in SIZES}) for name in loaded]
    best, described = {}, {}
    for kind in ("fastembed", "sentence-transformers", "sentence-transformers, ONNX"):
        names = [name for name in loaded if name == kind or name.startswith(f"{kind}, ")]
        if kind == "sentence-transformers":
            names = [kind]
        winner = max((f"{name}|{size}" for name in names for size in SIZES), key=rates.__getitem__)
        name, _, size = winner.partition("|")
        best[kind] = loaded[name].with_options(batch_size=int(size))
        described[kind] = f"{name}, batch {size}"
    return Search(best, described, curves)


def _search_rate(contestant: Contestant, options: Mapping[str, Any], _: int) -> float:
    return SEARCH_TEXTS / contestant.seconds(0, SEARCH_TEXTS, options)


def compare(paths: Paths, directories: Mapping[str, Path], best: Mapping[str, Spec]) -> Throughput:
    """Everybody over the same slices, in turns; fastembed's default apart, for the memory that it takes."""
    specs = {name: ours(name, directory) for name, directory in directories.items()} | {
        **{f"{kind}, best": spec for kind, spec in best.items()},
        "sentence-transformers, default": peer(paths, "sentence-transformers"),
        "book": peer(paths, "book"),
    }
    with ExitStack() as stack:
        running = {name: stack.enter_context(Contestant(spec, paths.texts)) for name, spec in specs.items()}
        rates = interleave({name: _rate(contestant) for name, contestant in running.items()}, ROUNDS)
        embeddings = {
            name: _embeddings(running[name], paths)
            for name in ("fp32-embedding", "int8-embedding", "sentence-transformers, default")
        }
    default = peer(paths, "fastembed", batch_size=FASTEMBED_DEFAULT)
    with (
        Contestant(default, paths.texts) as theirs,
        Contestant(ours("ours", directories["fp32-embedding"]), paths.texts) as mine,
    ):
        alone = interleave({"default": _rate(theirs), "beside": _rate(mine)}, ROUNDS)
        rates |= {
            "fastembed, default": alone["default"],
            "fp32-embedding beside fastembed's default": alone["beside"],
        }
        embeddings["fastembed"] = _embeddings(theirs, paths)
    exact = embeddings.pop("fp32-embedding")
    cosines = {name: float((exact * other).sum(axis=1).min()) for name, other in embeddings.items()}
    return Throughput(rates, cosines)


def _rate(contestant: Contestant) -> Callable[[int], float]:
    contestant.seconds(0, WARM_TEXTS)
    count = BOOK_TEXTS if contestant.spec.name == "book" else SLICE

    def measure(number: int) -> float:
        return count / contestant.seconds(number * SLICE, number * SLICE + count)

    return measure


def _embeddings(contestant: Contestant, paths: Paths) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    path = paths.texts.parent / "embeddings.npy"
    contestant.save(path, SLICE)
    loaded: np.ndarray[tuple[int, int], np.dtype[np.float32]] = np.load(path)
    path.unlink()
    return loaded
