"""An interrupted run can go on: its state after each epoch, in one file."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np

from edgedigits.archives import ARCHIVE_ERRORS, open_npz
from edgedigits.artifacts.staging import write_atomically
from edgedigits.datasets.split import Split
from edgedigits.errors import ModelFileError
from edgedigits.files import reason
from edgedigits.training.fitting import Epoch, Fitter
from edgedigits.training.recipe import Recipe

LARGEST_FILE = 1 << 30
"""Bytes: four times the weights, their two moments and their average of the largest network."""
LARGEST_ABOUT = 1 << 27
"""Bytes of the recipe and of the history of the most epochs that there may be, some 250 letters each."""


def write_checkpoint(path: Path, fitter: Fitter, history: list[Epoch], split: Split) -> None:
    """Write the state after an epoch, all or nothing, so that an interrupted run can go on from it."""
    about = {
        "recipe": fitter.recipe.to_dict(),
        "train_sha256": split.sha256,
        "history": [dataclasses.asdict(epoch) for epoch in history],
    }
    buffer = io.BytesIO()
    state = {f"variable_{index:03}": value for index, value in enumerate(fitter.state())}
    np.savez(buffer, about=json.dumps(about), **state)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def read_checkpoint(path: Path, fitter: Fitter, split: Split) -> list[Epoch]:
    """Put a checkpoint's state into the fitter and return the epochs that it had finished."""
    advice = "train without --resume to start anew"
    try:
        with open_npz(path, LARGEST_FILE, follow=False) as archive:
            about = json.loads(archive.text("about", LARGEST_ABOUT))
        recipe = Recipe.from_dict(about["recipe"])
        history = [Epoch(**record) for record in about["history"]]
        train_sha256 = about["train_sha256"]
    except ARCHIVE_ERRORS as error:
        raise ModelFileError(path, f"no readable checkpoint ({reason(error)})", advice) from error
    if differences := recipe.differences(fitter.recipe):
        raise ModelFileError(
            path,
            f"the interrupted run had other arguments ({', '.join(differences)})",
            f"give the same, or {advice}",
        )
    if train_sha256 != split.sha256:
        raise ModelFileError(path, "the interrupted run had other training images", advice)
    try:
        # No more than there is in memory already: an archive may have thousands of large arrays in few bytes.
        expected = [(f"variable_{index:03}", array.nbytes) for index, array in enumerate(fitter.state())]
        with open_npz(path, LARGEST_FILE, follow=False) as archive:
            if sorted(archive.names) != sorted(["about", *(name for name, _ in expected)]):
                raise ValueError("other arrays")
            state = [archive.array(name, size) for name, size in expected]
        fitter.restore(state)
    except ARCHIVE_ERRORS as error:
        raise ModelFileError(path, "its arrays are not those of this network", advice) from error
    return history
