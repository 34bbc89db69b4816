"""A chain of Dense layers as C code: the integers of a ``FixedPointNetwork``, and what a template asks of it."""

from typing import Any

from edgedigits_export.c_code.facts import facts_of
from edgedigits_export.integers.fixed_point import FixedPointNetwork


class ChainNetwork:
    """What a template asks of a chain of layers; see ``LayeredNetwork``."""

    memory_comment = (
        "They write to either end of the scratch buffer in turn, so that none overwrites its own input."
    )

    moves_bytes = False

    def __init__(self, network: FixedPointNetwork) -> None:
        self.network = network
        self.sha256, self.logit_scale = network.sha256, network.logit_scale
        self.scratch_bytes, self.exponentials = network.scratch_bytes, network.exponentials
        self.parameter_bytes = network.parameter_bytes

    @property
    def facts(self) -> dict[str, Any]:
        """See ``facts_of``."""
        return facts_of([])

    @property
    def templates(self) -> list[tuple[Any, str]]:
        """See ``LayeredNetwork.templates``."""
        return [(layer, "dense.c.j2") for layer in self.network.layers]

    @property
    def pointers(self) -> list[tuple[str, str]]:
        """See ``LayeredNetwork.pointers``."""
        return [
            (
                f"hidden_{number}",
                "scratch" if number % 2 else f"scratch + EDGEDIGITS_SCRATCH_BYTES - {layer.outputs}",
            )
            for number, layer in enumerate(self.network.layers[:-1], start=1)
        ]

    @property
    def calls(self) -> list[tuple[list[str], str]]:
        """See ``LayeredNetwork.calls``."""
        count = len(self.network.layers)
        names = ["image", *(f"hidden_{number}" for number in range(1, count)), "logits"]
        return [([names[place]], names[place + 1]) for place in range(count)]
