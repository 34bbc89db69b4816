import dataclasses
from pathlib import Path

import pytest

from edgedigits.comparing.files import compare_models
from edgedigits.comparing.latency import LatencyChange
from edgedigits.comparing.manifests import compare_manifests
from edgedigits.comparing.result import Comparison, Cost, CostChange
from edgedigits.datasets.split import Split
from edgedigits.measuring.bench_result import Latency
from edgedigits.reporting.diff_tables import manifest_page, page, to_markdown_page
from edgedigits.runtimes.opening import open_model

MODELS = Path(__file__).parents[2] / "models"
NAMES = ("<b>old|</b>.onnx", "new\n`x`.onnx")


@pytest.fixture(scope="module")
def found(dataset: tuple[Split, Split]) -> Comparison:
    """Two files with names that are markup, on a hundred images."""
    test = dataset[1]
    split = Split.of(test.dataset, test.images[:100], test.labels[:100])
    pair = (open_model(MODELS / name) for name in ("digits.onnx", "digits.int8.onnx"))
    return compare_models(*pair, split, names=NAMES, max_loss=5.0, with_latency=False)[0]


@pytest.mark.parametrize(
    ("ratio", "low", "high", "shown"),
    [
        (0.5, 0.48, 0.53, "0.48 to 0.53"),
        (1.01, 0.99, 1.02, "~ 0.99 to 1.02"),
        (0.001, 0.0011, 0.0012, "0.0011 to 0.0012"),
    ],
    ids=["quicker", "the same", "far quicker"],
)  # fmt: skip
def test_an_interval_that_holds_one_is_marked(
    found: Comparison, ratio: float, low: float, high: float, shown: str
) -> None:
    times = Latency.of([1_000, 2_000, 3_000])
    timed = dataclasses.replace(found, latency=LatencyChange(times, times, ratio, low, high, 20))
    rows = page(timed).tables[0].rows
    assert [row[-1] for row in rows[-2:]] == [f"{ratio:g} times" if ratio != 0.5 else "0.50 times", shown]


def test_costs_stand_side_by_side_as_they_were_compiled_to_be_small(found: Comparison) -> None:
    small = CostChange(
        "cortex-m0", "-Os", "edgedigits_classify", Cost(4_000, 300, 2_500_000), Cost(1_234, 56, None)
    )
    fast = dataclasses.replace(small, optimization="-O2")
    gone = dataclasses.replace(small, cpu="rv32ec", new=None)
    table = page(dataclasses.replace(found, costs=(fast, small, gone))).tables[-1]
    assert table.rows == (
        ("cortex-m0 classify", "4,000 -> 1,234", "300 -> 56", "2,500 -> -"),
        ("rv32ec classify", "4,000 -> -", "300 -> -", "2,500 -> -"),
    )
    assert len(page(dataclasses.replace(found, costs=(fast,))).tables[-1].rows) == 1


@pytest.mark.parametrize(
    ("passed", "mark"),
    [(True, "passed"), (False, "FAILED"), (None, "compared")],
    ids=["yes", "no", "no gate"],
)
def test_names_of_files_are_no_markup(found: Comparison, passed: bool | None, mark: str) -> None:
    text = to_markdown_page(page(found), found.name, passed=passed)
    title, *lines = text.splitlines()
    assert title == f"### &lt;b&gt;old&#124;&lt;/b&gt;.onnx -&gt; new &#96;x&#96;.onnx: {mark}"
    assert "<b>" not in text
    assert sum(line.startswith("### ") for line in lines) == 0
    # Every row of a table has as many cells as its header.
    tables = [line.count(" | ") for line in lines if line.startswith("| ")]
    assert set(tables) == {3, 7}


def test_manifests_that_say_the_same_show_no_costs() -> None:
    place = MODELS / "tiny" / "manifest.json"
    shown = manifest_page(compare_manifests(place, place, max_loss=0.5))
    assert [len(table.rows) for table in shown.tables] == [20, 20]
    assert shown.verdicts[0].startswith("tied, whichever images are changed: tiny-16k.keras, tiny-16k.c, ")
    assert shown.verdicts[1].startswith(
        "gate, tiny-16k.keras: pass: at 95 % confidence no more than 0.18 points"
    )
