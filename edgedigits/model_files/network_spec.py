"""The description of a network: its layers as frozen dataclasses, whatever file it came from."""

from dataclasses import dataclass
from typing import Literal

from edgedigits.contract import CLASSES, IMAGE_SIDE, arch_text, count_weights

LayerKind = Literal["Rescaling", "Flatten", "Reshape", "Dropout", "Dense"]


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a network, as far as edgedigits knows layers."""

    kind: LayerKind
    name: str
    units: int = 0
    """Width, of a Dense layer."""
    activation: str = "linear"
    use_bias: bool = True
    rate: float = 0.0
    """Of a Dropout layer; it does nothing once the network is trained."""
    scale: float = 1.0
    """Of a Rescaling layer."""
    offset: float = 0.0
    """Of a Rescaling layer, added after the scale."""


@dataclass(frozen=True)
class NetworkSpec:
    """A feed-forward digits network: from 28x28 values to ten probabilities."""

    input_shape: tuple[int, ...]
    """Without the batch: (28, 28), (28, 28, 1) or (784,)."""
    layers: tuple[LayerSpec, ...]

    @property
    def dense(self) -> tuple[LayerSpec, ...]:
        """The layers that hold weights, the softmax layer last."""
        return tuple(layer for layer in self.layers if layer.kind == "Dense")

    @property
    def arch(self) -> str:
        """Widths of the hidden layers, ``128-32``."""
        return arch_text(tuple(layer.units for layer in self.dense[:-1]))

    @property
    def weights(self) -> int:
        """How many weights and biases it has."""
        return count_weights(layer.units for layer in self.dense[:-1])

    @property
    def rescaling(self) -> LayerSpec | None:
        """The layer by which a network declares that it takes pixels from 0 to 255 as they are."""
        return next((layer for layer in self.layers if layer.kind == "Rescaling"), None)


def network_spec(widths: tuple[int, ...]) -> NetworkSpec:
    """Describe the network that people teach with: Flatten, Dense ReLU layers, Dense softmax of 10.

    Args:
        widths: of the hidden layers, at least one.
    """
    hidden = [LayerSpec("Dense", f"hidden_{i}", units, "relu") for i, units in enumerate(widths, start=1)]
    output = LayerSpec("Dense", "probabilities", CLASSES, "softmax")
    return NetworkSpec((IMAGE_SIDE, IMAGE_SIDE), (LayerSpec("Flatten", "flatten"), *hidden, output))
