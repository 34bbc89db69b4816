"""The kinds of layers that networks of other authors have besides those of ``network_spec``: shapes and weights.

A picture inside a network is a map: (height, width, channels), or (channels, height, width) where its author put
channels first.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from edgedigits.model_files.network_spec import Flatten, LayerSpec, NetworkSpec, Shape

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


@dataclass(frozen=True)
class Reshape(LayerSpec):
    """The same values in another shape."""

    target: Shape
    """One side may be -1: what is left."""

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the target, its open side filled in; see ``LayerSpec.output_shape``."""
        count, known = math.prod(inputs), math.prod(side for side in self.target if side != -1)
        shape = tuple(count // known if side == -1 else side for side in self.target)
        if math.prod(shape) != count:
            raise ValueError(f"{inputs} cannot become {self.target}")
        neutral(shape, channels_first=False)
        return shape


@dataclass(frozen=True)
class BatchNormalization(LayerSpec):
    """``gamma * (value - mean) / sqrt(variance + epsilon) + beta`` along one axis, with means of the training."""

    axis: int
    """Counted with the batch, which is 0; or from the end."""
    epsilon: float
    center: bool = True
    scale: bool = True

    def axes(self, inputs: Shape) -> tuple[int, ...]:
        """Return the axis, counted without the batch.

        Raises:
            ValueError: there is no such axis.
        """
        return real_axes((self.axis,), inputs)

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of gamma and beta, as far as it has them, mean and variance."""
        (axis,) = self.axes(inputs)
        return ((inputs[axis],),) * (self.scale + self.center + 2)


@dataclass(frozen=True)
class Normalization(LayerSpec):
    """``(value - mean) / deviation`` with mean and variance of the training images, for each index of some axes."""

    axis: tuple[int, ...]
    mean: tuple[float, ...] = ()
    variance: tuple[float, ...] = ()
    """Both given by its author, or both empty: then they are weights."""

    def axes(self, inputs: Shape) -> tuple[int, ...]:
        """Return the axes, counted without the batch; see ``BatchNormalization.axes``."""
        return real_axes(self.axis, inputs)

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shapes of mean and variance, and of a count that Keras keeps with them."""
        shape = tuple(inputs[axis] for axis in self.axes(inputs))
        if self.mean:
            if len(self.mean) not in (1, math.prod(shape)) or len(self.mean) != len(self.variance):
                raise ValueError(f"{len(self.mean)} means for {math.prod(shape)}")
            return ()
        return shape, shape, ()


def real_axes(axes: tuple[int, ...], inputs: Shape) -> tuple[int, ...]:
    """Return axes without the batch, from axes with it.

    Raises:
        ValueError: one is none of the shape's, or the batch.
    """
    sides = len(inputs) + 1
    found = tuple(sorted(axis % sides - 1 for axis in axes if -sides <= axis < sides))
    if len(set(found)) < len(axes) or -1 in found:
        raise ValueError(f"axes {axes} of {inputs}")
    return found


@dataclass(frozen=True)
class Activation(LayerSpec):
    """A function of each value, or softmax of each row."""

    function: str
    """One of ``FUNCTIONS``."""
    alpha: float = 0.0
    """Slope of leaky_relu below 0, factor of elu; largest value of a bounded relu."""


@dataclass(frozen=True)
class PReLU(LayerSpec):
    """A ReLU with slopes below 0 that were learnt."""

    shared_axes: tuple[int, ...] = ()
    """Counted with the batch: along them there is one slope for all."""

    def parameter_shapes(self, inputs: Shape) -> tuple[Shape, ...]:
        """Return the shape of the slopes."""
        shared = real_axes(self.shared_axes, inputs)
        return (tuple(1 if axis in shared else side for axis, side in enumerate(inputs)),)


@dataclass(frozen=True)
class Add(LayerSpec):
    """The sum of branches of one shape."""

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "add"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the shape of one; see ``LayerSpec.output_shape``."""
        if not others or any(other != inputs for other in others):
            raise ValueError(f"{self} of {inputs} and {others}")
        return inputs


@dataclass(frozen=True)
class Concatenate(LayerSpec):
    """Branches side by side along an axis."""

    axis: int
    """Counted with the batch."""

    @property
    def short(self) -> str:
        """See ``LayerSpec.short``."""
        return "concat"

    def output_shape(self, inputs: Shape, *others: Shape) -> Shape:
        """Return the shape of all together; see ``LayerSpec.output_shape``."""
        (axis,) = real_axes((self.axis,), inputs)
        rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in (inputs, *others) if len(shape) > axis}
        if not others or len(rest) != 1 or any(len(shape) != len(inputs) for shape in others):
            raise ValueError(f"{self} of {inputs} and {others}")
        total = sum(shape[axis] for shape in (inputs, *others))
        return (*inputs[:axis], total, *inputs[axis + 1 :])


def channel_orders(spec: NetworkSpec) -> set[bool]:
    """Return whether the maps of a network have channels first: one answer, or both where its layers disagree."""
    orders = {layer.channels_first for layer in spec.layers if isinstance(layer, MapLayer)}
    if len(spec.input_shape) == 3:
        orders.add(spec.input_shape[0] == 1)
    for layer, inputs in zip(spec.layers, spec.entering, strict=True):
        if isinstance(layer, Flatten) and layer.channels_last and len(inputs) == 3:
            orders.add(True)
    return orders


FUNCTIONS = (
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "silu",
    "gelu",
    "softmax",
)
"""By Keras' name, what can be done to values: inside a layer or as one. ``gelu_tanh`` is the approximation."""
DEFAULT_ALPHAS = {"leaky_relu": 0.2, "elu": 1.0}
"""Of functions inside a layer."""
