"""Text recognition: pages of a PDF are drawn in confined processes and read by RapidOCR on ONNX Runtime."""

from __future__ import annotations

from long_job.ocr.recogniser import Recogniser

__all__ = ["Recogniser"]
