"""Whether a loss that is allowed was exceeded: proven either way by the interval of the difference, or open."""

from dataclasses import dataclass
from typing import Literal

from edgedigits.comparing.paired import Difference

Outcome = Literal["pass", "fail", "open"]


@dataclass(frozen=True)
class Judgement:
    """What the images say of the loss that is allowed."""

    max_loss: float
    """Percentage points of accuracy that may be lost."""
    is_strict: bool
    """Whether what is open fails as well."""
    outcome: Outcome
    """``fail``: the whole interval of the difference says that more is lost than may be. ``pass``: the whole interval
    says that no more is. ``open``: it holds losses of both kinds, and the images cannot tell."""
    largest_loss: float
    """The largest loss that the interval holds, in points; negative where all of it is a gain."""

    @property
    def passed(self) -> bool:
        """Whether the gate lets the new model through."""
        return self.outcome == "pass" or (self.outcome == "open" and not self.is_strict)

    def __str__(self) -> str:
        allowed, most = f"{self.max_loss:g} points", f"{max(self.largest_loss, 0.0):.2f} points"
        ends = "FAIL" if self.is_strict else "pass"
        return {
            "pass": f"pass: at 95 % confidence no more than {most} are lost, allowed are {allowed}",
            "fail": f"FAIL: at 95 % confidence more than {allowed} are lost",
            "open": f"{ends}, unproven: up to {most} may be lost, allowed are {allowed}, "
            "and these images cannot tell which it is",
        }[self.outcome]


def judge(difference: Difference, max_loss: float, *, is_strict: bool) -> Judgement:
    """Hold a difference against the loss that is allowed.

    A gate that fails by chance is soon ignored: it fails only where the whole 95 % interval lies beyond the margin, and
    the exact test calls the two models different. Equal models come to that once in forty times at most, whatever the
    margin is, for the exact test does.

    Args:
        difference: of the new model and the old one.
        max_loss: in percentage points, 0 or more.
        is_strict: whether the new model has to prove that it lost no more (a test of non-inferiority).
    """
    largest_loss, least_loss = -difference.low, -difference.high
    outcome: Outcome = "open"
    if least_loss > max_loss and difference.is_significant:
        outcome = "fail"
    elif largest_loss <= max_loss:
        outcome = "pass"
    return Judgement(max_loss, is_strict, outcome, largest_loss)
