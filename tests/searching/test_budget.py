import pytest

from edgedigits.model_files.packed_size import PackedCost
from edgedigits.searching.budget import LARGEST_AMOUNT, Budget, read_amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("4096", 4096),
        ("4K", 4096),
        ("4k", 4000),
        ("500k", 500_000),
        ("1.5K", 1536),
        ("2m", 2_000_000),
        ("1M", 1 << 20),
        (" 1 ", 1),
        ("1024M", LARGEST_AMOUNT),
    ],
)
def test_an_amount_may_end_in_a_letter(text, amount):
    assert read_amount(text) == amount


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "4Q", "4 K", "1e3", "0.3", "1.0001k", "nan", "٤", "1025M", "9" * 30, "4KB"]
)
def test_what_is_no_amount_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"expected a whole number like 4096, 4K \(4,096\)"):
        read_amount(text)


@pytest.mark.parametrize(
    ("budget", "exceeded"),
    [
        (Budget(1000), []),
        (Budget(999), ["flash"]),
        (Budget(1000, ram=100, instructions=10), []),
        (Budget(1000, ram=99, instructions=9), ["ram", "instructions"]),
        (Budget(999, instructions=9), ["flash", "instructions"]),
    ],
)
def test_a_budget_names_what_a_cost_exceeds(budget, exceeded):
    assert budget.exceeded(PackedCost(flash=1000, ram=100, instructions=10)) == exceeded
