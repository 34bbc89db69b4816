"""What a models folder holds, for people: one self-contained HTML page, or Markdown beside the pictures."""

import base64
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from edgedigits.artifacts.manifest import complete_training, read_manifest
from edgedigits.artifacts.records import Manifest
from edgedigits.errors import ModelFileError
from edgedigits.file_names import sidecar_name
from edgedigits.files import LeftAloneWarning, read_file, read_inside, reason
from edgedigits.measuring import bench_result
from edgedigits.measuring.bench_result import BenchResult
from edgedigits.reporting import bench_tables, plots
from edgedigits.reporting.facts import MARKDOWN, PAGES, network_facts, parameters, read_presets

PLOTS = {
    "curves.png": "Loss, accuracy and learning rate by epoch; validation images are never warped.",
    "confusion.png": "Confusion matrix: rows are the truth, columns the answers, mistakes coloured.",
    "samples.png": "Test images with answer, confidence and truth.",
    "mistakes.png": "The most confident mistakes.",
    "warps.png": "Training images and what warps made of them.",
    "drawn.png": "Digits drawn from strokes, as they were mixed into the training images of every epoch.",
    "candidates.png": "Cut out of written lines: digits, and what is none and was taught as every digit alike.",
    "non_digits.png": "What is no digit and was taught as every digit alike.",
    "weights.png": "Weights of the first layer as pictures: red adds to a unit, blue takes away.",
}

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 16 << 20
"""Bytes of a plot or a sample: those of this tool have a few hundred thousand."""


@dataclass(frozen=True)
class SamplePrediction:
    """A picture file and what the predictor read in it."""

    path: Path
    digit: int
    confidence: float


def render_report(
    folder: Path,
    name: str,
    result: BenchResult | None = None,
    samples: Sequence[SamplePrediction] = (),
) -> str:
    """Write the report of a network as one HTML page without outside parts.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.
        samples: pictures that were predicted, to show.

    Raises:
        ModelFileError: the manifest does not know the network as one that was trained, or not all of a run.
    """
    facts = _report_facts(folder, name, result)
    facts["pictures"] = [(caption, _data_uri(content)) for caption, _, content in _pictures(folder, name)]
    facts["samples"] = [(sample, _data_uri(read_file(sample.path, LARGEST_PICTURE))) for sample in samples]
    if result is not None:
        points = [
            plots.TradeOffPoint(row.name, row.accuracy, row.latency.p50, row.bytes) for row in result.rows
        ]
        facts["trade_off"] = _data_uri(plots.trade_off(points))
    return str(PAGES.get_template("report.html.j2").render(facts))


def render_markdown(folder: Path, name: str, result: BenchResult | None = None) -> str:
    """Write the report of a network as Markdown, to lie in its folder: pictures are links to ``plots/``.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.

    Raises:
        ModelFileError: the manifest does not know the network as one that was trained, or not all of a run.
    """
    facts = _report_facts(folder, name, result)
    facts["pictures"] = [(caption, path.as_posix()) for caption, path, _ in _pictures(folder, name)]
    return str(MARKDOWN.get_template("report.md.j2").render(facts))


def _report_facts(folder: Path, name: str, result: BenchResult | None) -> dict[str, Any]:
    manifest = read_manifest(folder)
    entry = manifest["networks"].get(name)
    if entry is None or entry["training"] is None:
        raise ModelFileError(
            folder, f"no trained network {name!r} in its manifest", "train it with `edgedigits train`"
        )
    facts = network_facts(name, entry)
    facts |= {"networks": _networks(manifest), "presets": read_presets(), "measured": None}
    if result is not None:
        facts["measured"] = {
            "header": bench_tables.table_header(result),
            "rows": bench_tables.table_rows(result),
            "sweep_header": bench_tables.sweep_header(),
            "sweep": bench_tables.sweep_rows(result),
            "winners": bench_result.winners(result.rows),
            "machine": str(result.machine),
            "remarks": bench_result.remarks(result.rows),
        }
    return facts


def _pictures(folder: Path, name: str) -> list[tuple[str, PurePath, bytes]]:
    """Return the plots of a network that are there: captions, where they lie in the folder, and PNG files.

    What is called so and is no PNG file really in the folder is left out, with an ``LeftAloneWarning``: a page may be
    shown to others, and a link may lead to what is not for them.
    """
    found = []
    for plot, caption in PLOTS.items():
        path = PurePath("plots", sidecar_name(name, plot))
        try:
            content = read_inside(folder, path, LARGEST_PICTURE)
            if not content.startswith(PNG_SIGNATURE):
                raise ValueError("no PNG file")
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            warnings.warn(f"{folder / path}: {reason(error)}; left out", LeftAloneWarning, stacklevel=2)
            continue
        found.append((caption, path, content))
    return found


def _networks(manifest: Manifest) -> list[dict[str, Any]]:
    """List the trained networks of a folder, for a look at them side by side."""
    found = []
    for name, entry in sorted(manifest["networks"].items()):
        if entry["training"] is not None:
            training = complete_training(name, entry)
            test = training["results"]["test"]
            found.append(
                {
                    "name": name,
                    "arch": training["arch"],
                    "recipe": training["arguments"]["name"],
                    "dataset": training["dataset"]["name"],
                    "parameters": parameters(name, training["arch"]),
                    "percent": 100 * test["correct"] / test["images"],
                    "interval": [test["low"], test["high"]],
                    "seconds": training["seconds"],
                }
            )
    return found


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
