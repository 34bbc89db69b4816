"""How accurate the three presets become with both recipes, and in how many seconds.

Every preset is trained with every budget and three seeds on the same 55,000 images; the recipes were chosen on the
validation images, and the 10,000 test images only judge. The long networks are exported to int8 TFLite as well. The
textbook call (``model.fit``, batch 32, images as they are) is timed beside the fast budget: until it reaches 98.0 % on
validation, or for ten epochs if it has not by then.

    python benchmarks/accuracy.py                  # everything, about an hour
    python benchmarks/accuracy.py 128-32/standard  # one row; the others keep what an earlier run measured
    python benchmarks/accuracy.py --exports        # only the int8 files of long networks that are kept in build/
"""

import dataclasses
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _machine import RESULTS, ROOT, machine_card, write_result
from _networks import PRESETS, SEEDS, kept, train_and_keep
from training import run_textbook

from edgedigits import __version__
from edgedigits.datasets import mnist
from edgedigits.datasets.split import Split
from edgedigits.measuring import metrics
from edgedigits.measuring.cold_start import peak_mib
from edgedigits.training.fitting import TrainingData
from edgedigits.training.recipe import Recipe, edge, plain
from edgedigits.training.splits import validation_indices
from edgedigits_export import ExportOptions, export_model, select_targets

MAKERS: dict[str, Callable[..., Recipe]] = {
    "fast": lambda arch, seed: edge(arch, "fast", seed=seed),
    "standard": lambda arch, seed: edge(arch, "standard", seed=seed),
    "plain": lambda arch, seed: plain(arch, seed=seed),
    "long": lambda arch, seed: edge(arch, "long", seed=seed),
}
PUBLISHED = "256-128-32/as published: plain, 50 epochs, 20 % validation"
TARGETS = {
    "128-32/fast": (98.10, 3.0),
    "128-32/standard": (99.10, 30.0),
    "128-32/long": (99.30, 480.0),
    "128-64/long": (99.35, math.inf),
    "256-128-32/long": (99.45, math.inf),
}
"""Least mean test accuracy in percent, and most seconds."""
TEXTBOOK_LEVEL, TEXTBOOK_SHARE = 98.0, 1 / 8
INT8_DROP, MEMORY_MIB = 0.03, 2048.0


def recipes() -> dict[str, list[Recipe]]:
    """Return every row with its three recipes, quick ones first."""
    rows = {
        f"{preset}/{label}": [make(arch, seed) for seed in SEEDS]
        for label, make in MAKERS.items()
        for preset, arch in PRESETS.items()
    }
    rows[PUBLISHED] = [plain((256, 128, 32), epochs=50, validation=12_000, seed=seed) for seed in SEEDS]
    return rows


def measure(recipe: Recipe, train_split: Split, test_split: Split) -> dict[str, Any]:
    """Train once; return accuracies in percent, seconds of fitting, and for long runs the int8 file's."""
    result = train_and_keep(recipe, train_split, test_split)
    measured = {
        "seed": recipe.seed,
        "test": result.accuracy.percent,
        "interval": [result.accuracy.low, result.accuracy.high],
        "validation": 100 * result.history[-1].val_accuracy,
        "seconds": result.seconds,
        "epochs": recipe.epochs,
        "weights_sha256": result.weights_sha256,
        **dataclasses.asdict(result.scaling),
    }
    if recipe.name == "edge long":
        measured["int8_difference"] = int8_difference(recipe, train_split, test_split)
    return measured


def int8_difference(recipe: Recipe, train_split: Split, test_split: Split) -> float:
    """Return by how many points of test accuracy the int8 TFLite file is above its network."""
    network = kept(recipe, train_split, test_split)
    options = ExportOptions(max_drop=100.0)
    with tempfile.TemporaryDirectory() as folder:
        exported, _ = export_model(
            network,
            select_targets("tflite", "int8"),
            train_split,
            test_split,
            folder=Path(folder),
            options=options,
        )
    return exported[0].verification.comparison.difference


def textbook_seconds(train_split: Split, test_split: Split, seed: int) -> tuple[float, float]:
    """Return the seconds until the textbook call reaches 98.0 % on validation, or of its ten epochs, and its best."""
    recipe = plain(seed=seed)
    fit, held_out = validation_indices(train_split.labels, recipe.validation, recipe.seed)
    images, labels = train_split.images, train_split.labels
    run = run_textbook(
        recipe, TrainingData(images[fit], labels[fit], images[held_out], labels[held_out]), test_split
    )
    return run.seconds_to(TEXTBOOK_LEVEL) or run.seconds[-1], max(run.validation)


def summarize(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Add mean, spread and interval to the runs of a row."""
    tests = [run["test"] for run in runs]
    mean = statistics.mean(tests)
    # All runs saw the same test images, so the interval of the mean is that of one run with as many right answers.
    low, high = metrics.wilson_interval(round(mean * 100), 10_000)
    row = {
        "mean": mean,
        "spread": statistics.stdev(tests),
        "interval": [low, high],
        "seconds": statistics.mean(run["seconds"] for run in runs),
        "runs": runs,
    }
    if "int8_difference" in runs[0]:
        row["int8_difference"] = statistics.mean(run["int8_difference"] for run in runs)
    return row


def describe(name: str, row: dict[str, Any]) -> str:
    """Write a row as a line of text."""
    each = ", ".join(f"{run['test']:.2f}" for run in row["runs"])
    int8 = ""
    if "int8_difference" in row:
        differences = ", ".join(f"{run['int8_difference']:+.2f}" for run in row["runs"])
        int8 = f"  int8 {row['int8_difference']:+.3f} ({differences})"
    return (
        f"{name:22} {row['mean']:.2f} +- {row['spread']:.2f} % ({each})  "
        f"95 % interval {row['interval'][0]:.2f} to {row['interval'][1]:.2f}  {row['seconds']:.1f} s{int8}"
    )


def write_presets(result: dict[str, Any]) -> None:
    """Keep the short of it in the package, where the report shows it."""
    card = machine_card()
    rows = [
        {
            "arch": name.partition("/")[0],
            "recipe": row["recipe"]["name"] if name != PUBLISHED else name.partition("/")[2],
            **{key: row[key] for key in ("mean", "spread", "interval", "seconds")},
        }
        for name, row in sorted(
            result["rows"].items(), key=lambda item: (len(item[0].partition("/")[0]), item[0])
        )
    ]
    presets = {"edgedigits": __version__, "machine": f"{card['cpu']}, {card['cores']} cores", "rows": rows}
    path = ROOT / "edgedigits" / "reporting" / "presets.json"
    path.write_text(json.dumps(presets, indent=1) + "\n", encoding="utf-8")


def keep_result(result: dict[str, Any]) -> None:
    """Write the results, and the short of it into the package."""
    result.pop("machine", None)
    write_result("accuracy", result)
    write_presets(result)


def missed_targets(result: dict[str, Any]) -> list[str]:
    """Name the targets that are not met by what has been measured."""
    rows, missed = result["rows"], []
    for name, (least, most) in TARGETS.items():
        if name in rows and (rows[name]["mean"] < least or rows[name]["seconds"] > most):
            missed.append(f"{name}: at least {least} % in at most {most} s")
    drops = [-row["int8_difference"] for row in rows.values() if "int8_difference" in row]
    if drops and statistics.mean(drops) > INT8_DROP:
        missed.append(f"int8 drop of the long networks: {statistics.mean(drops):.3f}, at most {INT8_DROP}")
    if result.get("fast_share_of_textbook", 0.0) > TEXTBOOK_SHARE:
        missed.append("fast budget: at most 1/8 of the textbook's time")
    if result.get("peak_mib", 0.0) > MEMORY_MIB:
        missed.append(f"peak memory: at most {MEMORY_MIB} MiB")
    if result.get("standard_repeats") is False:
        missed.append("the standard run twice: the same weights")
    return missed


def main(wanted: list[str]) -> int:
    """Train what is wanted, print every row, and keep the results; 1 where a target is missed."""
    source = mnist.find_or_download()
    splits = mnist.read_split(source, "train"), mnist.read_split(source, "test")
    path = RESULTS / "accuracy.json"
    result: dict[str, Any] = json.loads(path.read_text()) if wanted and path.exists() else {"rows": {}}
    exports_only = wanted == ["--exports"]
    for name, row_recipes in recipes().items():
        if exports_only:
            row = result["rows"].get(name, {})
            if "int8_difference" in row:
                for recipe, run in zip(row_recipes, row["runs"], strict=True):
                    run["int8_difference"] = int8_difference(recipe, *splits)
                result["rows"][name] = {**summarize(row["runs"]), "recipe": row["recipe"]}
                print(describe(name, result["rows"][name]), flush=True)
            continue
        if wanted and name not in wanted:
            continue
        runs = [measure(recipe, *splits) for recipe in row_recipes]
        result["rows"][name] = {**summarize(runs), "recipe": row_recipes[0].to_dict()}
        print(describe(name, result["rows"][name]), flush=True)
        if name == "128-32/fast":
            times = [textbook_seconds(*splits, seed) for seed in SEEDS]
            result["textbook"] = {"seconds": [t for t, _ in times], "best_validation": [b for _, b in times]}
            share = result["rows"][name]["seconds"] / statistics.mean(result["textbook"]["seconds"])
            result["fast_share_of_textbook"] = share
            print(
                f"fast budget / textbook until 98.0 % on validation or ten epochs: {share:.3f} (at most 0.125)"
            )
        if name == "128-32/standard":
            again = measure(row_recipes[0], *splits)
            result["standard_repeats"] = again["weights_sha256"] == runs[0]["weights_sha256"]
            result["peak_mib"] = peak_mib()
            print(
                f"the same seed, the same weights: {result['standard_repeats']}; peak {result['peak_mib']:.0f} MiB"
            )
        keep_result(result)
    if exports_only:
        keep_result(result)
    missed = missed_targets(result)
    print("\n".join(f"MISSED {line}" for line in missed) or "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
