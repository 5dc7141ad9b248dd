"""What leaves this machine for a build, and what the job's image is made of."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.plan import IGNORE, in_image, job_digest
from deploy.stage import ROOT
from tests.unit import dockerfile

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = ROOT / "long_job" / "Dockerfile"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As far as the job goes, with stand-ins for weights and models."""
    root = tmp_path_factory.mktemp("checkout")
    for source in ("long_job", "shared", "model_export", "training", "requirements"):
        shutil.copytree(ROOT / source, root / source)
    for made in ("weights/w.whl", "weights/.downloaded", "model/model.onnx", "model-gpu/model.onnx"):
        (root / "build" / made).parent.mkdir(parents=True, exist_ok=True)
        (root / "build" / made).write_text(made)
    (root / "shared" / "__pycache__").mkdir(exist_ok=True)
    (root / "shared" / "__pycache__" / "x.pyc").write_text("compiled")
    return root


@pytest.mark.parametrize("gpu", [False, True])
def test_the_digest_is_of_what_the_image_holds(checkout: Path, gpu: bool) -> None:  # noqa: FBT001 - a value of the row
    """Every file that the Dockerfile copies and its .dockerignore lets through, and no other."""
    copies = [
        one.value.split()[0]
        for one in dockerfile.read(DOCKERFILE, VARIANT="-gpu" if gpu else "")
        if one.name == "COPY" and not one.value.startswith("--from")
    ]
    shown = {path for source in copies for path in dockerfile.visible(checkout, source, checkout / IGNORE)}
    found = {path.relative_to(checkout) for path in in_image(checkout, gpu=gpu)}
    assert found == {path for path in shown if not path.name.startswith(".")}
    assert not [path for path in found if "__pycache__" in path.parts]


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("shared/digests/ticks.py", False),  # the functions' alone
        ("shared/digests/notify/__init__.py", False),
        ("shared/api/endpoints.py", False),
        ("requirements/long_job-gpu.txt", False),  # of the other variant
        ("shared/documents/quotable.py", True),
        ("shared/platform/settings.py", True),
        ("requirements/long_job.txt", True),
        ("long_job/Dockerfile", True),  # not in the image, and it decides what is
        (IGNORE, True),
    ],
)
def test_only_what_the_image_is_built_from_changes_the_digest(
    checkout: Path,
    file: str,
    changes: bool,  # noqa: FBT001 - a value of the row
) -> None:
    """Else every change of a digest's form built and deployed the job again."""
    before, text = job_digest(checkout, gpu=False), (checkout / file).read_text()
    try:
        (checkout / file).write_text(text + "\n# changed\n")
        assert (job_digest(checkout, gpu=False) != before) == changes
    finally:
        (checkout / file).write_text(text)


def test_what_git_does_not_take_is_not_uploaded_either() -> None:
    """`gcloud builds submit` reads one file, at the root: it needs the rules of every folder's own."""
    rules = (ROOT / ".gcloudignore").read_text().splitlines()
    assert "#!include:.gitignore" in rules
    own = (ROOT / "infra" / ".gitignore").read_text().splitlines()
    assert {"*.tfstate*", "*.tfvars"} <= set(own)
    assert not any("/" in rule.removesuffix("/") for rule in own), "each is of whatever folder"
    assert [rule for rule in own if rule not in rules] == []
