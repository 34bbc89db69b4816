"""``.c`` files, compiled for this computer."""

import ctypes
from pathlib import Path

import numpy as np

from edgedigits.answers import QUANTIZED_SUM_TOLERANCE
from edgedigits.contract import CLASSES
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.model import Model, Opening, Probabilities, dequantization_table


class CModel(Model):
    """A ``.c`` file, compiled for this computer. Not to be shared between threads: answers pass through one buffer."""

    def __init__(self, path: Path, source: str) -> None:
        from edgedigits.model_files.c_source import ends_in_sigmoids, read_metadata, read_widths
        from edgedigits.runtimes.c_compiler import load_network

        metadata = read_metadata(path, source)
        widths = read_widths(path, source)
        metadata.check_layers(path, are_dense=widths is not None)
        metadata.check_head(path, is_sigmoid=ends_in_sigmoids(source))
        # As long as the library is referred to, no other process removes it from the cache.
        self._library, compiler = load_network(path)
        self._predict_batch = self._library.edgedigits_predict_batch
        self._predict_batch.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        self._predict_batch.restype = None
        self._resize(1)
        self._dequantized = dequantization_table(signed=False)
        super().__init__(path, metadata, compiler)
        if not self.is_sigmoid:
            self.sum_tolerance = QUANTIZED_SUM_TOLERANCE
        self.widths = widths
        self.companions = (path.with_suffix(".h"),)

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        count = len(pixels)
        if count != len(self._quantized):
            self._resize(count)
        images = np.ascontiguousarray(pixels)
        self._predict_batch(images.ctypes.data, count, self._address)
        answers: Probabilities = self._dequantized[self._quantized]
        return answers

    def _resize(self, batch: int) -> None:
        self._quantized = np.empty((batch, CLASSES), np.uint8)
        self._address = self._quantized.ctypes.data


def open_c(path: Path, opening: Opening) -> Model:
    """Open a ``.c`` file; see ``open_model``. One that holds a ``.tflite`` file as an array is opened as that."""
    from edgedigits.model_files.c_source import read_model_array, read_source
    from edgedigits.runtimes.litert import TfliteModel

    source = read_source(path)
    array = read_model_array(path, source)
    return CModel(path, source) if array is None else TfliteModel(path, array, opening.threads)
