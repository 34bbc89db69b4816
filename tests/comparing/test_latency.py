import time
from pathlib import Path

import numpy as np
import pytest

from edgedigits.comparing import latency
from edgedigits.datasets.split import Split
from edgedigits.runtimes.model import Model
from edgedigits.runtimes.opening import open_model


class Slower(Model):
    """A network that waits before every answer."""

    def __init__(self, model: Model, seconds: float) -> None:
        super().__init__(model.path, model.metadata, model.runtime)
        self.model, self.seconds = model, seconds

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        return self.model.probabilities(pixels)


def test_the_slower_of_two_is_the_slower_in_either_place(
    shipped: Path, some: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "SECONDS", 0.1)
    model = open_model(shipped / "digits.int8.onnx")
    slow = Slower(model, 0.001)  # a hundred times what the network takes
    forth, back = (latency.measure_latency(*pair, some) for pair in ((model, slow), (slow, model)))
    assert forth.low > 1 > back.high
    assert forth.is_significant
    assert back.is_significant
    for found in (forth, back):
        assert found.low <= found.ratio <= found.high
        assert found.old.samples >= latency.ROUNDS * latency.LEAST_CALLS
        assert found.new.samples >= latency.ROUNDS * latency.LEAST_CALLS


def test_a_ratio_of_one_is_not_significant(shipped: Path, some: Split) -> None:
    model = open_model(shipped / "digits.int8.onnx")
    found = latency.measure_latency(model, model, some)
    same = type(found)(found.old, found.new, 1.0, 0.9, 1.0, found.rounds)
    assert not same.is_significant
    assert found.rounds == latency.ROUNDS
    # The same file, turn by turn: no machine makes one of them ten times slower in most turns.
    assert 0.1 < found.ratio < 10
