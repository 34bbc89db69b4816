"""Which values a Keras network was trained on, found out from its answers to training images.

A ``.keras`` file without a Rescaling layer does not say it, and a wrong guess costs from a point to all of the
accuracy. Accuracy alone cannot tell: a network of ReLU layers with small biases reads pixels from 0 to 255 as well as
from 0 to 1. Its cross-entropy can: training made it small for the values that there were. Of the scalings that read
as well as the best, the one with the least cross-entropy is taken, where it is so by a margin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.records import InputScaleEntry
from edgedigits.datasets.split import Split
from edgedigits.errors import AccuracyError
from edgedigits.input_scale import (
    INPUT_SCALES,
    PER_IMAGE,
    RAW,
    STANDARDIZED,
    UNIT,
    ImageScale,
    InputScale,
    Pixels,
    Values,
    image_scales,
)
from edgedigits.measuring import metrics
from edgedigits.metadata import InputScaleReceipt

LEAST_ACCURACY = 50.0
"""Percent of right answers below which a network that ``train`` did not make counts as broken: chance is 10."""
TRIAL_IMAGES = 5_000
BEST_WITHIN = 1.0
"""Points of accuracy: what reads worse than the best by more was not trained on, if its cross-entropy is higher too."""
FAR_BEHIND = 2.5
"""Points of accuracy behind the best from which a cross-entropy says nothing any more."""
UNSURE = 0.25
"""A network was not trained on values for which its confidence is below its accuracy by more: ReLU layers without
biases read 1/255 of their own values as well, but hardly prefer one class to another."""
MARGIN = 1.1
"""Ratio of cross-entropies from which the smaller one is evidence. Of some hundred small networks trained on MNIST for
this, the briefly trained ones preferred other values, in proportion to their own, by a factor of up to 1.096."""
SMALL_MARGIN, SMALL_LEAD = 1.03, 0.2
"""Or so much, where accuracy leads by so many points too."""
LEARNED_BY_HEART = 0.02
"""Nats: below it a network knows its training images by heart, and any larger values make it surer still."""
BY_HEART_MARGIN = 3.0
"""Ratio of cross-entropies on moved images that tells 0..1 from 0..255 then. Twice the values at most double it."""

Answers = Callable[[Values], npt.NDArray[np.float32]]
"""The Keras network: from values float32 (n, 28, 28) to probabilities float32 (n, 10)."""


@dataclass(frozen=True)
class Trial:
    """How a network does on training images under one scaling."""

    scale: InputScale | ImageScale
    correct: int
    images: int
    cross_entropy: float
    """Of the labels, in nats, the mean over all images; so are the others."""
    first_cross_entropy: float
    """Of the file's first images alone: whoever trained on a part of the file trained on these."""
    drawn_cross_entropy: float
    """Of images drawn from all of the file."""
    moved_cross_entropy: float
    """Of the same images, each moved by one pixel: nobody was trained on these."""
    confidence: float
    """Mean probability of the answers, 0..1."""

    @property
    def accuracy(self) -> float:
        """Right answers in percent."""
        return 100.0 * self.correct / self.images

    def __str__(self) -> str:
        return f"{self.scale.name} {self.accuracy:.1f} % ({self.cross_entropy:.3g})"


@dataclass(frozen=True)
class InputChoice:
    """The values that a network is fed, and why."""

    scale: InputScale
    chosen: Literal["by hand", "declared", "by training images"]
    trials: tuple[Trial, ...]
    """Of all scalings, the best accuracy first."""

    @property
    def trial(self) -> Trial:
        """The one of the scale that was chosen."""
        return next(trial for trial in self.trials if trial.scale.name == self.scale.name)

    def note(self, file: str) -> str:
        """Say it in one line."""
        trial = self.trial
        how = {"by hand": "given", "declared": "declares", "by training images": "trained on"}[self.chosen]
        line = f"{file}: {how} pixels {self.scale.about} ({trial.accuracy:.1f} % of {trial.images:,} training images)"
        others = [other for other in self.trials if other.scale.name != self.scale.name]
        compared = next((other for other in others if other.scale.name == UNIT.name), others[0])
        if self.chosen == "by hand":
            compared = others[0]
        return f"{line}; {_spoken(compared.scale)} gives {compared.accuracy:.1f} %"

    @property
    def receipt(self) -> InputScaleReceipt | None:
        """What exported files say of it; nothing where the network itself says what it takes."""
        if self.chosen == "declared":
            return None
        return InputScaleReceipt(self.scale.name, self.chosen, self.trial.correct, self.trial.images)

    def to_dict(self, weights_sha256: str) -> InputScaleEntry:
        """Return what the manifest keeps of it."""
        return {
            "name": self.scale.name,
            "factor": self.scale.factor,
            "offset": self.scale.offset,
            "chosen": self.chosen,
            "weights_sha256": weights_sha256,
            "training_images": self.trial.images,
            "trials": {
                trial.scale.name: {
                    "correct": trial.correct,
                    "cross_entropy": float(f"{trial.cross_entropy:.4g}"),
                }
                for trial in self.trials
            },
        }


def choose_input_scale(
    path: Path,
    answers: Answers,
    split: Split,
    *,
    declared: bool,
    by_hand: InputScale | None = None,
    is_sigmoid: bool = False,
) -> InputChoice:
    """Find out what a network was trained on, or check what it declares or somebody says.

    Args:
        path: of the ``.keras`` file, for messages.
        answers: the network.
        split: training images with labels.
        declared: whether it has a Rescaling layer, and so takes pixels from 0 to 255.
        by_hand: what the user says it takes.
        is_sigmoid: whether its answers are ten sigmoids, which do not sum to 1.

    Raises:
        AccuracyError: it answers by chance, or it is not clear what it was trained on, or that cannot be folded into
            a file; the message has the figures.
    """
    trials = try_scales(answers, split, is_sigmoid=is_sigmoid)
    given = by_hand or (RAW if declared else None)
    if given is not None:
        choice = InputChoice(given, "by hand" if by_hand else "declared", trials)
        _check_given(path, choice)
        return choice
    if trials[0].accuracy < LEAST_ACCURACY:
        raise AccuracyError(
            f"{path}: expected a network that reads at least {LEAST_ACCURACY:.0f} % of {trials[0].images:,} training "
            f"images under some input scale, found at best {_table(trials)}; train it on these images, or put a "
            "Rescaling layer first that makes of pixels from 0 to 255 what it was trained on"
        )
    best, rival = judge(trials)
    if rival is not None:
        raise AccuracyError(
            f"{path}: not clear whether it was trained on pixels {best.scale.about} or {rival.scale.about}: accuracy "
            f"(cross-entropy) on {best.images:,} training images {_table(trials)}; {_remedy([best, rival])}"
        )
    if isinstance(best.scale, ImageScale):
        raise AccuracyError(
            f"{path}: trained on pixels {best.scale.about} ({best.accuracy:.1f} % of {best.images:,} training images), "
            f"which cannot be folded into a file that takes pixels from 0 to 255: accuracy (cross-entropy) "
            f"{_table(trials)}; train it without that, on pixels times a constant such as 1/255, or accept less "
            "with --input-scale NAME"
        )
    return InputChoice(best.scale, "by training images", trials)


def try_scales(answers: Answers, split: Split, *, is_sigmoid: bool = False) -> tuple[Trial, ...]:
    """Ask a network about training images under every scaling; the best accuracy first."""
    losses_of = _losses_of_sigmoids if is_sigmoid else _losses
    images, labels, first = _trial_images(split)
    moved = _moved(images)
    trials = []
    scales: list[InputScale | ImageScale] = [*INPUT_SCALES.values(), *image_scales(split.images)]
    for scale in scales:
        # A network of huge weights may answer NaN to values it was not made for: as good as no answer.
        probabilities = np.nan_to_num(answers(scale.values(images)))
        losses = losses_of(probabilities, labels)
        found = metrics.accuracy(labels, probabilities.argmax(axis=1))
        trials.append(
            Trial(
                scale,
                found.correct,
                found.images,
                float(losses.mean()),
                float(losses[:first].mean()),
                float(losses[first:].mean()),
                float(losses_of(np.nan_to_num(answers(scale.values(moved))), labels).mean()),
                float(probabilities.max(axis=1).mean()),
            )
        )
    return tuple(sorted(trials, key=lambda trial: (-trial.correct, trial.cross_entropy)))


def judge(trials: Sequence[Trial]) -> tuple[Trial, Trial | None]:
    """Return the scaling that a network was trained on, and another that may be it just as well, if there is one."""
    top = max(trial.accuracy for trial in trials)
    possible = [trial for trial in trials if trial.accuracy >= top - FAR_BEHIND]
    sure = [trial for trial in possible if trial.confidence >= trial.accuracy / 100 - UNSURE]
    # Where a network is unsure of everything, its confidence tells nothing.
    possible = sure if any(trial.accuracy >= top - BEST_WITHIN for trial in sure) else possible
    contenders = [trial for trial in possible if trial.accuracy >= top - BEST_WITHIN]
    by_heart = [trial for trial in contenders if trial.cross_entropy < LEARNED_BY_HEART]
    if len(by_heart) > 1:
        best, second = sorted(by_heart, key=lambda trial: trial.moved_cross_entropy)[:2]
        margin = 1.0 if _of_one_size(best, second) else BY_HEART_MARGIN
        told = second.moved_cross_entropy >= margin * best.moved_cross_entropy
        return best, None if told else second
    best = min(contenders, key=lambda trial: trial.cross_entropy)
    rivals = [trial for trial in possible if trial is not best and not _clearly_better(best, trial)]
    return best, min(rivals, key=lambda trial: trial.cross_entropy, default=None)


def _clearly_better(best: Trial, other: Trial) -> bool:
    """Tell whether ``best`` is what a network was trained on, if it is one of the two."""
    lead = best.accuracy - other.accuracy
    ratio = other.cross_entropy / max(best.cross_entropy, 1e-12)
    if lead > BEST_WITHIN:
        return ratio >= SMALL_MARGIN
    margin = 1.0 if _of_one_size(best, other) else MARGIN
    if not (ratio >= margin or (ratio >= SMALL_MARGIN and lead >= SMALL_LEAD)):
        return False
    first, *unseen = (
        (best.first_cross_entropy, other.first_cross_entropy),
        (best.drawn_cross_entropy, other.drawn_cross_entropy),
        (best.moved_cross_entropy, other.moved_cross_entropy),
    )
    if first[0] > MARGIN * first[1] and first[0] < LEARNED_BY_HEART:
        return all(others >= BY_HEART_MARGIN * own for own, others in unseen)
    # Where one kind of images says the contrary, the network was fitted too closely to tell.
    return all(own <= MARGIN * others for own, others in (first, *unseen))


def _of_one_size(one: Trial, other: Trial) -> bool:
    """Tell whether two scalings give values of one size on the whole: the margins are for those that do not.

    A network that was trained briefly is surer, and so seems better, with larger values, one trained for too long with
    smaller ones.
    """
    return {one.scale.name, other.scale.name} == {STANDARDIZED, PER_IMAGE}


def _check_given(path: Path, choice: InputChoice) -> None:
    """Refuse a scale that the network's answers plainly contradict."""
    trial, best = choice.trial, choice.trials[0]
    said = "its Rescaling layer takes" if choice.chosen == "declared" else "--input-scale says"
    lost = best.accuracy - trial.accuracy
    remedy = _remedy([best]) if best.accuracy >= LEAST_ACCURACY else "train it on these images"
    if trial.accuracy < LEAST_ACCURACY:
        raise AccuracyError(
            f"{path}: expected a network that reads at least {LEAST_ACCURACY:.0f} % of {trial.images:,} training "
            f"images, found {trial.accuracy:.1f} % with pixels {trial.scale.about}, as {said}; tried: "
            f"{_table(choice.trials)}; {remedy}"
        )
    if choice.chosen == "declared" and lost > FAR_BEHIND and judge(choice.trials) == (best, None):
        raise AccuracyError(
            f"{path}: expected it to read training images best with pixels {trial.scale.about}, as {said}, found "
            f"{trial.accuracy:.1f} %, but {best.accuracy:.1f} % with pixels {best.scale.about}: "
            f"{_table(choice.trials)}; {_remedy([best, trial])}"
        )


def _remedy(likely: Sequence[Trial]) -> str:
    names = [trial.scale.name for trial in likely if isinstance(trial.scale, InputScale)]
    options = " or ".join(f"--input-scale {name}" for name in names) or "--input-scale NAME"
    return f"say which with {options}"


def _table(trials: Sequence[Trial]) -> str:
    return ", ".join(map(str, trials))


def _spoken(scale: InputScale | ImageScale) -> str:
    return scale.about.removeprefix("from ")


def _trial_images(split: Split) -> tuple[Pixels, npt.NDArray[np.int64], int]:
    """Return images, labels, and how many of them are the file's first; the rest is drawn from what follows."""
    count = len(split.images)
    first = min(TRIAL_IMAGES, count) // 2
    rest = np.random.default_rng(0).permutation(np.arange(first, count))[: TRIAL_IMAGES - first]
    indices = np.concatenate([np.arange(first), np.sort(rest)])
    return split.images[indices], split.labels[indices].astype(np.int64), first


def _moved(images: Pixels) -> Pixels:
    """Move each image by one pixel: right, down, left and up in turn."""
    moved = np.empty_like(images)
    for turn, (axis, step) in enumerate(((2, 1), (1, 1), (2, -1), (1, -1))):
        moved[turn::4] = np.roll(images[turn::4], step, axis=axis)
    return moved


def _losses(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the cross-entropy of every label, in nats; a probability of 0 counts as the smallest float32."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    losses: npt.NDArray[np.float64] = -np.log(np.maximum(own, np.finfo(np.float32).tiny))
    return losses


def _losses_of_sigmoids(
    probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the same of ten sigmoids, each of which was trained by itself: the sum of those of all classes."""
    is_own = np.arange(probabilities.shape[1]) == labels[:, np.newaxis]
    own = np.where(is_own, probabilities, 1 - probabilities).astype(np.float64)
    losses: npt.NDArray[np.float64] = -np.log(np.maximum(own, np.finfo(np.float32).tiny)).sum(axis=1)
    return losses
