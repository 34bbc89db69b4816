"""The C files of an export: sources and their companions, the check against the reference kernels, measurements."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.contract import ModelMetadata, file_name
from edgedigits.mnist import Split
from edgedigits.progress import Progress
from edgedigits.runtimes import Model
from edgedigits.verify import Verification, run_all
from edgedigits_export import firmware, micro, to_c, to_tflite, to_tflm
from edgedigits_export.firmware import FirmwareFigures
from edgedigits_export.fixed_point import FixedPointNetwork, read_fixed_point_network
from edgedigits_export.reference_kernels import RUNTIME as REFERENCE_RUNTIME
from edgedigits_export.reference_kernels import reference_answers
from edgedigits_export.targets import ExportOptions, Target

COUNTED_PICTURES = 10
"""Test images whose instructions are counted: one takes as many as another to within a hundred."""


def c_file_names(target: Target, name: str, options: ExportOptions) -> list[str]:
    """List the files of a C target: the source, and what belongs to it."""
    source = file_name(name, target.format, target.precision)
    names = [source, f"{source.removesuffix('.c')}.h"]
    if target.format == "c" and options.selftest:
        names.append(to_c.selftest_name(name))
    return names


def render_c_files(
    target: Target, name: str, tflite: bytes, metadata: ModelMetadata, options: ExportOptions, split: Split
) -> dict[str, bytes]:
    """Return the files of a C target by name, with the metadata inside.

    Args:
        target: C, or the array for TensorFlow Lite Micro.
        name: of the network.
        tflite: the integer TFLite file without its metadata.
        metadata: what goes inside.
        options: whether pictures with expected answers come along.
        split: the test images that such pictures are taken from.
    """
    if target.format == "tflm":
        parts = to_tflm.render_array(name, to_tflite.add_metadata(tflite, metadata), metadata)
    else:
        network = _fixed_point_network(tflite, metadata, options)
        parts = [to_c.render_source(name, network, metadata), to_c.render_header(name, network, metadata)]
        if options.selftest:
            pictures = _selftest_pictures(tflite, split)
            parts.append(to_c.render_selftest(name, network, metadata, pictures))
    files = c_file_names(target, name, options)
    return {file: part.encode() for file, part in zip(files, parts, strict=True)}


def compare_with_reference_kernels(
    verification: Verification, model: Model, tflite: bytes, split: Split
) -> Verification:
    """Fail a C file that differs from TFLite's reference kernels in a single probability of a single image."""
    _, expected = reference_answers(tflite, split.images)
    answers = run_all(model, split) * 256
    different = int(np.any(answers != expected, axis=1).sum())
    if different == 0:
        return verification
    failure = f"{different:,} of {len(expected):,} answers are not those of TFLite's reference kernels"
    return dataclasses.replace(verification, failures=(*verification.failures, failure))


def measure_firmware(
    path: Path, tflite: bytes, split: Split, progress: Progress
) -> tuple[FirmwareFigures, ...]:
    """Measure what a C file costs on microcontrollers; nothing, and a note, where the tools for it are not there."""
    if missing := firmware.missing_tools():
        unknown = "instructions" if firmware.can_compile() else "flash, RAM and instructions"
        progress.note(f"{unknown} were not measured: apt-get install {' '.join(missing)}")
    try:
        network = read_fixed_point_network(tflite)
        return tuple(firmware.measure(path, network, split.images[:COUNTED_PICTURES]))
    except firmware.FirmwareError as error:
        # The file is as good as it was; what is broken are tools for another machine.
        progress.note(f"flash, RAM and instructions were not measured: {error}")
        return ()


def c_record(
    target: Target,
    tflite: bytes,
    metadata: ModelMetadata,
    figures: Sequence[FirmwareFigures],
    options: ExportOptions,
    split: Split,
    progress: Progress,
) -> dict[str, Any]:
    """Return what the manifest keeps of C files only."""
    if target.format == "tflm":
        return {"tflite_micro": _measure_micro(tflite, split, progress)}
    return {
        "tflite_sha256": _fixed_point_network(tflite, metadata, options).sha256,
        "reference_kernels": REFERENCE_RUNTIME,
        "firmware": firmware.to_manifest(figures),
        "firmware_tools": firmware.tool_versions() if figures else {},
    }


def _fixed_point_network(tflite: bytes, metadata: ModelMetadata, options: ExportOptions) -> FixedPointNetwork:
    """Read the integers of a TFLite file as it is exported, metadata inside: C code names that file by its hash."""
    return read_fixed_point_network(
        to_tflite.add_metadata(tflite, dataclasses.replace(metadata, edges=options.edges))
    )


def _selftest_pictures(tflite: bytes, split: Split) -> list[to_c.SelftestPicture]:
    """Return the first test image of each class, with the reference kernels' answers."""
    chosen = split.images[[int(np.argmax(split.labels == label)) for label in np.unique(split.labels)]]
    _, answers = reference_answers(tflite, chosen)
    return [to_c.SelftestPicture(*pair) for pair in zip(chosen, answers, strict=True)]


def _measure_micro(tflite: bytes, split: Split, progress: Progress) -> dict[str, Any] | None:
    """Run all test images in TensorFlow Lite Micro, where it is installed."""
    if not micro.is_installed():
        progress.note(
            f"the arena of TensorFlow Lite Micro was not measured: pip install --pre {micro.PACKAGE}"
        )
        return None
    ran = micro.run_in_micro(tflite, split.images)
    _, expected = reference_answers(tflite, split.images)
    return {
        "version": ran.version,
        "arena_bytes": ran.arena,
        "correct": int((ran.answers.argmax(axis=1) == split.labels).sum()),
        "equal_to_reference_kernels": int(np.all(ran.answers == expected, axis=1).sum()),
        "images": len(expected),
    }
