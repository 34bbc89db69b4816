"""How far the shipped network's confidences can be trusted.

The expected calibration error (15 bins) of every shipped file, on the validation images, which the temperature was
fitted to, and on the test images, which nothing was fitted to; beside it that of the network with its temperature
taken out again, and that of the network with its probabilities in steps of 1/256, at most 255/256, which is the form
of the integer TFLite and C files. Then what the margin, the lead of the first answer over the second, finds with the
default file: how many images it calls doubtful, and how many of the mistakes are among them.

Usage: python benchmarks/confidence.py [--models models]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from _machine import ROOT, conclude

from edgedigits.artifacts.manifest import complete_training, network_entry, read_manifest
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.file_names import DEFAULT_NAME, file_name
from edgedigits.measuring.metrics import Labels, Probabilities, expected_calibration_error
from edgedigits.measuring.subjects import model_files
from edgedigits.measuring.verify import run_all
from edgedigits.networks.build import load_network
from edgedigits.runtimes.opening import open_model
from edgedigits.training.recipe import Recipe
from edgedigits.training.splits import validation_indices
from edgedigits.training.temperature import fold_temperature

NETWORK = file_name(DEFAULT_NAME, "keras")
UNSCALED = f"{NETWORK} without temperature"
IN_STEPS = f"{NETWORK} in steps of 1/256"
DEFAULT_FILE = file_name(DEFAULT_NAME, "onnx", "int8")
DOUBTFUL = 0.9
"""Margin below which a picture is worth asking for again."""
LIMIT = 0.5
"""Percent."""


def held_out(split: Split, recipe: Recipe) -> Split:
    """Return the validation images of a run."""
    _, indices = validation_indices(split.labels, recipe.validation, recipe.seed)
    return Split.of(split.dataset, split.images[indices], split.labels[indices])


def unscaled_answers(path: Path, temperature: float, split: Split) -> Probabilities:
    """Return what a network would answer without its temperature."""
    network, _ = load_network(path)
    fold_temperature(network, 1 / temperature)
    answers: Probabilities = network(split.images / np.float32(255), training=False).numpy()
    return answers


def in_steps(probabilities: Probabilities) -> Probabilities:
    """Round probabilities as an integer file can give them."""
    return np.asarray(np.minimum(np.rint(probabilities * 256), 255) / np.float32(256), np.float32)


def count_doubtful(labels: Labels, probabilities: Probabilities) -> dict[str, int]:
    """Count images, mistakes, and those of both with a margin below ``DOUBTFUL``."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    doubtful = first - second < DOUBTFUL
    wrong = probabilities.argmax(axis=1) != labels
    return {
        "images": len(labels),
        "doubtful": int(doubtful.sum()),
        "mistakes": int(wrong.sum()),
        "doubtful_mistakes": int((doubtful & wrong).sum()),
    }


def main() -> int:
    """Measure, print tables, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    models = parser.parse_args().models

    source = mnist.find_or_download()
    training = complete_training(DEFAULT_NAME, network_entry(read_manifest(models), DEFAULT_NAME))
    temperature = training["results"]["temperature"]
    splits = {
        "validation": held_out(
            mnist.read_split(source, "train"), Recipe.from_dict(dict(training["arguments"]))
        ),
        "test": mnist.read_split(source, "test"),
    }
    answers = {
        UNSCALED: {
            part: unscaled_answers(models / NETWORK, temperature, split) for part, split in splits.items()
        }
    }
    for path in model_files(models):
        model = open_model(path)
        answers[path.name] = {part: run_all(model, split) for part, split in splits.items()}
    answers[IN_STEPS] = {part: in_steps(probabilities) for part, probabilities in answers[NETWORK].items()}
    errors = {
        name: {
            part: expected_calibration_error(splits[part].labels, probabilities)
            for part, probabilities in by_part.items()
        }
        for name, by_part in answers.items()
    }
    print(f"temperature {temperature:.3f}; expected calibration error")
    for name, by_part in errors.items():
        print(f"{name:34}" + "  ".join(f"{part} {error:.4f}" for part, error in by_part.items()))
    counts = {
        part: count_doubtful(splits[part].labels, probabilities)
        for part, probabilities in answers[DEFAULT_FILE].items()
    }
    for part, found in counts.items():
        share = 100 * found["doubtful"] / found["images"]
        print(
            f"{DEFAULT_FILE}, {part}: {share:.1f} % of {found['images']:,} images have a margin below {DOUBTFUL}, "
            f"and with them {found['doubtful_mistakes']} of {found['mistakes']} mistakes"
        )
    return conclude(
        "confidence",
        {"temperature": temperature, "expected_calibration_error": errors, "margins": counts},
        {
            f"{name}: expected calibration error, test images, percent": (100 * by_part["test"], LIMIT)
            for name, by_part in errors.items()
            if name not in {UNSCALED, IN_STEPS}
        },
    )


if __name__ == "__main__":
    sys.exit(main())
