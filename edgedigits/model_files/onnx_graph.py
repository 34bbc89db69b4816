"""Follows the shapes through the graph of an ONNX or ORT file: no step is believed that edgedigits would not write.

Pixels go through a chain of known operators with constants that lie whole in the file, and no step makes more of an
image than they hold. What comes out are probabilities of each image that went in. Operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.contract import (
    CLASSES,
    EXPECTED_INPUT,
    EXPECTED_OUTPUT,
    IMAGE_SIDE,
    INPUT_NAME,
    OUTPUT_NAME,
)
from edgedigits.format_table import Precision
from edgedigits.model_files.budget import Budget
from edgedigits.model_files.onnx_operators import OPERATORS
from edgedigits.model_files.onnx_tensors import (
    FLOAT,
    FLOAT16,
    IMAGE,
    INT8,
    INT32,
    INT64,
    ITEM_BYTES,
    KERNEL_ZERO,
    PROBABILITIES,
    UINT8,
    DamagedGraphError,
    ForeignGraphError,
    Message,
    Rule,
    Rules,
    Side,
    Tensor,
)

_PRECISIONS: dict[int, Precision] = {
    FLOAT: "float32",
    FLOAT16: "float16",
    INT8: "int8",
    UINT8: "int8",
    INT32: "int8",
}
"""How weights and biases of a type are kept."""
_NUMPY_TYPES = {FLOAT: "<f4", FLOAT16: "<f2", UINT8: "u1", INT8: "i1", INT32: "<i4", INT64: "<i8"}
_TYPE_NAMES = {
    FLOAT: "float32",
    FLOAT16: "float16",
    UINT8: "uint8",
    INT8: "int8",
    INT32: "int32",
    INT64: "int64",
}


def check_graph(graph: Message, budget: Budget, fused: "Rules | None" = None) -> Tensor:
    """Follow a graph from its inputs to its outputs.

    Args:
        graph: as ``onnx_file`` reads it; the nodes in the order in which they run.
        budget: constants are spent from it, as they are declared, taken and made.
        fused: onnxruntime's own operators, where such may be among them, which it makes out of several.
            Then ``value`` describes tensors between operators, and is checked as well.

    Returns:
        The probabilities, with the precision and the widths of the layers before them.

    Raises:
        DamagedGraphError: it does not hold together.
        ForeignGraphError: edgedigits would not write such a graph.
        TooMuchError: the budget is spent.
    """
    tensors: dict[str, Tensor] = {}
    for initializer in graph["initializer"]:
        constant = _constant(initializer)
        budget.take(_size(constant))
        _define(tensors, initializer.get("name", ""), constant)
    for value in graph["input"]:
        _define(tensors, value.get("name", ""), _declared(value)._replace(step=IMAGE))
    for node in graph["node"]:
        operator, domain = node.get("op_type", ""), node.get("domain", "")
        own = fused if domain == "com.microsoft" else None
        if domain not in ("", "ai.onnx") and own is None:
            raise ForeignGraphError("operators of ONNX itself", f"a custom operator {domain}.{operator}")
        try:
            inputs = [tensors[name] for name in node["input"]]
        except KeyError as error:
            raise DamagedGraphError(f"a {operator} takes {error.args[0]!r}, which nothing gives") from error
        follow = _rule(operator, own, inputs)
        attributes = {attribute.get("name", ""): attribute for attribute in node["attribute"]}
        given = follow(inputs, attributes)
        outputs = (given,) if isinstance(given, Tensor) else given
        # Runtimes work out beforehand what depends on constants alone, and put in order anew what an operator takes.
        budget.take(sum(_size(tensor) for tensor in (*inputs, *outputs)))
        budget.multiply(outputs[0].products)
        if len(node["output"]) != len(outputs):
            raise ForeignGraphError(f"{len(outputs)} outputs of a {operator}", str(len(node["output"])))
        for name, output in zip(node["output"], outputs, strict=True):
            budget.hold(0 if output.is_constant else _count(output))
            _define(tensors, name, output._replace(products=0) if output.products else output)
    _check_outputs(graph, tensors)
    if fused is not None:
        _check_described(graph, tensors)
    _check_declared(
        "input", graph["input"], EXPECTED_INPUT, (INPUT_NAME, UINT8, (None, IMAGE_SIDE, IMAGE_SIDE))
    )
    _check_declared("output", graph["output"], EXPECTED_OUTPUT, (OUTPUT_NAME, FLOAT, (None, CLASSES)))
    answers = tensors[OUTPUT_NAME]
    # Constants have no batch that is free, though they may agree with one.
    if not (answers.step == PROBABILITIES or answers.is_sigmoid) or answers.shape[0] is not None:
        raise ForeignGraphError(
            "a Softmax of the last layer's sums at the end, or a Sigmoid", "another output"
        )
    return answers


def _rule(operator: str, fused: "Rules | None", inputs: list[Tensor]) -> "Rule":
    """Return the rule of an operator of ONNX, or of onnxruntime where such are given.

    Rules of other layers than Dense ones are loaded when one of their operators is met: few networks have them.

    Raises:
        ForeignGraphError: it has none.
    """
    rules = OPERATORS if fused is None else fused
    if operator in ("MatMul", "Softmax") and any(len(tensor.shape) == 4 for tensor in inputs):
        from edgedigits.model_files.onnx_sequence_operators import OF_MAPS

        rules = OF_MAPS
    elif operator not in rules:
        rules = _seldom_rules(operator, own=fused is not None)
    if operator not in rules:
        raise ForeignGraphError(f"operators {', '.join(OPERATORS)}", f"an operator {operator or '?'}")
    return rules[operator]


def _seldom_rules(operator: str, *, own: bool) -> "Rules":
    """Return the rules among which that of an operator would be, of ONNX or of onnxruntime's own."""
    if operator.startswith("QLinear"):
        from edgedigits.model_files.onnx_map_quantized import CONVOLUTION, QUANTIZED_OPERATORS

        return QUANTIZED_OPERATORS if own else CONVOLUTION
    if own:
        from edgedigits.model_files.onnx_map_fused import FUSED_MAP_OPERATORS

        return FUSED_MAP_OPERATORS
    from edgedigits.model_files.onnx_map_operators import MAP_OPERATORS

    if operator in MAP_OPERATORS:
        return MAP_OPERATORS
    from edgedigits.model_files.onnx_sequence_operators import SEQUENCE_OPERATORS

    return SEQUENCE_OPERATORS


def _check_declared(
    side: str, values: list[Message], expected: str, kept: tuple[str, int, tuple[Side, ...]]
) -> None:
    """Check the only input or output against the contract: its name, its type, and a batch that is free."""
    declared = [(value.get("name", ""), *_declared(value)[:2]) for value in values]
    if declared != [kept]:
        found = " and ".join(_described(*tensor) for tensor in declared)
        raise ForeignGraphError(f"{side} {expected}", found or f"no {side}")


def _described(name: str, dtype: int, shape: tuple[Side, ...]) -> str:
    """Write a tensor as ``contract.describe_tensor`` does, but with the batch where it is not free."""
    sides = ("n" if side is None else str(side) for side in shape)
    return f"{name} {_TYPE_NAMES.get(dtype, f'type {dtype}')} ({', '.join(sides)})"


def _size(tensor: Tensor) -> int:
    """Return how many bytes a tensor has, for one image where its batch is free."""
    return ITEM_BYTES.get(tensor.dtype, 8) * _count(tensor)


def _count(tensor: Tensor) -> int:
    """Return how many values a tensor has, for one image where its batch is free."""
    return math.prod(side for side in tensor.shape if side is not None)


def _check_described(graph: Message, tensors: dict[str, Tensor]) -> None:
    """Check what a file says of the tensors between its operators: onnxruntime believes it and infers nothing anew."""
    described = {value.get("name", ""): _declared(value) for value in graph["value"]}
    for name, tensor in tensors.items():
        value = described.get(name)
        if value is None or value.dtype != tensor.dtype or not _agree(tensor.shape, value.shape):
            raise DamagedGraphError(f"what it says of {name!r} is not what its operators give")


def _check_outputs(graph: Message, tensors: dict[str, Tensor]) -> None:
    for value in graph["output"]:
        found = tensors.get(value.get("name", ""))
        declared = _declared(value)
        if found is None or found.dtype != declared.dtype or not _agree(found.shape, declared.shape):
            raise DamagedGraphError(f"its output {value.get('name', '')!r} is not what its operators give")


def _define(tensors: dict[str, Tensor], name: str, tensor: Tensor) -> None:
    if not name or name in tensors:
        raise DamagedGraphError(f"two tensors or none are called {name!r}")
    tensors[name] = tensor


def _agree(found: tuple[Side, ...], declared: tuple[Side, ...]) -> bool:
    return len(found) == len(declared) and all(
        one is None or other is None or one == other for one, other in zip(found, declared, strict=True)
    )


def _constant(initializer: Message) -> Tensor:
    """Check that a constant lies whole in the file: as many bytes as its shape says, no more and no fewer."""
    name = initializer.get("name", "")
    if initializer["external_data"] or initializer.get("data_location", 0):
        raise DamagedGraphError(f"its tensor {name!r} lies in another file; only whole files are opened")
    dtype, shape = initializer.get("data_type", 0), tuple(initializer.get("dims", ()))
    if dtype not in ITEM_BYTES:
        raise DamagedGraphError(f"its tensor {name!r} is of type {dtype}, none that edgedigits writes")
    if len(shape) > 4 or any(side < 0 for side in shape):
        raise DamagedGraphError(f"its tensor {name!r} has the shape {shape}")
    data = {
        FLOAT: initializer.get("float_data"),
        INT64: initializer.get("int64_data"),
    }.get(dtype, initializer.get("int32_data"))
    raw = initializer.get("raw_data")
    present = sum(kind in initializer for kind in ("float_data", "int32_data", "int64_data", "raw_data"))
    if present > 1 or (present == 1 and raw is None and data is None):
        raise DamagedGraphError(f"its tensor {name!r} holds its values twice, or in another type")
    items = len(raw) / ITEM_BYTES[dtype] if raw is not None else len(data or ())
    if items != math.prod(shape):
        raise DamagedGraphError(
            f"its tensor {name!r} declares {math.prod(shape):,} values and holds {items:,.0f}"
        )
    values = _values(name, dtype, raw, data)
    zero = KERNEL_ZERO if dtype == UINT8 and len(shape) == 4 else 0
    if dtype in (FLOAT, FLOAT16) and not np.isfinite(values).all():
        raise DamagedGraphError(
            f"it gives no numbers: its weights are damaged, {name!r} holds NaN or infinity"
        )
    return Tensor(
        dtype,
        shape,
        is_constant=True,
        numbers=tuple(values.tolist())
        if (dtype == INT64 and items <= 8) or (dtype == UINT8 and not shape)
        else (),
        is_zero=not (values != zero).any(),
        precision=_PRECISIONS.get(dtype),
        scales=values.astype(np.float64) if dtype == FLOAT and len(shape) < 2 else None,
    )


def _values(name: str, dtype: int, raw: Any, data: Any) -> "npt.NDArray[Any]":
    """Return the numbers of a constant, which stand as bytes or one by one; those of float16 then as integers."""
    if raw is not None:
        return np.frombuffer(raw, _NUMPY_TYPES[dtype])
    try:
        values = np.array(data or (), np.float32 if dtype == FLOAT else np.int64)
        return values.astype("<u2").view("<f2") if dtype == FLOAT16 else values
    except (OverflowError, ValueError) as error:
        raise DamagedGraphError(f"its tensor {name!r} holds numbers of another type") from error


def _declared(value: Message) -> Tensor:
    """Return what an input or output says of itself."""
    tensor_type = value.get("type", {}).get("tensor_type", {})
    sides = tensor_type.get("shape", {"dim": []})["dim"]
    if len(sides) > 8:
        raise DamagedGraphError(f"{value.get('name', '')!r} has {len(sides)} sides")
    shape = tuple(side.get("dim_value") for side in sides)
    return Tensor(tensor_type.get("elem_type", 0), shape)
