"""Follows the operators of a ``.tflite`` file from the pixels to the probabilities, and tells what network they are.

Layers whose weights are constants and what may stand between them, a softmax at the end; each operator fits by the
rules of ``tflite_graph`` and ``tflite_map_rules``. Dense layers with a ReLU between two are a chain, of which the
widths are told.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from edgedigits.contract import WIDEST_LAYER
from edgedigits.format_table import Precision
from edgedigits.model_files import tflite_map_rules as maps
from edgedigits.model_files.budget import Budget
from edgedigits.model_files.flatbuffer import Table
from edgedigits.model_files.tflite_graph import (
    CAST,
    DEQUANTIZE,
    FLOAT16,
    FLOAT32,
    FLOATS,
    FULLY_CONNECTED,
    INT8,
    OPERATOR_NAMES,
    QUANTIZE,
    RESHAPE,
    RULES,
    SOFTMAX,
    Rule,
    Tensor,
    require,
    size,
)
from edgedigits.model_files.tflite_map_operators import (
    CONV_2D,
    DEPTHWISE_CONV_2D,
    LOGISTIC,
    MAP_OPERATOR_NAMES,
    OPTIONS_OF,
)
from edgedigits.model_files.tflite_sequence_rules import SEQUENCE_RULES, are_shares

MOST_OPERATORS = 4_000
"""A network of ten layers has under thirty; the cell of a sequence some sixteen for each of its steps."""
NAMES = OPERATOR_NAMES | MAP_OPERATOR_NAMES


def _is_reshape(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    return RULES[RESHAPE](inputs, output, options) or maps.reshapes(inputs, output)


def _is_softmax(inputs: "list[Tensor | None]", output: Tensor, options: Table) -> bool:
    return RULES[SOFTMAX](inputs, output, options) or are_shares(inputs, output, options)


_OPTIONS_OF = {
    FULLY_CONNECTED: 8,
    SOFTMAX: 9,
    RESHAPE: 17,
    CAST: 37,
    DEQUANTIZE: 46,
    QUANTIZE: 89,
    **OPTIONS_OF,
}
_RULES: dict[int, Rule] = {
    **RULES,
    **maps.MAP_RULES,
    **SEQUENCE_RULES,
    RESHAPE: _is_reshape,
    SOFTMAX: _is_softmax,
}


def check_operator_chain(
    graph: Table, tensors: list[Tensor], codes: list[int], budget: Budget
) -> "FoundChain":
    """Follow the operators, each from tensors that are there to one that was not.

    Args:
        graph: the only subgraph.
        tensors: all that it has, as ``described_tensor`` gives them.
        codes: of the operators that the file declares.
        budget: all tensors are spent from it, and what each operator takes.

    Raises:
        InconsistentError: they are no network that edgedigits exports.
        TooMuchError: the budget is spent.
    """
    budget.take(sum(map(size, tensors)))
    inputs, outputs = graph.get("inputs", ()), graph.get("outputs", ())
    require(
        all(0 <= index < len(tensors) for index in (*inputs, *outputs)), "input and output among the tensors"
    )
    defined = {index for index, tensor in enumerate(tensors) if tensor.data is not None}
    require(not defined & set(inputs), "inputs that are no constants")
    require(
        all(0 < math.prod(tensors[index].shape) <= WIDEST_LAYER for index in inputs)
        and all(len(tensors[index].shape) > 0 for index in (*inputs, *outputs)),
        "input and output of a usual size with a batch",
    )
    way = _Way(tensors, dict.fromkeys(inputs, _IMAGE))
    defined |= set(inputs)
    operators = []
    require(len(graph.get("operators", [])) <= MOST_OPERATORS, f"at most {MOST_OPERATORS:,} operators")
    for operator in graph.get("operators", []):
        index = operator.get("code_index", 0)
        require(index < len(codes), "operators that the file declares")
        taken, given = operator.get("inputs", ()), operator.get("outputs", ())
        name = NAMES[codes[index]]
        kinds = (0, _OPTIONS_OF.get(codes[index], 0))
        require(operator.get("options_type", 0) in kinds, f"options of a {name}")
        require(all(place == -1 or place in defined for place in taken), f"inputs of {name} that are there")
        require(len(given) == 1 and 0 <= given[0] < len(tensors), f"one output of {name}")
        require(given[0] not in defined, f"a new output of {name}")
        defined.add(given[0])
        rule = _RULES[codes[index]]
        options = operator.get("options", {})
        sources = [None if place == -1 else tensors[place] for place in taken]
        present = [tensor for tensor in sources if tensor is not None]
        budget.take(sum(map(size, present)))
        budget.step(sum(len(tensor.scales) for tensor in present))
        require(rule(sources, tensors[given[0]], options), f"a {name} as edgedigits exports it")
        budget.multiply(maps.products(codes[index], sources, tensors[given[0]], options))
        way.follow(codes[index], taken, given[0], options)
        # What is widened are weights.
        budget.hold(math.prod(tensors[given[0]].shape) if codes[index] != DEQUANTIZE else 0)
        operators.append(codes[index])
    # A tensor that nothing gives would still be given memory, as much as it declares.
    require(
        defined == set(range(len(tensors))), "tensors that are constants, inputs or outputs of an operator"
    )
    return FoundChain(tuple(operators), *way.found(outputs))


@dataclass(frozen=True)
class FoundChain:
    """What a graph's tensors tell, whatever the file says of itself."""

    operators: tuple[int, ...]
    """Their codes, in the order in which they run."""
    precisions: tuple[Precision, ...]
    """In which the weights are kept: one, but for networks too small to tell."""
    widths: tuple[int, ...] | None
    """Of all layers of a chain of Dense layers, the ten classes last; None for any other network."""
    is_sigmoid: bool
    """Whether what comes out are sigmoids, and no softmax."""


_IMAGE, _SUMS, _RELU, _PROBABILITIES = "image", "sums", "relu", "probabilities"
_VALUES, _CHANCES = "values", "chances"
"""What other networks than chains of Dense layers make of an image on its way; ``_CHANCES`` are sigmoids of these."""
_NEXT = {
    CAST: {_IMAGE: _IMAGE},
    RESHAPE: {_IMAGE: _IMAGE},
    QUANTIZE: {_IMAGE: _IMAGE, _PROBABILITIES: _PROBABILITIES, _CHANCES: _CHANCES},
    SOFTMAX: dict.fromkeys((_SUMS, _VALUES, _CHANCES, _RELU), _PROBABILITIES),
}
"""By operator, from which step of its way an image gets to which; layers and weights have rules of their own."""
_LAYERS = frozenset({FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D})


@dataclass
class _Way:
    """How far the image has come, and what weights it has met."""

    tensors: list[Tensor]
    steps: dict[int, str]
    """Of each tensor that is computed from the image."""
    halves: dict[int, int] = field(default_factory=dict)
    """By tensor, the weights that are kept as float16, of which it is the widened form."""
    layers: "list[tuple[Precision, tuple[int, ...]]]" = field(default_factory=list)
    """Precision and shape of the weights of each layer."""
    is_chain: bool = True
    """Whether all so far are Dense layers with a ReLU between two."""

    def follow(self, code: int, taken: tuple[int, ...], given: int, options: Table) -> None:
        """Go on by an operator whose shapes and types are right."""
        name = NAMES[code]
        if code == DEQUANTIZE:
            require(
                self.tensors[taken[0]].type == FLOAT16 and self.tensors[taken[0]].data is not None,
                f"a {name} of weights",
            )
            self.halves[given] = taken[0]
            return
        before = self.steps.get(taken[0], "")
        is_inner = code == SOFTMAX and len(self.tensors[given].shape) > 2
        if code in _LAYERS:
            self._layer(code, taken, given, options)
        elif before in _NEXT.get(code, ()) and not is_inner:
            self.steps[given] = _NEXT[code][before]
            self.is_chain = self.is_chain and before not in (_VALUES, _CHANCES, _RELU)
        else:
            # Of networks that are no chain: any values of an image, constants beside them.
            require(
                (code not in {CAST, SOFTMAX} or is_inner)
                and all(place in self.steps or self.tensors[place].data is not None for place in taken)
                and before != "",
                f"a {name} on the way of an image, at its place",
            )
            self.steps[given], self.is_chain = _CHANCES if code == LOGISTIC else _VALUES, False

    def _layer(self, code: int, taken: tuple[int, ...], given: int, options: Table) -> None:
        values, kernel, bias = taken
        require(values in self.steps, "a layer of the image, or of what came of it")
        require(
            all(
                place == -1 or place in self.halves or self.tensors[place].data is not None
                for place in (kernel, bias)
            ),
            "weights and biases that are constants",
        )
        weights = self.tensors[self.halves.get(kernel, kernel)]
        require(
            bool(np.frombuffer(weights.data or b"", _WEIGHT_TYPES[weights.type]).any()),
            "weights that are not all 0",
        )
        precision = _LAYER_PRECISIONS[self.tensors[values].type, weights.type]
        self.layers.append((precision, weights.shape))
        is_linked = code == FULLY_CONNECTED and self.steps[values] in (_IMAGE, _RELU)
        self.is_chain = self.is_chain and is_linked and options.get("activation", 0) in (0, 1)
        sums = _SUMS if code == FULLY_CONNECTED else _VALUES
        self.steps[given] = _RELU if is_linked and options.get("activation", 0) == 1 else sums

    def found(self, outputs: tuple[int, ...]) -> tuple[tuple[Precision, ...], tuple[int, ...] | None, bool]:
        """Return precisions, widths, and whether sigmoids come out, where the way ends as it should."""
        ends = [self.steps.get(output) for output in outputs]
        require(
            ends in ([_PROBABILITIES], [_CHANCES]),
            "a SOFTMAX of the last layer's sums at the end, or a LOGISTIC",
        )
        precisions = {precision for precision, _ in self.layers}
        # TensorFlow's converter leaves small layers of a dynamic file as they are, and so all of a very small network.
        large = {
            kept for kept, shape in self.layers if kept != "float32" or math.prod(shape) >= _LEAST_DYNAMIC
        }
        if precisions == {"float32", "dynamic"}:
            precisions = large
        require(len(precisions) == 1, "weights of one precision")
        found: tuple[Precision, ...] = (*precisions,) if large else ("float32", "dynamic")
        widths = tuple(shape[0] for _, shape in self.layers) if self.is_chain else None
        return found, widths, ends == [_CHANCES]


_LEAST_DYNAMIC = 1_024
"""Weights of a layer from which on TensorFlow's converter makes integers of them."""
_WEIGHT_TYPES = {**FLOATS, INT8: "i1"}
_LAYER_PRECISIONS: dict[tuple[int, int], Precision] = {
    (FLOAT32, FLOAT32): "float32",
    (FLOAT32, FLOAT16): "float16",
    (FLOAT32, INT8): "dynamic",
    (INT8, INT8): "int8",
}
"""By the types of what goes into a layer and of its weights; other pairs are refused before."""
