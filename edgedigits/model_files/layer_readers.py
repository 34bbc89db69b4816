"""What readers of Keras configurations have in common: arguments that are of their kind, or refused by name."""

from collections.abc import Callable
from typing import Any

from edgedigits.contract import WIDEST_LAYER
from edgedigits.model_files.layer_kinds import FUNCTIONS
from edgedigits.model_files.map_layers import Window
from edgedigits.model_files.network_spec import LayerSpec

LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
LARGEST_WINDOW = 64
"""Pixels, strides and margins; pictures have 28."""
Config = dict[str, Any]
Reader = Callable[[Config, Config], LayerSpec]
"""From the configuration of a layer, and its name and the place of its weights."""


class ForeignLayerError(ValueError):
    """A layer that is not offered, or has an argument that is not."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected, self.found = expected, found


def natural(config: Config, key: str, least: int = 1, most: int = WIDEST_LAYER) -> int:
    """Return a whole number within bounds; ``ForeignLayerError`` where it is none."""
    number = config[key]
    if type(number) is not int or not least <= number <= most:
        raise ForeignLayerError(f"{key} from {least} to {most:,}", repr(number)[:80])
    return number


def finite(config: Config, key: str) -> float:
    """Return a number that float32 holds; ``ForeignLayerError`` where it is none."""
    number = float(config[key])
    if not abs(number) <= LARGEST_FLOAT32:
        raise ForeignLayerError(f"a finite {key}", str(number))
    return number


def window(config: Config, key: str) -> Window:
    """Return two sides of a window; ``ForeignLayerError`` where it is none."""
    sides = config[key]
    pair = [sides, sides] if type(sides) is int else sides
    if len(pair) != 2 or not all(type(side) is int and 1 <= side <= LARGEST_WINDOW for side in pair):
        raise ForeignLayerError(f"{key} of two sides from 1 to {LARGEST_WINDOW}", repr(sides)[:80])
    return pair[0], pair[1]


def channels_first(config: Config) -> bool:
    """Return whether channels come before the sides of a map; ``ForeignLayerError`` where it is none."""
    return one_of(config, "data_format", "channels_last", "channels_first") == "channels_first"


def one_of(config: Config, key: str, *values: str) -> str:
    """Return a text that is one of some; ``ForeignLayerError`` where it is none."""
    if config[key] not in values:
        raise ForeignLayerError(f"{key} {' or '.join(values)}", repr(config[key])[:80])
    return str(config[key])


def function(config: Config) -> str:
    """Return Keras' name of what is done to values; ``ForeignLayerError`` where it is none."""
    name = config["activation"]
    name = {"swish": "silu", None: "linear"}.get(name, name) if isinstance(name, str | None) else name
    if name not in FUNCTIONS:
        found = name if isinstance(name, str) else "one that is no name"
        raise ForeignLayerError(f"an activation among {', '.join(FUNCTIONS)}", found[:80])
    return str(name)
