"""Panels: what stands where, and which round values the axis has."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_kinds import measurement

from edgedigits.reporting import comparison
from edgedigits.reporting.panels import MOST_TICKS, Dot, latency_dot, middle, panel, share_dot

VALUES = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)


def dots(*values: float) -> list[Dot]:
    return [Dot(f"file {index}", value, f"{value}") for index, value in enumerate(values)]


@given(st.lists(VALUES, min_size=1, max_size=9), st.booleans())
def test_every_value_has_its_place_and_ticks_are_few(values: list[float], from_zero: bool) -> None:
    shown = panel("title", "", dots(*values), starts_at_zero=from_zero)
    assert shown is not None
    places = {value: shown.axis.place(value) for value in values}
    assert all(0 < place < 100 for place in places.values())
    ordered = sorted(values)
    assert [places[value] for value in ordered] == sorted(places.values(), key=float) or len(places) < len(
        values
    )
    ticks = shown.axis.ticks()
    assert len(ticks) <= MOST_TICKS
    assert [tick.place for tick in ticks] == sorted(tick.place for tick in ticks)


@pytest.mark.parametrize(
    ("values", "from_zero", "ticks"),
    [
        ((99.2, 99.6), False, ["99.2", "99.3", "99.4", "99.5", "99.6"]),
        ((3.0, 23.0), True, ["0", "5", "10", "15", "20"]),
        ((2.0, 700.0), True, ["2", "5", "10", "20", "50", "100", "200", "500"]),
        ((2.0, 7_000_000.0), True, ["10", "100", "1,000", "10,000", "100,000", "1,000,000"]),
    ],
    ids=["near each other", "from zero", "two decades", "six decades"],
)
def test_ticks_are_round(values: tuple[float, ...], from_zero: bool, ticks: list[str]) -> None:
    shown = panel("title", "", dots(*values), starts_at_zero=from_zero)
    assert shown is not None
    found = [tick.text for tick in shown.axis.ticks()]
    assert found == ticks or (len(ticks) > MOST_TICKS and set(found) < set(ticks))


def test_an_axis_says_what_it_is() -> None:
    def about(values: tuple[float, ...], from_zero: bool) -> str:
        shown = panel("title", "Lines.", dots(*values), starts_at_zero=from_zero)
        assert shown is not None
        return shown.about

    assert about((99.2, 99.6), False) == "Lines. The axis does not begin at 0."
    assert about((1.0, 2.0), True) == "Lines."
    assert about((1.0, 2_000.0), True) == "Lines. The axis has a log scale."


@pytest.mark.parametrize("values", [(), (math.nan,), (1.0, math.inf)], ids=["none", "nan", "inf"])
def test_what_no_axis_can_show_is_no_panel(values: tuple[float, ...]) -> None:
    assert panel("title", "", dots(*values)) is None


def test_a_share_has_its_interval() -> None:
    dot = share_dot("seven", 9_940, 10_000)
    assert dot is not None
    assert dot.text == "99.40 %, 99.23 to 99.53"
    assert dot.low < dot.value < dot.high  # type: ignore[operator]
    assert share_dot("none", 0, 0) is None
    assert share_dot("more than all", 5, 4) is None


def test_a_latency_has_the_middle_nine_tenths_of_its_calls() -> None:
    (row,) = measurement({"a.int8.onnx": 7.0}).rows
    low, high = middle(row)  # type: ignore[misc]
    inside = [sample for sample in row.latency_samples_ns if 1_000 * low <= sample <= 1_000 * high]
    assert 0.88 <= len(inside) / len(row.latency_samples_ns) <= 0.92
    dot = latency_dot(row)
    assert (dot.value, dot.low, dot.high, dot.series) == (row.latency.p50, low, high, "int8")


def test_keras_is_told_beside_an_axis_that_shows_the_files() -> None:
    result = measurement({"a.onnx": 7.0, "a.ort": 9.0, "my net.keras predict": 40_000.0})
    (shown,) = comparison.file_panels((), result)
    assert [dot.name for dot in shown.dots] == ["a.onnx", "a.ort"]
    assert "Beyond this axis: my net.keras predict 40,000 µs." in shown.about
    (alone,) = comparison.file_panels((), measurement({"a.keras predict": 40_000.0}))
    assert [dot.name for dot in alone.dots] == ["a.keras predict"]


def test_text_shows_marks_intervals_and_the_value_that_all_are_held_against() -> None:
    shown = panel(
        "title",
        "",
        [Dot("low", 1.0, "1"), Dot("high", 3.0, "3", 2.0, 4.0, "int8"), Dot("x" * 99, 2.0, "2")],
        reference=1.5,
    )
    assert shown is not None
    low, high, long, _ = comparison.as_text(shown).splitlines()
    assert low.index("●") < low.index("┊") < high.index("─") < high.index("◆") < high.rindex("─")
    assert long.startswith("…")
    assert low.endswith("  1")
