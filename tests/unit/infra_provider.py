"""The schema of Google's provider, served as `terraform validate` and `terraform test` ask for it.

It answers which resources, blocks and arguments there are, from `tests/data/provider_schema.json`, and calls
every configuration that fits them valid. It makes nothing and imitates nothing: in `terraform test`, values
that only Google knows are Terraform's own inventions. Terraform finds it by TF_REATTACH_PROVIDERS, and so
downloads no provider.

The messages are Terraform's plugin protocol 5 (docs/plugin-protocol/tfplugin5.proto of its repository), of
which so few fields are needed that they are written here by their numbers.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SCHEMA = Path(__file__).resolve().parent.parent / "data" / "provider_schema.json"
SOURCE = "registry.terraform.io/hashicorp/google"
NESTING = {"single": 1, "list": 2, "set": 3}
_VALID = ("ValidateResourceTypeConfig", "ValidateDataSourceConfig")


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """As `terraform providers schema -json` has it."""
    read: dict[str, Any] = json.loads(SCHEMA.read_text())
    return read


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def field(number: int, value: bytes | str | int) -> bytes:
    """A field of a message: its number, and an integer or what is as long as it is."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _attribute(name: str, told: dict[str, Any]) -> bytes:
    numbers = {"required": 4, "optional": 5, "computed": 6, "write_only": 10}
    flags = b"".join(field(number, 1) for flag, number in numbers.items() if told.get(flag))
    return field(1, name) + field(2, json.dumps(told["type"])) + flags


def _block(block: dict[str, Any]) -> bytes:
    attributes = (field(2, _attribute(*each)) for each in block["attributes"].items())
    nested = (
        field(1, name)
        + field(2, _block(told["block"]))
        + field(3, NESTING[told["nesting_mode"]])
        + field(4, told.get("min_items", 0))
        + field(5, told.get("max_items", 0))
        for name, told in block["block_types"].items()
    )
    return b"".join([*attributes, *(field(3, each) for each in nested)])


def _schema_of(told: dict[str, Any]) -> bytes:
    return field(2, _block(told["block"]))


@lru_cache(maxsize=1)
def _answer() -> bytes:
    made = schema()
    parts = [field(1, _schema_of(made["provider"]))]
    for number, key in ((2, "resource_schemas"), (3, "data_source_schemas")):
        parts += [
            field(number, field(1, name) + field(2, _schema_of(told))) for name, told in made[key].items()
        ]
    return b"".join(parts)


@contextmanager
def provider(more: Mapping[str, Callable[[bytes, Any], bytes]] | None = None) -> Iterator[dict[str, str]]:
    """Serve it, with `more` methods by their names; the environment in which Terraform finds it."""
    answers = {
        "GetSchema": lambda _request, _context: _answer(),
        # The configuration comes back as it went, in the field of the same number.
        "PrepareProviderConfig": lambda request, _context: request,
        **dict.fromkeys(_VALID, lambda _request, _context: b""),
        **(more or {}),
    }
    handlers = {name: grpc.unary_unary_rpc_method_handler(answer) for name, answer in answers.items()}
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tfplugin5.Provider", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    where = {
        "Protocol": "grpc",
        "ProtocolVersion": 5,
        "Pid": os.getpid(),
        "Test": True,
        "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
    }
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps({SOURCE: where}), "CHECKPOINT_DISABLE": "1"}
    finally:
        server.stop(grace=None)
