"""``edgedigits info``: what a model file says of itself."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgedigits.cli.options import json_option
from edgedigits.cli.terminal import echo_fact, echo_json
from edgedigits.margins import STEPS

if TYPE_CHECKING:
    from edgedigits.metadata import ModelMetadata
    from edgedigits.runtimes.keras_model import KerasModel


LABEL = 12
"""Columns of what a line is about."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Show what a model file says of itself.

    \b
    Examples:
      edgedigits info my-models/digits.int8.tflite
      edgedigits info my-models/digits.onnx --json
    """
    from edgedigits.artifacts.hashes import sha256_file
    from edgedigits.contract import EXPECTED_INPUT, EXPECTED_OUTPUT, LABELS
    from edgedigits.runtimes.keras_model import KerasModel
    from edgedigits.runtimes.opening import open_model

    model = open_model(file)
    facts = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "sha256": sha256_file(file),
        "runtime": model.runtime,
    }
    if as_json:
        echo_json({**facts, **model.metadata.to_dict()})
        return
    metadata = model.metadata
    tools = ", ".join(f"{tool} {version}" for tool, version in metadata.tools.items())
    separator = " " if metadata.labels == LABELS else ", "
    added = _HEADS.get(metadata.head or "", "")
    lines = {
        **facts,
        "network": f"{metadata.arch}, {metadata.precision}, weights sha256 {metadata.weights_sha256}",
        "input": f"{EXPECTED_INPUT}, {metadata.polarity}" + _integer_note(metadata.edges),
        "output": f"{EXPECTED_OUTPUT}, labels {separator.join(metadata.labels)}{added}",
        "made with": tools,
        "contract": metadata.contract,
    }
    if (accuracy := metadata.accuracy) is not None:
        share = 100 * accuracy.correct / accuracy.images
        lines["accuracy"] = (
            f"{share:.2f} % ({accuracy.correct:,} of {accuracy.images:,}, {accuracy.dataset} test images)"
        )
    if not isinstance(model, KerasModel):
        lines["sure"] = _sure(metadata)
    if (receipt := metadata.calibration) is not None:
        lines["calibration"] = (
            f"{receipt.images:,} training images, seed {receipt.seed}, indices sha256 {receipt.indices_sha256}; "
            f"ranges by {receipt.ranges}"
        )
    if (trained_on := metadata.input_scale) is not None:
        lines["trained on"] = (
            f"{trained_on.name}, {trained_on.chosen} ({trained_on.correct:,} of {trained_on.images:,} training images "
            "right); folded in"
        )
    if isinstance(model, KerasModel):
        lines["trained on"] = _fed(model)
    for label, value in lines.items():
        echo_fact(label, str(value), LABEL)


_HEADS = {
    "logits": "; its softmax was added to logits",
    "sigmoid": "; ten sigmoids, each the probability of its own class: they do not sum to 1",
}
"""By how a network ends, what `output` says besides."""


def _sure(metadata: "ModelMetadata") -> str:
    """Say from which lead over the second on an answer is sure, and what that was fitted to."""
    default = (
        f"a lead of {metadata.min_margin}/{STEPS} over the second (edgedigits' own: the file does not say)"
    )
    return default if metadata.sure is None else str(metadata.sure)


def _fed(model: "KerasModel") -> str:
    if model.is_declared:
        return "pixels as they are: it has a Rescaling layer"
    if model.input_is_known:
        return f"pixels {model.input_scale.about}"
    return "not known: no Rescaling layer, and no manifest beside it; `edgedigits export` finds it out"


def _integer_note(edges: str) -> str:
    return " (in the file as int8: pixel - 128)" if edges == "int8" else ""
