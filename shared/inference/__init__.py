"""The model at run time. Importing this is cheap: numerical libraries load when an `Engine` is made."""

from shared.inference.engine import Engine
from shared.inference.manifest import Manifest, read_manifest
from shared.inference.outputs import Outputs
from shared.inference.reading import Reading, interpret

__all__ = ["Engine", "Manifest", "Outputs", "Reading", "interpret", "read_manifest"]
