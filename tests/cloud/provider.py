"""Google's provider for the real Terraform, with the project of a JSON file (`state`) in Google's place.

It plans as the provider's library does, by the schema alone: what is computed and not said is unknown until
it is made, arguments of `resources.IDENTITY` cannot change, and all else can. Two things are not imitated:
values that the provider sets as defaults in a plan, and its retries (it waits some minutes for an API or an
account to become known; here the first refusal counts, so that what runs Terraform must try again itself).
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

from tests.cloud import resources
from tests.cloud.calls import LOCK, STATE, applies_until_death, die
from tests.cloud.state import Cloud, Refused, changing
from tests.cloud.wire import UNKNOWN, dynamic, fields, text, value
from tests.unit import infra_provider
from tests.unit.infra_provider import field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Values = dict[str, Any]
Block = dict[str, Any]


def _blocks(block: Block, values: Values) -> Iterator[tuple[str, Block, list[Values]]]:
    """Nested blocks of a value: name, schema and what is known of them."""
    for name, nested in block["block_types"].items():
        inside = values.get(name)
        if nested["nesting_mode"] == "single":
            inside = [inside] if isinstance(inside, dict) else []
        known = inside if isinstance(inside, list) else []
        yield name, nested, [one for one in known if isinstance(one, dict)]


def to_plan(block: Block, values: Values, *, fresh: bool) -> Values:
    """What is planned: in something new, what is computed and not said is not known yet."""
    planned = dict(values)
    for name, told in block["attributes"].items():
        if told.get("write_only"):
            planned[name] = None
        elif fresh and told.get("computed") and planned.get(name) is None:
            planned[name] = UNKNOWN
    for name, nested, inside in _blocks(block, values):
        if inside and nested["nesting_mode"] != "single":
            whole = values[name]
            planned[name] = [
                to_plan(nested["block"], one, fresh=fresh) if isinstance(one, dict) else one for one in whole
            ]
    return planned


def shaped(block: Block, values: Values) -> Values:
    """Values with all that the schema has, and nothing else; what is unknown still is null."""
    made: Values = {}
    for name in block["attributes"]:
        found = values.get(name)
        made[name] = None if found is UNKNOWN else _known(found)
    for name, nested in block["block_types"].items():
        inside = values.get(name)
        if nested["nesting_mode"] == "single":
            made[name] = shaped(nested["block"], inside) if isinstance(inside, dict) else None
        else:
            made[name] = [shaped(nested["block"], one) for one in inside or []]
    return made


def _known(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: None if one is UNKNOWN else _known(one) for name, one in found.items()}
    if isinstance(found, list):
        return [None if one is UNKNOWN else _known(one) for one in found]
    return found


class Provider:
    """One Terraform's provider; `who` is the member in whose name it calls Google."""

    def __init__(self, path: Path, who: str, saved: Path | None) -> None:
        """`path` is the project's state, `saved` the folder of Terraform's own."""
        self._path, self._who, self._place = path, who, dict[str, Any]()
        self._saved = saved
        self._kept_state = _read_or_none(saved / STATE) if saved else None
        self._left = applies_until_death(path)

    def answers(self) -> dict[str, Callable[[bytes, Any], bytes]]:
        """Methods of the service, by their names."""
        return {
            "Configure": self._configure,
            "UpgradeResourceState": self._upgrade,
            "ReadResource": self._refusable(self._read, 2, _prior),
            "PlanResourceChange": self._plan,
            "ApplyResourceChange": self._refusable(self._apply, 3, _prior),
            "ReadDataSource": self._refusable(self._data, 2),
            "ImportResourceState": self._refusable(self._import, 2),
            "Stop": lambda _request, _context: b"",
        }

    def _refusable(
        self,
        answer: Callable[[Cloud, dict[int, list[Any]]], bytes],
        number: int,
        kept: Callable[[dict[int, list[Any]]], bytes] = lambda _asked: b"",
    ) -> Callable[[bytes, Any], bytes]:
        """A refusal is a diagnostic in the field `number`, beside what is `kept` in Terraform's state."""

        def answered(request: bytes, _context: Any) -> bytes:
            asked = fields(request)
            try:
                with changing(self._path) as cloud:
                    return answer(cloud, asked)
            except Refused as refused:
                told = (
                    f"googleapi: Error {refused.code}: {refused.message}" if refused.code else refused.message
                )
                if refused.reason:
                    told += f", {refused.reason}"
                failed = field(1, 1) + field(2, f"Error: {text(asked, 1)}: {told}")
                return field(number, failed) + kept(asked)

        return answered

    def _configure(self, request: bytes, _context: Any) -> bytes:
        given = value(fields(request), 2)
        self._place = {name: given[name] for name in ("project", "region")}
        return b""

    @staticmethod
    def _upgrade(request: bytes, _context: Any) -> bytes:
        asked = fields(request)
        raw = json.loads(fields(asked[3][0])[1][0])
        return dynamic(1, shaped(_schema(text(asked, 1)), raw))

    def _plan(self, request: bytes, _context: Any) -> bytes:
        asked = fields(request)
        kind, prior, proposed = text(asked, 1), value(asked, 2), value(asked, 3)
        block = _schema(kind)
        legacy = field(5, 1)
        if proposed is None:
            return dynamic(1, None) + legacy
        placed = {name: self._place_of(block, name) if one is None else one for name, one in proposed.items()}
        planned = to_plan(block, placed, fresh=prior is None)
        if prior is None:
            return dynamic(1, planned) + legacy
        changed = {
            name
            for name, one in planned.items()
            if one != prior.get(name) and not _computed(block, name, one)
        }
        if not changed:
            return dynamic(1, prior) + legacy
        cannot = changed if kind in resources.MADE_ANEW else changed & resources.IDENTITY
        replaced = b"".join(field(2, field(1, field(1, name))) for name in sorted(cannot))
        return dynamic(1, planned) + replaced + legacy

    def _place_of(self, block: Block, name: str) -> Any:
        """What the provider's own configuration says where a resource says nothing."""
        told = block["attributes"].get(name, {})
        from_provider = {"project": "project", "region": "region", "location": "region"}.get(name, "")
        return self._place.get(from_provider) if told.get("optional") and told.get("computed") else None

    def _apply(self, cloud: Cloud, asked: dict[int, list[Any]]) -> bytes:
        kind, prior, planned = text(asked, 1), value(asked, 2), value(asked, 3)
        legacy = field(4, 1)
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                self._die()
        if planned is None:
            resources.delete(cloud, self._who, kind, prior)
            return dynamic(1, None) + legacy
        block = _schema(kind)
        known = shaped(block, planned)
        change = resources.create if prior is None else resources.update
        return dynamic(1, shaped(block, known | change(cloud, self._who, kind, known))) + legacy

    def _die(self) -> None:
        """Leave what a killed Terraform leaves in its bucket: a lock, and the state from before it began."""
        assert self._saved is not None
        for worker in psutil.Process().children(recursive=True):  # in which Terraform itself runs
            worker.kill()
            worker.wait()
        (self._saved / LOCK).write_text("1764590400000000")
        if self._kept_state is None:
            (self._saved / STATE).unlink(missing_ok=True)
        else:
            (self._saved / STATE).write_bytes(self._kept_state)
        die()

    def _read(self, cloud: Cloud, asked: dict[int, list[Any]]) -> bytes:
        kind, current = text(asked, 1), value(asked, 2)
        cloud.changed = False
        found = resources.read(cloud, self._who, kind, current)
        block = _schema(kind)
        return dynamic(1, None if found is None else shaped(block, current | found)) + field(3, b"")

    def _data(self, cloud: Cloud, asked: dict[int, list[Any]]) -> bytes:
        kind = text(asked, 1)
        block = infra_provider.schema()["data_source_schemas"][kind]["block"]
        return dynamic(1, shaped(block, resources.data(cloud, self._who, kind, value(asked, 2))))

    def _import(self, cloud: Cloud, asked: dict[int, list[Any]]) -> bytes:
        kind, identifier = text(asked, 1), text(asked, 2)
        made = resources.imported(cloud, kind, identifier)
        return field(1, field(1, kind) + dynamic(2, shaped(_schema(kind), made)))


def _prior(asked: dict[int, list[Any]]) -> bytes:
    return dynamic(1, value(asked, 2))


def _read_or_none(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _schema(kind: str) -> Block:
    found: Block = infra_provider.schema()["resource_schemas"][kind]["block"]
    return found


def _computed(block: Block, name: str, planned: Any) -> bool:
    """Whether a difference is none: what Google alone says, or says where nothing is asked."""
    told = block["attributes"].get(name, {})
    return bool(told.get("computed")) and (planned is None or planned is UNKNOWN)


@contextmanager
def served(path: Path, who: str, saved: Path | None = None) -> Iterator[dict[str, str]]:
    """Serve the provider; the environment in which Terraform finds it. `saved` is where its state is kept."""
    with infra_provider.provider(Provider(path, who, saved).answers()) as found:
        yield found
