"""From which lead over the second on the answers of a file are sure: right at least 999 times in 1,000.

The least lead is fitted for each file to its own answers, to images that training held out and to drawn digits, which
are further from MNIST than its own test images and closer to what other people write. Neither were seen in training:
drawn digits follow from a seed that no run has.

A lead that fewer images have than the largest share of wrong answers can be seen in proves nothing.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgedigits.contract import LABELS
from edgedigits.datasets.split import Split
from edgedigits.margins import LARGEST_STEP, NEVER, leads_in_steps
from edgedigits.measuring.metrics import Probabilities
from edgedigits.metadata import SureReceipt
from edgedigits.picture.levels import Pixels
from edgedigits.progress import Progress
from edgedigits.training.drawn import draw_digits

WRONG_IN = 1_000
"""At most one wrong answer in so many that are sure; fewer answers than that show nothing."""
DRAWN = 20_000
"""Drawn digits, four times as many as a run holds out by default, drawn in half a second. One in 1,000 of 5,000 images
is a handful, which chance decides: three networks that differ in nothing but their seed got leads from 229 to 251 with
5,000 drawn digits, from 242 to 247 with 20,000."""
SEED = tuple(b"sure")
"""Of their generator. Those of training are drawn from another sequence, whatever seed a run has."""


@dataclass(frozen=True)
class SureImages:
    """What a least lead is fitted to: held-out images, and behind them drawn digits."""

    images: Pixels
    """Shape (n, 28, 28)."""
    labels: npt.NDArray[np.uint8]
    """Shape (n,)."""
    drawn: int
    """How many of them, the last ones, are drawn."""


def sure_images(split: Split, held_out: npt.NDArray[np.int64]) -> SureImages:
    """Gather the images that least leads are fitted to.

    Args:
        split: the training images.
        held_out: indices of those that were not fitted on.

    Returns:
        These, and as far as the classes are digits, drawn ones.
    """
    images, labels = split.images[held_out], split.labels[held_out]
    if split.class_names != LABELS:
        return SureImages(images, labels, 0)
    drawn, digits = _drawn()
    return SureImages(np.concatenate([images, drawn]), np.concatenate([labels, digits]), len(drawn))


@functools.cache
def _drawn() -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Return the drawn digits, of which every export takes the same."""
    return draw_digits(DRAWN, np.random.default_rng(SEED))


def fit_least_lead(judges: SureImages, answers: Probabilities) -> SureReceipt:
    """Return the least lead whose answers are right often enough.

    Where none is, for the drawn digits or because there are few images, it is the largest lead that there is, as long
    as the held-out images do not speak against that one too. Else it is one that no answer has.

    Args:
        judges: the images.
        answers: of the file, float32 (n, 10).
    """
    # What is no probability is refused wherever the file is read; here it only must not stop the others.
    answers = np.clip(np.nan_to_num(answers), 0, 1)
    leads, right = leads_in_steps(answers), answers.argmax(axis=1) == judges.labels
    held_out = len(right) - judges.drawn
    answered, correct = _counts(leads, right)
    enough = (answered >= WRONG_IN) & (WRONG_IN * (answered - correct) <= answered)
    if enough[1:].any():
        least = 1 + int(enough[1:].argmax())
        return SureReceipt(least, held_out, judges.drawn, int(answered[least]), int(correct[least]))
    with_largest, correct_of_these = (
        int(counts[LARGEST_STEP]) for counts in _counts(leads[:held_out], right[:held_out])
    )
    speaks_against = WRONG_IN * (with_largest - correct_of_these) > with_largest
    least = NEVER if speaks_against else LARGEST_STEP
    return SureReceipt(least, held_out, 0, with_largest, correct_of_these)


def _counts(
    leads: npt.NDArray[np.int64], right: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many answers have each lead or more, and how many of them are right: int64 (256,) each."""
    by_lead = (np.bincount(chosen, minlength=LARGEST_STEP + 1) for chosen in (leads, leads[right]))
    answered, correct = (counts[::-1].cumsum()[::-1] for counts in by_lead)
    return answered, correct


def note_sure(file: str, receipt: SureReceipt, judges: SureImages, progress: Progress) -> None:
    """Say what a user should know of a file's least lead."""
    if note := sure_note(receipt, judges):
        progress.note(f"{file}: {note}")


def sure_note(receipt: SureReceipt, judges: SureImages) -> str | None:
    """Return what a user should know of a file's least lead; None where it is right often enough on all images."""
    if receipt.min_margin == NEVER:
        return (
            f"none of its answers is sure: of {receipt.answered:,} with the largest lead, {LARGEST_STEP}/{NEVER}, "
            f"{receipt.answered - receipt.right:,} are wrong"
        )
    wrong = receipt.answered - receipt.right
    if receipt.drawn == judges.drawn and WRONG_IN <= receipt.answered >= WRONG_IN * wrong:
        return None
    why = (
        f"drawn digits, of which there were {judges.drawn:,}"
        if judges.drawn
        else f"{receipt.images:,} images"
    )
    return (
        f"no lead makes its answers right {WRONG_IN - 1} times in {WRONG_IN:,} on {why}: only those with the largest, "
        f"{LARGEST_STEP}/{NEVER}, are sure"
    )
