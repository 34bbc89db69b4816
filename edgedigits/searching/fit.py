"""The search for the best network within a budget: candidates, rungs, one network, and the front of all."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.recovery import finish_commits
from edgedigits.artifacts.staging import check_temporary_room, staged, write_atomically
from edgedigits.datasets.split import Split
from edgedigits.file_names import CHECKPOINT, DEFAULT_NAME, sidecar_name
from edgedigits.files import read_file
from edgedigits.model_files.network_spec import NetworkSpec
from edgedigits.model_files.packed_size import PackedCost, packed_cost
from edgedigits.model_files.quantized_bits import Bits
from edgedigits.progress import SILENT, Progress
from edgedigits.reporting.plots import front
from edgedigits.reporting.tables import to_markdown
from edgedigits.searching.candidates import Candidate, Priced, fitting
from edgedigits.searching.front import HEADER, Found, found
from edgedigits.searching.halving import best, survivors
from edgedigits.searching.inputs import Inputs
from edgedigits.searching.journal import Journal, Trial
from edgedigits.searching.search import Search
from edgedigits.searching.trials import Trials
from edgedigits.training.checkpoint import LARGEST_FILE
from edgedigits.training.run_files import TrainingResult
from edgedigits.training.splits import validation_indices
from edgedigits.training.train import train

JOURNAL = "fit.json"
"""Sidecar of a network that is being searched for: what was found until now."""
PARETO = "pareto"
"""Stem of the sidecars that say what was found."""
ONE_THREAD = "TF_NUM_INTRAOP_THREADS=1"
"""Under which a network is trained again to the same weights: sums of convolutions depend on how many threads add."""

Measure = Callable[[NetworkSpec, tuple[Bits, ...], npt.NDArray[np.bool_] | None], PackedCost]
"""Compiles a network with the bits of its layers and the inputs of a first Dense layer that are used (None: all)."""


@dataclass(frozen=True)
class FitResult:
    """What a search came to."""

    search: Search
    training: TrainingResult
    """Of the network that was chosen."""
    chosen: Found
    found: tuple[Found, ...]
    """All networks that were trained, the smallest first."""
    is_measured: bool
    """Whether a compiler said how much flash they take, not a model."""
    command: str
    """Trains the chosen network again."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {**self.summary(), "training": self.training.to_dict()}

    def summary(self) -> dict[str, Any]:
        """Return what was searched for and found as JSON values."""
        return {
            "search": self.search.to_dict(),
            "flash": "measured" if self.is_measured else "modelled",
            "instructions": "modelled",
            "chosen": self.chosen.to_dict(),
            "found": [network.to_dict() for network in self.found],
            "command": self.command,
        }

    def describe(self) -> str:
        """Write it as Markdown: the front as a table, what the columns are, the command."""
        how = "compiled for a Cortex-M0 (-Os)" if self.is_measured else "modelled, not compiled"
        return "\n".join(
            [
                to_markdown(HEADER, [network.row() for network in self.found]),
                "",
                (
                    f"Flash and RAM in bytes, {how}; instructions modelled. Accuracies on {self.search.validation:,} "
                    "validation images, of the longest schedule of each network. Front: nothing that takes less flash "
                    "is as accurate. Tied: not told apart from the chosen one (McNemar, 95 %)."
                ),
                "",
                f"    {self.command}",
            ]
        )


def fit(
    search: Search,
    train_split: Split,
    test_split: Split,
    folder: Path,
    *,
    name: str = DEFAULT_NAME,
    measure: Measure | None = None,
    data_words: Sequence[str] = (),
    progress: Progress = SILENT,
) -> FitResult:
    """Find the best network within a budget, and write it as ``train`` writes it, with the front of all.

    An interrupted search leaves a journal, and checkpoints of what was being trained; the same search goes on from
    there. All choices are made on validation images; the test images score the network that was chosen.

    Args:
        search: budget, kind, and how much training.
        train_split: images to fit; ``search.validation`` of them are held out.
        test_split: images for the final score.
        folder: where to write.
        name: stem of the network's files.
        measure: says what a network costs; None for the model of ``packed_size``.
        data_words: of the command that trains the network again, which name the dataset.
        progress: shows a bar for each rung, and a line for each network.

    Raises:
        ArgumentError: the budget has room for no network.
        DatasetError: the training split is too small.
        ModelFileError: the journal or a checkpoint is unreadable, or of a search with other options.
        OutputError: ``folder`` cannot be written to.
    """
    check_temporary_room()
    finish_commits(folder)
    journal = Journal(folder / sidecar_name(name, JOURNAL), search, train_split.sha256)
    if journal.trials:
        progress.note(f"going on with {journal.path}: {len(journal.trials)} networks are trained")
    priced = _priced(search, train_split, measure)
    trials = Trials(search, train_split, folder, name, journal, progress)
    last = _rungs(search, priced, trials, progress)
    chosen = best(last)
    training = _write(search, chosen, trials, (train_split, test_split), folder, name, progress)
    candidates = {network.candidate for network in priced}
    networks = found(
        [trial for trial in journal.trials.values() if trial.candidate in candidates], priced, chosen
    )
    words = [*search.train_words(chosen.candidate), *data_words, "--out", str(folder), "--name", name]
    result = FitResult(
        search=search,
        training=training,
        chosen=next(network for network in networks if network.is_chosen),
        found=networks,
        is_measured=measure is not None,
        command=f"{ONE_THREAD} edgedigits train {shlex.join(words)}",
    )
    _write_front(result, folder, name)
    journal.path.unlink(missing_ok=True)
    for trial in last:
        trials.forget(trial.candidate, trial.epochs)
    return result


def _priced(search: Search, split: Split, measure: Measure | None) -> list[Priced]:
    """Return the networks of the first rung."""
    fitted, _ = validation_indices(split.labels, search.validation, search.seed)
    inputs = Inputs(split.images[fitted])

    def estimate(candidate: Candidate) -> PackedCost:
        used = inputs.used(candidate)
        return packed_cost(candidate.spec, candidate.layer_bits, None if used is None else int(used.sum()))

    def measured(candidate: Candidate) -> PackedCost:
        if measure is None:
            return estimate(candidate)
        return measure(candidate.spec, candidate.layer_bits, inputs.used(candidate))

    return fitting(search.budget, search.kind, search.candidates, estimate, measured)


def _rungs(search: Search, priced: Sequence[Priced], trials: Trials, progress: Progress) -> list[Trial]:
    """Train all rungs and return the trials of the last."""
    candidates = [network.candidate for network in priced]
    rungs = search.rungs(len(candidates))
    for place, rung in enumerate(rungs, start=1):
        title = f"rung {place} of {len(rungs)}, networks: {len(candidates)}, epochs: {rung.epochs}"
        progress.note(title)
        done = trials.run(candidates, rung.epochs, title)
        if place < len(rungs):
            for candidate in candidates:
                trials.forget(candidate, rung.epochs)
            candidates = survivors(done, priced, rungs[place].networks, search.budget.flash)
    return done


def _write(
    search: Search,
    chosen: Trial,
    trials: Trials,
    splits: tuple[Split, Split],
    folder: Path,
    name: str,
    progress: Progress,
) -> TrainingResult:
    """Write the chosen network as ``train`` does after its last epoch, from its checkpoint."""
    recipe = search.recipe(chosen.candidate, chosen.epochs)
    state = trials.checkpoint(chosen.candidate, chosen.epochs)
    if state.exists():
        write_atomically(folder / sidecar_name(name, CHECKPOINT), read_file(state, LARGEST_FILE))
    return train(recipe, *splits, folder, name=name, resume=True, progress=progress)


def _write_front(result: FitResult, folder: Path, name: str) -> None:
    with staged(folder) as staging:
        (staging / "plots").mkdir()
        points = [network.plotted() for network in result.found]
        picture = front(points, result.search.budget.flash)
        (staging / "plots" / sidecar_name(name, f"{PARETO}.png")).write_bytes(picture)
        summary = json.dumps({**result.summary(), "weights_sha256": result.training.weights_sha256}, indent=1)
        (staging / sidecar_name(name, f"{PARETO}.json")).write_text(summary, encoding="utf-8")
        text = f"# Networks within {result.search.budget.flash:,} bytes of flash\n\n{result.describe()}\n"
        (staging / sidecar_name(name, f"{PARETO}.md")).write_text(text, encoding="utf-8")
