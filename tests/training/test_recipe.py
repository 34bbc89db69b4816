import json

import pytest

from edgedigits.errors import ArgumentError
from edgedigits.training.recipe import Recipe, edge, plain

RECIPES = [
    Recipe(arch=(256, 128, 32), epochs=7, loss="categorical_crossentropy", seed=11),
    edge(drawn=30_000, non_digits=6_000, candidates=50_000, spoilt=0.1),
    *(edge(budget=budget) for budget in ("fast", "standard", "long")),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_comes_back_from_json(recipe: Recipe) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("field", ["drawn", "non_digits", "candidates", "spoilt"])
def test_a_recipe_of_a_time_without_drawn_pictures_has_none(field: str) -> None:
    fields = edge().to_dict()
    del fields[field]
    assert Recipe.from_dict(fields) == edge()


@pytest.mark.parametrize("field", ["drawn", "non_digits", "candidates"])
@pytest.mark.parametrize("number", [-1, 500_001, 1.5, True, "many"])
def test_numbers_of_drawn_pictures_that_cannot_be_are_refused(field: str, number: object) -> None:
    with pytest.raises(ArgumentError, match=field):
        Recipe(**{field: number})


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


def test_budgets_grow_and_only_the_short_one_neither_averages_nor_bends_far() -> None:
    fast, standard, long = (edge(budget=budget) for budget in ("fast", "standard", "long"))
    assert fast.epochs < standard.epochs < long.epochs
    assert fast.averaging is None
    assert standard.averaging < long.averaging
    assert fast.warp == standard.warp.scaled(0.5)


def test_wide_networks_learn_more_slowly() -> None:
    assert edge((256, 128, 32)).learning_rate < edge((128, 64)).learning_rate


def test_single_fields_can_be_changed() -> None:
    assert edge(epochs=3, seed=9).epochs == plain(epochs=3, seed=9).epochs == 3
    assert plain((10,)).arch == edge((10,)).arch == (10,)


def test_warps_grow_milder_by_stages_of_the_epochs() -> None:
    recipe = edge(epochs=8, warp_stages=(1.0, 0.5, 0.25))
    full = recipe.warp
    bent = [recipe.warp_of(epoch) for epoch in range(1, 9)]
    assert bent == [full] * 3 + [full.scaled(0.5)] * 3 + [full.scaled(0.25)] * 2
    assert edge(epochs=1, warp_stages=(1.0, 0.5)).warp_of(1) == full
    assert plain().warp_of(1) is None


def test_a_recipe_of_before_stages_and_weight_decay_is_read() -> None:
    fields = edge().to_dict()
    del fields["warp_stages"], fields["weight_decay"]
    assert Recipe.from_dict(fields) == edge()


@pytest.mark.parametrize(
    "fields", [{"warp_stages": ()}, {"warp_stages": (1.5,)}, {"weight_decay": -0.1}, {"spoilt": 1.1}]
)
def test_stages_and_shares_out_of_range_are_refused(fields: dict) -> None:
    with pytest.raises(ArgumentError, match=next(iter(fields))):
        edge(**fields)


def test_stages_need_warps() -> None:
    with pytest.raises(ArgumentError, match="warp_stages: expected none for images as they are"):
        plain(warp_stages=(1.0, 0.5))
