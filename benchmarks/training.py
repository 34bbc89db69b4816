"""The plain recipe against the textbook call: accuracy after ten epochs, and time to the same validation accuracy.

The textbook call is what every tutorial has: ``model.fit(x / 255, y, batch_size=32)`` with Adam as it comes, NumPy
arrays in. Both train the same 128-32 network on the same 55,000 images and are judged on the same 5,000, seed by seed
in turn. Times are wall times of fitting and validation, graph building included, imports not.

    python benchmarks/training.py
"""

import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np
from _machine import write_result

from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.measuring import metrics
from edgedigits.networks.backend import keras
from edgedigits.training.fitting import Fitter, TrainingData
from edgedigits.training.recipe import Recipe
from edgedigits.training.splits import validation_indices

SEEDS = (0, 1, 2)
ACCURACY_TARGET = 97.8
TIME_TARGET = 1 / 3


@dataclass(frozen=True)
class Run:
    """One training run."""

    seconds: list[float]
    """Wall time from the start to the end of each epoch."""
    validation: list[float]
    """Validation accuracy after each epoch, in percent."""
    test: float
    """Test accuracy at the end, in percent."""

    def seconds_to(self, level: float) -> float | None:
        """Return the time after which a validation accuracy was first reached; None if it never was."""
        return next(
            (time for time, value in zip(self.seconds, self.validation, strict=True) if value >= level), None
        )


class EpochClock(keras.callbacks.Callback):
    """Notes when each epoch of ``fit`` ends."""

    def __init__(self) -> None:
        super().__init__()
        self.started = time.perf_counter()
        self.seconds: list[float] = []

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        """Note the time."""
        self.seconds.append(time.perf_counter() - self.started)


def run_textbook(recipe: Recipe, data: TrainingData, test: Split) -> Run:
    """Train as the tutorials do."""
    keras.utils.set_random_seed(recipe.seed)
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            *(keras.layers.Dense(width, "relu") for width in recipe.arch),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = EpochClock()
    history = model.fit(
        data.train_images / 255.0,
        data.train_labels,
        batch_size=32,
        epochs=recipe.epochs,
        validation_data=(data.validation_images / 255.0, data.validation_labels),
        callbacks=[clock],
        verbose=0,
    )
    digits = model.predict(test.images / 255.0, verbose=0).argmax(axis=1)
    validation = [100 * value for value in history.history["val_accuracy"]]
    return Run(clock.seconds, validation, metrics.accuracy(test.labels, digits).percent)


def run_ours(recipe: Recipe, data: TrainingData, test: Split) -> Run:
    """Train as ``edgedigits train`` does."""
    started = time.perf_counter()
    fitter = Fitter(recipe, data)
    seconds, validation = [], []
    for epoch in range(1, recipe.epochs + 1):
        validation.append(100 * fitter.fit_epoch(epoch, lambda _steps: None).val_accuracy)
        seconds.append(time.perf_counter() - started)
    digits = fitter.probabilities(test.images).argmax(axis=1)
    return Run(seconds, validation, metrics.accuracy(test.labels, digits).percent)


def main() -> int:
    """Run both for every seed and print what they came to; 1 where a target is missed."""
    source = mnist.find_or_download()
    train, test = mnist.read_split(source, "train"), mnist.read_split(source, "test")
    ratios, ours_test, textbook_test, rows = [], [], [], []
    for seed in SEEDS:
        recipe = Recipe(seed=seed)
        fit, held_out = validation_indices(train.labels, recipe.validation, recipe.seed)
        data = TrainingData(
            train.images[fit], train.labels[fit], train.images[held_out], train.labels[held_out]
        )
        textbook, ours = run_textbook(recipe, data, test), run_ours(recipe, data, test)
        level = textbook.validation[-1]
        mine, theirs = ours.seconds_to(level), textbook.seconds_to(level)
        ratio = mine / theirs if mine is not None and theirs is not None else float("inf")
        ratios.append(ratio)
        ours_test.append(ours.test)
        textbook_test.append(textbook.test)
        rows.append(
            {"seed": seed, "level": level, "ours": vars(ours), "textbook": vars(textbook), "ratio": ratio}
        )
        print(
            f"seed {seed}: textbook {textbook.test:.2f} % test, validation {level:.2f} % after {theirs:.1f} s; "
            f"ours {ours.test:.2f} % test, the same validation accuracy after {mine or float('nan'):.1f} s: "
            f"{ratio:.2f} of the time"
        )
    accuracy, ratio = statistics.mean(ours_test), float(np.median(ratios))
    print(
        f"plain recipe, 128-32, {Recipe.epochs} epochs: {accuracy:.2f} +- {statistics.stdev(ours_test):.2f} % "
        f"(target at least {ACCURACY_TARGET} %); textbook {statistics.mean(textbook_test):.2f} %"
    )
    print(
        f"time to the textbook's validation accuracy, median of {len(SEEDS)}: {ratio:.2f} (target at most 1/3)"
    )
    passed = accuracy >= ACCURACY_TARGET and ratio <= TIME_TARGET
    write_result("training", {"accuracy": accuracy, "ratio": ratio, "runs": rows, "passed": passed})
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
