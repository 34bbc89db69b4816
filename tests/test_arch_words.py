import pytest

from edgedigits.arch_words import MOST_WORDS, PRESETS, read_words


def test_words_are_read_with_what_is_not_written() -> None:
    first, second, *rest = read_words(
        "conv8-pool-separable24.k5.s2.valid.bare-depthwise-meanpool3.s1-dropout25"
    )
    assert first[1:] == ("conv", 8, 3, 0, False, False)
    assert second[1:3] == ("pool", 2)
    assert [word[1:] for word in rest] == [
        ("separable", 24, 5, 2, True, True),
        ("depthwise", 1, 3, 0, False, False),
        ("meanpool", 3, 3, 1, False, False),
        ("dropout", 25, 3, 0, False, False),
    ]


def test_options_stand_in_any_order() -> None:
    one, other = read_words("conv8.s2.valid.k5-conv8.k5.s2.valid")
    assert one[1:] == other[1:]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_words(name: str) -> None:
    assert read_words(name) == read_words(PRESETS[name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "conv8-pol",
            "expected conv, separable, depthwise, .* or one of the presets .*, got 'pol' at word 2",
        ),
        ("conv8--mean", "got '' at word 2"),
        ("CNN", "got 'CNN' at word 1"),
        ("conv", "expected conv with a number, like conv24, got 'conv' at word 1"),
        ("conv0", "expected conv, .*, got 'conv0'"),
        ("conv8 -mean", "got 'conv8 ' at word 1"),
        ("conv\uff18", "got .conv\uff18. at word 1"),
        ("conv16385", "expected a number up to 16,384 behind conv, got 'conv16385'"),
        ("conv8-mean4", "expected mean without a number, got 'mean4' at word 2"),
        ("dropout100", "expected a number up to 99 behind dropout"),
        ("conv8.k29", "expected .k up to 28, got 'conv8.k29'"),
        ("conv8.s0", "expected conv with .k5, .s2, .valid, .bare options, each once, got 'conv8.s0'"),
        ("conv8.k3.k5", "each once, got 'conv8.k3.k5'"),
        ("conv8.v", "each once, got 'conv8.v'"),
        ("pool.k3", "expected pool with .s2 options, each once, got 'pool.k3'"),
        ("dense8.bare", "expected dense with no options"),
        ("x" * 5_000, r"got 'x{40}\.\.\.' at word 1"),
        ("-".join(["conv1"] * 10_000), f"expected at most {MOST_WORDS} words like .*, got 10,000"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_word_is_named_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        read_words(text)
    assert "conv8-pool-conv24-conv40-mean" in str(caught.value)
    assert len(str(caught.value)) < 300
