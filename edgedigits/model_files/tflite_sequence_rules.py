"""What the TFLite operators of sequences may be given and give, floats all; see ``tflite_map_rules``."""

from edgedigits.model_files.flatbuffer import Table
from edgedigits.model_files.tflite_graph import FLOAT32, Rule, Tensor
from edgedigits.model_files.tflite_map_operators import BATCH_MATMUL, LOG, RSQRT, SUB
from edgedigits.model_files.tflite_map_rules import is_function, is_met, is_value


def _are_floats(*tensors: "Tensor | None") -> bool:
    return all(tensor is not None and tensor.type == FLOAT32 for tensor in tensors)


def _is_float_function(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    return is_function(inputs, output, options) and _are_floats(output)


def _is_difference(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    return is_met(inputs, output, options) and _are_floats(output)


def _is_batch_product(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    """Whether matrices, as many of one as of the other, both computed from the image, are multiplied one by one."""
    match inputs:
        case [Tensor(shape=(1, count, rows, depth)) as first, Tensor(shape=(1, other, _, _)) as second]:
            deep, columns = second.shape[:1:-1] if options.get("adj_y", False) else second.shape[2:]
            return (
                is_value(first)
                and is_value(second)
                and _are_floats(first, second, output)
                and not options.get("adj_x", False)
                and (count, depth) == (other, deep)
                and output.shape == (1, count, rows, columns)
            )
    return False


def are_shares(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    """Whether a SOFTMAX within a network takes the last side of values of four."""
    return (
        _is_float_function(inputs, output, options)
        and len(output.shape) == 4
        and options.get("beta", 0.0) == 1.0
    )


SEQUENCE_RULES: "dict[int, Rule]" = {
    BATCH_MATMUL: _is_batch_product,
    LOG: _is_float_function,
    RSQRT: _is_float_function,
    SUB: _is_difference,
}
"""By operator, whether its inputs, its output and its options fit together."""
