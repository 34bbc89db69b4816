"""What onnxruntime's own operators make of their inputs that stand for several of networks that are no Dense chain.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

from edgedigits.model_files.onnx_fused import FUSED_FUNCTIONS
from edgedigits.model_files.onnx_map_operators import convolution, function, pool
from edgedigits.model_files.onnx_operators import met
from edgedigits.model_files.onnx_sequence_operators import fused_product
from edgedigits.model_files.onnx_tensors import LARGEST_NUMBER, UINT8, Attributes, Rules, Tensor, expect


def _fused_convolution(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """A Conv, what may be added to it, and a function of the sum."""
    given = attributes.get("activation_params", {}).get("floats", ())
    expect(
        len(inputs) in (2, 3, 4)
        and attributes.get("activation", {}).get("s", "") in FUSED_FUNCTIONS
        and len(given) <= 2
        and all(abs(number) <= LARGEST_NUMBER for number in given),
        "FusedConv",
        inputs,
    )
    sums = convolution(inputs[:3], attributes)
    return sums if len(inputs) < 4 else met([sums, inputs[3]], "FusedConv")._replace(products=sums.products)


def _biased_gelu(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    expect(len(inputs) == 2, "BiasGelu", inputs)
    return met(inputs, "BiasGelu")


def _largest_of_last(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """A MaxPool of a map of bytes whose channels come last."""
    expect(len(inputs) == 1 and inputs[0].dtype == UINT8 and len(inputs[0].shape) == 4, "NhwcMaxPool", inputs)
    batch, height, width, channels = inputs[0].shape
    first = inputs[0]._replace(shape=(batch, channels, height, width))
    pooled = pool("MaxPool")([first], attributes)
    batch, channels, height, width = pooled.shape
    return pooled._replace(shape=(batch, height, width, channels))


FUSED_MAP_OPERATORS: Rules = {
    "BiasGelu": _biased_gelu,
    "FusedConv": _fused_convolution,
    "FusedMatMul": fused_product,
    "Gelu": function("Gelu"),
    "NhwcMaxPool": _largest_of_last,
    "QuickGelu": function("QuickGelu", "alpha"),
}
