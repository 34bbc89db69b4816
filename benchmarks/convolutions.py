"""How accurate networks with convolutions become, and what of that is left in int8.

The presets ``cnn`` and ``cnn-small`` with the long budget, and the network of Keras' own MNIST example with the plain
recipe in twelve epochs, three seeds each: trained by ``edgedigits train``, kept in ``build/networks``, exported to int8
ONNX and TFLite, and judged by the 10,000 test images. Networks, epochs and warps were chosen on the validation images.
The seconds are those of the manifest: of the machine as it was while they were trained.

    python benchmarks/convolutions.py              # all that is not kept is trained, most of two hours
    python benchmarks/convolutions.py cnn          # one network; the others keep what an earlier run measured
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _machine import RESULTS, conclude
from _networks import SEEDS, folder_of

from edgedigits.arch_words import PRESETS
from edgedigits.artifacts.manifest import read_manifest, training_of
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.file_names import DEFAULT_NAME, file_name
from edgedigits.model_files.trained_networks import trained_spec
from edgedigits.training.recipe import Recipe, edge, plain
from edgedigits_export import ExportOptions, export_model, select_targets

CONVNET = "conv32.valid.bare-pool-conv64.valid.bare-pool-dropout50"
"""``mnist_convnet`` of Keras' examples."""
FORMATS = ("onnx", "tflite")
MOST_MISTAKES = {"cnn": 0.35, "mnist_convnet": 1.0, "cnn-small": 0.7}
"""Percent of the test images, int8, in the mean of three seeds."""
MOST_LOST = {"cnn": 0.03, "mnist_convnet": 0.05, "cnn-small": 0.05}
"""Points of accuracy that int8 may cost, in the mean of three seeds."""


def recipes(name: str) -> list[Recipe]:
    """Return the recipes of a row."""
    if name == "mnist_convnet":
        return [plain(CONVNET, epochs=12, seed=seed) for seed in SEEDS]
    return [edge(PRESETS[name], "long", seed=seed) for seed in SEEDS]


def trained(recipe: Recipe) -> Path:
    """Return the ``.keras`` file of a recipe, trained now, as a user would, if it is not kept yet."""
    folder = folder_of(recipe)
    training = training_of(read_manifest(folder), DEFAULT_NAME)
    if training is None or training["arguments"] != recipe.to_dict():
        length = ["--recipe", "plain"] if recipe.name == "plain" else ["--budget", recipe.name.split()[-1]]
        command = [sys.executable, "-m", "edgedigits", "train", "--arch", str(recipe.arch), *length]
        choices = [
            "--epochs",
            str(recipe.epochs),
            "--seed",
            str(recipe.seed),
            "--out",
            str(folder),
            "--resume",
        ]
        subprocess.run([*command, *choices], check=True)
    return folder / file_name(DEFAULT_NAME, "keras")


def measure(recipe: Recipe, train_split: Split, test_split: Split) -> dict[str, Any]:
    """Return accuracies of the network and of its int8 files, in percent, and the seconds of training."""
    path = trained(recipe)
    training: Any = training_of(read_manifest(path.parent), DEFAULT_NAME)
    run = {
        "seed": recipe.seed,
        "validation": 100 * training["results"]["validation_accuracy"],
        "seconds": training["seconds"],
        "weights_sha256": training["weights_sha256"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMATS:
            (exported,), _ = export_model(
                path,
                select_targets(form, "int8"),
                train_split,
                test_split,
                folder=Path(folder),
                options=ExportOptions(max_drop=100.0),
            )
            verification = exported.verification
            run |= {
                form: verification.accuracy.percent,
                f"{form}_drop": -verification.comparison.difference,
                f"{form}_agreement": verification.comparison.agreement,
                f"{form}_bytes": exported.path.stat().st_size,
                "keras": verification.accuracy.percent - verification.comparison.difference,
            }
    print(f"{folder_of(recipe).name}: {described(run)}", flush=True)
    return run


def described(run: dict[str, Any]) -> str:
    """Write a run as a line of text."""
    return (
        f"validation {run['validation']:.2f} %, test {run['keras']:.2f} %, "
        f"int8 ONNX {run['onnx']:.2f} %, int8 TFLite {run['tflite']:.2f} %, {run['seconds']:.0f} s"
    )


def row_of(name: str, train_split: Split, test_split: Split) -> dict[str, Any]:
    """Measure three seeds of a network."""
    chosen = recipes(name)
    spec = trained_spec(chosen[0].arch)
    runs = [measure(recipe, train_split, test_split) for recipe in chosen]
    figures = ("keras", "seconds", *FORMATS, *(f"{form}_drop" for form in FORMATS))
    return {
        "arch": chosen[0].arch,
        "recipe": chosen[0].to_dict(),
        "parameters": spec.parameters,
        "products": spec.products,
        **{figure: statistics.mean(run[figure] for run in runs) for figure in figures},
        "spread": statistics.stdev(run["keras"] for run in runs),
        "runs": runs,
    }


def main(wanted: list[str]) -> int:
    """Measure what is wanted, print every row, and keep the results; 1 where a target is missed."""
    source = mnist.find_or_download()
    splits = mnist.read_split(source, "train"), mnist.read_split(source, "test")
    path = RESULTS / "convolutions.json"
    rows: dict[str, Any] = json.loads(path.read_text())["rows"] if path.exists() else {}
    for name in wanted or list(MOST_MISTAKES):
        rows[name] = row_of(name, *splits)
        print(f"{name}, {rows[name]['parameters']:,} parameters, mean of {len(SEEDS)} seeds: ", end="")
        print(
            described(
                {"validation": statistics.mean(r["validation"] for r in rows[name]["runs"]), **rows[name]}
            )
        )
    targets = {}
    for name, row in rows.items():
        for form in FORMATS:
            targets[f"{name}, int8 {form}: mistakes, percent"] = (100 - row[form], MOST_MISTAKES[name])
            targets[f"{name}, int8 {form}: points lost"] = (row[f"{form}_drop"], MOST_LOST[name])
    return conclude("convolutions", {"rows": rows}, targets)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
