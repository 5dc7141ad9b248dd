"""`headrace doctor --security` on a whole stack: what it finds well and wrong, and what it never says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.running import RunningStack, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCE = "In 2025 the Orrisund mill cut its emissions by 41% and trained ninety of its workers."


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """With one document, in a directory that is its owner's alone."""
    folder = tmp_path_factory.mktemp("audited")
    running = RunningStack(folder / "data", free_ports())
    running.up()
    (folder / "data").chmod(0o700)
    (folder / "mill.txt").write_text(f"{SENTENCE}\n\nThe mill stands by the river.\n")
    running.json("drop", str(folder / "mill.txt"), "--wait")
    yield running
    running.down()


def found(stack: RunningStack, *options: str, status: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Findings by their status."""
    statuses: dict[str, list[dict[str, Any]]] = {}
    for one in stack.json("doctor", "--security", *options, status=status):
        statuses.setdefault(one["status"], []).append(one)
    return statuses


def test_a_local_stack_is_well_as_far_as_can_be_asked(stack: RunningStack) -> None:
    """Nothing is wrong; only retention is to look at; policies and the like are unknown, and that is said."""
    findings = found(stack)
    assert set(findings) == {"ok", "warning", "unknown"}
    assert [one["check"] for one in findings["warning"]] == ["retention"]
    well = {one["check"] for one in findings["ok"]}
    expected = {"deletion", "secret versions", "API keys", "undelivered", "API without key", "logged text"}
    assert expected | {"model digest", "local files"} == well
    assert all(one["detail"].endswith("not on a local stack") for one in findings["unknown"])
    assert {"roles", "log readers", "account keys", "images", "database"} <= {
        one["check"] for one in findings["unknown"]
    }
    text = stack.command("doctor", "--security")
    assert text.returncode == 0
    assert text.stdout.splitlines()[-1] == (
        f"0 wrong, 1 to look at, as far as could be asked: {len(findings['unknown'])} unknown"
    )


def test_nothing_secret_is_printed(stack: RunningStack) -> None:
    """Neither the API's key nor a sentence of a document."""
    printed = stack.command("doctor", "--security").stdout
    assert (stack.data / "api-key").read_text().strip() not in printed
    assert "Orrisund" not in printed


def test_a_leak_and_an_open_directory_are_found(stack: RunningStack) -> None:
    """The exit status is 1 for what is wrong; what leaked is not printed again."""
    log = stack.data / "logs" / "leak.log"
    log.write_text(f'{{"message": "could not read {SENTENCE}"}}\n')
    stack.data.chmod(0o755)
    try:
        findings = found(stack, status=1)
    finally:
        log.unlink()
        stack.data.chmod(0o700)
    [leak] = findings["wrong"]
    assert leak["check"] == "logged text"
    assert leak["detail"].startswith(f"{log.resolve()} holds the text of 1 of ")
    assert {one["check"] for one in findings["warning"]} == {"retention", "local files"}


def test_options_that_mean_nothing_alone_are_refused(stack: RunningStack) -> None:
    """`--own-keys` is a part of the audit."""
    assert stack.command("doctor", "--own-keys").returncode == 2
    assert set(found(stack, "--own-keys")) == {"ok", "warning", "unknown"}


def test_without_a_stack_it_says_how_to_start_one(stack: RunningStack) -> None:
    """As the doctor does."""
    nowhere = stack.data.parent / "nowhere"
    asked = stack.command("doctor", "--security", "--data", str(nowhere))
    assert (asked.returncode, f"headrace up --data {nowhere}" in asked.stdout) == (1, True)
