"""`python -m deploy COMMAND`: the steps of a build, which can be run by hand (docs/deploy.md)."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.stage import FUNCTIONS, named, stage
from shared.platform.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Callable


def _state(_: argparse.Namespace) -> None:
    """Write down what is deployed, before anything else is done."""
    from deploy import cloud, record

    generation = record.read()[1]
    cloud.save_state(cloud.read_state(cloud.Place.from_environment(), generation))


def _model(options: argparse.Namespace) -> None:
    """Provide the models that are deployed."""
    from deploy import cloud, model

    if options.function:
        model.provide_serving(cloud.load_state(), options.function, options.digest)
    else:
        model.provide(cloud.load_state(), options.digest, options.gpu_digest)


def _stage(options: argparse.Namespace) -> None:
    """Put each function with all that it needs into a folder."""
    staged = [stage(function, options.out, options.model) for function in named(options.names)]
    if options.json:
        print(json.dumps([asdict(folder) for folder in staged], indent=2))
        return
    for each in staged:
        size = f"{each.files:>4} files  {each.size / 1e6:>5.1f} MB"
        print(f"{each.name:<11} {each.digest}  {size}  {each.folder}")


def _plan(options: argparse.Namespace) -> None:
    """Decide what changes; with names, all other functions and the job stay as they are."""
    from deploy import cloud, plan

    decided = plan.write_plan(cloud.load_state(), options.names)
    for name, step in decided.functions.items():
        print(f"{name:<11} {step.action:<7} {step.digest}")
    print(f"{'long-job':<11} {'deploy' if decided.job else 'keep'}")


def _rollout(_: argparse.Namespace) -> None:
    """Deploy what changes, try it, move traffic, and move it back where that fails."""
    from deploy import cloud, plan, rollout

    deployment = os.environ.get("BUILD_ID", "by hand")
    rollout.roll_out(cloud.Place.from_environment(), cloud.load_state(), plan.read_plan(), deployment)


def _promote(options: argparse.Namespace) -> None:
    """Serve what `terraform apply` has configured anew."""
    from deploy import cloud, rollout

    rollout.promote(cloud.Place.from_environment(), _names(options))


def _rollback(options: argparse.Namespace) -> None:
    """Serve again what served before the last deployment."""
    from deploy import cloud, rollout

    rollout.roll_back(cloud.Place.from_environment(), _names(options))


def _sbom(options: argparse.Namespace) -> None:
    """Write what each deployable consists of, as CycloneDX; look its packages up in a database."""
    from deploy import sbom

    sbom.write_all(options.out, options.audit)


def _release(options: argparse.Namespace) -> None:
    """Make a release: version, changelog, one commit, one tag. Nothing is pushed."""
    from deploy import release

    release.release(options.version, options.tests.split(), dt.datetime.now(dt.UTC).date())


def _names(options: argparse.Namespace) -> list[str]:
    return [function.name for function in named(options.names)]


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    whole = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True)

    def add(step: Callable[[argparse.Namespace], None], *, names: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(step.__name__[1:], help=step.__doc__, description=step.__doc__)
        command.set_defaults(step=step)
        if names:
            command.add_argument(
                "names", nargs="*", metavar="NAME", help=f"{', '.join(FUNCTIONS)} (default: all)"
            )
        return command

    add(_state)
    model = add(_model)
    model.add_argument("--digest", default="", help="of the functions' model (default: the repository's own)")
    model.add_argument("--gpu-digest", default="", help="of the model of a job with a GPU (likewise)")
    model.add_argument("--function", metavar="NAME", help="the one that is deployed by hand")
    folders = add(_stage, names=True)
    folders.add_argument("--model", type=Path, default=Path("build/model"), help="(default: %(default)s)")
    folders.add_argument("--json", action="store_true")
    folders.add_argument("--out", type=Path, default=Path("build"), help="(default: %(default)s)")
    add(_plan, names=True)
    add(_rollout)
    add(_promote, names=True)
    add(_rollback, names=True)
    sbom = add(_sbom)
    sbom.add_argument("out", nargs="?", type=Path, default=Path("build/sbom"), help="(default: %(default)s)")
    sbom.add_argument("--audit", metavar="PROGRAM", help="look the packages up: where pip-audit is")
    release = add(_release)
    release.add_argument("version", metavar="x.y.z")
    release.add_argument("--tests", default="make test", help="command (default: %(default)s)")
    return whole


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status is 1 where it could not be done, and stderr says why."""
    options = parser().parse_args(arguments)
    try:
        options.step(options)
    except HeadraceError as error:
        print(f"{options.command}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
