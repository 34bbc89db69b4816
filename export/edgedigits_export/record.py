"""What is kept of an exported file: its entry in the manifest, the reference answers and the model card beside it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgedigits.artifacts.manifest import file_receipt, network_entry, read_manifest, write_manifest
from edgedigits.file_names import network_name, sidecar_name
from edgedigits.measuring.keras_input import InputChoice
from edgedigits.measuring.reference import Reference, reference_path
from edgedigits.measuring.verify import Verification
from edgedigits.metadata import ModelMetadata
from edgedigits.reporting.model_card import render_model_card
from edgedigits_export.boards.firmware import FirmwareFigures, to_manifest
from edgedigits_export.targets import Target

MODEL_CARD_NAME = "MODEL_CARD.md"


@dataclass(frozen=True)
class ExportedFile:
    """A file that passed the gate and is in place."""

    path: Path
    sha256: str
    bytes: int
    metadata: ModelMetadata
    verification: Verification
    quantization: dict[str, Any] | None
    """How the integers were chosen, as the manifest keeps it; None for files that hold no integer activations."""
    firmware: tuple[FirmwareFigures, ...]
    """What a C file costs on microcontrollers; empty without a cross compiler, and for other files."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "metadata": self.metadata.to_dict(),
            "verification": self.verification.to_dict(),
            "quantization": self.quantization,
            "firmware": to_manifest(self.firmware),
        }


def write_record(
    exported: ExportedFile,
    target: Target,
    staging: Path,
    fields: Mapping[str, Any],
    choice: InputChoice | None,
    reference: Reference,
) -> None:
    """Stage the manifest with the new file and all that lies beside it, and the reference answers."""
    path, metadata = exported.path, exported.metadata
    name = network_name(path)
    manifest = read_manifest(path.parent)
    files = network_entry(manifest, name)["files"]
    record: Any = {
        "sha256": exported.sha256,
        "bytes": exported.bytes,
        "format": target.format,
        "precision": metadata.precision,
        "edges": metadata.edges,
        **({"head": metadata.head} if metadata.head else {}),
        "weights_sha256": metadata.weights_sha256,
        "calibration": dataclasses.asdict(metadata.calibration) if metadata.calibration else None,
        "quantization": exported.quantization,
        "sure": metadata.sure._asdict() if metadata.sure else None,
        "versions": metadata.tools,
        "verification": exported.verification.summary(),
        **fields,
    }
    files[path.name] = record
    for companion in staging.iterdir():
        if companion.name != path.name:
            files[companion.name] = file_receipt(companion)
    reference_file = reference_path(staging, name)
    reference_file.write_bytes(reference.to_bytes())
    files[reference_file.name] = file_receipt(reference_file)
    network = network_entry(manifest, name)
    network.pop("input_scale", None)
    if choice is not None and choice.chosen != "declared":
        network["input_scale"] = choice.to_dict(metadata.weights_sha256)
    write_manifest(staging, manifest)
    if network["training"] is not None:
        card = render_model_card(name, network)
        (staging / sidecar_name(name, MODEL_CARD_NAME)).write_text(card, encoding="utf-8")
