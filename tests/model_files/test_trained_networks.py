import pytest

from edgedigits.arch_words import PRESETS
from edgedigits.contract import count_weights
from edgedigits.model_files.trained_networks import read_arch, trained_spec, written_arch


def test_widths_are_what_they_were() -> None:
    assert read_arch("128-32") == (128, 32)
    assert written_arch((128, 32)) == trained_spec((128, 32)).arch == "128-32"
    assert trained_spec((128, 32)).parameters == count_weights((128, 32))


@pytest.mark.parametrize(
    ("words", "shapes", "parameters"),
    [
        # By hand: kernels and the four numbers that batch normalization has for each channel; 10 classes.
        ("conv8-pool-mean", {(28, 28, 8), (14, 14, 8), (8,)}, 72 + 32 + 90),
        ("conv8.k5.s2.valid.bare-max", {(12, 12, 8), (8,)}, 208 + 90),
        ("separable6-meanpool7-dense5", {(28, 28, 6), (4, 4, 6), (96,), (5,)}, 9 + 6 + 24 + 485 + 60),
        ("depthwise3.bare-depthwise2.s3.valid.bare-mean", {(28, 28, 3), (9, 9, 6), (6,)}, 30 + 60 + 70),
        ("conv4.s2-conv4-conv4-add-dropout20-mean", {(14, 14, 4), (4,)}, 36 + 144 * 2 + 48 + 50),
        ("pool3.s2-dense4-dense4", {(13, 13, 1), (169,), (4,)}, 170 * 4 + 20 + 50),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words_come_to_shapes_and_weights(words: str, shapes: set[tuple[int, ...]], parameters: int) -> None:
    spec = trained_spec(words)
    assert set(spec.shapes) == {(28, 28, 1), (10,), *shapes}
    assert spec.parameters == parameters
    assert spec.arch.endswith("-dense10")


def test_a_residual_takes_what_there_was_so_many_words_ago() -> None:
    spec = trained_spec("conv4.bare-conv4.bare-conv4.bare-add-conv4.bare-add1")
    first, second = (index for index, layer in enumerate(spec.layers) if str(layer) == "Add")
    assert spec.inputs[first] == (3, 1)  # 0 is the image, 1 what the first convolution gives
    assert spec.inputs[second] == (5, 4)


def test_presets_are_of_the_size_that_the_readme_says() -> None:
    small, large = (trained_spec(read_arch(name)) for name in ("cnn-small", "cnn"))
    assert small.parameters < 8_000
    assert large.parameters < 100_000
    assert small.products < 200_000
    assert written_arch(read_arch("cnn")) == PRESETS["cnn"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("128-pool", "expected widths from 1 to 16384 like 128-32 .*; or layers in words, conv8-pool-"),
        ("", "or layers in words"),
        ("-".join(["1"] * 98), "expected at most 97 widths, got 98"),
        ("1-" * 10_000, "expected at most 1,000 letters like .*, got 20,000"),
        ("conv8-pool-pool-pool-pool-pool-mean", "no smaller than the window, got 1x1x8 at word 6, 'pool'"),
        ("conv8.k28.valid-conv8.valid", "no smaller than the window, got 1x1x8 at word 2"),
        ("conv8-mean-pool", "expected a map, got a row of values, .* at word 3, 'pool'"),
        ("dense8-conv8", "expected a map, .* at word 2, 'conv8'"),
        ("conv8-conv8-conv9-add", "expected maps of one shape, got 28x28x9 and 28x28x8 at word 4, 'add'"),
        ("conv8-add9", "expected 9 words or more before it, got 1 at word 2"),
        ("dense16384-dense16384", "expected at most 16,777,216 weights, got 281,"),
        ("conv512", "expected at most 262,144 values that a layer makes of an image, got 401,408 at word 1"),
        ("conv100.k28-conv100.k28", "expected at most 1,073,741,824 multiplications for one image"),
        ("-".join(["conv2"] * 40), "expected at most 99 layers, got 100 at word 34"),
        (
            "-".join(["depthwise64.bare", *["depthwise4.k1.bare"], *["depthwise.k1.bare"] * 40]),
            "expected at most 4,194,304 values between the layers",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_what_cannot_be_trained_is_one_line(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        read_arch(text)
    assert "\n" not in str(caught.value)
