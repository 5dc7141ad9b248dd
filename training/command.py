"""What `python -m model_export train` takes and does."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from model_export.heads import HEAD_NAMES
from shared.platform.errors import SetupError
from shared.platform.records import TOPICS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from model_export.sources import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train` beside those that name the encoder."""
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


def run(options: argparse.Namespace, checkpoint: Checkpoint, report: Callable[[str], None]) -> None:
    """Train, and write the heads to `--out`.

    Raises:
        SetupError: a file is not of the form expected, or branches are wanted and torch is missing.
    """
    from model_export.assemble import embedding_graph
    from model_export.encode import run_graph
    from model_export.precision import Float32
    from training.reading import read_examples, read_taxonomy
    from training.train import train_linear

    if options.branches and find_spec("torch") is None:
        raise SetupError("Branches need torch: pip install -r requirements/train.in")
    topics = read_taxonomy(options.taxonomy).codes if options.taxonomy else TOPICS
    permissive = () if options.permissive_only is None else tuple(options.permissive_only) or HEAD_NAMES
    examples = read_examples(options.data, topics, permissive)
    report(f"{len(examples):,} sentences")
    graph = embedding_graph(checkpoint, Float32())
    trained = train_linear(examples, topics, lambda texts: run_graph(graph, checkpoint.tokenizer, texts)[0])
    trained.save(options.out)
    for name, value in trained.card.heldout.items():
        report(f"linear heads, {name} {value:.3f}")
    if options.branches:
        from training.branches import Settings, train_branches

        settings = Settings(options.cache, report, seed=options.seed)
        trained = train_branches(checkpoint, examples, topics, settings)
        trained.save(options.out)
        for name, value in trained.card.heldout.items():
            report(f"branches, {name} {value:.3f}")
