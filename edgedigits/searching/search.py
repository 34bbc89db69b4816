"""What is searched for, and with how much training: the options of a search, and the rungs that follow from them."""

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from edgedigits.arguments import LARGEST_SEED, MOST_EPOCHS, MOST_IMAGES, count_of
from edgedigits.searching.budget import Budget
from edgedigits.searching.candidates import FORMS, Candidate, Kind
from edgedigits.training.recipe import Budget as Length
from edgedigits.training.recipe import Recipe, edge

LENGTH: Length = "long"
"""Of the recipe by which networks are trained; the epochs are those of the search."""
BATCH = 128
"""Images of a step."""
KEPT, FACTOR = 3, 4
"""From rung to rung one of so many networks is kept, and is trained for so many times the epochs."""
FINALISTS = 2
"""Networks of the last rung, besides those of smaller shares of the budget."""
MOST_CANDIDATES = 1_000


class Rung(NamedTuple):
    """Networks that are trained alike."""

    networks: int
    epochs: int


@dataclass(frozen=True)
class Search:
    """A search: the same one on the same machine finds the same network."""

    budget: Budget
    kind: Kind = "any"
    candidates: int = 18
    """Networks of the first rung, at most."""
    epochs: int = 160
    """For which the networks of the last rung are trained."""
    validation: int = 5_000
    """Images held out of the training split; they decide everything."""
    seed: int = 0
    """Of every network, see ``Recipe.seed``."""

    def __post_init__(self) -> None:
        """Refuse what cannot be searched for.

        Raises:
            ArgumentError: a number is out of its range.
        """
        count_of("candidates", self.candidates, most=MOST_CANDIDATES)
        count_of("epochs", self.epochs, most=MOST_EPOCHS)
        count_of("validation", self.validation, most=MOST_IMAGES)
        count_of("seed", self.seed, 0, LARGEST_SEED)
        if self.kind not in FORMS:
            raise ValueError(f"kind: expected {' or '.join(FORMS)}, got {self.kind!r}")

    def rungs(self, networks: int) -> list[Rung]:
        """Return how many networks are trained, and for how many epochs, one rung after the other.

        Args:
            networks: that there are to begin with.
        """
        sizes = [networks]
        while sizes[-1] > FINALISTS:
            sizes.append(max(FINALISTS, math.ceil(sizes[-1] / KEPT)))
        last = len(sizes) - 1
        return [
            Rung(size, max(1, round(self.epochs / FACTOR ** (last - place))))
            for place, size in enumerate(sizes)
        ]

    def recipe(self, candidate: Candidate, epochs: int) -> Recipe:
        """Return how a network is trained: a whole schedule of so many epochs."""
        return edge(
            candidate.arch,
            LENGTH,
            epochs=epochs,
            batch_size=BATCH,
            bits=candidate.layer_bits,
            least_deviation=candidate.least_deviation,
            validation=self.validation,
            seed=self.seed,
        )

    def train_words(self, candidate: Candidate) -> list[str]:
        """Return the words of ``edgedigits train`` that train a network as the last rung does."""
        recipe = self.recipe(candidate, self.epochs)
        words = ["--arch", candidate.arch, "--budget", LENGTH, "--epochs", str(recipe.epochs)]
        words += ["--batch-size", str(BATCH), "--bits", str(candidate.bits)]
        if candidate.least_deviation:
            words += ["--least-deviation", f"{candidate.least_deviation:g}"]
        return [*words, "--validation", str(self.validation), "--seed", str(self.seed)]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return asdict(self)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Name the fields in which what ``to_dict`` returned differs, with both values."""
        mine = _flat(self.to_dict())
        theirs = _flat(other)
        return [
            f"{name} {theirs.get(name)} / {value}"
            for name, value in mine.items()
            if theirs.get(name) != value
        ]


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    budget = fields.get("budget")
    return {**fields, **(budget if isinstance(budget, dict) else {}), "budget": None}
