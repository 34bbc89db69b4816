"""``.keras`` and whole-model ``.h5`` files in Keras on TensorFlow: the door to the heavy side."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgedigits.artifacts.manifest import trained_labels
from edgedigits.artifacts.versions import versions
from edgedigits.extras import extra
from edgedigits.file_names import network_name
from edgedigits.metadata import ModelMetadata
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.model import KerasCall, Model, Opening, Probabilities, name_and_version

if TYPE_CHECKING:
    from edgedigits.input_scale import InputScale
    from edgedigits.model_files.network_spec import NetworkSpec


class KerasModel(Model):
    """A ``.keras`` or ``.h5`` file in Keras on TensorFlow."""

    def __init__(self, path: Path, call: KerasCall, input_scale: "InputScale | None" = None) -> None:
        from edgedigits.artifacts.manifest import recorded_input_scale
        from edgedigits.input_scale import RAW, UNIT
        from edgedigits.model_files.keras_archive import read_network_spec
        from edgedigits.model_files.keras_sources import is_hdf5

        if not is_hdf5(path):
            # What is wrong with an archive is told before TensorFlow is loaded, and without it.
            read_network_spec(path)
        with extra("train", f"opening {path.suffix} files"):
            from edgedigits.networks.backend import intra_op_threads
            from edgedigits.networks.build import load_network, weights_sha256

        spec: NetworkSpec
        self._model, spec = load_network(path)
        self._predict = call == "predict"
        self._shape = spec.input_shape
        sha256 = weights_sha256(self._model)
        self.is_declared = spec.rescaling is not None
        """Whether a Rescaling layer says that it takes pixels."""
        known = input_scale or (
            RAW if self.is_declared else recorded_input_scale(path.parent, network_name(path), sha256)
        )
        self.input_is_known = known is not None
        """Whether anything says what it was trained on."""
        self.input_scale = known or UNIT
        metadata = ModelMetadata(
            arch=spec.arch,
            precision="float32",
            weights_sha256=sha256,
            tools=versions("keras", "tensorflow"),
            labels=trained_labels(path.parent, network_name(path), sha256),
            head=None if spec.head == "softmax" else spec.head,
        )
        super().__init__(path, metadata, name_and_version("keras"), intra_op_threads())
        self.widths = tuple(layer.units for layer in spec.dense) if spec.is_dense else None

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        return self.answers(self.input_scale.values(pixels))

    def answers(self, values: npt.NDArray[np.float32]) -> Probabilities:
        """Run the network on values of its own, float32 (n, 28, 28); see ``Model.probabilities``."""
        values = values.reshape(-1, *self._shape)
        if self._predict:
            probabilities: Probabilities = self._model.predict(values, verbose=0, batch_size=len(values))
        else:
            probabilities = self._model(values, training=False).numpy()
        return probabilities


def open_keras(path: Path, opening: Opening) -> KerasModel:
    """Open a ``.keras`` or ``.h5`` file; see ``open_model``."""
    return KerasModel(path, opening.keras_call, opening.input_scale)
