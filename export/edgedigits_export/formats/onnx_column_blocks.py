"""A convolution of one channel, four columns at a time: the same integers from a shape that is fast in onnxruntime.

onnxruntime gathers what an integer convolution reads by channels, and a map of one channel, as a picture is, is read
value by value: of a network for digits the first convolution takes more time than all others. Here four places
beside each other become the outputs of one place. What lies in memory stays as it is: with channels last, a row of 28
values is a row of 7 places of 4 channels, and 7 places of ``4 * outputs`` channels are 28 places of ``outputs``.
Weights stand as often as there are columns, with zeros between them, and the sums are those that they were.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from edgedigits.model_files.network_spec import Shape
from edgedigits_export.integers.graph_steps import IntegerConvolution

COLUMNS = 4
"""Places that become one: onnxruntime's integer kernels read four channels at once."""


class ColumnBlocks(NamedTuple):
    """How a convolution is done so."""

    step: IntegerConvolution
    """The same over blocks, without margins aside; its kernel is (height, blocks, block, COLUMNS * outputs)."""
    margins: tuple[int, int]
    """Columns of zeros to the left and to the right of the map; less than none cuts off."""
    block: int
    """Values of the map that are a block."""
    width: int
    """Columns that come out, a multiple of ``COLUMNS``: those that are wanted, and up to three behind them."""


def column_blocks(step: IntegerConvolution, given: Shape, made: Shape) -> ColumnBlocks | None:
    """Return how a convolution is done four columns at a time; None where it is better done as it stands.

    Args:
        step: the convolution.
        given: shape of the map that it takes, (height, width, channels).
        made: likewise of what it gives.
    """
    if given[2] > 1 or made[1] < COLUMNS:
        return None
    height, width, _, outputs = step.kernel.shape
    stride, dilation = step.strides[1], step.dilation[1]
    block = COLUMNS * stride
    reach = stride * (COLUMNS - 1) + dilation * (width - 1) + 1
    blocks = -(-reach // block)
    kernel = np.zeros((height, blocks, block, COLUMNS, outputs), np.int8)
    for column in range(COLUMNS):
        for tap in range(width):
            at, value = divmod(column * stride + tap * dilation, block)
            kernel[:, at, value, column] = step.kernel[:, tap, 0]
    top, bottom, left, _ = step.margins
    places = -(-made[1] // COLUMNS)
    over = dataclasses.replace(
        step,
        kernel=kernel.reshape(height, blocks, block, COLUMNS * outputs),
        bias=np.tile(step.bias, COLUMNS),
        scales=np.tile(step.scales, COLUMNS),
        strides=(step.strides[0], 1),
        dilation=(step.dilation[0], 1),
        margins=(top, bottom, 0, 0),
    )
    right = (places - 1 + blocks) * block - given[1] - left
    return ColumnBlocks(over, (left, right), block, places * COLUMNS)
