"""A network as a page for browsers: one ``.html`` file in which anybody draws, and sees digits or numbers read."""

import functools
from pathlib import Path
from typing import Literal

import numpy as np

from edgedigits.datasets.split import Split
from edgedigits.format_table import Precision
from edgedigits.measuring.verify import Verification
from edgedigits.metadata import ModelMetadata
from edgedigits.picture.levels import Pixels
from edgedigits.progress import Progress
from edgedigits.runtimes.model import Model
from edgedigits.training.drawn import Pen, draw_digits
from edgedigits_export.formats.c_source import compare_with_reference_kernels
from edgedigits_export.formats.export_format import Converted, FormatRecord
from edgedigits_export.formats.tflite_file import TfliteFormat
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.reference_kernels import RUNTIME as REFERENCE_RUNTIME
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.page.assemble import Proof, make_module, make_page, module_types
from edgedigits_export.page.tables import tables_of
from edgedigits_export.targets import ExportOptions

PROOF_IMAGES = 8
"""That a page proves itself by: drawn ones, 1 KB of it. Every probability of the test images was compared before."""
PROOF_PEN = Pen(softness=(0.3, 0.5))
"""As sharp as that of the pad; soft edges would be packed twice as large."""
SEED = tuple(b"page")
"""Of their generator."""


class PageFormat(TfliteFormat):
    """``.html`` files: the integers of the int8 ``.tflite`` file as tables that WebAssembly runs."""

    any_layers = frozenset({"int8"})

    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        images = proof_images()
        proof = Proof(images, reference_probabilities(made.content, images))
        tables = _tables(made)
        numbers = made.reads_numbers
        parts = (
            make_page(tables, metadata, proof, reads_numbers=numbers),
            make_module(tables, metadata, reads_numbers=numbers),
            module_types(reads_numbers=numbers),
        )
        files = [model, *self.companions(model, options)]
        return {file: part.encode() for file, part in zip(files, parts, strict=True)}

    def companions(self, model: str, options: ExportOptions) -> list[str]:
        """Return the names of the module for developers and of its types; the page itself needs neither."""
        name = model.removesuffix(".html")
        return [f"{name}.mjs", f"{name}.d.mts"]

    def edges(self, precision: Precision, options: ExportOptions) -> Literal["uint8", "int8"]:
        """Return uint8: a page takes pixels, whatever the ``.tflite`` file takes that its integers are of."""
        return "uint8"

    def extra_checks(
        self, verification: Verification, model: Model, content: bytes, split: Split
    ) -> Verification:
        """Fail a page that differs from TFLite's reference kernels in a single probability of a single image."""
        return compare_with_reference_kernels(verification, model, content, split)

    def record(
        self,
        path: Path,
        made: Converted,
        metadata: ModelMetadata,
        options: ExportOptions,
        split: Split,
        progress: Progress,
    ) -> FormatRecord:
        """Return whose answers they are."""
        return FormatRecord({"reference_kernels": REFERENCE_RUNTIME})


def _tables(made: Converted) -> bytes:
    integers = made.integers
    return tables_of(
        integers if isinstance(integers, IntegerGraph) else read_fixed_point_network(made.content)
    )


@functools.cache
def proof_images() -> Pixels:
    """Return the drawn digits that every page has."""
    return draw_digits(PROOF_IMAGES, np.random.default_rng(SEED), PROOF_PEN)[0]


PAGE = PageFormat()
