"""What a template asks of a network of any layers."""

from functools import cached_property
from typing import Any

from edgedigits_export.c_code.facts import facts_of
from edgedigits_export.c_code.layers import Dense, Layer
from edgedigits_export.c_code.lowering import ANSWER, IMAGE, Lowering
from edgedigits_export.c_code.memory import Plan, plan_memory
from edgedigits_export.integers.fixed_point import kept_exponentials
from edgedigits_export.integers.graph_kernels import IntegerGraph


class LayeredNetwork:
    """What a template asks of a network of any layers, as of a ``FixedPointNetwork``."""

    def __init__(self, graph: IntegerGraph, sha256: str) -> None:
        """Lower a network.

        Args:
            graph: its integers.
            sha256: of the int8 ``.tflite`` file that has the same ones.

        Raises:
            QuantizationError: sums may leave int32, or a map is too large for C code.
        """
        lowering = Lowering(graph)
        self.sha256 = sha256
        self.layers: tuple[Layer, ...] = lowering.layers()
        self.logit_scale = lowering.logit_scale
        """What one step of a logit stands for; None where no softmax is at the end."""
        self.sizes = lowering.sizes

    @cached_property
    def plan(self) -> Plan:
        """Where values live."""
        return plan_memory(self.layers, self.sizes)

    @property
    def scratch_bytes(self) -> int:
        """Bytes for the values between layers."""
        return self.plan.size

    @property
    def exponentials(self) -> tuple[int, ...]:
        """See ``FixedPointNetwork.exponentials``."""
        return kept_exponentials(self.logit_scale) if self.logit_scale else ()

    @property
    def parameter_bytes(self) -> int:
        """Bytes of all that the layers keep."""
        return sum(layer.parameter_bytes for layer in self.layers)

    @property
    def facts(self) -> dict[str, Any]:
        """See ``facts_of``."""
        return facts_of(self.layers)

    @property
    def templates(self) -> list[tuple[Any, str]]:
        """Each layer as its template takes it, and the name of that template."""
        return [
            (layer.layer if isinstance(layer, Dense) else layer, f"{layer.kind}.c.j2")
            for layer in self.layers
        ]

    @property
    def memory_comment(self) -> str:
        """A sentence for the function that runs all layers."""
        return "What one writes may lie over what it has read for the last time."

    @property
    def moves_bytes(self) -> bool:
        """Whether bytes are copied as they are, which compilers may leave to a library."""
        return self.facts["gathers"] or any(
            layer.kind in ("border", "joined", "swapped") for layer in self.layers
        )

    @property
    def pointers(self) -> list[tuple[str, str]]:
        """C variable and C expression of where each value lies in the buffer."""
        offsets = self.plan.offsets
        return [
            (self._name(value), f"scratch + {offsets[value]}" if offsets[value] else "scratch")
            for value in sorted(offsets)
        ]

    @property
    def calls(self) -> list[tuple[list[str], str]]:
        """Of each layer the C variables that it takes, and that which it gives."""
        return [([*map(self._name, layer.sources)], self._name(layer.target)) for layer in self.layers]

    def _name(self, value: int) -> str:
        if value == IMAGE:
            return "image"
        if value == ANSWER:
            return "logits" if self.logit_scale else "probabilities"
        return f"hidden_{value + 1}"
