"""To TensorFlow Lite Micro: an int8 ``.tflite`` file as an aligned C array, and the operators to register for it."""

import hashlib
from pathlib import Path

from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.tflite_file import read_graph
from edgedigits_export.formats.c_text import c_identifier, render

ALIGNMENT = 16
"""Bytes: the TFLite schema marks buffers ``force_align: 16``."""
_TITLE = "an int8 TFLite model as a C array"
_ABOUT = (
    "Made by edgedigits {version} for TensorFlow Lite Micro: the bytes of the int8 .tflite file, at an address that",
    "its buffers need, and the operators that it is made of.",
)


def render_array(name: str, content: bytes, metadata: ModelMetadata) -> list[str]:
    """Write ``digits.tflm.c``, an aligned array, and ``digits.tflm.h``, with its length and its operators.

    Args:
        name: of the network.
        content: the int8 ``.tflite`` file, metadata inside.
        metadata: what the file says of itself.

    Raises:
        OutputError: a C file cannot include a header of that name.
    """
    operators = sorted(set(read_graph(Path(name), content).operators))
    facts = {
        "name": name,
        "content": content,
        "guard": f"EDGEDIGITS_{c_identifier(name)}_TFLM_H",
        "alignment": ALIGNMENT,
        "edges": metadata.edges,
        "operators": [f"Add{operator.title().replace('_', '')}" for operator in operators],
        "about": _ABOUT,
        "tflite_sha256": hashlib.sha256(content).hexdigest(),
    }
    return [
        render(template, file, _TITLE, metadata, **facts)
        for template, file in (("tflm.c.j2", f"{name}.tflm.c"), ("tflm.h.j2", f"{name}.tflm.h"))
    ]
