"""onnxruntime without its reports. Import it from here."""

import os

# Releases from 1.31 on keep a number for the device in the user's cache, and report to their maker, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

__all__ = ["native", "onnxruntime"]
