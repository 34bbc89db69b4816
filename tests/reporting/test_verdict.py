"""What the first sentence of a report says, for every way in which the files of a network may stand."""

import pytest
from report_kinds import measurement

from edgedigits.reporting.standing import Standing, State
from edgedigits.reporting.verdict import judge


def standing(
    name: str, state: State = "passes", size: int = 1_000, p50: float | None = None, **more
) -> Standing:
    verification = {
        "correct": 990, "images": 1_000, "interval_percent": [98.2, 99.4], "difference_points": -0.1, "fixed": 1,
        "broken": 2, "mcnemar_p": 1.0, "agreement_percent": 99.0, "largest_probability_difference": 0.5,
        "max_drop_points": more.pop("max_drop", 0.02), "passed": state == "passes",
    }  # fmt: skip
    receipt = {"sha256": "0" * 64, "bytes": size, "calibration": None, "verification": verification, **more}
    row = None if p50 is None else measurement({name: p50}).rows[0]
    return Standing(name, receipt, state, "" if state == "passes" else f"is {state}", row)  # type: ignore[arg-type]


def many(state: State, count: int) -> list[Standing]:
    return [standing(f"{state}{index}.onnx", state) for index in range(count)]


@pytest.mark.parametrize(
    ("standings", "kind", "sentence"),
    [
        ([], "bad", "No file has been exported yet; there is none to take."),
        ([standing("a.onnx")], "good", "The only file passes; take a.onnx."),
        ([standing("a.onnx"), standing("b.c")], "good", "Both files pass; take a.onnx."),
        ([*many("passes", 11), standing("z.c")], "good", "All 12 files pass; take passes0.onnx."),
        (
            [standing("a.onnx"), standing("b.c", "fails")],
            "mixed",
            "1 of 2 files passes; b.c fails the gate; take a.onnx.",
        ),
        (
            [*many("passes", 9), *many("fails", 3)],
            "mixed",
            "9 of 12 files pass; fails0.onnx, fails1.onnx and fails2.onnx fail the gate; take passes0.onnx.",
        ),
        (
            [*many("passes", 2), *many("fails", 4), standing("m.c", "missing"), standing("c.c", "changed")],
            "mixed",
            (
                "2 of 8 files pass; fails0.onnx, fails1.onnx and 2 others fail the gate; c.c is not the file that was "
                "judged; m.c is no longer in the folder; take passes0.onnx."
            ),
        ),
        ([standing("a.onnx", "fails")], "bad", "The only file, a.onnx, fails the gate; take none."),
        (
            many("fails", 2),
            "bad",
            "Neither of the 2 files passes; fails0.onnx and fails1.onnx fail the gate; take none.",
        ),
        (
            many("outdated", 5),
            "bad",
            (
                "None of the 5 files passes; outdated0.onnx, outdated1.onnx and 3 others were made from an earlier "
                "network of this name; take none."
            ),
        ),
    ],
    ids=[
        "none",
        "one",
        "two",
        "twelve",
        "one of two",
        "three fail",
        "each kind",
        "only fails",
        "both fail",
        "outdated",
    ],
)
def test_the_sentence_says_what_the_gates_say(standings: list[Standing], kind: str, sentence: str) -> None:
    verdict = judge("digits", standings)
    assert (verdict.kind, verdict.sentence) == (kind, sentence)
    assert bool(verdict.choices) == any(each.passes for each in standings)
    # Who can take no file is told what to do.
    assert bool(verdict.command) == (not verdict.choices)


@pytest.mark.parametrize(
    ("standings", "taken"),
    [
        ([standing("a.c"), standing("a.tflite"), standing("a.ort"), standing("a.onnx")], "a.onnx"),
        ([standing("a.tflm.c"), standing("a.c"), standing("a.html")], "a.c"),
        ([standing("a.onnx", "fails"), standing("a.tflite"), standing("a.c")], "a.tflite"),
        ([standing("a.onnx", size=400), standing("a.int8.onnx", size=100)], "a.int8.onnx"),
        ([standing("a.onnx", size=400, p50=1), standing("a.int8.onnx", size=100, p50=1.4)], "a.int8.onnx"),
        ([standing("a.onnx", size=400, p50=1), standing("a.int8.onnx", size=100, p50=1.6)], "a.onnx"),
        ([standing("a.dynamic.onnx", size=100), standing("a.int8.onnx", size=104)], "a.int8.onnx"),
        ([standing("a.dynamic.onnx", size=100, p50=1), standing("a.int8.onnx", size=104, p50=1.2)], "a.dynamic.onnx"),
    ],
    ids=["formats", "boards", "one fails", "smaller", "hardly slower", "much slower", "as small", "as small, slower"],
)  # fmt: skip
def test_the_file_to_take(standings: list[Standing], taken: str) -> None:
    verdict = judge("a", standings)
    assert verdict.choices[0].standing.name == taken
    assert verdict.sentence.endswith(f"take {taken}.")


def test_every_use_has_the_file_that_fits_it() -> None:
    names = ("a.onnx", "a.tflite", "a.ort", "a.c", "a.tflm.c", "a.html")
    verdict = judge("a", [standing(name) for name in reversed(names)])
    assert [choice.standing.name for choice in verdict.choices] == list(names)
    assert len({choice.use for choice in verdict.choices}) == len(names)


def test_a_file_for_boards_says_what_it_takes_of_the_smallest() -> None:
    large = {"cpu": "cortex-m3", "optimization": "-O2", "flash": 9_000, "ram": 300}
    small = {"cpu": "cortex-m0", "optimization": "-Os", "flash": 8_000, "ram": 200}
    why = judge("a", [standing("a.c", firmware=[large, small])]).why
    assert "8,000 bytes of flash and 200 of RAM on cortex-m0 (-Os)" in why


def test_reasons_are_said_once_for_all_files_that_share_them() -> None:
    verdict = judge("a", [standing("a.onnx"), *many("fails", 3)])
    assert verdict.notices == ("fails0.onnx, fails1.onnx and fails2.onnx: is fails.",)


def test_a_gate_that_was_widened_is_said_to_be() -> None:
    verdict = judge("a", [standing("a.onnx", max_drop=5.0), standing("a.ort")])
    (notice,) = verdict.notices
    assert notice.startswith("a.onnx was judged by a wider gate than usual: a loss of up to 5.00 points")
    assert judge("a", [standing("a.onnx"), standing("a.int8.onnx", max_drop=0.2)]).notices == ()


def test_a_file_that_its_gate_may_have_dropped_is_named_where_most_are_there() -> None:
    rows = (
        "tflite",
        "float16.tflite",
        "dynamic.tflite",
        "onnx",
        "float16.onnx",
        "dynamic.onnx",
        "ort",
        "c",
        "tflm.c",
    )
    there = [standing(f"a.{row}") for row in rows]
    (notice,) = judge("a", there).notices
    assert notice.endswith(": a.int8.tflite, a.int8.onnx and a.int8.ort.")
    assert judge("a", there[:3]).notices == ()
