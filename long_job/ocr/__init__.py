"""Text recognition: pages of a PDF are drawn in confined processes and read by RapidOCR on ONNX Runtime."""
