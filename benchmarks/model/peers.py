"""The peers, each as its own documentation has it used, in their own environment.

`python -m benchmarks.model.peers KIND MATERIALS [THREADS]`, see `serve`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.model.serve import serve

if TYPE_CHECKING:
    from benchmarks.model.serve import Run

# Nothing here is typed: the libraries are installed in the peers' environment alone.


def fastembed(materials: Path, threads: int | None) -> Run:
    """`TextEmbedding` on local files; options `batch_size` and `parallel` are those of `embed`."""
    library = import_module("fastembed")
    model = library.TextEmbedding(
        "sentence-transformers/all-MiniLM-L6-v2",
        specific_model_path=str(materials / "fastembed"),
        threads=threads,
    )
    return lambda texts, options: list(model.embed(texts, **options))


def sentence_transformers(materials: Path, threads: int | None) -> Run:
    """The default backend, torch."""
    return _sentence_transformers(str(materials / "minilm"), "torch", threads)


def sentence_transformers_onnx(materials: Path, threads: int | None) -> Run:
    """The ONNX backend, on the graph that it exported itself."""
    return _sentence_transformers(str(materials / "minilm-onnx"), "onnx", threads)


def _sentence_transformers(path: str, backend: str, threads: int | None) -> Run:
    if threads is not None:
        import_module("torch").set_num_threads(threads)
    model = import_module("sentence_transformers").SentenceTransformer(path, backend=backend, device="cpu")
    return lambda texts, options: model.encode(texts, normalize_embeddings=True, **options)


def book(materials: Path, _: int | None) -> Run:
    """The book's prediction service without its HTTP: transformers' pipeline, one text a call by default."""
    model = import_module("transformers").pipeline(
        "sentiment-analysis", model=str(materials / "distilbert"), device="cpu"
    )

    def run(texts: list[str], options: dict[str, Any]) -> None:
        if options:
            model(texts, **options)
        else:
            for text in texts:
                model(text)

    return run


KINDS = {
    "fastembed": fastembed,
    "sentence-transformers": sentence_transformers,
    "sentence-transformers-onnx": sentence_transformers_onnx,
    "book": book,
}


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    kind, folder, *rest = sys.argv[1:]
    serve(lambda: KINDS[kind](Path(folder), int(rest[0]) if rest else None))
