"""What the gate found of files, and what was measured of others, as tables: a row per file."""

from collections.abc import Sequence

from edgedigits.measuring.foreign import ForeignFindings
from edgedigits.measuring.verify import Verification
from edgedigits.reporting.tables import Table

BRIEF = ("file", "accuracy", "95 % interval", "points", "fixed", "broken", "gate")
FOREIGN_BRIEF = ("file", "accuracy", "95 % interval", "takes", "gives")
LEGEND = {
    "points": "of accuracy, more (+) or less (-) than the network's own",
    "fixed": "images that only the file reads right",
    "broken": "images that only the network reads right",
    "p": "how often chance alone parts them as far (exact McNemar)",
    "agreement": "same answers, right or wrong",
    "max dp": "largest difference of a probability",
    "ECE": "expected calibration error: how far confidences are from the share that is right",
}


def verification_table(verifications: Sequence[Verification]) -> Table:
    """Write what the gate found; no rows where there is nothing."""
    header = (
        *("file", "accuracy", "95 % interval", "points", "fixed", "broken"),
        *("p", "agreement", "max dp", "ECE", "gate"),
    )
    return Table(
        _title(verifications[0]) if verifications else "", header, _rows(verifications), BRIEF, LEGEND
    )


def _title(first: Verification) -> str:
    return (
        f"{first.dataset}, {first.accuracy.images:,} test images; Keras {first.reference_accuracy.percent:.2f} %, "
        f"expected calibration error (ECE) {first.reference_expected_calibration_error:.4f}"
    )


def _rows(verifications: Sequence[Verification]) -> list[tuple[str, ...]]:
    return [
        (
            verification.file,
            f"{verification.accuracy.percent:.2f} %",
            f"{verification.accuracy.low:.2f} to {verification.accuracy.high:.2f}",
            f"{verification.comparison.difference:+.2f}",
            str(len(verification.comparison.fixed)),
            str(len(verification.comparison.broken)),
            f"{verification.comparison.p_value:.3g}",
            f"{verification.comparison.agreement:.2f} %",
            f"{verification.comparison.largest_probability_difference:.1e}",
            f"{verification.expected_calibration_error:.4f}",
            "pass" if verification.passed else "FAIL",
        )
        for verification in verifications
    ]


def foreign_table(measured: Sequence[ForeignFindings]) -> Table:
    """Write what was measured of models of other tools; no rows where there is nothing."""
    title = ""
    if measured:
        title = (
            "not made by edgedigits, and so without a gate: these files promise nothing; "
            f"{measured[0].dataset}, {measured[0].accuracy.images:,} test images"
        )
    return Table(
        title,
        ("file", "accuracy", "95 % interval", "points", "agreement", "max dp", "ECE", "takes", "gives"),
        [
            (
                found.file,
                f"{found.accuracy.percent:.2f} %",
                f"{found.accuracy.low:.2f} to {found.accuracy.high:.2f}",
                *_compared(found),
                f"{found.expected_calibration_error:.4f}",
                found.takes,
                found.gives,
            )
            for found in measured
        ],
        FOREIGN_BRIEF,
        LEGEND,
    )


def _compared(found: ForeignFindings) -> tuple[str, str, str]:
    comparison = found.comparison
    if comparison is None:
        return "-", "-", "-"
    return (
        f"{comparison.difference:+.2f}",
        f"{comparison.agreement:.2f} %",
        f"{comparison.largest_probability_difference:.1e}",
    )
