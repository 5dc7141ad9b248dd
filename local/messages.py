"""Import a server's message types from the client's package, without loading the client.

Importing `google.pubsub_v1` loads every client, their authentication and their HTTP transports: 0.4 s and
30 MB that a server never uses. Its `types` need none of that, but Python runs the package's `__init__` first.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def message_types(package: str) -> ModuleType:
    """Import `{package}.types` alone; whoever imports the package afterwards gets it whole.

    The classes are proto-plus wrappers; `.pb()` of each is the protobuf class itself, several times faster.
    """
    if package in sys.modules:
        return importlib.import_module(f"{package}.types")
    spec = importlib.util.find_spec(package)
    assert spec is not None
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{package}.types")
    finally:
        del sys.modules[package]
