"""What a search found beside what it costs: the front of networks that nothing beats, and which are tied."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgedigits.measuring.metrics import mcnemar_p
from edgedigits.model_files.packed_size import PackedCost
from edgedigits.reporting.plots import FrontPoint
from edgedigits.searching.candidates import Priced
from edgedigits.searching.journal import Trial

SIGNIFICANT = 0.05
"""A p value below this tells two networks apart: 95 %."""
HEADER = (
    "network",
    "bits",
    "flash",
    "RAM",
    "instructions",
    "epochs",
    "accuracy",
    "95 % interval",
    "front",
    "tied",
)
BRIEF = ("network", "bits", "flash", "accuracy", "front", "tied")
LEGEND = {
    "bits": "of the weights",
    "flash": "bytes of code, tables and weights on a Cortex-M0",
    "RAM": "bytes besides the picture",
    "instructions": "for one picture",
    "epochs": "of its longest training",
    "accuracy": "of the validation images",
    "front": "nothing that was found is smaller and as accurate, or as small and more accurate",
    "tied": "the images cannot tell it from the chosen one (McNemar, 95 %)",
}


@dataclass(frozen=True)
class Found:
    """A network that was trained: what it costs, and what it came to in its longest schedule."""

    trial: Trial
    cost: PackedCost
    is_on_front: bool
    """Nothing that was found takes less flash and is as accurate, or as much and is more accurate."""
    is_tied: bool
    """Not told apart from the network that was chosen, by the images that only one of the two reads (McNemar, 95 %)."""
    is_chosen: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values, with accuracies in percent."""
        accuracy = self.trial.accuracy
        fields = {
            key: value for key, value in self.trial.to_dict().items() if key not in ("candidate", "wrong")
        }
        marks = {"front": self.is_on_front, "tied": self.is_tied, "chosen": self.is_chosen}
        return {
            **asdict(self.trial.candidate),
            **asdict(self.cost),
            **fields,
            "val_accuracy": {"percent": accuracy.percent, "low": accuracy.low, "high": accuracy.high},
            **marks,
        }

    def row(self) -> tuple[str, ...]:
        """Write it as text under ``HEADER``."""
        accuracy = self.trial.accuracy
        return (
            f"{self.trial.candidate.arch}{' (chosen)' if self.is_chosen else ''}",
            str(self.trial.candidate.bits),
            f"{self.cost.flash:,}",
            f"{self.cost.ram:,}",
            f"{self.cost.instructions:,}",
            str(self.trial.epochs),
            f"{accuracy.percent:.2f} %",
            f"{accuracy.low:.2f} to {accuracy.high:.2f}",
            "yes" if self.is_on_front else "",
            "yes" if self.is_tied else "",
        )

    def plotted(self) -> FrontPoint:
        """Return it as a point of the plot."""
        candidate = self.trial.candidate
        words = candidate.arch.replace(".bare", "").replace(".valid", "")
        return FrontPoint(
            label=f"{words}, {candidate.bits}",
            bytes=self.cost.flash,
            accuracy=self.trial.accuracy,
            epochs=self.trial.epochs,
            is_on_front=self.is_on_front,
            is_tied=self.is_tied,
            is_chosen=self.is_chosen,
        )


def found(trials: Iterable[Trial], priced: Sequence[Priced], chosen: Trial) -> tuple[Found, ...]:
    """Return what each network came to in its longest schedule, the smallest first.

    Args:
        trials: of the search, and of no other networks than those of ``priced``.
        priced: what they cost.
        chosen: the best.
    """
    longest: dict[Any, Trial] = {}
    for trial in sorted(trials, key=lambda trial: trial.epochs):
        longest[trial.candidate] = trial
    costs = dict(priced)
    pairs = sorted(
        ((trial, costs[trial.candidate]) for trial in longest.values()),
        key=lambda pair: (pair[1].flash, len(pair[0].wrong)),
    )
    return tuple(
        Found(
            trial,
            cost,
            is_on_front=not any(_beats((other, price), (trial, cost)) for other, price in pairs),
            is_tied=_is_tied(trial, chosen),
            is_chosen=trial == chosen,
        )
        for trial, cost in pairs
    )


def _beats(one: tuple[Trial, PackedCost], other: tuple[Trial, PackedCost]) -> bool:
    mine, theirs = (len(one[0].wrong), one[1].flash), (len(other[0].wrong), other[1].flash)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def _is_tied(trial: Trial, chosen: Trial) -> bool:
    mine, theirs = set(trial.wrong), set(chosen.wrong)
    return trial != chosen and mcnemar_p(len(mine - theirs), len(theirs - mine)) >= SIGNIFICANT
