"""`python -m model_export build` writes the model, `push` and `pull` share it through a bucket.

`train` is `python -m training`, which makes the heads that a build takes; `calibrate` finds the scalings of
their activations again.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from pathlib import Path

from model_export.sources import add_source, chosen_checkpoint
from shared.platform.errors import HeadraceError, SetupError

PRECISIONS = ("int8", "fp16", "fp32")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 where it could not be done."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["train"]:
        # By its name, and not by an import: training builds on this package.
        status: int = runpy.run_module("training")["main"](arguments[1:])
        return status
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
    add_source(build)
    build.add_argument("--out", type=Path, required=True, help="directory to write; replaced as a whole")
    build.add_argument("--heads", type=Path, help="trained heads (default: ours, for the packaged weights)")
    build.add_argument("--embedding-only", action="store_true", help="no heads, and no tuned layers")
    build.add_argument("--precision", choices=PRECISIONS, default="int8", help="fp16 is for a GPU")
    build.set_defaults(run=_build)

    commands.add_parser("train", help="labelled sentences to heads: python -m training")

    calibrate = commands.add_parser("calibrate", help="find the scalings of activations, for eight bits")
    add_source(calibrate)
    calibrate.add_argument(
        "--heads",
        type=Path,
        help="trained heads; get scalings.safetensors (default: for the encoder alone)",
    )
    calibrate.set_defaults(run=_calibrate)

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


def _build(options: argparse.Namespace) -> None:
    # The textbook's products are small: on a busy machine a second thread waits more than it works.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from model_export.build import HEADS, build

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
    manifest = build(
        chosen_checkpoint(options),
        heads,
        options.out,
        options.precision,
        lambda line: print(line, flush=True),
    )
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


def _calibrate(options: argparse.Namespace) -> None:
    from model_export.gate import REFERENCE
    from model_export.heads import load_heads
    from model_export.scalings import write_scalings

    trunk = load_heads(options.heads).trunk if options.heads else None
    write_scalings(options.heads or REFERENCE, chosen_checkpoint(options), trunk)


def _push(options: argparse.Namespace) -> None:
    from model_export.bucket import push

    print(f"gs://{options.bucket}/{push(options.model, options.bucket)}")


def _pull(options: argparse.Namespace) -> None:
    from model_export.bucket import pull

    manifest = pull(options.bucket, options.digest, options.out)
    print(f"{options.out}: {manifest.name}, {manifest.precision}, digest {manifest.digest[:12]}")


if __name__ == "__main__":
    sys.exit(main())
