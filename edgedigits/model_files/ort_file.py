"""Checks an ``.ort`` file before onnxruntime sees it, as ``onnx_file`` does an ``.onnx`` file.

ORT format is onnxruntime's own flatbuffer of a graph that it has already optimized, so the operators are partly its
own (``com.microsoft``): fused from those that edgedigits exports. onnxruntime verifies the offsets itself; here the
graph is brought into the form of ``onnx_file`` and followed by the same rules.

Schema: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/flatbuffers/schema/ort.fbs.
"""

import struct
from pathlib import Path

from edgedigits.errors import ContractError, ModelFileError
from edgedigits.model_files.budget import Budget, TooMuchError
from edgedigits.model_files.flatbuffer import DamagedFlatbufferError, Schema, Table, read_flatbuffer
from edgedigits.model_files.onnx_fused import FUSED_OPERATORS
from edgedigits.model_files.onnx_graph import check_graph
from edgedigits.model_files.onnx_tensors import DamagedGraphError, ForeignGraphError, Tensor

_VALUE = 1
"""DimensionValueType of a side that is a number."""
MOST_NODES = 1_000
MOST_ARGUMENTS = 16
"""Inputs or outputs of one operator."""

SCHEMA: Schema = {
    "session": {0: ("ort_version", "text"), 1: ("model", "model"), 3: ("kernel_types", "kernel_types")},
    "model": {
        0: ("ir_version", "int64"),
        1: ("opset_import", "[opset]"),
        2: ("producer_name", "text"),
        3: ("producer_version", "text"),
        4: ("domain", "text"),
        5: ("model_version", "int64"),
        6: ("doc_string", "text"),
        7: ("graph", "graph"),
        8: ("graph_doc_string", "text"),
        9: ("metadata_props", "[entry]"),
    },
    "opset": {0: ("domain", "text"), 1: ("version", "int64")},
    "entry": {0: ("key", "text"), 1: ("value", "text")},
    "graph": {
        0: ("initializers", "[tensor]"),
        1: ("values", "[value]"),
        2: ("nodes", "[node]"),
        3: ("max_node_index", "uint32"),
        4: ("edges", "[edges]"),
        5: ("inputs", "[text]"),
        6: ("outputs", "[text]"),
        7: ("sparse_initializers", "[nothing]"),
        8: ("runtime_optimizations", "runtime_optimizations"),
    },
    "runtime_optimizations": {0: ("records", "[nothing]")},
    "nothing": {},
    "tensor": {
        0: ("name", "text"),
        1: ("doc_string", "text"),
        2: ("dims", "[int64]"),
        3: ("data_type", "int32"),
        4: ("raw_data", "bytes"),
    },
    "value": {0: ("name", "text"), 1: ("doc_string", "text"), 2: ("type", "type")},
    "type": {0: ("denotation", "text"), 1: ("kind", "uint8"), 2: ("tensor", {1: "tensor_type"})},
    "tensor_type": {0: ("elem_type", "int32"), 1: ("shape", "shape")},
    "shape": {0: ("dim", "[dimension]")},
    "dimension": {0: ("value", "dimension_value"), 1: ("denotation", "text")},
    "dimension_value": {0: ("kind", "int8"), 1: ("number", "int64"), 2: ("name", "text")},
    "node": {
        0: ("name", "text"),
        1: ("doc_string", "text"),
        2: ("domain", "text"),
        3: ("since_version", "int32"),
        4: ("index", "uint32"),
        5: ("op_type", "text"),
        6: ("type", "int32"),
        7: ("provider", "text"),
        8: ("inputs", "[text]"),
        9: ("outputs", "[text]"),
        10: ("attributes", "[attribute]"),
        11: ("input_arg_counts", "[int32]"),
        12: ("implicit_inputs", "[text]"),
    },
    "edges": {0: ("node_index", "uint32"), 1: ("inputs", "structs12"), 2: ("outputs", "structs12")},
    "attribute": {
        0: ("name", "text"),
        1: ("doc_string", "text"),
        2: ("type", "int32"),
        3: ("f", "float32"),
        4: ("i", "int64"),
        5: ("s", "text"),
        8: ("floats", "[float32]"),
        9: ("ints", "[int64]"),
        10: ("strings", "[text]"),
    },
    "kernel_types": {0: ("operators", "[operator_types]")},
    "operator_types": {0: ("operator", "text"), 1: ("arguments", "[argument_types]")},
    "argument_types": {0: ("type", "text"), 1: ("arguments", "[argument]")},
    "argument": {0: ("kind", "int8"), 1: ("index", "uint32")},
}

_Types = dict[str, tuple[str, ...]]
_EACH: _Types = {"T": ("i0", "o0")}
_PAIR: _Types = {"T": ("i0", "i1", "o0")}
_PAIR_OF_INTEGERS: _Types = {
    "A_scale": ("i1",),
    "B_scale": ("i4",),
    "C_scale": ("i6",),
    "T": ("i0", "i2", "i3", "i5", "i7", "o0"),
}
_POOL_OF_INTEGERS: _Types = {"T": ("i0", "i2", "i4", "o0"), "x_scale": ("i1",), "y_scale": ("i3",)}
_FUNCTION_OF_INTEGERS: _Types = {"T": ("i0", "i2", "i4", "o0"), "X_scale": ("i1",), "Y_scale": ("i3",)}
_KERNEL_TYPES: dict[str, _Types] = {
    "Add": _PAIR,
    "AveragePool": _EACH,
    "BiasGelu": _PAIR,
    "Cast": {"T1": ("i0",), "T2": ("o0",)},
    "Clip": {"T": ("i0", "i1", "i2", "o0")},
    "Concat": _EACH,
    "Conv": {"T": ("i0", "i1", "i2", "o0")},
    "DequantizeLinear": {"T": ("i0", "i2"), "x_scale": ("i1",), "y": ("o0",)},
    "Div": _PAIR,
    "Elu": _EACH,
    "Erf": _EACH,
    "Exp": _EACH,
    "Flatten": _EACH,
    "FusedConv": {"T": ("i0", "i1", "i2", "i3", "o0")},
    "FusedGemm": {"T": ("i0", "i1", "i2", "o0")},
    "FusedMatMul": _PAIR,
    "GRU": {"T": ("i0", "i1", "i2", "i3", "i5", "o0", "o1"), "T1": ("i4",)},
    "Gelu": _EACH,
    "Gemm": {"T": ("i0", "i1", "i2", "o0")},
    "GlobalAveragePool": _EACH,
    "GlobalMaxPool": _EACH,
    "LSTM": {"T": ("i0", "i1", "i2", "i3", "i5", "i6", "i7", "o0", "o1", "o2"), "T1": ("i4",)},
    "RNN": {"T": ("i0", "i1", "i2", "i3", "i5", "o0", "o1"), "T1": ("i4",)},
    "Softplus": _EACH,
    "Sqrt": _EACH,
    "HardSigmoid": _EACH,
    "LeakyRelu": _EACH,
    "MatMul": _PAIR,
    "MaxPool": {"I": ("o1",), "T": ("i0", "o0")},
    "Mul": _PAIR,
    "PRelu": _PAIR,
    "Pad": {"T": ("i0", "i2", "o0"), "pads": ("i1",)},
    "QGemm": {
        "T": ("i1", "i4", "i7"),
        "TA": ("i0", "i2"),
        "TB": ("i3", "i5"),
        "TC": ("i6",),
        "TY": ("o0",),
        "TYZ": ("i8",),
    },
    "NhwcMaxPool": _EACH,
    "QLinearAdd": _PAIR_OF_INTEGERS,
    "QLinearAveragePool": _POOL_OF_INTEGERS,
    "QLinearConv": {
        "T1": ("i0", "i2"),
        "T2": ("i3", "i5"),
        "T3": ("i7", "o0"),
        "T4": ("i8",),
        "w_scale": ("i4",),
        "x_scale": ("i1",),
        "y_scale": ("i6",),
    },
    "QLinearGlobalAveragePool": _POOL_OF_INTEGERS,
    "QLinearLeakyRelu": _FUNCTION_OF_INTEGERS,
    "QLinearMul": _PAIR_OF_INTEGERS,
    "QLinearSigmoid": _FUNCTION_OF_INTEGERS,
    "QuantizeLinear": {"T1": ("i0",), "T2": ("i2", "o0"), "y_scale": ("i1",)},
    "QuickGelu": _EACH,
    "Relu": _EACH,
    "Reshape": {"T": ("i0", "o0"), "shape": ("i1",)},
    "Selu": _EACH,
    "Sigmoid": _EACH,
    "Softmax": _EACH,
    "Tanh": _EACH,
    "Transpose": _EACH,
}
"""Which inputs and outputs have which type: so stands it in the operators' definitions, and in every file.

onnxruntime believes the file and chooses the code by it: with a wrong entry, code for doubles is given floats."""


def check_ort(path: Path, content: bytes) -> Tensor:
    """Refuse what onnxruntime should not be given.

    Args:
        path: of the file, for messages.
        content: of the file.

    Returns:
        The probabilities as ``onnx_graph.check_graph`` found them, whatever the file says of itself.

    Raises:
        ModelFileError: no whole file in ORT format, or one that does not hold together.
        ContractError: a model with other operators or shapes than edgedigits exports.
    """
    budget = Budget()
    try:
        session = read_flatbuffer(SCHEMA, "session", content, budget)
        graph = session.get("model", {}).get("graph", {})
        found = check_graph(_as_onnx(graph), budget, FUSED_OPERATORS)
        _check_kernel_types(session.get("kernel_types", {}), graph.get("nodes", []))
    except (DamagedFlatbufferError, DamagedGraphError, TooMuchError) as error:
        raise ModelFileError(path, f"no whole model in ORT format ({error})") from error
    except ForeignGraphError as error:
        raise ContractError(path, error.expected, error.found) from error
    return found


def _as_onnx(graph: Table) -> Table:
    """Return a graph in the form of ``onnx_file``, after a look at what only this format has."""
    values = {value.get("name", ""): value for value in graph.get("values", [])}
    return {
        "initializer": [
            {**tensor, "raw_data": tensor.get("raw_data", b""), "external_data": []}
            for tensor in graph.get("initializers", [])
        ],
        "value": [_declared(values, name) for name in values],
        "input": [_declared(values, name) for name in graph.get("inputs", [])],
        "output": [_declared(values, name) for name in graph.get("outputs", [])],
        "node": [_node(node) for node in _in_order(graph)],
    }


def _declared(values: dict[str, Table], name: str) -> Table:
    if name not in values:
        raise DamagedGraphError(f"nothing is known of {name!r}")
    tensor = values[name].get("type", {}).get("tensor", {})
    sides = [side.get("value", {}) for side in tensor.get("shape", {}).get("dim", [])]
    # A side of 0 is written as none, which its kind tells from a free one.
    dimensions = [
        {"dim_value": side.get("number", 0)} if "number" in side or side.get("kind") == _VALUE else {}
        for side in sides
    ]
    kind = {"elem_type": tensor.get("elem_type", 0), "shape": {"dim": dimensions}}
    return {"name": name, "type": {"tensor_type": kind}}


def _node(node: Table) -> Table:
    if node.get("implicit_inputs") or node.get("type", 0) != 0:
        raise DamagedGraphError("it holds functions or graphs within the graph")
    return {
        "op_type": node.get("op_type", ""),
        "domain": node.get("domain", ""),
        "input": node.get("inputs", []),
        "output": node.get("outputs", []),
        "attribute": node.get("attributes", []),
    }


def _in_order(graph: Table) -> list[Table]:
    """Return the nodes so that each comes after those whose outputs it takes; the file has them in any order."""
    nodes: list[Table] = graph.get("nodes", [])
    _check_indices(graph, nodes)
    given = {tensor.get("name", "") for tensor in graph.get("initializers", [])} | set(
        graph.get("inputs", [])
    )
    ordered: list[Table] = []
    waiting = nodes
    while waiting:
        ready: list[Table] = []
        later: list[Table] = []
        for node in waiting:
            (ready if given.issuperset(node.get("inputs", [])) else later).append(node)
        if not ready:
            raise DamagedGraphError("an operator takes what nothing gives")
        ordered += ready
        given.update(*(node.get("outputs", []) for node in ready))
        waiting = later
    return ordered


def _check_indices(graph: Table, nodes: list[Table]) -> None:
    """Check the numbers by which onnxruntime finds nodes and their arguments: it believes them."""
    count = graph.get("max_node_index", 0)
    indices = {node.get("index", 0) for node in nodes}
    if count > MOST_NODES or len(nodes) > MOST_NODES:
        raise DamagedGraphError(f"more than {MOST_NODES:,} nodes")
    if len(indices) != len(nodes) or not all(index < count for index in indices):
        raise DamagedGraphError("the numbers of its nodes are not their own")
    if not {edges.get("node_index", 0) for edges in graph.get("edges", [])} <= indices:
        raise DamagedGraphError("it connects nodes that it does not have")
    for edges in graph.get("edges", []):
        for end in (edges.get("inputs", b""), edges.get("outputs", b"")):
            for node, source, target in struct.iter_unpack("<Iii", end):
                if (
                    node not in indices
                    or not 0 <= source < MOST_ARGUMENTS
                    or not 0 <= target < MOST_ARGUMENTS
                ):
                    raise DamagedGraphError("it connects nodes that it does not have")
    for node in nodes:
        if len(node.get("inputs", [])) > MOST_ARGUMENTS or len(node.get("outputs", [])) > MOST_ARGUMENTS:
            raise DamagedGraphError(f"a node of more than {MOST_ARGUMENTS} inputs or outputs")
        counts = node.get("input_arg_counts", ())
        taken = len(node.get("inputs", []))
        # A Concat takes any number of inputs as one argument.
        is_whole = node.get("op_type", "") == "Concat" and tuple(counts) == (taken,)
        if not is_whole and (not all(0 <= number <= 1 for number in counts) or sum(counts) > taken):
            raise DamagedGraphError("the inputs of a node are counted wrongly")


def _check_kernel_types(resolver: Table, nodes: list[Table]) -> None:
    """Check that the file has the types of each operator, once, and as the operator is defined."""
    found: set[str] = set()
    for entry in resolver.get("operators", []):
        operator = entry.get("operator", "")
        types = {
            types.get("type", ""): tuple(map(_argument, types.get("arguments", [])))
            for types in entry.get("arguments", [])
        }
        if operator in found or types != _KERNEL_TYPES.get(operator.split(":")[1] if ":" in operator else ""):
            raise DamagedGraphError(f"the types of {operator!r} are not its own")
        found.add(operator)
    for node in nodes:
        operator = f"{node.get('domain', '')}:{node.get('op_type', '')}:{node.get('since_version', 0)}"
        if operator not in found:
            raise DamagedGraphError(f"the types of {operator!r} are missing")


def _argument(argument: Table) -> str:
    return f"{'o' if argument.get('kind', 0) else 'i'}{argument.get('index', 0)}"
