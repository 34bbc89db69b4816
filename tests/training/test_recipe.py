import json

import pytest

from edgedigits.training.recipe import Recipe


def test_a_recipe_comes_back_from_json() -> None:
    recipe = Recipe(arch=(256, 128, 32), epochs=7, loss="categorical_crossentropy", seed=11)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, []),
        ({"seed": 4}, ["seed 0 / 4"]),
        ({"arch": (128, 64), "epochs": 3}, ["arch [128, 32] / [128, 64]", "epochs 10 / 3"]),
    ],
    ids=["none", "one", "two"],
)
def test_differences_are_named_with_both_values(change: dict, named: list[str]) -> None:
    assert Recipe().differences(Recipe(**change)) == named
