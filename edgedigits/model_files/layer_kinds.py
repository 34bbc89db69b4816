"""The kinds of layers that networks of other authors have besides those of ``network_spec`` and ``map_layers``."""

import math
from dataclasses import dataclass

from edgedigits.model_files.map_layers import MapLayer, neutral
from edgedigits.model_files.network_spec import Flatten, LayerSpec, NetworkSpec, Shape


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
    "softplus",
    "softmax",
)
"""By Keras' name, what can be done to values: inside a layer or as one. ``gelu_tanh`` is the approximation."""
DEFAULT_ALPHAS = {"leaky_relu": 0.2, "elu": 1.0}
"""Of functions inside a layer."""
