"""Trained network to deployable files. The table of contents: what there is, and the one function that makes it.

Needs TensorFlow (``pip install 'edgedigits[train]'``).
"""

from edgedigits_export.export import (
    FORMATS,
    ExportedFile,
    ExportOptions,
    Target,
    export_model,
    select_targets,
)

__all__ = ["FORMATS", "ExportOptions", "ExportedFile", "Target", "export_model", "select_targets"]
