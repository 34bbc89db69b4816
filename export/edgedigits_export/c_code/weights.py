"""Layers with weights: their integers as C code has them."""

from typing import Any

import numpy as np

from edgedigits.errors import QuantizationError
from edgedigits.model_files.map_layers import Window
from edgedigits.model_files.network_spec import Shape
from edgedigits_export.c_code.layers import (
    LANES,
    LEAST_DOT,
    Bytes,
    Convolution,
    Dense,
    Int8s,
    Int32s,
    Order,
)
from edgedigits_export.integers.fixed_point import (
    INT32_MAX,
    QUANTIZED_MAX,
    FixedPointDense,
    effective_scales,
    quantize_multipliers,
)
from edgedigits_export.integers.graph_steps import SIGN, IntegerConvolution, IntegerProduct
from edgedigits_export.integers.graph_tables import bounds
from edgedigits_export.integers.grids import Grid


def dense(step: IntegerProduct, taken: Grid, given: Grid, columns: Any, source: int, target: int) -> Dense:
    """Return a fully connected layer.

    Args:
        step: with its weights.
        taken: grid of what goes in.
        given: grid of what comes out.
        columns: in which order the inputs lie in memory; None as they are.
        source: the value that goes in.
        target: the value that comes out.
    """
    weights = np.ascontiguousarray(step.kernel.T if columns is None else step.kernel.T[:, columns])
    multipliers, shifts = _multipliers(step, taken, given)
    lowest, highest = bytes_of(step.low, step.high, given)
    layer = FixedPointDense(
        zero_point=given.zero_point,
        lowest=lowest,
        highest=highest,
        weights=weights,
        biases=_biases(step, weights, taken.zero_point),
        multipliers=multipliers,
        shifts=shifts,
    )
    return Dense((source,), target, layer)


def convolution(
    step: IntegerConvolution,
    taken: Grid,
    given: Grid,
    inputs: Shape,
    source: int,
    target: int,
    **pooling: Any,
) -> Convolution:
    """Return a convolution.

    Args:
        step: with its weights.
        taken: grid of what goes in.
        given: grid of what comes out.
        inputs: height, width and channels of what goes in.
        source: the value that goes in.
        target: the value that comes out.
        pooling: of its outputs, fields of ``Convolution``; none of them where there is none.
    """
    kernel = (step.kernel.shape[0], step.kernel.shape[1])
    dilation = (step.dilation[0] if kernel[0] > 1 else 1, step.dilation[1] if kernel[1] > 1 else 1)
    rows = np.ascontiguousarray(step.kernel.transpose(3, 0, 1, 2))
    order = _order(rows, step.groups, dilation)
    multipliers, shifts = _multipliers(step, taken, given)
    lowest, highest = bytes_of(step.low, step.high, given)
    rows_of_maps, columns, outputs = step.shape(inputs)
    facts: dict[str, Any] = {
        "window": (1, 1),
        "pooling": "sums",
        "table": None,
        "mean": None,
        "pooled_zero": 0,
        "pooled": (rows_of_maps, columns),
    }
    return Convolution(
        sources=(source,),
        target=target,
        weights=rows if order in ("rows", "groups") else np.ascontiguousarray(step.kernel),
        biases=_biases(step, rows, taken.zero_point),
        multipliers=multipliers,
        shifts=shifts,
        order=order,
        inputs=inputs,
        kernel=kernel,
        strides=step.strides,
        dilation=dilation,
        groups=step.groups,
        margins=step.margins,
        places=(rows_of_maps, columns),
        outputs=outputs,
        zero=taken.zero_point,
        zero_point=given.zero_point,
        lowest=lowest,
        highest=highest,
        **(facts | pooling),
    )


def _order(rows: Int8s, groups: int, dilation: Window) -> Order:
    """Choose how a convolution goes through its weights, (outputs, height, width, inputs of a group)."""
    outputs, height, width, inputs = rows.shape
    if dilation != (1, 1) or (groups > 1 and (groups != outputs or inputs > 1)):
        return "groups"
    if groups > 1:
        return "depthwise"
    return "taps" if height * width * inputs < LEAST_DOT and outputs >= LANES else "rows"


def bytes_of(low: float, high: float, grid: Grid) -> tuple[int, int]:
    """Return the lowest and the highest byte of what is kept within bounds; see ``graph_tables.bounds``."""
    lowest, highest = bounds(low, high, grid)
    return lowest + SIGN, highest + SIGN


def _multipliers(step: Any, taken: Grid, given: Grid) -> tuple[Int32s, Bytes]:
    factors = effective_scales(taken.scale, step.scales, given.scale)
    return quantize_multipliers(factors, len(factors))


def _biases(step: Any, rows: Int8s, zero: int) -> Int32s:
    """Return the biases of sums over bytes, of which ``zero`` stands for 0.

    Raises:
        QuantizationError: sums may leave int32.
    """
    whole = rows.reshape(len(rows), -1).astype(np.int64)
    biases = step.bias.astype(np.int64) - zero * whole.sum(axis=1)
    if np.any(np.abs(biases) + QUANTIZED_MAX * np.abs(whole).sum(axis=1) > INT32_MAX):
        raise QuantizationError(
            "expected sums within int32 for C code, found larger ones; export it to .tflite"
        )
    return np.asarray(biases, np.int32)
