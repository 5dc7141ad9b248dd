"""A step must be done again when its inputs changed, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_export.steps import Steps, digest_of

if TYPE_CHECKING:
    from pathlib import Path

    from model_export.steps import Tick


class Work:
    """Counts how often it is done."""

    def __init__(self, result: bytes = b"result") -> None:
        self.done = 0
        self.result = result

    def __call__(self, tick: Tick) -> bytes:
        self.done += 1
        tick(1, 2)
        return self.result


def run(cache: Path, work: Work, *inputs: str) -> bytes:
    with Steps(cache) as steps:
        return steps.once("quantise", inputs, work)


def test_the_same_inputs_are_not_worked_on_again(tmp_path: Path) -> None:
    """Another process finds the result where the first left it."""
    work = Work()
    assert [run(tmp_path, work, "a", "b") for _ in range(3)] == [b"result"] * 3
    assert work.done == 1


def test_a_changed_input_is(tmp_path: Path) -> None:
    """Inputs do not run into each other, and only the last result is kept."""
    work = Work()
    for inputs in (("a", "b"), ("ab",), ("a", "c")):
        run(tmp_path, work, *inputs)
    assert work.done == 3
    assert len(list(tmp_path.iterdir())) == 1


def test_changed_code_is_another_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older version left is not taken."""
    work = Work()
    run(tmp_path, work, "a")
    monkeypatch.setattr("model_export.steps.code_digest", lambda: "newer")
    run(tmp_path, work, "a")
    assert work.done == 2


def test_a_damaged_result_counts_as_absent(tmp_path: Path) -> None:
    """A file whose content is not what its name says is made again."""
    work = Work()
    run(tmp_path, work, "a")
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"resul")
    assert run(tmp_path, work, "a") == b"result"
    assert work.done == 2


def test_a_step_that_failed_leaves_nothing(tmp_path: Path) -> None:
    """It is tried again the next time."""

    def fail(_: Tick) -> bytes:
        raise ValueError("no")

    with Steps(tmp_path) as steps, pytest.raises(ValueError, match="no"):
        steps.once("quantise", ["a"], fail)
    assert list(tmp_path.iterdir()) == []


def test_parts_do_not_run_into_each_other() -> None:
    """Where one string ends matters."""
    assert digest_of("ab", "c") != digest_of("a", "bc")
