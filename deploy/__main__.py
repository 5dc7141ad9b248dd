"""`python -m deploy COMMAND`: the steps of a build, which can be run by hand (docs/deploy.md)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from deploy.stage import FUNCTIONS, staged_digest
from deploy.stage import stage as stage_function
from shared.platform.errors import HeadraceError

names = click.argument("names", nargs=-1, metavar="[NAME]...", type=click.Choice(list(FUNCTIONS)))


@click.group(help=__doc__)
def commands() -> None:
    """Have subcommands."""


@commands.command()
def state() -> None:
    """Write down what is deployed, before anything else is done."""
    from deploy import cloud, record

    generation = record.read()[1]
    cloud.save_state(cloud.read_state(generation))


@commands.command()
def indexes() -> None:
    """Wait until Firestore has built what queries need."""
    from deploy import indexes

    print(f"{indexes.wait()} indexes are ready")


@commands.command()
@click.option("--digest", default="", help="Of the functions' model (default: the repository's own).")
@click.option("--gpu-digest", default="", help="Of the model of a job with a GPU (likewise).")
@click.option("--function", type=click.Choice(list(FUNCTIONS)), help="The one that is deployed by hand.")
def model(digest: str, gpu_digest: str, function: str | None) -> None:
    """Provide the models that are deployed."""
    from deploy import cloud, model

    if function:
        model.provide_serving(cloud.load_state(), function, digest)
    else:
        model.provide(cloud.load_state(), digest, gpu_digest)


@commands.command()
@names
@click.option("--model", type=Path, default=Path("build/model"), show_default=True)
@click.option("--out", type=Path, default=Path("build"), show_default=True)
def stage(names: tuple[str, ...], model: Path, out: Path) -> None:
    """Put each function with all that it needs into a folder."""
    for name in names or FUNCTIONS:
        folder = stage_function(FUNCTIONS[name], out, model)
        print(f"{name:<11} {staged_digest(folder)}  {folder}")


@commands.command()
@names
def plan(names: tuple[str, ...]) -> None:
    """Decide what changes; with names, all other functions and the job stay as they are."""
    from deploy import cloud, plan

    decided = plan.write_plan(cloud.load_state(), names)
    for name, step in decided.functions.items():
        print(f"{name:<11} {step.action:<7} {step.digest}")
    print(f"{'long-job':<11} {'deploy' if decided.job else 'keep'}")


@commands.command()
def rollout() -> None:
    """Deploy what changes, try it, move traffic, and move it back where that fails."""
    from deploy import cloud, plan, rollout

    deployment = os.environ.get("BUILD_ID", "by hand")
    rollout.roll_out(cloud.load_state(), plan.read_plan(), deployment)


@commands.command()
@names
def promote(names: tuple[str, ...]) -> None:
    """Serve what `terraform apply` has configured anew."""
    from deploy import rollout

    rollout.promote(names or tuple(FUNCTIONS))


@commands.command()
@names
def rollback(names: tuple[str, ...]) -> None:
    """Serve again what served before the last deployment."""
    from deploy import rollout

    rollout.roll_back(names or tuple(FUNCTIONS))


@commands.command()
@click.argument("out", type=Path, default=Path("build/sbom"))
@click.option("--audit", metavar="PROGRAM", help="Look the packages up: where pip-audit is.")
@click.option("--advisories", type=click.Choice(["fail", "warn"]), default="fail", show_default=True)
def sbom(out: Path, audit: str | None, advisories: str) -> None:
    """Write what each deployable consists of, as CycloneDX; look its packages up in a database."""
    from deploy import sbom

    sbom.write_all(out, audit, warn=advisories == "warn")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status is 1 where it could not be done, and stderr says why."""
    try:
        commands.main(arguments, prog_name="python -m deploy", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except HeadraceError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
