"""Collects the operators of an ONNX graph and writes it as a model: one image input, one output, the batch free."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgedigits.contract import CLASSES, IMAGE_SIDE, INPUT_NAME, OUTPUT_NAME

IR_VERSION = 8
"""Read by every onnxruntime that reads these opsets."""
FREE_BATCH = "n"


@dataclass
class GraphBuilder:
    """Collects the operators and constants of a graph in the order in which they run."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.ArrayLike) -> str:
        """Add a constant tensor and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operator with one output and return that tensor's name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def add_outputs(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        """Add an operator with several outputs."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes))

    def model(self, opset: int) -> bytes:
        """Check the graph and serialize it as a model."""
        graph = helper.make_graph(
            self.nodes,
            "edgedigits",
            [
                helper.make_tensor_value_info(
                    INPUT_NAME, TensorProto.UINT8, [FREE_BATCH, IMAGE_SIDE, IMAGE_SIDE]
                )
            ],
            [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [FREE_BATCH, CLASSES])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=IR_VERSION,
            producer_name="edgedigits",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))

    def parameter(self, name: str, value: npt.NDArray[Any], *, half: bool = False) -> str:
        """Add weights or biases and return the name of the float32 tensor that they are.

        Args:
            name: of the tensor.
            value: float32.
            half: whether they are stored as float16, and widened when they are loaded.
        """
        if not half:
            return self.constant(name, value)
        stored = self.constant(f"{name}_half", value.astype(np.float16))
        return self.add("Cast", [stored], name, to=TensorProto.FLOAT)
