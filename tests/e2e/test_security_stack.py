"""`headrace doctor --security` on a whole stack: what it finds, and what it never prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.running import RunningStack

SENTENCE = "In 2025 the Orrisund mill cut its emissions by 41% and trained ninety of its workers."


@pytest.fixture(scope="module", autouse=True)
def _one_document(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One document, in a directory that is its owner's alone."""
    stack.data.chmod(0o700)
    mill = tmp_path_factory.mktemp("audited") / "mill.txt"
    mill.write_text(f"{SENTENCE}\n\nThe mill stands by the river.\n")
    stack.json("drop", str(mill), "--wait")


def found(stack: RunningStack, *options: str, status: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Findings by their status."""
    statuses: dict[str, list[dict[str, Any]]] = {}
    for one in stack.json("doctor", "--security", *options, status=status):
        statuses.setdefault(one["status"], []).append(one)
    return statuses


def test_a_local_stack_is_well_as_far_as_can_be_asked(stack: RunningStack) -> None:
    """Nothing is wrong; what only the cloud has is unknown, and that is said."""
    findings = found(stack)
    assert set(findings) == {"ok", "unknown"}
    assert {one["check"] for one in findings["ok"]} == {"secret versions", "API without key"}
    assert all(one["detail"].endswith("not on a local stack") for one in findings["unknown"])
    assert {"roles", "account keys", "images"} <= {one["check"] for one in findings["unknown"]}
    text = stack.command("doctor", "--security")
    assert text.returncode == 0
    assert text.stdout.splitlines()[-1] == (
        f"all is well, as far as could be asked: {len(findings['unknown'])} unknown"
    )


def test_nothing_secret_is_printed(stack: RunningStack) -> None:
    """Neither the API's key nor a sentence of a document."""
    printed = stack.command("doctor", "--security").stdout
    assert (stack.data / "api-key").read_text().strip() not in printed
    assert "Orrisund" not in printed


def test_an_option_that_means_nothing_alone_is_refused(stack: RunningStack) -> None:
    """`--domain` belongs to the audit."""
    assert stack.command("doctor", "--domain", "api.example.org").returncode == 2


def test_without_a_stack_it_says_how_to_start_one(stack: RunningStack) -> None:
    """As the doctor does."""
    nowhere = stack.data.parent / "nowhere"
    asked = stack.command("doctor", "--security", "--data", str(nowhere))
    assert (asked.returncode, f"headrace up --data {nowhere}" in asked.stdout) == (1, True)
