"""Successive halving: which networks of a rung are trained for longer, and which is the best of the last.

K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016.
Every rung is a whole short schedule of its own, down to a learning rate of 0, so that its networks can be compared.
"""

from collections.abc import Sequence

from edgedigits.searching.candidates import SMALLER_SHARES, Candidate, Priced
from edgedigits.searching.journal import Trial


def survivors(trials: Sequence[Trial], priced: Sequence[Priced], keep: int, flash: int) -> list[Candidate]:
    """Return the networks with the least loss on the validation images, and the best ones of smaller shares of flash.

    The loss tells networks apart that differ by a few images in accuracy.

    Args:
        trials: of one rung.
        priced: what the networks cost.
        keep: how many of the best to return.
        flash: bytes of the budget.

    Returns:
        The best first; those of smaller shares stand at the end, where they are not among the best.
    """
    bytes_of = {candidate: cost.flash for candidate, cost in priced}
    ordered = [trial.candidate for trial in sorted(trials, key=lambda trial: trial.val_loss)]
    chosen = dict.fromkeys(ordered[:keep])
    for share in SMALLER_SHARES:
        smaller = [candidate for candidate in ordered if bytes_of[candidate] <= share * flash]
        chosen |= dict.fromkeys(smaller[:1])
    return list(chosen)


def best(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the most right answers on the validation images; of several that with the least loss."""
    return min(trials, key=lambda trial: (len(trial.wrong), trial.val_loss))
