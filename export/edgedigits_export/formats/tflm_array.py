"""To TensorFlow Lite Micro: an int8 ``.tflite`` file as an aligned C array, and the operators to register for it."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.datasets.split import Split
from edgedigits.format_table import Precision
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.tflite_file import read_graph
from edgedigits.progress import Progress
from edgedigits_export.boards import micro
from edgedigits_export.formats.c_text import c_identifier, check_name, render
from edgedigits_export.formats.export_format import Converted, FormatRecord
from edgedigits_export.formats.tflite_file import TfliteFormat, add_metadata
from edgedigits_export.graph.steps import Function
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.targets import ExportOptions

ALIGNMENT = 16
"""Bytes: the TFLite schema marks buffers ``force_align: 16``."""
ENDING = ".tflm.c"
FUNCTIONS_WITHOUT_KERNEL = frozenset({"elu", "gelu", "selu"})
"""By Keras' name: GELU is missing there, and EXP, which the other two are made of, takes floats only."""
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


def _measure_micro(tflite: bytes, split: Split, progress: Progress) -> dict[str, Any] | None:
    """Run all test images in TensorFlow Lite Micro, where it is installed."""
    if not micro.is_installed():
        progress.note(
            f"the arena of TensorFlow Lite Micro was not measured: pip install --pre {micro.PACKAGE}"
        )
        return None
    ran = micro.run_in_micro(tflite, split.images)
    expected = reference_probabilities(tflite, split.images)
    return {
        "version": ran.version,
        "arena_bytes": ran.arena,
        "correct": int((ran.answers.argmax(axis=1) == split.labels).sum()),
        "equal_to_reference_kernels": int(np.all(ran.answers == expected, axis=1).sum()),
        "images": len(expected),
    }


class TflmFormat(TfliteFormat):
    """``.tflm.c`` files: the int8 ``.tflite`` file as a C array, with a header."""

    any_layers = frozenset({"int8"})

    def obstacle(self, graph: InferenceGraph, precision: Precision) -> str | None:
        """See ``ExportFormat.obstacle``."""
        names = {step.name for step in graph.steps or () if isinstance(step, Function)}
        if missing := sorted(names & FUNCTIONS_WITHOUT_KERNEL):
            return f"TensorFlow Lite Micro has no int8 kernel for {', '.join(missing)}"
        return super().obstacle(graph, precision)

    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        parts = render_array(model.removesuffix(ENDING), add_metadata(made.content, metadata), metadata)
        files = [model, *self.companions(model, options)]
        return {file: part.encode() for file, part in zip(files, parts, strict=True)}

    def companions(self, model: str, options: ExportOptions) -> list[str]:
        """Return the name of the header."""
        return [f"{model.removesuffix('.c')}.h"]

    def check_name(self, network: str) -> None:
        """See ``ExportFormat.check_name``."""
        check_name(network)

    def record(
        self,
        path: Path,
        made: Converted,
        metadata: ModelMetadata,
        options: ExportOptions,
        split: Split,
        progress: Progress,
    ) -> FormatRecord:
        """Return how TensorFlow Lite Micro fares with it, and the arena that it needs there."""
        return FormatRecord({"tflite_micro": _measure_micro(made.content, split, progress)})


TFLM = TflmFormat()
