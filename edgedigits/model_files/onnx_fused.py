"""What the operators that onnxruntime makes of several, in files of its own format, make of their inputs.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

from edgedigits.model_files.onnx_operators import gemm, kernel_of, product, together
from edgedigits.model_files.onnx_tensors import (
    FLOAT,
    INT8,
    INT32,
    LARGEST_NUMBER,
    RELU,
    SUMS,
    UINT8,
    Attributes,
    Rules,
    Tensor,
    expect,
)


def _fused_gemm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    name = attributes.get("activation", {}).get("s", "")
    given = [
        attribute.get("f", 0.0) for key, attribute in attributes.items() if key.startswith("activation_")
    ]
    expect(
        name in FUSED_FUNCTIONS and all(abs(number) <= LARGEST_NUMBER for number in given),
        "FusedGemm",
        inputs,
    )
    sums = gemm(inputs, attributes)
    if name == "Relu":
        return sums._replace(step=RELU)
    return together([sums])._replace(is_sigmoid=name == "Sigmoid")


def _quantized_gemm(inputs: list[Tensor], attributes: Attributes) -> Tensor:
    """Values, scale and zero point of a row and of a kernel; a bias; scale and zero point of integers that come out."""
    expect(len(inputs) in (7, 9), "QGemm", inputs)
    row, row_scale, row_zero, kernel, kernel_scale, kernel_zero, bias, *output = inputs
    scales, zeros = (row_scale, kernel_scale, *output[:1]), (row_zero, kernel_zero, *output[1:])
    kernel = kernel_of(kernel, "QGemm", inputs, attributes)
    expect(
        row.dtype in (UINT8, INT8)
        and kernel.dtype in (UINT8, INT8)
        and bias.dtype == INT32
        and bias.is_constant
        and bias.shape in ((), (1,), kernel.shape[1:], (1, *kernel.shape[1:]))
        and all(scale.dtype == FLOAT and scale.is_constant and not scale.is_zero for scale in scales)
        and all(zero.dtype in (UINT8, INT8) and zero.is_constant for zero in zeros)
        and kernel_zero.is_zero
        and (row.is_free or row_zero.is_zero)
        and row_zero.dtype == row.dtype
        and kernel_zero.dtype == kernel.dtype
        and kernel_zero.shape == kernel_scale.shape
        and kernel_scale.shape in ((), (1,), kernel.shape[1:])
        and all(zero.shape in ((), (1,)) for zero in (row_zero, *output[1:]))
        and all(scale.shape in ((), (1,)) for scale in (row_scale, *output[:1])),
        "QGemm",
        inputs,
    )
    sums = product([row, kernel], "int8", "QGemm")
    if not output:
        return sums
    # As in a QuantizeLinear: in a chain of Dense layers 0 is the lowest integer, and so a ReLU.
    if row.is_free or not output[1].is_zero:
        return together([sums])._replace(dtype=output[1].dtype)
    return sums._replace(dtype=output[1].dtype, step=RELU if output[1].dtype == UINT8 else SUMS)


FUSED_FUNCTIONS = ("Clip", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Tanh")
"""That onnxruntime makes part of a Conv or a Gemm."""
FUSED_OPERATORS: Rules = {
    "FusedGemm": _fused_gemm,
    "QGemm": _quantized_gemm,
}
