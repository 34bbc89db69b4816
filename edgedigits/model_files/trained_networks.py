"""The networks that ``train`` makes, described: dense ones by their widths, others by the words of ``arch_words``."""

import math

from edgedigits.arch_words import EXAMPLE, PRESETS, Word, read_words
from edgedigits.contract import (
    CLASSES,
    IMAGE_SIDE,
    LARGEST_MAP,
    MOST_PRODUCTS,
    MOST_WEIGHTS,
    arch_text,
    parse_arch,
)
from edgedigits.model_files import map_layers as maps
from edgedigits.model_files.keras_archive import MOST_ACTIVATIONS
from edgedigits.model_files.layer_kinds import Activation, Add, BatchNormalization
from edgedigits.model_files.network_spec import Dense, Dropout, Flatten, LayerSpec, NetworkSpec, network_spec

Arch = tuple[int, ...] | str
"""Widths of the hidden layers, or words."""

MOST_LAYERS = 99
"""That a ``.keras`` file may have besides its input, when it is read; see ``keras_graph``."""
LONGEST_ARCH = 1_000
"""Letters of what ``--arch`` takes: more than the most words and widths need."""
EPSILON = 1e-3
"""Of batch normalization, as Keras has it."""


def read_arch(text: str) -> Arch:
    """Read what ``--arch`` takes: widths, ``128-32``; words, ``conv8-pool-conv24-conv40-mean``; the name of a preset.

    Returns:
        The widths, or the words in which a preset is written out.

    Raises:
        ValueError: it is none of these, or not the description of a network that can be trained.
    """
    if len(text) > LONGEST_ARCH:
        raise ValueError(f"expected at most {LONGEST_ARCH:,} letters like {EXAMPLE}, got {len(text):,}")
    if not text[:1].isalpha():
        return _read_widths(text)
    words = PRESETS.get(text, text)
    trained_spec(words)
    return words


def _read_widths(text: str) -> tuple[int, ...]:
    try:
        widths = parse_arch(text)
    except ValueError as error:
        raise ValueError(f"{error}; or layers in words, {EXAMPLE}") from error
    if len(widths) > MOST_LAYERS - 2:  # Flatten, and the ten classes.
        raise ValueError(f"expected at most {MOST_LAYERS - 2} widths, got {len(widths):,}")
    return widths


def written_arch(arch: Arch) -> str:
    """Write an architecture as ``--arch`` takes it."""
    return arch if isinstance(arch, str) else arch_text(arch)


def trained_spec(arch: Arch) -> NetworkSpec:
    """Describe the network of an architecture, with a softmax of the ten classes at its end.

    Raises:
        ValueError: a word is none, a map is smaller than a window, or the network is larger than any that is opened.
    """
    if not isinstance(arch, str):
        return network_spec(arch)
    built = _Built()
    for place, word in enumerate(read_words(arch), start=1):
        built.take(word, place)
    built.end()
    return built.spec


class _Built:
    """A network that grows by words."""

    def __init__(self) -> None:
        self.layers: list[LayerSpec] = []
        self.sources: list[tuple[int, ...]] = []
        self.shapes: list[tuple[int, ...]] = [(IMAGE_SIDE, IMAGE_SIDE, 1)]
        self.words: list[int] = [0]
        """Index in ``shapes`` of the image, and of what each word gave."""
        self.products = self.weights = self.values = 0

    def take(self, word: Word, place: int) -> None:
        """Add the layers of a word.

        Raises:
            ValueError: they do not fit on what there is, or become too large.
        """
        try:
            self._take(word, place, f"{word.kind}_{place}")
        except ValueError as error:
            raise ValueError(f"{error} at word {place}, {word.text!r}") from error
        self.words.append(len(self.layers))

    def _take(self, word: Word, place: int, name: str) -> None:
        if word.kind in ("conv", "separable", "depthwise"):
            self._convolve(word, name)
        elif word.kind == "add":
            if place <= word.number:
                raise ValueError(f"expected {word.number} words or more before it, got {place - 1}")
            self._call(Add(name), self.words[-1 - word.number])
        elif word.kind == "dense":
            self._flatten(name)
            self._call(Dense(name, word.number, "relu"))
        elif word.kind == "dropout":
            self._call(Dropout(name, word.number / 100))
        elif word.kind == "crop":
            self._map_needed()
            self._call(maps.Border2D(name, (-word.number,) * 4))
        else:
            self._map_needed()
            self._call(_pooling(word, name))

    def end(self) -> None:
        """Add the ten classes."""
        self._flatten("probabilities")
        self._call(Dense("probabilities", CLASSES, "softmax"))

    @property
    def spec(self) -> NetworkSpec:
        """What there is."""
        is_chain = all(sources == (index,) for index, sources in enumerate(self.sources))
        return NetworkSpec(self.shapes[0], tuple(self.layers), () if is_chain else tuple(self.sources))

    def _convolve(self, word: Word, name: str) -> None:
        self._map_needed()
        moving = {
            "window": (word.kernel, word.kernel),
            "strides": (word.stride or 1, word.stride or 1),
            "padding": "valid" if word.is_valid else "same",
        }
        activation = "relu" if word.is_bare else "linear"
        if word.kind == "depthwise":
            kind: type[maps.Convolution] = maps.DepthwiseConv2D
            number = {"multiplier": word.number}
        else:
            kind = maps.Conv2D if word.kind == "conv" else maps.SeparableConv2D
            number = {"filters": word.number}
        self._call(kind(name, **moving, activation=activation, use_bias=word.is_bare, **number))  # type: ignore[arg-type]
        if not word.is_bare:
            self._call(BatchNormalization(f"{name}_norm", axis=-1, epsilon=EPSILON))
            self._call(Activation(f"{name}_relu", "relu"))

    def _flatten(self, name: str) -> None:
        if len(self.shapes[-1]) == 3:
            self._call(Flatten(f"{name}_flatten"))

    def _map_needed(self) -> None:
        if len(self.shapes[-1]) != 3:
            raise ValueError(
                "expected a map, got a row of values, which is all that mean, max and dense leave"
            )

    def _call(self, layer: LayerSpec, *others: int) -> None:
        """Let a layer take what there is, and more where branches meet.

        Raises:
            ValueError: it cannot take that, or the network becomes too large.
        """
        inputs = self.shapes[-1]
        try:
            shape = layer.output_shape(inputs, *(self.shapes[other] for other in others))
        except ValueError as error:
            found = " and ".join("x".join(map(str, self.shapes[other])) for other in (-1, *others))
            wanted = "maps of one shape" if others else "a map no smaller than the window"
            raise ValueError(f"expected {wanted}, got {found}") from error
        self.sources.append((len(self.layers), *others))
        self.layers.append(layer)
        self.shapes.append(shape)
        self.weights += layer.parameters(inputs)
        self.products += layer.products(inputs)
        self.values += math.prod(shape)
        for found_size, most, what in (
            (len(self.layers), MOST_LAYERS, "layers"),
            (self.weights, MOST_WEIGHTS, "weights"),
            (self.products, MOST_PRODUCTS, "multiplications for one image"),
            (math.prod(shape), LARGEST_MAP, "values that a layer makes of an image"),
            (self.values, MOST_ACTIVATIONS, "values between the layers"),
        ):
            if found_size > most:
                raise ValueError(f"expected at most {most:,} {what}, got {found_size:,}")


def _pooling(word: Word, name: str) -> LayerSpec:
    """Return the layer of a word that takes the largest or the mean value of places."""
    kind: maps.Kind = "max" if word.kind in ("pool", "max") else "average"
    if word.kind in ("mean", "max"):
        return maps.GlobalPooling2D(name, kind)
    stride = word.stride or word.number
    return maps.Pooling2D(name, (word.number, word.number), (stride, stride), "valid", kind=kind)
