"""A network as plain C: sources and their companions, the check against the reference kernels, measurements."""

import binascii
import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgedigits.contract import LABELS
from edgedigits.datasets.split import Split
from edgedigits.file_names import PREPARE_ENDING, SELFTEST_ENDING
from edgedigits.format_table import Precision
from edgedigits.measuring.verify import Verification, run_all
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.c_source import metadata_comment
from edgedigits.progress import Progress
from edgedigits.runtimes.model import Model
from edgedigits_export.boards import firmware, toolchain
from edgedigits_export.boards.board import BOARDS, Board
from edgedigits_export.boards.firmware import CLASSIFY, PREDICT, FirmwareFigures
from edgedigits_export.c_code.chain import ChainNetwork
from edgedigits_export.c_code.network import LayeredNetwork
from edgedigits_export.c_code.packed import PackedNetwork
from edgedigits_export.c_code.packed_layers import NotPackedError
from edgedigits_export.formats import tflite_file
from edgedigits_export.formats.c_text import ABOUT_MAPS, c_identifier, c_string, check_name, render
from edgedigits_export.formats.export_format import Converted, FormatRecord
from edgedigits_export.formats.tflite_file import TfliteFormat
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.graph_kernels import IntegerGraph
from edgedigits_export.integers.reference_kernels import RUNTIME as REFERENCE_RUNTIME
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.page.prepare_source import prepare_header, prepare_source
from edgedigits_export.targets import ExportOptions

CNetwork = ChainNetwork | LayeredNetwork | PackedNetwork


@dataclass(frozen=True)
class SelftestPicture:
    """A picture with the answer that is expected to it."""

    pixels: npt.NDArray[np.uint8]
    """Shape (28, 28)."""
    probabilities: npt.NDArray[np.uint8]
    """Shape (10,), in steps of 1/256."""

    @property
    def label(self) -> int:
        """The class that is expected."""
        return int(self.probabilities.argmax())


def c_network(made: Converted, metadata: ModelMetadata, options: ExportOptions) -> CNetwork:
    """Return the network of a C file: it names the int8 ``.tflite`` file with the same integers, metadata inside."""
    tflite = tflite_file.add_metadata(made.content, dataclasses.replace(metadata, edges=options.edges))
    if isinstance(made.integers, IntegerGraph):
        sha256 = hashlib.sha256(tflite).hexdigest()
        try:
            return PackedNetwork(made.integers, sha256)
        except NotPackedError:
            return LayeredNetwork(made.integers, sha256)
    return ChainNetwork(read_fixed_point_network(tflite))


def render_source(name: str, network: CNetwork, metadata: ModelMetadata) -> str:
    """Write the network itself: ``digits.c``.

    Args:
        name: of the network, which its files are called by.
        network: its integers.
        metadata: what the file says of itself.

    Raises:
        OutputError: a C file cannot include a header of that name.
    """
    facts: dict[str, Any] = {
        "network": network,
        "tflite_sha256": network.sha256,
        "name": name,
        "metadata_lines": metadata_comment(metadata),
        **({"about": ABOUT_MAPS} if network.moves_bytes else {}),
    }
    file, title = f"{name}.c", "a neural network for images of 28x28 pixels, in C99"
    if isinstance(network, PackedNetwork):
        return render("packed.c.j2", file, title, metadata, **facts)
    return render(
        "network.c.j2",
        file,
        title,
        metadata,
        answer="logits" if network.logit_scale else "probabilities",
        layers=[layer for layer, _ in network.templates],
        templates=[template for _, template in network.templates],
        **facts,
    )


def render_header(name: str, network: CNetwork, metadata: ModelMetadata) -> str:
    """Write what a program includes: ``digits.h``. Arguments as of ``render_source``."""
    return render(
        "network.h.j2",
        f"{name}.h",
        "how to call the neural network of the C file beside it",
        metadata,
        network=network,
        tflite_sha256=network.sha256,
        name=name,
        guard=f"EDGEDIGITS_{c_identifier(name)}_H",
        labels=[c_string(label) for label in metadata.labels],
        about_digits=metadata.labels == LABELS,
        is_packed=isinstance(network, PackedNetwork),
    )


def render_selftest(
    name: str, network: CNetwork, metadata: ModelMetadata, pictures: Sequence[SelftestPicture]
) -> str:
    """Write pictures and expected answers for the bring-up of a board: ``digits_selftest.c``.

    Args:
        name: of the network.
        network: its integers.
        metadata: what the network's file says of itself.
        pictures: at most ten.
    """
    pixels = b"".join(picture.pixels.tobytes() for picture in pictures)
    answers = b"".join(picture.probabilities.tobytes() for picture in pictures)
    return render(
        "selftest.c.j2",
        selftest_name(name),
        "shows on a board that the network computes there what it should",
        metadata,
        network=network,
        tflite_sha256=network.sha256,
        name=name,
        pictures=pictures,
        pixels_crc=f"0x{binascii.crc32(pixels):08x}U",
        answers_crc=f"0x{binascii.crc32(answers):08x}U",
    )


def render_prepare(name: str, network: CNetwork, metadata: ModelMetadata) -> tuple[str, str]:
    """Write what brings a camera's frame into 28x28 pixels, the same for all networks: source and header.

    Arguments as of ``render_selftest``.
    """
    source, header = prepare_names(name)
    return (
        render(
            "prepare.j2",
            source,
            "brings a picture of a digit into the form that the network reads",
            metadata,
            tflite_sha256=network.sha256,
            text=prepare_source(header).rstrip("\n"),
        ),
        render(
            "prepare.j2",
            header,
            "how to call the preparation of the C file beside it",
            metadata,
            tflite_sha256=network.sha256,
            text=prepare_header().rstrip("\n"),
        ),
    )


def prepare_names(name: str) -> tuple[str, str]:
    """Return the names of the files with the preparation of pictures: source and header."""
    source = f"{name}{PREPARE_ENDING}"
    return source, f"{source.removesuffix('.c')}.h"


def selftest_name(name: str) -> str:
    """Return the name of the file with pictures for the bring-up of a board."""
    return f"{name}{SELFTEST_ENDING}"


COUNTED_PICTURES = 10
"""Test images whose instructions are counted. One takes as many as another to within a hundred; where a function has to
multiply (RV32E), the mean of ten is that of hundreds to within 1 %."""


def compare_with_reference_kernels(
    verification: Verification, model: Model, tflite: bytes, split: Split
) -> Verification:
    """Fail a C file that differs from TFLite's reference kernels in a single probability of a single image."""
    expected = reference_probabilities(tflite, split.images)
    answers = run_all(model, split) * 256
    different = int(np.any(answers != expected, axis=1).sum())
    if different == 0:
        return verification
    failure = f"{different:,} of {len(expected):,} answers are not those of TFLite's reference kernels"
    return dataclasses.replace(verification, failures=(*verification.failures, failure))


def measure_firmware(
    path: Path, network: CNetwork, split: Split, progress: Progress
) -> tuple[FirmwareFigures, ...]:
    """Measure what a C file costs on microcontrollers; less, and a note, where tools for it are not there."""
    if missing := toolchain.missing_packages():
        progress.note(f"{_unmeasured(BOARDS)} were not measured: apt-get install {' '.join(missing)}")
    figures, failed = firmware.measure(
        path, network.parameter_bytes, split.images[:COUNTED_PICTURES], entries=_entries(network)
    )
    for cpu, error in failed.items():
        # The file is as good as it was: the chip is too small for it, or tools for another machine are broken.
        progress.note(f"flash, RAM and speed on {cpu} were not measured: {error}")
    return tuple(figures)


def _entries(network: CNetwork) -> tuple[str, ...]:
    """Return the functions that a program can call, the one that takes least first."""
    return (CLASSIFY, PREDICT) if isinstance(network, PackedNetwork) else (PREDICT,)


def _versions(figures: Iterable[FirmwareFigures]) -> dict[str, str]:
    measured = {row.cpu for row in figures}
    return toolchain.tool_versions(board for board in BOARDS if board.cpu in measured)


def _unmeasured(boards: Iterable[Board]) -> str:
    """Name what cannot be measured for want of tools: sizes and speed, or speed alone."""
    sizes = [board.cpu for board in boards if not board.toolchain.is_here]
    speed = [board.cpu for board in boards if board.toolchain.is_here and not board.emulator.is_here]
    parts = [("flash, RAM and speed", sizes), ("speed", speed)]
    return "; ".join(f"{what} on {', '.join(cpus)}" for what, cpus in parts if cpus)


def _selftest_pictures(tflite: bytes, split: Split) -> list[SelftestPicture]:
    """Return the first test image of each class, with the reference kernels' answers."""
    chosen = split.images[[int(np.argmax(split.labels == label)) for label in np.unique(split.labels)]]
    answers = reference_probabilities(tflite, chosen)
    return [SelftestPicture(*pair) for pair in zip(chosen, answers, strict=True)]


class CFormat(TfliteFormat):
    """``.c`` files: the integers of the int8 ``.tflite`` file as C99, with a header."""

    any_layers = frozenset({"int8"})

    def stamp(
        self, model: str, made: Converted, metadata: ModelMetadata, options: ExportOptions, split: Split
    ) -> dict[str, bytes]:
        """See ``ExportFormat.stamp``."""
        name = model.removesuffix(".c")
        network = c_network(made, metadata, options)
        parts = [render_source(name, network, metadata), render_header(name, network, metadata)]
        if options.selftest:
            parts.append(render_selftest(name, network, metadata, _selftest_pictures(made.content, split)))
        if options.prepare:
            parts += render_prepare(name, network, metadata)
        files = [model, *self.companions(model, options)]
        return {file: part.encode() for file, part in zip(files, parts, strict=True)}

    def companions(self, model: str, options: ExportOptions) -> list[str]:
        """Return the names of the header and, where they are asked for, of the self-test and the preparation."""
        name = model.removesuffix(".c")
        selftest = [selftest_name(name)] if options.selftest else []
        prepare = prepare_names(name) if options.prepare else ()
        return [f"{name}.h", *selftest, *prepare]

    def edges(self, precision: Precision, options: ExportOptions) -> Literal["uint8", "int8"]:
        """Return uint8: C code takes pixels, whatever the ``.tflite`` file takes that its integers are of."""
        return "uint8"

    def check_name(self, network: str) -> None:
        """See ``ExportFormat.check_name``."""
        check_name(network)

    def extra_checks(
        self, verification: Verification, model: Model, content: bytes, split: Split
    ) -> Verification:
        """Fail a file that differs from TFLite's reference kernels in a single probability of a single image."""
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
        """Return whose integers they are, and what they cost on microcontrollers."""
        network = c_network(made, metadata, options)
        figures = measure_firmware(path, network, split, progress)
        fields = {
            "tflite_sha256": network.sha256,
            "reference_kernels": REFERENCE_RUNTIME,
            "firmware": firmware.to_manifest(figures),
            "firmware_tools": _versions(figures),
        }
        return FormatRecord(fields, figures)


C = CFormat()
