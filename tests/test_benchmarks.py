"""What the benchmarks claim, and what they last measured: a claim that is known not to hold is none."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
with_targets = [path for path in sorted(RESULTS.glob("*.json")) if "targets" in json.loads(path.read_text())]


def test_there_are_results_with_targets() -> None:
    assert {"quantization-speed", "quantization-accuracy", "startup", "predictor"} <= {
        path.stem for path in with_targets
    }


@pytest.mark.parametrize("path", with_targets, ids=lambda path: path.stem)
def test_what_was_measured_last_meets_every_target(path: Path) -> None:
    targets = json.loads(path.read_text())["targets"]
    assert targets
    assert {name: row for name, row in targets.items() if not row["measured"] <= row["at_most"]} == {}


def test_the_training_results_meet_their_targets() -> None:
    assert json.loads((RESULTS / "training.json").read_text())["passed"] is True
