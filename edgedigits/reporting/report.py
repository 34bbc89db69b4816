"""What a models folder holds, for people: one self-contained HTML page, or Markdown beside the pictures."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgedigits.files import LeftAloneWarning, read_file, reason
from edgedigits.measuring.bench_result import BenchResult
from edgedigits.reporting.curves import Curve, draw_curves, read_history
from edgedigits.reporting.facts import MARKDOWN, PAGES
from edgedigits.reporting.page_pictures import (
    LARGEST_PICTURE,
    LARGEST_TOTAL,
    data_uri,
    find_pictures,
    for_a_page,
)
from edgedigits.reporting.report_facts import gather


@dataclass(frozen=True)
class SamplePrediction:
    """A picture file and what the predictor read in it."""

    path: Path
    digit: int
    confidence: float


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    short: str
    """What the contents call it."""
    title: str


def render_report(
    folder: Path,
    name: str,
    result: BenchResult | None = None,
    samples: Sequence[SamplePrediction] = (),
) -> str:
    """Write the report of a network as one HTML page without outside parts, of 1.5 MB at most.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.
        samples: pictures that were predicted, to show.

    Raises:
        ModelFileError: the manifest knows no such network, or not all of it.
    """
    facts = gather(folder, name, result)
    facts["curves"] = _curves(folder, name, facts)
    drawn = {"curves.png": facts["curves"], "confusion.png": facts.get("mistakes")}
    found = [each for each in find_pictures(folder, name) if not drawn.get(each.plot.name)]
    facts["samples"] = [(sample, data_uri(read_file(sample.path, LARGEST_PICTURE))) for sample in samples]
    room = LARGEST_TOTAL - sum(len(uri) for _, uri in facts["samples"])
    facts["pictures"], facts["left_out"] = for_a_page(found, room)
    facts["sections"] = _sections(facts)
    return str(PAGES.get_template("report.html.j2").render(facts))


def render_markdown(folder: Path, name: str, result: BenchResult | None = None) -> str:
    """Write the report of a network as Markdown, to lie in its folder: pictures are links to ``plots/``.

    Args:
        folder: where the network's files are.
        name: of the network.
        result: measurements to show; None leaves that part out.

    Raises:
        ModelFileError: the manifest knows no such network, or not all of it.
    """
    facts = gather(folder, name, result)
    facts["pictures"] = [
        (picture.plot, quote(picture.path.as_posix())) for picture in find_pictures(folder, name)
    ]
    facts["samples"] = []
    facts["sections"] = _sections(facts)
    return str(MARKDOWN.get_template("report.md.j2").render(facts))


def _sections(facts: dict[str, Any]) -> dict[str, Section]:
    """Name the parts of a report that have something to say, in their order."""
    is_trained = facts["training"] is not None
    images = f"{facts['test']['images']:,} {facts['dataset']} test images"
    parts = {
        "use": (
            Section("Use", "How to use them" if len(facts["uses"]) > 1 else "How to use it"),
            facts["uses"],
        ),
        "files": (Section("Files", f"Exported files, on all {images}"), True),
        "speed": (Section("Speed", "Latency, throughput, memory"), facts["measured"]),
        "samples": (Section("Pictures", "Pictures that were predicted"), facts["samples"]),
        "mistakes": (Section("Mistakes", "Classes and mistakes"), is_trained),
        "weaknesses": (Section("Weaknesses", "Known weaknesses"), is_trained),
        "training": (Section("Training", "Training"), is_trained),
        "presets": (Section("Presets", "The presets side by side"), is_trained),
        "provenance": (Section("Provenance", "Provenance"), True),
    }
    return {key: section for key, (section, is_there) in parts.items() if is_there}


def _curves(folder: Path, name: str, facts: dict[str, Any]) -> tuple[Curve, ...]:
    """Draw the course of the training; without a history that can be read there is the plot, if it is there."""
    if facts["training"] is None:
        return ()
    try:
        return draw_curves(read_history(folder, name))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        warnings.warn(
            f"{folder}: the history of {name}: {reason(error)}; left out", LeftAloneWarning, stacklevel=2
        )
        return ()
