"""RapidOCR's models and steps: find lines, tell which way up they are, read them.

Its parts are used one by one, because we handle the page's orientation and tilt, the time limit and the
resolution of each step ourselves. All models are inside the package; nothing is downloaded.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from shared.inference.session import session_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from long_job.ocr.drawing import Grey

    Corners = NDArray[np.float32]
    """(n, 4, 2): n boxes' corners in pixels, clockwise from the top left as the text runs."""

FINDER = "PP-OCRv6_det_small.onnx"
TURNER = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
READER = "PP-OCRv6_rec_small.onnx"

DETECTION = 0.55
"""Scale of the picture in which lines are looked for: they are found as well at 110 dpi as at 200, in a third
of the time."""
MAX_DETECTION_SIDE = 1_600
"""Pixels of the longer side of that picture: bounds the memory, about 250 bytes a pixel."""
CUDA = "CUDAExecutionProvider"
GPU_BATCH = 16
"""Lines read at once on a GPU; a CPU is quickest with one at a time, each in its own width."""


class Engine:
    """The models, loaded once; several threads may use them at once, each on `threads` processors."""

    def __init__(self, threads: int = 1) -> None:
        """Load the models, on the GPU if onnxruntime has one."""
        import rapidocr
        from rapidocr.ch_ppocr_cls import TextClassifier
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecognizer

        import shared.inference.runtime  # noqa: F401 - rapidocr loads onnxruntime itself, now

        configuration = rapidocr.RapidOCR(params={"Global.log_level": "critical"}).cfg
        models = Path(rapidocr.__file__).parent / "models"

        def part(name: str, session: InferenceSession, **values: object) -> Any:  # noqa: ANN401 - OmegaConf's
            part_configuration = configuration[name].copy()
            # OmegaConf's way to hold a session:
            part_configuration._set_flag("allow_objects", True)  # noqa: FBT003, SLF001
            part_configuration.update({"session": session, "font_path": None, **values})
            return part_configuration

        finder, turner, reader = (_open(models / name, threads) for name in (FINDER, TURNER, READER))
        self.batch = GPU_BATCH if reader.get_providers()[0] == CUDA else 1
        limits = {"limit_type": "max", "limit_side_len": MAX_DETECTION_SIDE}
        self._detect = TextDetector(part("Det", finder, **limits))
        self._classify = TextClassifier(part("Cls", turner))
        self._recognise = TextRecognizer(part("Rec", reader, rec_batch_num=self.batch))

    def find(self, picture: Grey) -> Corners:
        """Return boxes around lines, or around pieces of lines between wide gaps."""
        high, wide = picture.shape
        scale = min(DETECTION, MAX_DETECTION_SIDE / max(high, wide))
        size = max(1, math.ceil(wide * scale)), max(1, math.ceil(high * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        boxes = self._detect(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)).boxes
        if boxes is None:
            return np.empty((0, 4, 2), np.float32)
        stretch = wide / size[0], high / size[1]
        return np.asarray(boxes, np.float32) * np.asarray(stretch, np.float32)

    def upside_down(self, lines: Sequence[Grey]) -> float:
        """Return the share of the lines that are upside down."""
        classes = self._classify([cv2.cvtColor(line, cv2.COLOR_GRAY2BGR) for line in lines]).cls_res
        return sum(label == "180" for label, _ in classes or ()) / len(lines)

    def read(self, lines: Sequence[Grey]) -> Iterator[tuple[str, float]]:
        """Yield each line's text and confidence (0 to 1) in order; lines are read some at a time."""
        from rapidocr.ch_ppocr_rec import TextRecInput

        for start in range(0, len(lines), self.batch):
            some = [cv2.cvtColor(line, cv2.COLOR_GRAY2BGR) for line in lines[start : start + self.batch]]
            said = self._recognise(TextRecInput(img=some))
            yield from zip(said.txts or (), map(float, said.scores), strict=True)


def _open(model: Path, threads: int) -> InferenceSession:
    """Open a session on the GPU if there is one, without memory that grows to the largest page ever seen."""
    from shared.inference.runtime import onnxruntime

    options = session_options(threads)
    providers = ["CPUExecutionProvider"]
    if CUDA in onnxruntime.get_available_providers():
        onnxruntime.preload_dlls()  # CUDA's libraries lie in packages of their own
        providers.insert(0, CUDA)
    return onnxruntime.InferenceSession(str(model), options, providers=providers)
