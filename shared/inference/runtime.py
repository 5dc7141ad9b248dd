"""Import onnxruntime with its telemetry off; no other module imports it.

Unless told not to before they load, official builds keep an identifier of the device under the home directory
and look up mobile.events.data.microsoft.com. An operator who wants that sets `ORT_DISABLE_TELEMETRY=0`.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime

__all__ = ["onnxruntime"]
