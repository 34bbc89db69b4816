"""What the manifest says of a network, as the values that model card and report show."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from edgedigits.artifacts.manifest import complete_training, dataset_labels
from edgedigits.artifacts.records import Network
from edgedigits.contract import CLASSES, LABELS, class_title
from edgedigits.errors import ModelFileError
from edgedigits.metadata import SureReceipt
from edgedigits.model_files.trained_networks import read_arch, trained_spec
from edgedigits.reporting.comparison import as_text
from edgedigits.reporting.markdown import anchor, cells, code, escaped, fenced, table

_FORM: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "keep_trailing_newline": True}
_LOADER = jinja2.PackageLoader("edgedigits.reporting")
PAGES = jinja2.Environment(loader=_LOADER, autoescape=True, **_FORM)
"""HTML: every value is escaped."""
MARKDOWN = jinja2.Environment(loader=_LOADER, autoescape=False, finalize=escaped, **_FORM)  # noqa: S701 - by finalize
"""Markdown: every value is escaped that does not go through a filter of ``markdown``."""
MARKDOWN.filters.update(code=code, cells=cells, fenced=fenced, table=table, anchor=anchor, panel_text=as_text)


def network_facts(name: str, entry: Network) -> dict[str, Any]:
    """Return what model card and report show of a network.

    Args:
        name: of the network.
        entry: its part of the manifest.

    Raises:
        ModelFileError: the record of the run that made it is incomplete.
    """
    training = complete_training(name, entry)
    labels = dataset_labels(training["dataset"])
    test = training["results"]["test"]
    exported = {
        file: receipt for file, receipt in sorted(entry["files"].items()) if "verification" in receipt
    }
    calibration_receipts = [
        (file, receipt["calibration"])
        for file, receipt in exported.items()
        if receipt["calibration"] is not None
    ]
    sure_receipts = [
        (file, SureReceipt(**{key: sure[key] for key in SureReceipt._fields}))  # type: ignore[literal-required]
        for file, receipt in exported.items()
        if (sure := receipt.get("sure")) is not None
    ]
    return {
        "name": name,
        "training": training,
        "temperature": training["results"].get("temperature"),
        "expected_calibration_errors": training["results"].get("expected_calibration_error"),
        "files_have_expected_calibration_errors": any(
            "expected_calibration_error" in receipt["verification"] for receipt in exported.values()
        ),
        "test": test,
        "test_percent": 100 * test["correct"] / test["images"],
        "parameters": parameters(name, training["arch"]),
        "has_widths": training["arch"][:1].isdigit(),
        "exported": exported,
        "calibration_receipts": calibration_receipts,
        "sure_receipts": sure_receipts,
        "about_digits": labels == LABELS,
        "labels": [class_title(labels, index) for index in range(CLASSES)],
        "weakest": sorted(training["results"]["classes"], key=lambda score: score["recall"])[:3],
        "arguments": json.dumps(training["arguments"], sort_keys=True),
    }


def read_presets() -> dict[str, Any]:
    """Return what ``benchmarks/accuracy.py`` measured of the presets: the machine, and a row for each."""
    text = resources.files("edgedigits.reporting").joinpath("presets.json").read_text(encoding="utf-8")
    presets: dict[str, Any] = json.loads(text)
    return presets


def parameters(name: str, arch: str) -> int:
    """Count weights and biases of a network with these layers, and what batch normalization keeps.

    Args:
        name: of the network, for the message.
        arch: what the manifest says.

    Raises:
        ModelFileError: these are no layers that ``train`` could have made.
    """
    try:
        return trained_spec(read_arch(arch)).parameters
    except ValueError as error:
        raise ModelFileError(
            Path(name),
            f"the manifest's record of this network has layers that are none ({error})",
            "train it again with `edgedigits train`",
        ) from error
