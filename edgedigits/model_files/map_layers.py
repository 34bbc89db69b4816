"""The kinds of layers that take a map, as networks of other authors have them: their shapes and weights.

A picture inside a network is a map: (height, width, channels), or (channels, height, width) where its author put
channels first.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from edgedigits.model_files.network_spec import LayerSpec, Shape

Window = tuple[int, int]
"""Height and width of something that moves over a map."""
Margins = tuple[int, int, int, int]
"""What lies around a map: above, below, left, right."""
Kind = Literal["max", "average"]


def neutral(shape: Shape, channels_first: bool) -> Shape:
    """Return a shape as (height, width, channels), or (numbers,) where it is a row.

    Raises:
        ValueError: it is neither.
    """
    if len(shape) == 1:
        return shape
    if len(shape) == 2:
        return (*shape, 1)
    if len(shape) != 3:
        raise ValueError(f"a tensor of {len(shape)} sides")
    return (shape[1], shape[2], shape[0]) if channels_first else shape


def same_margins(side: int, window: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return what padding ``same`` puts before and behind a side: the odd one behind."""
    reach = (window - 1) * dilation + 1
    total = max((-(-side // stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True)
class MapLayer(LayerSpec):
    """A layer that takes a map."""

    channels_first: bool = field(default=False, kw_only=True)

    def sides(self, inputs: Shape) -> tuple[int, int, int]:
        """Return height, width and channels of a map.

        Raises:
            ValueError: it is no map.
        """
        if len(inputs) != 3:
            raise ValueError(f"{self} takes a map of three sides, not {inputs}")
        height, width, channels = neutral(inputs, self.channels_first)
        return height, width, channels

    def joined(self, height: int, width: int, channels: int) -> Shape:
        """Return the shape of a map with these sides."""
        return (channels, height, width) if self.channels_first else (height, width, channels)


@dataclass(frozen=True)
class WindowLayer(MapLayer):
    """A layer that moves a window over a map."""

    window: Window
    strides: Window
    padding: str
    """``valid`` or ``same``."""
    dilation: Window = field(default=(1, 1), kw_only=True)

    def margins(self, inputs: Shape) -> Margins:
        """Return what lies around the map for this padding."""
        if self.padding == "valid":
            return 0, 0, 0, 0
        steps = zip(self.sides(inputs)[:2], self.window, self.strides, self.dilation, strict=True)
        (top, bottom), (left, right) = (same_margins(*step) for step in steps)
        return top, bottom, left, right

    def outputs(self, inputs: Shape) -> int:
        """Return how many channels it gives."""
        return self.sides(inputs)[2]

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the shape of the places of the window; see ``LayerSpec.output_shape``."""
        top, bottom, left, right = self.margins(inputs)
        height, width, _ = self.sides(inputs)
        places = [
            (side - (window - 1) * dilation - 1) // stride + 1
            for side, window, stride, dilation in zip(
                (height + top + bottom, width + left + right),
                self.window,
                self.strides,
                self.dilation,
                strict=True,
            )
        ]
        if min(places) < 1:
            raise ValueError(f"{self} of window {self.window} is larger than its map {inputs}")
        return self.joined(places[0], places[1], self.outputs(inputs))


@dataclass(frozen=True)
class Convolution(WindowLayer):
    """A layer with weights for each place of its window."""

    activation: str = field(default="linear", kw_only=True)
    use_bias: bool = field(default=True, kw_only=True)

    def products(self, inputs: Shape) -> int:
        """See ``LayerSpec.products``: each kernel at each place."""
        height, width, _ = neutral(self.output_shape(inputs), self.channels_first)
        kernels = [shape for shape in self.parameter_shapes(inputs) if len(shape) == 4]
        return height * width * sum(map(math.prod, kernels))


@dataclass(frozen=True)
class Conv2D(Convolution):
    """Every output channel from all input channels of its group."""

    filters: int = field(kw_only=True)
    groups: int = field(default=1, kw_only=True)

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return f"conv{self.filters}"

    def outputs(self, inputs: Shape) -> int:
        """See ``WindowLayer.outputs``."""
        return self.filters

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of kernel and bias.

        Raises:
            ValueError: the channels cannot be divided into the groups.
        """
        channels = self.sides(inputs)[2]
        if channels % self.groups or self.filters % self.groups:
            raise ValueError(f"{self}: {channels} channels to {self.filters} in {self.groups} groups")
        kernel = (*self.window, channels // self.groups, self.filters)
        return (kernel, (self.filters,)) if self.use_bias else (kernel,)


@dataclass(frozen=True)
class DepthwiseConv2D(Convolution):
    """Some output channels from each input channel."""

    multiplier: int = field(default=1, kw_only=True)

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "depthwise"

    def outputs(self, inputs: Shape) -> int:
        """See ``WindowLayer.outputs``."""
        return self.sides(inputs)[2] * self.multiplier

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of kernel and bias."""
        kernel = (*self.window, self.sides(inputs)[2], self.multiplier)
        return (kernel, (self.outputs(inputs),)) if self.use_bias else (kernel,)


@dataclass(frozen=True)
class SeparableConv2D(Convolution):
    """A depthwise convolution, and one of every pixel by itself."""

    filters: int = field(kw_only=True)
    multiplier: int = field(default=1, kw_only=True)

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return f"separable{self.filters}"

    def outputs(self, inputs: Shape) -> int:
        """See ``WindowLayer.outputs``."""
        return self.filters

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of the two kernels and the bias."""
        channels = self.sides(inputs)[2]
        kernels = (*self.window, channels, self.multiplier), (1, 1, channels * self.multiplier, self.filters)
        return (*kernels, (self.filters,)) if self.use_bias else kernels


@dataclass(frozen=True)
class Pooling2D(WindowLayer):
    """The largest or the mean value in each place of a window; what lies around the map does not count."""

    kind: Kind = field(kw_only=True)

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "pool"


@dataclass(frozen=True)
class GlobalPooling2D(MapLayer):
    """The largest or the mean value of each channel."""

    kind: Kind
    keeps_sides: bool = False

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "max" if self.kind == "max" else "mean"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the channels, as a row or as a map of one pixel; see ``LayerSpec.output_shape``."""
        channels = self.sides(inputs)[2]
        return self.joined(1, 1, channels) if self.keeps_sides else (channels,)


@dataclass(frozen=True)
class Border2D(MapLayer):
    """Zeros around a map; less than none cut it off."""

    margins: Margins

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the sides with the margins; see ``LayerSpec.output_shape``."""
        height, width, channels = self.sides(inputs)
        top, bottom, left, right = self.margins
        if min(height + top + bottom, width + left + right) < 1:
            raise ValueError(f"nothing is left of a map {inputs}")
        return self.joined(height + top + bottom, width + left + right, channels)
