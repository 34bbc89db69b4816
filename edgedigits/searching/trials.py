"""Networks trained side by side, each by one thread; what they come to goes into the journal.

A network is the same whichever others are trained beside it: TensorFlow computes each product with one thread.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from edgedigits.datasets.split import Split
from edgedigits.file_names import CHECKPOINT, sidecar_name
from edgedigits.networks.backend import tf
from edgedigits.progress import Progress
from edgedigits.searching.candidates import Candidate
from edgedigits.searching.journal import Journal, Trial
from edgedigits.searching.search import Search
from edgedigits.training.checkpoint import read_checkpoint, write_checkpoint
from edgedigits.training.fitting import Fitter
from edgedigits.training.recipe import Recipe
from edgedigits.training.splits import training_data

MOST_AT_ONCE = 16
"""Networks: each has its epoch's images in memory, twice."""


class _StoppedError(Exception):
    """Training was to stop."""


def cores() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Trials:
    """Trains networks of a search."""

    def __init__(
        self,
        search: Search,
        train_split: Split,
        folder: Path,
        name: str,
        journal: Journal,
        progress: Progress,
    ) -> None:
        """Prepare, and train nothing yet.

        Args:
            search: how networks are trained.
            train_split: images to fit and to hold out.
            folder: where checkpoints lie.
            name: stem of their names.
            journal: of what was trained already, and takes what is trained.
            progress: shows a bar for each rung, and a line for each network.
        """
        self._search, self._split, self._journal, self._progress = search, train_split, journal, progress
        self._folder, self._name = folder, name
        self._data = training_data(Recipe(validation=search.validation, seed=search.seed), train_split)
        self._writing = threading.Lock()
        tf.config.experimental.enable_op_determinism()

    def checkpoint(self, candidate: Candidate, epochs: int) -> Path:
        """Return where the state of a network lies while it is trained, and afterwards until ``forget``."""
        kind = f"{candidate.arch}.{candidate.bits}.{candidate.least_deviation:g}.{epochs}"
        return self._folder / sidecar_name(self._name, f"{kind}.{CHECKPOINT}")

    def forget(self, candidate: Candidate, epochs: int) -> None:
        """Remove the state of a network."""
        self.checkpoint(candidate, epochs).unlink(missing_ok=True)

    def run(self, candidates: Sequence[Candidate], epochs: int, title: str) -> list[Trial]:
        """Train networks for so many epochs, but for those that the journal knows.

        Args:
            candidates: the networks.
            epochs: of a whole schedule.
            title: of the bar.

        Returns:
            What each came to, in the order of the candidates.

        Raises:
            OutputError: the journal or a checkpoint cannot be written.
        """
        missing = [candidate for candidate in candidates if (candidate, epochs) not in self._journal.trials]
        stop = threading.Event()
        steps = epochs * -(
            -len(self._data.train_images) // self._search.recipe(candidates[0], epochs).batch_size
        )
        with self._progress.task(title, len(candidates) * steps) as advance:
            advance((len(candidates) - len(missing)) * steps)
            with ThreadPoolExecutor(min(cores(), MOST_AT_ONCE)) as pool:
                training = [
                    pool.submit(self._train, candidate, epochs, stop, advance) for candidate in missing
                ]
                try:
                    for future in as_completed(training):
                        self._keep(future.result())
                except BaseException:
                    stop.set()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        return [self._journal.trials[candidate, epochs] for candidate in candidates]

    def _keep(self, trial: Trial) -> None:
        with self._writing:
            self._journal.add(trial)
        self._progress.note(
            f"{trial.candidate}: validation {trial.accuracy.percent:.2f} %, loss {trial.val_loss:.4f}, "
            f"{trial.seconds:.0f} s"
        )

    def _train(
        self, candidate: Candidate, epochs: int, stop: threading.Event, advance: Callable[[int], None]
    ) -> Trial:
        """Train a network from its last finished epoch on."""

        def tell(steps: int) -> None:
            if stop.is_set():
                raise _StoppedError
            advance(steps)

        fitter = Fitter(self._search.recipe(candidate, epochs), self._data)
        path = self.checkpoint(candidate, epochs)
        history = read_checkpoint(path, fitter, self._split) if path.is_symlink() or path.exists() else []
        advance(len(history) * fitter.steps_per_epoch)
        for epoch in range(len(history) + 1, epochs + 1):
            history.append(fitter.fit_epoch(epoch, tell))
            with self._writing:
                write_checkpoint(path, fitter, history, self._split)
        fitter.deploy()
        digits = fitter.probabilities(self._data.validation_images).argmax(axis=1)
        wrong = np.flatnonzero(digits != self._data.validation_labels)
        return Trial(
            candidate,
            epochs,
            val_loss=history[-1].val_loss,
            images=len(digits),
            wrong=tuple(wrong.tolist()),
            seconds=sum(epoch.seconds for epoch in history),
        )
