"""How a network is trained, as one frozen, printable record that is saved with the model."""

import dataclasses
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from edgedigits.arguments import LARGEST_RATE, LARGEST_SEED, MOST_EPOCHS, MOST_IMAGES, amount_of, count_of
from edgedigits.contract import CLASSES, PIXEL_MAX, PIXELS, WIDEST_LAYER
from edgedigits.errors import ArgumentError
from edgedigits.model_files.map_layers import Conv2D
from edgedigits.model_files.network_spec import Dense
from edgedigits.model_files.quantized_bits import Bits
from edgedigits.model_files.trained_networks import Arch, trained_spec
from edgedigits.training.augmentation import Warp

Loss = Literal["sparse_categorical_crossentropy", "categorical_crossentropy"]
Schedule = Literal["linear", "cosine"]
Initializer = Literal["glorot_uniform", "he_normal"]
Budget = Literal["fast", "standard", "long"]
Per = Literal["layer", "channel"]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides which network comes out. As it comes it is the plain recipe; ``edge`` makes the other.

    The plain recipe is the textbook: Adam on the images as they are, learning rate falling in a line to zero. Its
    figures were chosen on the validation split (128-32, 10 epochs, mean of three seeds): batch 128 with 3e-3 reached
    97.98 %, a constant 1e-3 with he_normal weights 97.43 %; smaller batches gained nothing and took longer.
    """

    name: str = "plain"
    """``plain`` or ``edge`` with its budget: what was asked for, before any single field was changed."""
    arch: Arch = (128, 32)
    """Widths of the hidden layers, or the words of ``arch_words``."""
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 3e-3
    """The highest."""
    schedule: Schedule = "linear"
    """``linear``: from the highest to zero in a line. ``cosine``: a tenth of the steps up, then down in a cosine."""
    initializer: Initializer = "glorot_uniform"
    weight_decay: float = 0.0
    """Times the learning rate, the share that each step takes off every weight: AdamW, Loshchilov and Hutter 2019."""
    averaging: float | None = None
    """Decay per step of the moving average of the weights, which then is the network; None for no average."""
    warp: Warp | None = None
    """How far each image is bent, anew in every epoch; None for the images as they are."""
    warp_stages: tuple[float, ...] = (1.0,)
    """Factors of the warp in so many equal parts of the epochs: 1, 1/2, 1/4 bends less towards the end."""
    drawn: int = 0
    """Digits drawn from strokes, as MNIST's writers seldom wrote them, that every epoch has besides its images."""
    non_digits: int = 0
    """Pictures of no digit, taught as every digit alike, that every epoch has besides."""
    candidates: int = 0
    """What reading a number cuts out of written lines, that every epoch has besides: digits with what is left of their
    neighbours, and parts of digits or several, taught as every digit alike."""
    spoilt: float = 0.0
    """Share of the images of an epoch, 0..1, that are spoilt after the warp: by specks, blur, lines and others.

    ``128-32``, standard, one seed, with drawn digits: of validation images spoilt by another program, mostly in these
    ways, and given as they are, it read 92.5 % with a tenth, and 74.6 % without, then with fewer shapes of drawn
    digits; of those that are not spoilt, 98.84 and 98.96 %.
    """
    bits: tuple[Bits, ...] = ()
    """Of the weights of each layer that has any, which learns the step that they are multiples of; none for floats."""
    steps: Per = "layer"
    """What has a step of its own, where there are bits."""
    least_deviation: float = 0.0
    """Inputs of the first Dense layer whose standard deviation over the training images is lower, in pixel values, are
    left out, where there are bits: their weights are 0."""
    teachers: tuple[str, ...] = ()
    """SHA-256 of the files of networks whose mean answers are taught besides the labels."""
    teacher_share: float = 0.0
    """Of them in what is taught, 0..1 (Hinton, Vinyals and Dean 2015, at temperature 1)."""
    loss: Loss = "sparse_categorical_crossentropy"
    validation: int = 5_000
    """Images held out of the training split, every class with its share."""
    seed: int = 0
    """Of the initial weights, the order and warps of the images, what is drawn, and the choice of the validation
    images."""

    def __post_init__(self) -> None:
        """Refuse what no network can be trained with.

        Raises:
            ArgumentError: a number is out of its range.
        """
        count_of("epochs", self.epochs, most=MOST_EPOCHS)
        for name in ("batch_size", "validation"):
            count_of(name, getattr(self, name), most=MOST_IMAGES)
        for name in ("drawn", "non_digits", "candidates"):
            count_of(name, getattr(self, name), 0, MOST_IMAGES)
        count_of("seed", self.seed, 0, LARGEST_SEED)
        if isinstance(self.arch, str):
            try:
                trained_spec(self.arch)
            except ValueError as error:
                raise ArgumentError(f"arch: {error}") from error
        else:
            for width in self.arch:
                count_of("arch", width, most=WIDEST_LAYER)
        amount_of("learning_rate", self.learning_rate, zero=False, most=LARGEST_RATE)
        amount_of("weight_decay", self.weight_decay, most=1.0)
        amount_of("spoilt", self.spoilt, most=1.0)
        amount_of("least_deviation", self.least_deviation, most=PIXEL_MAX)
        amount_of("teacher_share", self.teacher_share, most=1.0)
        if self.bits:
            self._check_bits()
        elif self.least_deviation:
            raise ArgumentError(
                "least_deviation: expected 0 for weights that are not quantized; choose --bits too"
            )
        for factor in self.warp_stages or (math.nan,):
            amount_of("warp_stages", factor, most=1.0)
        if self.warp is None and self.warp_stages != Recipe.warp_stages:
            raise ArgumentError("warp_stages: expected none for images as they are; choose the edge recipe")

    def _check_bits(self) -> None:
        """Raise ``ArgumentError`` where a layer cannot learn steps, or there are too few or too many bits."""
        weighted = trained_spec(self.arch).weighted
        if len(self.bits) != len(weighted):
            raise ArgumentError(
                f"bits: expected one for each of {len(weighted)} layers with weights, got {len(self.bits)}"
            )
        for layer in weighted:
            if type(layer) not in (Dense, Conv2D):
                raise ArgumentError(
                    f"bits: expected layers of words conv, with .bare, and dense, found {layer}: batch normalization "
                    "and separable convolutions have no steps"
                )

    def warp_of(self, epoch: int) -> Warp | None:
        """Return how far the images of an epoch, counted from 1, are bent."""
        stage = (epoch - 1) * len(self.warp_stages) // self.epochs
        return self.warp and self.warp.scaled(self.warp_stages[stage])

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        arch = self.arch if isinstance(self.arch, str) else list(self.arch)
        lists = {
            "warp_stages": list(self.warp_stages),
            "bits": list(self.bits),
            "teachers": list(self.teachers),
        }
        return {**dataclasses.asdict(self), "arch": arch, **lists}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Recipe":
        """Read what ``to_dict`` returned, of this version or of one that knew fewer fields."""
        arch = fields["arch"]
        read = {
            "arch": arch if isinstance(arch, str) else tuple(arch),
            "warp": Warp(**fields["warp"]) if fields["warp"] else None,
            "warp_stages": tuple(fields.get("warp_stages", cls.warp_stages)),
            "bits": tuple(fields.get("bits", ())),
            "teachers": tuple(fields.get("teachers", ())),
        }
        return cls(**{**fields, **read})

    def differences(self, other: "Recipe") -> list[str]:
        """Name the fields in which two recipes differ, with both values."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [f"{field} {mine[field]} / {theirs[field]}" for field in mine if mine[field] != theirs[field]]


WIDE_WEIGHTS = 150_000
"""From this many weights on (256-128-32 has 238,000) the highest learning rate is a quarter lower, and ``long`` has
fewer epochs, which together take about as long."""


@dataclass(frozen=True)
class _Length:
    epochs: int
    wide_epochs: int
    learning_rate: float
    averaging: float | None
    warp: Warp
    warp_stages: tuple[float, ...] = (1.0,)
    weight_decay: float = 0.0


_LENGTHS: dict[Budget, _Length] = {
    # Too short to learn from far-bent images, or for an average over many steps.
    "fast": _Length(6, 6, learning_rate=6e-3, averaging=None, warp=Warp().scaled(0.5)),
    "standard": _Length(100, 100, learning_rate=4e-3, averaging=0.999, warp=Warp()),
    "long": _Length(1_500, 600, learning_rate=4e-3, averaging=0.9995, warp=Warp()),
}


_LENGTHS_OF_MAPS: dict[Budget, _Length] = {
    "fast": _Length(3, 3, learning_rate=3e-3, averaging=None, warp=Warp().scaled(0.5)),
    "standard": _Length(12, 12, learning_rate=3e-3, averaging=0.998, warp=Warp().scaled(0.75)),
    "long": _Length(
        40, 40, 3e-3, averaging=0.999, warp=Warp(), warp_stages=(1.0, 1.0, 1.0, 0.5), weight_decay=0.02
    ),
}
"""Of networks with convolutions: fewer epochs, each of which takes longer.

Chosen for ``cnn`` on the validation images of seed 0, after 40 epochs: 99.60 % with a loss of 0.0119. Without weight
decay, warps halved after a third of the epochs and again after two, 99.56 % and 0.0129: it learns mildly bent images by
heart.
"""


def plain(arch: Arch = Recipe.arch, **changes: Any) -> Recipe:
    """Return the textbook recipe; see ``Recipe``.

    Args:
        arch: widths of the hidden layers, or words.
        changes: fields to set otherwise.
    """
    return Recipe(arch=arch, **changes)


def edge(arch: Arch = Recipe.arch, budget: Budget = "standard", **changes: Any) -> Recipe:
    """Return the recipe worth shipping: images warped anew in every epoch, warm-up and cosine, averaged weights.

    Args:
        arch: widths of the hidden layers, or words.
        budget: ``fast`` (seconds), ``standard`` (under half a minute) or ``long`` (minutes); with convolutions longer.
        changes: fields to set otherwise.
    """
    has_maps = isinstance(arch, str)
    length = (_LENGTHS_OF_MAPS if has_maps else _LENGTHS)[budget]
    widths = (PIXELS, *(() if isinstance(arch, str) else arch), CLASSES)
    is_wide = not has_maps and sum(inputs * units for inputs, units in pairwise(widths)) >= WIDE_WEIGHTS
    recipe = Recipe(
        name=f"edge {budget}",
        arch=arch,
        epochs=length.wide_epochs if is_wide else length.epochs,
        batch_size=128 if has_maps else 256,
        learning_rate=length.learning_rate * (0.75 if is_wide else 1.0),
        schedule="cosine",
        initializer="he_normal",
        weight_decay=length.weight_decay,
        averaging=length.averaging,
        warp=length.warp,
        warp_stages=length.warp_stages,
    )
    return dataclasses.replace(recipe, **changes)
