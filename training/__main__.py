"""`python -m training`: labelled sentences to heads. `python -m model_export train` does the same."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from model_export.build import HEADS
from model_export.gate import REFERENCE
from model_export.heads import load_card, load_heads
from model_export.scalings import SCALINGS_FILE, kept_scalings, write_scalings
from model_export.sources import add_source, chosen_checkpoint
from shared.platform.errors import HeadraceError, SetupError
from shared.platform.records import TOPICS
from training.passages import read_passages
from training.rows import read_examples, read_taxonomy
from training.train import Trained, train

if TYPE_CHECKING:
    from model_export.sources import Checkpoint


def main(arguments: list[str] | None = None) -> int:
    """Train; the exit status is 1 where it could not be done."""
    try:
        _run(_parser().parse_args(arguments))
    except HeadraceError as error:
        print(f"training: {error.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    add_source(parser)
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="corpora, and *.jsonl and *.csv of labelled lines"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the trained heads go")
    parser.add_argument("--taxonomy", type=Path, metavar="FILE", help="topics of your own (TOML)")
    parser.add_argument(
        "--permissive-only",
        action="store_true",
        help="leave out sentences of unclear licence, and the layers that were tuned on such",
    )
    parser.add_argument(
        "--trunk", action="store_true", help="tune the encoder's layers as well, as ours are; needs torch"
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="DIR",
        help="with --trunk: reports that our labels are of (docs/training.md)",
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    """Write heads to `--out`, with the layers that they read and the scalings of these."""
    if options.trunk and find_spec("torch") is None:
        raise SetupError("Tuning layers needs torch: pip install -r requirements/train.in")
    checkpoint = chosen_checkpoint(options)
    topics = read_taxonomy(options.taxonomy) if options.taxonomy else TOPICS
    examples = read_examples(options.data, topics, permissive_only=options.permissive_only)
    if options.trunk:
        passages = read_passages(options.texts, _report)
        examples += passages.examples if topics == TOPICS and not options.permissive_only else []
        _report(f"{len(passages.examples):,} passages and sentences; texts of {passages.missing:,} not found")
    _report(f"{len(examples):,} texts")
    if options.trunk:
        from training.trunk import train_trunk

        _save(train_trunk(checkpoint, examples, topics, _report), options.out, checkpoint)
        return
    ours = options.weights and not options.permissive_only
    in_use = Trained(load_heads(HEADS), load_card(HEADS)) if ours else None
    _save(train(checkpoint, examples, topics, in_use, _report), options.out, checkpoint)


def _save(trained: Trained, out: Path, checkpoint: Checkpoint) -> None:
    trained.save(out)
    for name, value in trained.card.heldout.items():
        _report(f"{name} {value:.3f}")
    trunk = trained.heads.trunk
    for directory in (HEADS, REFERENCE):
        if kept := kept_scalings(directory, checkpoint, trunk):
            (out / SCALINGS_FILE).write_bytes(kept)
            return
    write_scalings(out, checkpoint, trunk)


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
