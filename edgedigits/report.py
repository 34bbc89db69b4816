"""What a models folder holds, for people: one self-contained HTML page, and the model card."""

import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from edgedigits import bench, plots
from edgedigits.artifacts import dataset_labels, read_manifest
from edgedigits.contract import CLASSES, LABELS, class_title, count_weights, parse_arch, sidecar_name
from edgedigits.errors import ModelFileError

PLOTS = {
    "curves.png": "Loss, accuracy and learning rate by epoch; validation images are never warped.",
    "confusion.png": "Confusion matrix: rows are the truth, columns the answers, mistakes coloured.",
    "samples.png": "Test images with answer, confidence and truth.",
    "mistakes.png": "The most confident mistakes.",
    "warps.png": "Training images and what warps made of them.",
    "weights.png": "Weights of the first layer as pictures: red adds to a unit, blue takes away.",
}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("edgedigits"),
    autoescape=jinja2.select_autoescape(["html.j2"]),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class SamplePrediction:
    """A picture file and what the predictor read in it."""

    path: Path
    digit: int
    confidence: float


def render_model_card(name: str, entry: dict[str, Any]) -> str:
    """Write the model card of a network from its entry in the manifest.

    Args:
        name: of the network.
        entry: its part of the manifest, with ``training`` and ``files``.
    """
    with _complete_record(Path(name)):
        return str(_TEMPLATES.get_template("model_card.md.j2").render(_facts(name, entry)))


def render_report(
    folder: Path,
    name: str,
    result: bench.BenchResult | None = None,
    samples: Sequence[SamplePrediction] = (),
) -> str:
    """Write the report of a network as one HTML page without outside parts.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.
        samples: pictures that were predicted, to show.

    Raises:
        ModelFileError: the manifest does not know the network as one that was trained.
    """
    with _complete_record(folder):
        return _render_html(folder, name, result, samples)


def _render_html(
    folder: Path, name: str, result: bench.BenchResult | None, samples: Sequence[SamplePrediction]
) -> str:
    facts = _report_facts(folder, name, result)
    facts["pictures"] = [(caption, _data_uri(path.read_bytes())) for caption, path in _pictures(folder, name)]
    facts["samples"] = [(sample, _data_uri(sample.path.read_bytes())) for sample in samples]
    if result is not None:
        points = [
            plots.TradeOffPoint(row.name, row.accuracy, row.latency.p50, row.bytes) for row in result.rows
        ]
        facts["trade_off"] = _data_uri(plots.trade_off(points))
    return str(_TEMPLATES.get_template("report.html.j2").render(facts))


def render_markdown(folder: Path, name: str, result: bench.BenchResult | None = None) -> str:
    """Write the report of a network as Markdown, to lie in its folder: pictures are links to ``plots/``.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.

    Raises:
        ModelFileError: the manifest does not know the network as one that was trained.
    """
    with _complete_record(folder):
        facts = _report_facts(folder, name, result)
        facts["pictures"] = [
            (caption, path.relative_to(folder).as_posix()) for caption, path in _pictures(folder, name)
        ]
        return str(_TEMPLATES.get_template("report.md.j2").render(facts))


@contextlib.contextmanager
def _complete_record(place: Path) -> Iterator[None]:
    """Say so where the manifest's record of a run lacks what a page shows of it."""
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        jinja2.TemplateError,
    ) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(
            place,
            f"the manifest's record of this network is incomplete ({type(error).__name__}: {error})",
            "train it again with `edgedigits train`",
        ) from error


def _report_facts(folder: Path, name: str, result: bench.BenchResult | None) -> dict[str, Any]:
    manifest = read_manifest(folder)
    entry = manifest["networks"].get(name)
    if entry is None or entry["training"] is None:
        raise ModelFileError(
            folder, f"no trained network {name!r} in its manifest", "train it with `edgedigits train`"
        )
    facts = _facts(name, entry)
    facts |= {"networks": _networks(manifest), "presets": read_presets(), "measured": None}
    if result is not None:
        facts["measured"] = {
            "header": bench.table_header(result),
            "rows": bench.table_rows(result),
            "sweep_header": bench.sweep_header(),
            "sweep": bench.sweep_rows(result),
            "winners": bench.winners(result.rows),
            "machine": str(result.machine),
            "remarks": bench.remarks(result.rows),
        }
    return facts


def _pictures(folder: Path, name: str) -> list[tuple[str, Path]]:
    """Return the plots of a network that are there, with their captions."""
    paths = [(caption, folder / "plots" / sidecar_name(name, plot)) for plot, caption in PLOTS.items()]
    return [(caption, path) for caption, path in paths if path.exists()]


def _facts(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    training = entry["training"]
    labels = dataset_labels(training["dataset"])
    test = training["results"]["test"]
    exported = {
        file: receipt for file, receipt in sorted(entry["files"].items()) if "verification" in receipt
    }
    calibrations = [
        f"`{file}`: {receipt['calibration']['images']:,} training images, seed {receipt['calibration']['seed']}, "
        f"indices sha256 `{receipt['calibration']['indices_sha256'][:16]}…`"
        for file, receipt in exported.items()
        if receipt["calibration"]
    ]
    return {
        "name": name,
        "training": training,
        "temperature": training["results"].get("temperature"),
        "calibration_errors": training["results"].get("expected_calibration_error"),
        "files_have_calibration_errors": any(
            "expected_calibration_error" in receipt["verification"] for receipt in exported.values()
        ),
        "test": test,
        "test_percent": 100 * test["correct"] / test["images"],
        "parameters": _parameters(training["arch"]),
        "exported": exported,
        "calibrations": calibrations,
        "about_digits": labels == LABELS,
        "labels": [class_title(labels, index) for index in range(CLASSES)],
        "weakest": sorted(training["results"]["classes"], key=lambda score: score["recall"])[:3],
        "arguments": json.dumps(training["arguments"], sort_keys=True),
    }


def _networks(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """List the trained networks of a folder, for a look at them side by side."""
    found = []
    for name, entry in sorted(manifest["networks"].items()):
        if (training := entry["training"]) is not None:
            test = training["results"]["test"]
            found.append(
                {
                    "name": name,
                    "arch": training["arch"],
                    "recipe": training["arguments"]["name"],
                    "dataset": training["dataset"]["name"],
                    "parameters": _parameters(training["arch"]),
                    "percent": 100 * test["correct"] / test["images"],
                    "interval": [test["low"], test["high"]],
                    "seconds": training["seconds"],
                }
            )
    return found


def read_presets() -> dict[str, Any]:
    """Return what ``benchmarks/accuracy.py`` measured of the presets: the machine, and a row for each."""
    text = resources.files("edgedigits").joinpath("presets.json").read_text(encoding="utf-8")
    presets: dict[str, Any] = json.loads(text)
    return presets


def _parameters(arch: str) -> int:
    """Count weights and biases of a network with these hidden layers."""
    return count_weights(parse_arch(arch))


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
