"""Trained network to deployable files. The table of contents: what there is, and the one function that makes it.

Needs TensorFlow (``pip install 'edgedigits[train]'``).
"""

from edgedigits_export.boards.firmware import FIRMWARE_HEADER, firmware_rows
from edgedigits_export.export import export_model, obstacles
from edgedigits_export.footprint import missing_compiler, packed_footprint
from edgedigits_export.inference_graph import load_inference_graph
from edgedigits_export.record import ExportedFile
from edgedigits_export.targets import ExportOptions, Target, all_targets, select_targets

FORMATS = all_targets()
"""Every format in every precision, as the table had them when this was imported."""

__all__ = [
    "FIRMWARE_HEADER",
    "FORMATS",
    "ExportOptions",
    "ExportedFile",
    "Target",
    "all_targets",
    "export_model",
    "firmware_rows",
    "load_inference_graph",
    "missing_compiler",
    "obstacles",
    "packed_footprint",
    "select_targets",
]
