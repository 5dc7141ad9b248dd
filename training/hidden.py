"""Hidden states after the layers that a branch shares, computed once for each text and kept on disk.

The shared layers are frozen, so training sees the same states in every epoch: computing them once makes an
epoch three times cheaper. A file that was cut short by a crash goes on where it stopped.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from shared.inference.engine import plan_batches
from shared.inference.tokens import load_tokenizer
from training.bert import Lower

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model_export.sources import Checkpoint

    Halves = NDArray[np.float16]

MAX_TOKENS = 128
"""A training sentence is cut here; hardly one is longer."""
_BUDGET = 2048
_WASTE = 0.1


@dataclass(frozen=True, slots=True)
class Hidden:
    """States of n texts, end to end."""

    states: Halves
    """(tokens, width)"""
    starts: NDArray[np.int64]
    """(n,), where each text's states begin."""
    lengths: NDArray[np.int64]
    """(n,), tokens."""

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """States (batch, seq, width) in float, zero where the mask (batch, seq) is false."""
        lengths = self.lengths[list(rows)]
        states = np.zeros((len(rows), lengths.max(), self.states.shape[1]), np.float32)
        for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            start = self.starts[row]
            states[place, :length] = self.states[start : start + length]
        mask = np.arange(lengths.max()) < lengths[:, None]
        return torch.from_numpy(states), torch.from_numpy(mask)


def hidden_states(
    checkpoint: Checkpoint,
    layers: int,
    texts: Sequence[str],
    cache: Path,
    report: Callable[[float], None],
) -> Hidden:
    """States of `texts` after `layers` layers, from `cache` where it has them; `report` hears each tenth."""
    cache.mkdir(parents=True, exist_ok=True)
    name = f"{(checkpoint.source.sha256 or checkpoint.source.revision)[:12]}-{layers}"
    data, index = cache / f"{name}.f16", cache / f"{name}.jsonl"
    width = checkpoint.config.hidden_size
    hashes = [_key(text) for text in texts]
    with (cache / f"{name}.lock").open("w") as lock:
        # Two trainings may share a cache, and both would write at its end.
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read_index(index)
        new = {key: text for key, text in zip(hashes, texts, strict=True) if key not in known}
        if new:
            _compute(checkpoint, layers, list(new.items()), known, data, index, report)
    states = np.memmap(data, np.float16, "r").reshape(-1, width)
    places = [known[key] for key in hashes]
    return Hidden(
        states, np.array([start for start, _ in places]), np.array([length for _, length in places])
    )


def _compute(  # noqa: PLR0913, PLR0917 - one step of `hidden_states`, split off for its length
    checkpoint: Checkpoint,
    layers: int,
    texts: list[tuple[str, str]],
    known: dict[str, tuple[int, int]],
    data: Path,
    index: Path,
    report: Callable[[float], None],
) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lower = Lower(checkpoint, layers).eval().to(device)
    splitter = load_tokenizer(checkpoint.tokenizer)
    splitter.enable_truncation(min(MAX_TOKENS, checkpoint.config.max_position_embeddings))
    rows = [encoding.ids for encoding in splitter.encode_batch_fast([text for _, text in texts])]
    end = max((start + length for start, length in known.values()), default=0)
    width = checkpoint.config.hidden_size
    with data.open("ab") as states, index.open("a", encoding="utf-8") as lines, torch.no_grad():
        states.truncate(end * width * 2)
        done = 0
        for batch in plan_batches([len(row) for row in rows], _BUDGET, _WASTE):
            lengths = [len(rows[i]) for i in batch]
            ids = np.zeros((len(batch), max(lengths)), np.int64)
            for place, i in enumerate(batch):
                ids[place, : len(rows[i])] = rows[i]
            mask = torch.from_numpy(np.arange(max(lengths)) < np.array(lengths)[:, None]).to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                found = lower(torch.from_numpy(ids).to(device), mask).to(torch.float16).cpu().numpy()
            entries = []
            for place, i in enumerate(batch):
                states.write(found[place, : len(rows[i])].tobytes())
                known[texts[i][0]] = (end, len(rows[i]))
                entries.append(json.dumps([texts[i][0], end, len(rows[i])]))
                end += len(rows[i])
            # The index names only what is written.
            states.flush()
            lines.write("\n".join(entries) + "\n")
            before, done = done, done + len(batch)
            if 10 * before // len(rows) < 10 * done // len(rows):
                report(done / len(rows))


def _read_index(path: Path) -> dict[str, tuple[int, int]]:
    if not path.exists():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            key, start, length = json.loads(line)
            known[key] = (start, length)
    return known


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
