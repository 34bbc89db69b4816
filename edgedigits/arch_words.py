"""The words in which ``--arch`` describes a network with convolutions: ``conv8-pool-conv24-conv40-mean``. Light.

Words stand between dashes, in the order in which a picture goes through them; the ten classes follow by themselves.

    conv24       convolution to 24 channels, batch normalization, relu
    separable24  the same of a convolution of each channel by itself and one of each pixel by itself
    depthwise    a convolution of each channel by itself, batch normalization, relu; depthwise2 gives two for each
    pool         the largest of 2x2 values; pool3 of 3x3
    meanpool     their mean; meanpool3
    crop2        two pixels less on each side
    add          the sum of what there is and what there was two words ago, a residual; add3 three words ago
    mean, max    of each channel, all over the map
    dense32      every one of 32 values from all values, relu
    dropout50    leaves out half of the values, by chance, while it learns

Options follow with a dot: ``.k5`` a window of 5x5 in place of 3x3, ``.s2`` two pixels a step in place of one (of a
pooling's window), ``.valid`` no zeros around the map, ``.bare`` a bias in place of batch normalization.
"""

import re
from typing import NamedTuple

from edgedigits.contract import WIDEST_LAYER

PRESETS = {
    "cnn-small": "conv8.k5.s2.valid-conv12.valid-conv16.s2.valid-conv24.valid-mean",
    "cnn": "conv16.k5.s2.valid-conv32.valid-conv48.s2-conv64.valid-conv64.valid",
}
"""Names that stand for words."""
MOST_WORDS = 50
LARGEST_WINDOW = 28
LONGEST_SHOWN = 40
"""Characters of a word that a message shows."""
EXAMPLE = "conv8-pool-conv24-conv40-mean"

_CONVOLUTION, _POOLING = frozenset("ksvb"), frozenset("s")
_KINDS: dict[str, tuple[int | None, int, frozenset[str]]] = {
    "conv": (None, WIDEST_LAYER, _CONVOLUTION),
    "separable": (None, WIDEST_LAYER, _CONVOLUTION),
    "depthwise": (1, 64, _CONVOLUTION),
    "pool": (2, LARGEST_WINDOW, _POOLING),
    "meanpool": (2, LARGEST_WINDOW, _POOLING),
    "crop": (None, LARGEST_WINDOW // 2 - 1, frozenset()),
    "add": (2, MOST_WORDS, frozenset()),
    "mean": (0, 0, frozenset()),
    "max": (0, 0, frozenset()),
    "dense": (None, WIDEST_LAYER, frozenset()),
    "dropout": (None, 99, frozenset()),
}
"""By the word: its number where none is written (None: there has to be one), the largest, letters of its options."""
_WORD = re.compile(r"([a-z]+)([1-9][0-9]{0,5})?((?:\.[a-z]+[0-9]{0,6})*)")
_OPTION = re.compile(r"([ks])([1-9][0-9]{0,5})|(valid)|(bare)")


class Word(NamedTuple):
    """One word, read."""

    text: str
    """As it is written."""
    kind: str
    number: int
    """Channels, values, percent, sides of a window: what the kind counts; 0 where it counts nothing."""
    kernel: int = 3
    """Side of the window of a convolution."""
    stride: int = 0
    """Pixels a step; 0 where none is written."""
    is_valid: bool = False
    """No zeros around the map."""
    is_bare: bool = False
    """A bias, and no batch normalization."""


def read_words(text: str) -> tuple[Word, ...]:
    """Read the words of an architecture, or those that a preset stands for.

    What they come to (a map that vanishes, too many weights) is for ``model_files.trained_networks`` to say.

    Raises:
        ValueError: a word that is none, or too many of them.
    """
    written = PRESETS.get(text, text).split("-")
    if len(written) > MOST_WORDS:
        raise ValueError(f"expected at most {MOST_WORDS} words like {EXAMPLE}, got {len(written):,}")
    return tuple(_read_word(word, place) for place, word in enumerate(written, start=1))


def _read_word(text: str, place: int) -> Word:
    found = _WORD.fullmatch(text)
    if found is None or found[1] not in _KINDS:
        raise _refused(f"{', '.join(_KINDS)} or one of the presets {', '.join(PRESETS)}", text, place)
    kind = found[1]
    default, largest, allowed = _KINDS[kind]
    if found[2] is None and default is None:
        raise _refused(f"{kind} with a number, like {kind}{min(24, largest)}", text, place)
    number = int(found[2] or default or 0)
    if number > largest:
        limit = f"a number up to {largest:,} behind {kind}" if largest else f"{kind} without a number"
        raise _refused(limit, text, place)
    options: dict[str, int] = {}
    for option in found[3].split(".")[1:]:
        parts = _OPTION.fullmatch(option)
        letter = option[0]
        if parts is None or letter not in allowed or letter in options:
            known = [name for name in (".k5", ".s2", ".valid", ".bare") if name[1] in allowed]
            raise _refused(f"{kind} with {', '.join(known) or 'no'} options, each once", text, place)
        options[letter] = int(parts[2] or 1)
        if options[letter] > LARGEST_WINDOW:
            raise _refused(f".{letter} up to {LARGEST_WINDOW}", text, place)
    return Word(text, kind, number, options.get("k", 3), options.get("s", 0), "v" in options, "b" in options)


def _refused(expected: str, text: str, place: int) -> ValueError:
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return ValueError(
        f"expected {expected}, got {shown!r} at word {place}; e.g. {EXAMPLE}, or widths alone, 128-32"
    )
