"""`python -m training`: labelled sentences to heads. `python -m model_export train` does the same."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from model_export.assemble import embedding_graph
from model_export.graph import Float32
from model_export.heads import load_heads
from model_export.run import run_graph
from model_export.scalings import write_scalings
from model_export.sources import add_source, chosen_checkpoint
from shared.platform.errors import HeadraceError, SetupError
from shared.platform.records import TOPICS
from training.rows import read_examples, read_taxonomy
from training.train import train_linear


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
        "--permissive-only", action="store_true", help="leave out sentences of unclear licence"
    )
    parser.add_argument("--branches", action="store_true", help="fine-tune branches too; needs torch")
    parser.add_argument(
        "--cache", type=Path, default=Path("build/training"), help="for hidden states (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _run(options: argparse.Namespace) -> None:
    """Write linear heads to `--out`, then branches if asked for, then the scalings of what was written."""
    if options.branches and find_spec("torch") is None:
        raise SetupError("Branches need torch: pip install -r requirements/train.in")
    checkpoint = chosen_checkpoint(options)
    topics = read_taxonomy(options.taxonomy) if options.taxonomy else TOPICS
    examples = read_examples(options.data, topics, permissive_only=options.permissive_only)
    _report(f"{len(examples):,} sentences")
    graph = embedding_graph(checkpoint, Float32())
    trained = train_linear(examples, topics, lambda texts: run_graph(graph, checkpoint.tokenizer, texts)[0])
    trained.save(options.out)
    for name, value in trained.card.heldout.items():
        _report(f"linear heads, {name} {value:.3f}")
    if options.branches:
        from training.branches import Settings, train_branches

        settings = Settings(options.cache, _report, seed=options.seed)
        trained = train_branches(checkpoint, examples, topics, settings)
        trained.save(options.out)
        for name, value in trained.card.heldout.items():
            _report(f"branches, {name} {value:.3f}")
    write_scalings(options.out, checkpoint, load_heads(options.out))


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
