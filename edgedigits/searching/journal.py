"""The journal of a search: what its networks came to, so that an interrupted search can go on."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgedigits.artifacts.staging import write_atomically
from edgedigits.errors import ModelFileError
from edgedigits.files import read_file, reason
from edgedigits.measuring.metrics import Accuracy, wilson_interval
from edgedigits.searching.candidates import Candidate
from edgedigits.searching.search import Search

LARGEST_JOURNAL = 64 << 20
"""Bytes: the wrong answers of a thousand networks."""
VERSION = 1
Key = tuple[Candidate, int]
"""A network, and for how many epochs it was trained."""


@dataclass(frozen=True)
class Trial:
    """What a network came to on the validation images."""

    candidate: Candidate
    epochs: int
    val_loss: float
    images: int
    """Validation images."""
    wrong: tuple[int, ...]
    """Indices of those that it misread."""
    seconds: float
    """Wall time of its epochs, beside others."""

    @property
    def accuracy(self) -> Accuracy:
        """Its share of right answers, with its interval."""
        correct = self.images - len(self.wrong)
        return Accuracy(correct, self.images, *wilson_interval(correct, self.images))

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return {**asdict(self), "wrong": list(self.wrong)}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Trial":
        """Read what ``to_dict`` returned."""
        return cls(
            Candidate(**fields["candidate"]),
            int(fields["epochs"]),
            float(fields["val_loss"]),
            int(fields["images"]),
            tuple(map(int, fields["wrong"])),
            float(fields["seconds"]),
        )


class Journal:
    """The trials of a search, in memory and in a file."""

    def __init__(self, path: Path, search: Search, train_sha256: str) -> None:
        """Read the journal of the same search, where there is one.

        Args:
            path: of the file; it is written with the first trial.
            search: its options.
            train_sha256: of the training split.

        Raises:
            ModelFileError: the file is no journal, or that of a search with other options or images.
        """
        self.path = path
        self._about = {"version": VERSION, "search": search.to_dict(), "train_sha256": train_sha256}
        self.trials: dict[Key, Trial] = {}
        if not (path.is_symlink() or path.exists()):
            return
        advice = "give the same options, choose another --name, or remove the file to begin anew"
        try:
            content = json.loads(read_file(path, LARGEST_JOURNAL))
            differences = search.differences(content["search"])
            same_images = content["train_sha256"] == train_sha256
            trials = [Trial.from_dict(fields) for fields in content["trials"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(
                path, f"no readable journal of a search ({reason(error)})", "remove it to begin anew"
            ) from error
        if differences:
            raise ModelFileError(
                path, f"the interrupted search had other options ({', '.join(differences)})", advice
            )
        if not same_images:
            raise ModelFileError(path, "the interrupted search had other training images", advice)
        self.trials = {(trial.candidate, trial.epochs): trial for trial in trials}

    def add(self, trial: Trial) -> None:
        """Keep a trial, and write the file anew.

        Raises:
            OutputError: it cannot be written.
        """
        self.trials[trial.candidate, trial.epochs] = trial
        content = {**self._about, "trials": [kept.to_dict() for kept in self.trials.values()]}
        write_atomically(self.path, json.dumps(content, indent=1).encode())
