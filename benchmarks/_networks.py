"""Trained networks that several benchmarks judge: trained once, kept in ``build/networks``, found there again."""

from pathlib import Path

from _machine import ROOT

from edgedigits.arch_words import PRESETS as WORDS
from edgedigits.artifacts.manifest import read_manifest, training_of
from edgedigits.datasets.split import Split
from edgedigits.file_names import DEFAULT_NAME, file_name
from edgedigits.model_files.trained_networks import written_arch
from edgedigits.training.recipe import Recipe, edge
from edgedigits.training.run_files import TrainingResult
from edgedigits.training.train import train

SEEDS = (0, 1, 2)
PRESETS = {"128-32": (128, 32), "128-64": (128, 64), "256-128-32": (256, 128, 32)}
FOLDER = ROOT / "build" / "networks"


def long_recipes() -> list[Recipe]:
    """Return the recipes of the nine long networks: three presets, three seeds."""
    return [edge(arch, "long", seed=seed) for arch in PRESETS.values() for seed in SEEDS]


def folder_of(recipe: Recipe) -> Path:
    """Return where the network of a recipe is kept: ``build/networks/128-32-long-0``, ``build/networks/cnn-long-0``."""
    presets = {words: name for name, words in WORDS.items()}
    arch = written_arch(recipe.arch)
    drawn = f"drawn{recipe.drawn}-" if recipe.drawn else ""
    drawn += f"non{recipe.non_digits}-" if recipe.non_digits else ""
    drawn += f"spoilt{recipe.spoilt}-" if recipe.spoilt else ""
    return FOLDER / f"{presets.get(arch, arch)}-{recipe.name.split()[-1]}-{drawn}{recipe.seed}"


def train_and_keep(recipe: Recipe, train_split: Split, test_split: Split) -> TrainingResult:
    """Train a network and keep it."""
    return train(recipe, train_split, test_split, folder_of(recipe))


def kept(recipe: Recipe, train_split: Split, test_split: Split) -> Path:
    """Return the ``.keras`` file of a recipe, trained now if it is not kept yet: minutes for a long budget."""
    folder = folder_of(recipe)
    path = folder / file_name(DEFAULT_NAME, "keras")
    training = training_of(read_manifest(folder), DEFAULT_NAME)
    if not path.exists() or training is None or Recipe.from_dict(training["arguments"]) != recipe:
        print(f"training {folder.name}", flush=True)
        train_and_keep(recipe, train_split, test_split)
    return path
