"""One batch through the graph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.platform.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    Rows = NDArray[np.float32]

GPU_FAULT = re.compile(r"\bCU[A-Z]+ failure \d+")
"""How onnxruntime names an error of CUDA or its libraries, after which a process cannot use them again."""


class Forward:
    """Runs a session, as threads ask it to."""

    def __init__(self, session: InferenceSession, outputs: Sequence[str], *, bound: bool) -> None:
        """`outputs` are those that are asked for, in this order.

        `bound`: through I/O binding, which says where each array lies, for a GPU.
        """
        self._session = session
        self._outputs = list(outputs)
        self._run = self._bound if bound else self._plain

    def __call__(self, ids: Sequence[Sequence[int]]) -> Rows:
        """The outputs side by side, of word pieces padded to the longest text (with id 0, masked).

        Raises:
            Retryable: the GPU failed; another process may have better luck.
        """
        import numpy as np

        shape = (len(ids), max(map(len, ids)))
        input_ids, attention_mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for index, row in enumerate(ids):
            input_ids[index, : len(row)] = row
            attention_mask[index, : len(row)] = 1
        return np.concatenate(self._run({"input_ids": input_ids, "attention_mask": attention_mask}), axis=1)

    def _plain(self, feed: dict[str, NDArray[np.int64]]) -> list[Rows]:
        found: list[Rows] = self._session.run(self._outputs, feed)
        return found

    def _bound(self, feed: dict[str, NDArray[np.int64]]) -> list[Rows]:
        # All in the host's memory: the ids of a batch are a quarter of a megabyte, and the outputs, which are
        # wanted there, not much more. What lies between stays on the GPU.
        binding = self._session.io_binding()
        for name, value in feed.items():
            binding.bind_cpu_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:
            if GPU_FAULT.search(str(error)):
                raise Retryable(f"the GPU failed: {error}") from error
            raise
        found: list[Rows] = binding.copy_outputs_to_cpu()
        return found
