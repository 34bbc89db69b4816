"""What a format answers about its files, so that an export needs to know none of them by name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from edgedigits.datasets.split import Split
from edgedigits.format_table import Precision
from edgedigits.measuring.verify import BATCH, Verification
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.sequence_layers import float_layers
from edgedigits.picture.levels import Pixels
from edgedigits.progress import Progress
from edgedigits.runtimes.model import Model, Probabilities
from edgedigits_export.boards.firmware import FirmwareFigures
from edgedigits_export.graph.steps import in_floats_only
from edgedigits_export.inference_graph import InferenceGraph
from edgedigits_export.integers.calibration import IntegerForm
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.quantization import IntegerNetwork
from edgedigits_export.targets import ExportOptions


@dataclass(frozen=True)
class Converted:
    """A network as a format has it, before a file knows anything of itself."""

    content: bytes
    """Of the file, without its metadata; of C files, of the ``.tflite`` file with the same integers."""
    integers: IntegerNetwork | IntegerGraph | None
    """What it was made of; None where it computes in floats."""
    reads_numbers: bool = False
    """Whether it was taught to tell a digit of a line from its other cuts."""


@dataclass(frozen=True)
class FormatRecord:
    """What is kept of a file of one format only."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    """For its entry in the manifest, JSON values."""
    firmware: tuple[FirmwareFigures, ...] = ()
    """What it costs on microcontrollers."""


class ExportFormat(ABC):
    """One format: how its files are made, checked and recorded.

    An export first converts a network to the content of a file, which knows nothing of itself yet; then stamps the
    metadata into it, verifies what came out, and stamps the measured accuracy.
    """

    tools: ClassVar[tuple[str, ...]]
    """Distributions whose versions the file keeps."""
    any_layers: ClassVar[frozenset[Precision]] = frozenset()
    """Precisions in which its files hold any network, not only one of Dense layers."""

    float_steps: ClassVar[frozenset[Precision]] = frozenset()
    """Precisions in which its files hold layers too that are written in float32 only."""

    def obstacle(self, graph: InferenceGraph, precision: Precision) -> str | None:
        """Return why a file of this precision cannot hold a network; None where it can."""
        if graph.chain is not None:
            return None
        if graph.steps is not None and in_floats_only(graph.steps):
            kinds = ", ".join(float_layers(graph.spec.layers))
            return None if precision in self.float_steps else f"{kinds} go to float32 files only"
        return None if precision in self.any_layers else "they are made of Dense networks with relu only"

    @abstractmethod
    def convert(
        self,
        graph: InferenceGraph,
        integers: IntegerNetwork | IntegerGraph | None,
        precision: Precision,
        options: ExportOptions,
    ) -> bytes:
        """Make the content of a file, without its metadata.

        Args:
            graph: the network.
            integers: the same network in the integers of ``integer_form``; None where that is None.
            precision: one of the format's row in ``format_table``.
            options: see ``ExportOptions``.
        """

    @abstractmethod
    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """Return the files by name, the metadata inside: the model and its companions.

        Args:
            model: name of the file, ``digits.int8.onnx``.
            made: what ``convert`` made, and of what.
            metadata: what the file shall say of itself.
            options: see ``ExportOptions``.
            split: the test images.
        """

    def companions(self, model: str, options: ExportOptions) -> list[str]:
        """Return the names of the files that lie beside the model."""
        return []

    def integer_form(self, precision: Precision, options: ExportOptions) -> IntegerForm | None:
        """Return the form of the integers that a file of this precision holds; None where it computes in floats."""
        return None

    def edges(self, precision: Precision, options: ExportOptions) -> Literal["uint8", "int8"]:
        """Return the type of the file's input."""
        return "uint8"

    def check_name(self, network: str) -> None:
        """Raise ``OutputError`` where files of this format cannot be called after the network."""
        return

    def answers(self, model: Model, made: Converted, pixels: Pixels) -> Probabilities:
        """Return the answers, float32 (n, 10), that a least lead is fitted to; see ``sureness``.

        Args:
            model: the staged file, opened.
            made: what ``convert`` made, and of what.
            pixels: uint8 (n, 28, 28).
        """
        parts = [model.probabilities(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        return np.concatenate(parts)

    def extra_checks(
        self, verification: Verification, model: Model, content: bytes, split: Split
    ) -> Verification:
        """Return the verification, failed where the file is wrong in a way that accuracy does not show."""
        return verification

    def record(
        self,
        path: Path,
        made: Converted,
        metadata: ModelMetadata,
        options: ExportOptions,
        split: Split,
        progress: Progress,
    ) -> FormatRecord:
        """Measure and return what is kept of files of this format only.

        Args:
            path: the finished file, not yet in place.
            made: what ``convert`` made, and of what.
            metadata: what the file says of itself.
            options: see ``ExportOptions``.
            split: the test images.
            progress: is told what could not be measured.
        """
        return FormatRecord()
