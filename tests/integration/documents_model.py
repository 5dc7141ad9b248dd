"""What a document's history must lead to, in plain Python: the reference that the state machine is held to.

Written from the promises, not from `shared.documents.transitions`: it keeps every run it has seen, where the
stored document knows only its newest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CONTENT = {1: (2, 1), 2: (3,), 3: (1, 2, 2), 4: ()}
"""Passages in each batch of what a generation contains."""
ENDED = {"completed", "rejected", "failed", "superseded"}


class Refused(Exception):
    """The reference says no; the family of error that must come."""


class Held(Refused):
    """Somebody else is at it: comes again."""


class Early(Refused):
    """Somebody else has yet to say what this is a part of: comes again."""


class Stale(Refused):
    """Somebody newer owns it: dropped."""


@dataclass
class Run:
    """One run of a document."""

    generation: int
    restarts: int | None
    """The run that this one replaces, whose passages it copies."""
    state: str = "extracting"
    token: int = 1
    leased: bool = True
    committed: dict[int, int] = field(default_factory=dict)
    """How many passages of each batch."""
    purged: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        return CONTENT[self.generation]

    def bounds(self, batch: int) -> tuple[int, int]:
        """[start, end) of a batch in the document's passages."""
        start = sum(self.sizes[:batch])
        return start, start + self.sizes[batch]

    def passages(self) -> set[int]:
        """Indexes of the passages that must be stored."""
        if self.purged:
            return set()
        return {
            self.bounds(batch)[0] + position
            for batch, count in self.committed.items()
            for position in range(count)
        }

    def whole(self) -> bool:
        return all(self.committed.get(batch) == size for batch, size in enumerate(self.sizes))


@dataclass
class Model:
    """One document."""

    runs: list[Run] = field(default_factory=list)
    published: int | None = None
    purge_pending: bool = False

    @property
    def number(self) -> int:
        """Of the newest run; 0 where there is no document."""
        return len(self.runs)

    @property
    def newest(self) -> Run:
        return self.runs[-1]

    def claim(self, generation: int, restart: int | None, *, leased: bool) -> tuple[int, int] | None:
        """The run and lease token that an upload event gets; None where there is nothing to do."""
        if not self.runs and restart is not None:
            raise Stale  # what was to be restarted is gone
        if not self.runs or generation > self.newest.generation:
            return self._begin(generation, restart, leased=leased)
        if generation < self.newest.generation:
            raise Stale
        if restart == self.number:
            return self._begin(generation, restart, leased=leased)
        if restart is not None and restart + 1 != self.number:
            raise Stale
        if self.newest.state != "extracting":
            return None
        if self.newest.leased:
            raise Held
        self.newest.token += 1
        self.newest.leased = leased
        return self.number, self.newest.token

    def plan(self, run: int, token: int) -> None:
        self._held(run, token).state = "analyzing"

    def reject(self, run: int, token: int) -> None:
        self._held(run, token).state = "rejected"
        self.published = None
        self.purge_pending = True

    def release(self, run: int, token: int) -> None:
        self._held(run, token).leased = False

    def fail(self, run: int) -> None:
        if run != self.number or self.newest.state in ENDED:
            raise Stale
        self.newest.state = "failed"
        self.purge_pending = self.number > 1

    def commit(self, run: int, batch: int, first: int, count: int) -> None:
        """Passages `first` to `first + count` of a batch; dropped where they continue nothing.

        The only batch of a run completes it; once more it is dropped, since its answer may have been lost.
        """
        alone = len(self.newest.sizes) == 1
        if run == self.number and self.newest.state == "completed" and alone:
            return
        if run != self.number or self.newest.state in ENDED - {"failed"}:
            raise Stale
        if self.newest.state == "extracting" and self.newest.token > 1:
            raise Early
        if self.newest.committed.get(batch, 0) == first:
            self.newest.committed[batch] = first + count
            if alone:
                self._complete()

    def finish(self, *, killed: bool = False) -> None:
        """Whoever calls: completes what is whole, and clears up unless killed before that."""
        if self.runs:
            self._complete()
        if not killed:
            self.purge()

    def purge(self) -> None:
        if self.purge_pending:
            for number, run in enumerate(self.runs, 1):
                run.purged |= self._needless(number)
            self.purge_pending = False

    def passages(self) -> set[tuple[int, int]]:
        """Run and index of every passage that must be stored."""
        return {(number, index) for number, run in enumerate(self.runs, 1) for index in run.passages()}

    def _complete(self) -> None:
        if self.newest.state == "analyzing" and self.newest.whole():
            self.newest.state = "completed"
            self.published = self.number
            self.purge_pending = self.number > 1

    def _needless(self, number: int) -> bool:
        """Whether nobody reads a run's passages any more, nor copies them."""
        if self.newest.state == "rejected":
            return True
        if self.newest.state == "failed":
            return number not in {self.published, self.newest.restarts, self.number}
        return number < (self.published or 0)

    def counted(self) -> dict[tuple[int, int], int]:
        """How many passages each batch's record must count, by run and batch."""
        return {
            (number, batch): count
            for number, run in enumerate(self.runs, 1)
            if not run.purged
            for batch, count in run.committed.items()
        }

    def _begin(self, generation: int, restart: int | None, *, leased: bool) -> tuple[int, int]:
        if self.runs and self.newest.state not in ENDED:
            self.newest.state = "superseded"
        self.runs.append(Run(generation, restart, leased=leased))
        return self.number, 1

    def _held(self, run: int, token: int) -> Run:
        if (run, token, self.newest.state) != (self.number, self.newest.token, "extracting"):
            raise Stale
        return self.newest
