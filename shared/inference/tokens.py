"""Tokenize text without a numerical library, for processes that count tokens and have no model."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.platform.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

THREADS = "RAYON_NUM_THREADS"
"""Read once, when the library first encodes a batch; by default it uses the host's processors."""


def load_tokenizer(tokenizer_json: bytes) -> Tokenizer:
    """Load a tokenizer that neither pads nor cuts, which the engine does itself.

    Raises:
        SetupError: the content is not a tokenizer.
    """
    if THREADS not in os.environ:
        from shared.inference.session import cpu_limit

        os.environ[THREADS] = str(cpu_limit())
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_buffer(tokenizer_json)
    except Exception as error:  # noqa: BLE001 - the library raises nothing more precise
        raise SetupError(
            f"The tokenizer cannot be read ({error}). Build the model again: make model"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@lru_cache(maxsize=1)
def counter(tokenizer_json: Path) -> Callable[[Sequence[str]], list[int]]:
    """Return a function that counts word pieces as the engine does: with the two special tokens, nothing cut.

    The model's `tokenizer.json` is loaded once per process.

    Raises:
        SetupError: the file is missing or not a tokenizer.
    """
    try:
        tokenizer = load_tokenizer(tokenizer_json.read_bytes())
    except FileNotFoundError:
        raise SetupError(f"{tokenizer_json} is missing. Build the model: make model") from None
    return lambda texts: [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(list(texts))]
