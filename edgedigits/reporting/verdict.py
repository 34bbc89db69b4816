"""The verdict of a report, in words: which files pass, which one to take, and why."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgedigits.format_table import PRECISIONS
from edgedigits.reporting.standing import Standing, State, missing_files

USES = {
    "onnx": "Python, servers, a Raspberry Pi",
    "tflite": "Android, iOS, and where LiteRT runs",
    "ort": "Small builds of onnxruntime",
    "c": "Microcontrollers, in plain C",
    "tflm": "Microcontrollers with TensorFlow Lite Micro",
    "page": "Browsers, without a server",
}
"""What files of each format are for, the most common use first: a file of the first that has one is recommended."""

QUICK_ENOUGH = 1.5
"""Times the latency of the quickest file of its format that a smaller one may have and still be taken."""
AS_SMALL = 1.05
"""Times the bytes of the smallest file that one may have and be as small."""
MOST_NAMES = 3
"""File names in one sentence."""
MOST_NOTICES = 4
_SAID: dict[State, tuple[str, str]] = {
    "fails": ("fails the gate", "fail the gate"),
    "changed": ("is not the file that was judged", "are not the files that were judged"),
    "missing": ("is no longer in the folder", "are no longer in the folder"),
    "outdated": (
        "was made from an earlier network of this name",
        "were made from an earlier network of this name",
    ),
}
"""What is said of one file in a state, and of several."""


@dataclass(frozen=True)
class Choice:
    """The file to take for one use."""

    use: str
    standing: Standing
    why: str


@dataclass(frozen=True)
class Verdict:
    """What a reader should do, and on what grounds."""

    kind: Literal["good", "mixed", "bad"]
    """All files pass; some do; none does, or there is none."""
    sentence: str
    why: str
    command: str
    """What to do where no file can be taken; else empty."""
    notices: tuple[str, ...]
    """By what other files failed, which gates were widened, and what is not there."""
    choices: tuple[Choice, ...]
    """A file for each use, the recommended one first; empty where none can be recommended."""


def judge(name: str, standings: Sequence[Standing]) -> Verdict:
    """Say of the exported files of a network which pass and which one to take.

    Args:
        name: of the network.
        standings: of its exported files.
    """
    if not standings:
        why = "Make some; each is judged on all test images before it is put in place:"
        sentence = "No file has been exported yet; there is none to take."
        return Verdict("bad", sentence, why, _export(name), (), ())
    choices = _choices([standing for standing in standings if standing.passes])
    passing = sum(standing.passes for standing in standings)
    taken = f"take {choices[0].standing.name}" if choices else "take none"
    return Verdict(
        kind="bad" if not choices else "good" if passing == len(standings) else "mixed",
        sentence=f"{_counted(standings, passing)}; {taken}.",
        why=choices[0].why if choices else _advice(name, standings),
        command="" if choices else f"{_export(name)} --force",
        notices=(*_notices(standings), *_absent(name, standings)),
        choices=choices,
    )


def _counted(standings: Sequence[Standing], passing: int) -> str:
    """Say how many files pass, and what is wrong with the others."""
    count = len(standings)
    if count == 1:
        (only,) = standings
        return f"The only file{' passes' if only.passes else f', {only.name}, {_SAID[only.state][0]}'}"
    if passing == count:
        return "Both files pass" if count == 2 else f"All {count} files pass"
    if passing:
        start = f"{passing} of {count} files {'passes' if passing == 1 else 'pass'}"
    else:
        start = f"{'Neither' if count == 2 else 'None'} of the {count} files passes"
    return "; ".join([start, *_wrong(standings)])


def _wrong(standings: Sequence[Standing]) -> list[str]:
    """Say in a clause for each state but the good one which files are in it."""
    clauses = []
    for state, (one, several) in _SAID.items():
        names = [standing.name for standing in standings if standing.state == state]
        if names:
            clauses.append(f"{_listed(names)} {one if len(names) == 1 else several}")
    return clauses


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMES:
        names = [*names[: MOST_NAMES - 1], f"{len(names) - MOST_NAMES + 1} others"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _choices(passing: Sequence[Standing]) -> tuple[Choice, ...]:
    """Choose a file for each use that one passes for."""
    found = []
    for file_format, use in USES.items():
        candidates = [
            standing for standing in passing if standing.format and standing.format.name == file_format
        ]
        if candidates:
            chosen = _smallest_of_the_quick(candidates)
            found.append(Choice(use, chosen, _why(chosen, candidates)))
    return tuple(found)


def _smallest_of_the_quick(candidates: Sequence[Standing]) -> Standing:
    """Choose the smallest file that is not much slower than the quickest; of those that are as small, the quickest."""
    latencies = _latencies(candidates)
    quick = [
        standing
        for standing in candidates
        if not latencies or latencies[standing.name] <= QUICK_ENOUGH * min(latencies.values())
    ]
    least = min(standing.receipt["bytes"] for standing in quick)
    small = [standing for standing in quick if standing.receipt["bytes"] <= AS_SMALL * least]
    # Where nothing was measured, files of fewer bits come first: they are quicker nearly everywhere.
    return min(
        small, key=lambda each: (latencies.get(each.name, 0.0), -PRECISIONS.index(each.precision), each.name)
    )


def _latencies(candidates: Sequence[Standing]) -> dict[str, float]:
    """Return the median latencies of files by name; none unless all were measured."""
    found = {standing.name: standing.row.latency.p50 for standing in candidates if standing.row is not None}
    return found if len(found) == len(candidates) else {}


def _why(chosen: Standing, candidates: Sequence[Standing]) -> str:
    """Say what speaks for a file: how small, how accurate, how quick it is."""
    accuracy, points = chosen.accuracy, chosen.verification["difference_points"]
    parts = [
        f"{chosen.receipt['bytes']:,} bytes",
        f"{accuracy.percent:.2f} % of {accuracy.images:,} test images right ({points:+.2f} points)",
    ]
    if chosen.row is not None:
        parts.append(f"{chosen.row.latency.p50:,.1f} µs an image (p50)")
    if (board := _board(chosen)) is not None:
        parts.append(board)
    return f"{'; '.join(parts)}{_rule(chosen, candidates)}."


def _rule(chosen: Standing, candidates: Sequence[Standing]) -> str:
    """Say by which rule a file was chosen of several."""
    if len(candidates) == 1:
        return ""
    least = min(standing.receipt["bytes"] for standing in candidates)
    of_these = f"of the {len(candidates)} files of its format that pass"
    if chosen.receipt["bytes"] <= least:
        return f": the smallest {of_these}"
    if chosen.receipt["bytes"] <= AS_SMALL * least:
        quicker = ", and quicker" if chosen.row is not None else ""
        return f": within {100 * (AS_SMALL - 1):.0f} % of the smallest {of_these}{quicker}"
    return f": the smallest {of_these} and are at most {QUICK_ENOUGH} times as slow as the quickest"


def _board(standing: Standing) -> str | None:
    """Say what a C file takes of the smallest board; None where nothing was measured."""
    firmware = standing.receipt.get("firmware")
    if not firmware:
        return None
    least = min(firmware, key=lambda each: each["flash"])
    return f"{least['flash']:,} bytes of flash and {least['ram']:,} of RAM on {least['cpu']} ({least['optimization']})"


def _advice(name: str, standings: Sequence[Standing]) -> str:
    """Say what to do where no file may be taken."""
    if any(standing.state == "fails" for standing in standings):
        return (
            f"Until one does, {name}.keras is the network itself; a file of more bits loses less. To make them anew, "
            "each judged again:"
        )
    return "To make them anew, each judged on all test images:"


def _export(name: str) -> str:
    """Return the line that exports a network, in its folder."""
    return f"edgedigits export {shlex.quote(f'./{name}.keras')} --format all"


def _absent(name: str, standings: Sequence[Standing]) -> tuple[str, ...]:
    """Name files that are not among those that were judged, where most are: a gate may have dropped them."""
    absent = missing_files(name, standings)
    if not 0 < len(absent) < len(standings):
        return ()
    return (f"Not among them, never exported or dropped by the gate: {_listed(absent)}.",)


def _notices(standings: Sequence[Standing]) -> tuple[str, ...]:
    """Say by what files failed, and which of the others were judged less strictly than usual."""
    by_reason: dict[str, list[str]] = {}
    for standing in standings:
        if standing.state == "fails":  # Of the other states the sentence has said all.
            by_reason.setdefault(standing.why, []).append(standing.name)
    notices = [f"{_listed(names)}: {why}." for why, names in by_reason.items()]
    if len(notices) > MOST_NOTICES:
        others = sum(map(len, list(by_reason.values())[MOST_NOTICES - 1 :]))
        notices = [*notices[: MOST_NOTICES - 1], f"{others} others: see the table of the files."]
    widened = [standing for standing in standings if standing.passes and standing.gate_was_widened]
    if widened:
        most = max(standing.verification["max_drop_points"] for standing in widened)
        names = _listed([standing.name for standing in widened])
        judged = f"{names} {'was' if len(widened) == 1 else 'were'} judged"
        if len(widened) == len(standings) > 1:
            judged = "All were judged"
        notices.append(
            f"{judged} by a wider gate than usual: a loss of up to {most:.2f} points was allowed (--max-drop)."
        )
    return tuple(notices)
