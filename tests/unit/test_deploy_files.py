"""What leaves this machine for a build, and what the job's image is made of."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from deploy.plan import job_digest
from deploy.stage import ROOT

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("requirements/long_job-gpu.txt", False),  # of the other variant
        ("requirements/analyze.txt", False),
        ("build/weights/.downloaded", False),
        ("shared/__pycache__/x.pyc", False),
        ("shared/documents/quotable.py", True),
        ("shared/platform/settings.py", True),
        ("requirements/long_job.txt", True),
        ("long_job/Dockerfile", True),  # not in the image, and it decides what is
        ("long_job/Dockerfile.dockerignore", True),
        ("build/model/model.onnx", True),
        ("build/model-gpu/model.onnx", False),
    ],
)
def test_only_what_the_image_is_built_from_changes_the_digest(
    checkout: Path,
    file: str,
    changes: bool,  # noqa: FBT001 - a value of the row
) -> None:
    """Else every build would deploy the job again."""
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
