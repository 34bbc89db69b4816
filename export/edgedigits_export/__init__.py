"""Trained network to deployable files. The table of contents: what there is, and the one function that makes it.

Needs TensorFlow (``pip install 'edgedigits[train]'``).
"""

from edgedigits_export.boards.firmware import FIRMWARE_HEADER, firmware_rows
from edgedigits_export.export import export_model
from edgedigits_export.record import ExportedFile
from edgedigits_export.targets import FORMATS, ExportOptions, Target, select_targets

__all__ = [
    "FIRMWARE_HEADER",
    "FORMATS",
    "ExportOptions",
    "ExportedFile",
    "Target",
    "export_model",
    "firmware_rows",
    "select_targets",
]
