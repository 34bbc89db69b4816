"""What a comparison found as tables and sentences, that the terminal and Markdown show alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgedigits.comparing.manifests import ManifestComparison, RecordChange
from edgedigits.comparing.result import ClassChange, Comparison, Cost, CostChange
from edgedigits.printable import one_line
from edgedigits.reporting.markdown import escaped
from edgedigits.reporting.tables import Row, Table, to_markdown

NOTHING = "-"
MANIFESTS_KNOW = (
    "Manifests know how many images a file reads right, and not which: intervals are those of files that share no "
    "mistake, the widest there are. Compare the files themselves to know more."
)


@dataclass(frozen=True)
class Page:
    """All that is shown of a comparison."""

    verdicts: tuple[str, ...]
    """What was found, in words; what matters most comes first."""
    subjects: tuple[str, ...]
    """What was compared."""
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    """What has to be known to read the tables."""


def page(found: Comparison) -> Page:
    """Write down a comparison of two files."""
    tables = [
        Table(
            f"{found.dataset}, {found.difference.images:,} test images",
            ("", "old", "new", "change"),
            tuple(_figures(found)),
        ),
        Table(
            "by class of the truth",
            ("class", "images", "old", "new", "points", "fixed", "broken", "p (Holm)"),
            tuple(_class_row(change) for change in found.classes),
        ),
    ]
    if found.costs:
        tables.append(_cost_table(found.costs))
    gate = [f"gate: {found.judgement}"] if found.judgement is not None else []
    return Page(
        verdicts=(*found.sentences(), *gate),
        subjects=tuple(
            f"{name}: {side.file} ({side.precision}, {side.runtime}, sha256 {side.sha256[:12]})"
            for name, side in (("old", found.old), ("new", found.new))
        ),
        tables=tuple(tables),
        notes=() if found.machine is None else (str(found.machine),),
    )


def manifest_page(found: ManifestComparison) -> Page:
    """Write down a comparison of two manifests."""
    rows = tuple(_record_row(change) for change in found.changes)
    table = Table(
        f"{found.dataset}, {found.changes[0].difference.images:,} test images",
        ("file", "old", "new", "points", "95 % at most", "verdict"),
        rows,
    )
    sizes = Table(
        "bytes, and expected calibration error (ECE)",
        ("file", "old bytes", "new bytes", "old ECE", "new ECE"),
        tuple(
            (
                change.file,
                *(_whole(record.bytes) for record in (change.old, change.new)),
                *(_error(record.expected_calibration_error) for record in (change.old, change.new)),
            )
            for change in found.changes
        ),
    )
    costs = [
        _cost_table(change.costs, f"{change.file} ")
        for change in found.changes
        if any(cost.old != cost.new for cost in change.costs)
    ]
    return Page(
        verdicts=tuple(_record_sentences(found)),
        subjects=(f"old: {found.old}", f"new: {found.new}"),
        tables=(table, sizes, *costs),
        notes=(MANIFESTS_KNOW,),
    )


def to_markdown_page(shown: Page, title: str, *, passed: bool | None) -> str:
    """Write a page for a pull request.

    Args:
        shown: what is on it.
        title: one line.
        passed: whether the gate lets the new model through; None where there is no gate.
    """
    mark = {True: "passed", False: "FAILED", None: "compared"}[passed]
    lines = [f"### {_plain(title)}: {mark}", "", *(f"- {_plain(line)}" for line in shown.verdicts), ""]
    for table in shown.tables[:1]:
        lines += [*_markdown_table(table), ""]
    lines += ["<details><summary>More</summary>", "", *(f"- {_plain(line)}" for line in shown.subjects), ""]
    for table in shown.tables[1:]:
        lines += [*_markdown_table(table), ""]
    lines += [*(f"{_plain(line)}" for line in shown.notes), "", "</details>", ""]
    return "\n".join(lines)


def _markdown_table(table: Table) -> list[str]:
    return [f"{_plain(table.title)}", "", to_markdown(table.header, table.rows)]


def _plain(text: str) -> str:
    return str(escaped(one_line(text)))


def _figures(found: Comparison) -> Iterable[Row]:
    old, new, difference = found.old, found.new, found.difference
    yield (
        "accuracy",
        *(f"{side.accuracy.percent:.2f} %" for side in (old, new)),
        f"{difference.points:+.2f} points",
    )
    yield (
        "95 % interval",
        *(f"{side.accuracy.low:.2f} to {side.accuracy.high:.2f}" for side in (old, new)),
        f"{difference.low:+.2f} to {difference.high:+.2f}",
    )
    yield (
        "right in one only",
        f"{difference.broken} broken",
        f"{difference.fixed} fixed",
        f"p = {difference.p_value:.2g}",
    )
    yield "same class", "", "", f"{found.agreement:.2f} %"
    errors = [side.expected_calibration_error for side in (old, new)]
    yield "calibration error", *(f"{error:.4f}" for error in errors), f"{errors[1] - errors[0]:+.4f}"
    yield "bytes", *(f"{side.bytes:,}" for side in (old, new)), _times(new.bytes / old.bytes)
    if (latency := found.latency) is not None:
        yield (
            "latency, p50",
            *(f"{one.p50:.1f} us" for one in (latency.old, latency.new)),
            _times(latency.ratio),
        )
        is_same = "" if latency.is_significant else "~ "
        yield "95 % interval", "", "", f"{is_same}{latency.low:.3g} to {latency.high:.3g}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio >= 0.1 else f"{ratio:.2g} times"


def _class_row(change: ClassChange) -> Row:
    difference = change.difference
    return (
        change.name,
        f"{difference.images:,}",
        f"{change.old_correct:,}",
        f"{change.new_correct:,}",
        f"{difference.points:+.2f}",
        f"{difference.fixed}",
        f"{difference.broken}",
        f"{change.p_holm:.2g}",
    )


def _cost_table(costs: Sequence[CostChange], title: str = "") -> Table:
    """Show what C code costs, compiled to be small where that was measured; JSON has all."""
    shown = [change for change in costs if change.optimization == "-Os"] or costs
    return Table(
        f"{title}on microcontrollers, by the manifests, old -> new",
        ("processor", "bytes of flash", "bytes of RAM", "1,000 instructions"),
        tuple(
            (
                f"{change.cpu} {change.entry.removeprefix('edgedigits_')}",
                f"{_cost(change.old, 'flash')} -> {_cost(change.new, 'flash')}",
                f"{_cost(change.old, 'ram')} -> {_cost(change.new, 'ram')}",
                f"{_thousands(change.old)} -> {_thousands(change.new)}",
            )
            for change in shown
        ),
    )


def _cost(cost: Cost | None, figure: str) -> str:
    return NOTHING if cost is None else _whole(getattr(cost, figure))


def _thousands(cost: Cost | None) -> str:
    count = None if cost is None else cost.instructions
    return NOTHING if count is None else f"{count / 1000:,.0f}"


def _whole(count: int | None) -> str:
    return NOTHING if count is None else f"{count:,}"


def _error(error: float | None) -> str:
    return NOTHING if error is None else f"{error:.4f}"


def _record_row(change: RecordChange) -> Row:
    difference = change.difference
    return (
        change.file,
        *(f"{record.accuracy.percent:.2f} %" for record in (change.old, change.new)),
        f"{difference.points:+.2f}",
        f"{difference.low:+.2f} to {difference.high:+.2f}",
        change.verdict,
    )


def _record_sentences(found: ManifestComparison) -> Iterable[str]:
    for change in found.changes:
        if change.verdict in ("better", "worse"):
            yield (
                f"{change.file}: {change.verdict} by {abs(change.difference.points):.2f} points, whichever images "
                f"are changed (p at most {change.difference.p_value:.2g})"
            )
    unknown = [change.file for change in found.changes if change.verdict == "unknown"]
    tied = [change.file for change in found.changes if change.verdict == "tied"]
    if tied:
        yield f"tied, whichever images are changed: {', '.join(tied)}"
    if unknown:
        yield f"cannot be told from manifests: {', '.join(unknown)}"
    for change in found.changes:
        if change.judgement is not None:
            yield f"gate, {change.file}: {change.judgement}"
    for what, names in (("missing in the new one", found.missing), ("new", found.added)):
        if names:
            yield f"{what}: {', '.join(names)}"
