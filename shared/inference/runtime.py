"""onnxruntime, which no other module imports: what it reads from the environment is decided here first.

Official builds report to Microsoft unless they are told not to before they load: they keep an identifier of
the device under the home directory and look up mobile.events.data.microsoft.com. An operator who wants that
sets `ORT_DISABLE_TELEMETRY=0`.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
