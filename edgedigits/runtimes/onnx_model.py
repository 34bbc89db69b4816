"""``.onnx`` and ``.ort`` files in onnxruntime."""

from pathlib import Path

from edgedigits.contract import INPUT_NAME, OUTPUT_NAME
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.model import Model, Opening, Probabilities, name_and_version, thread_count


class OnnxModel(Model):
    """A ``.onnx`` or ``.ort`` file in onnxruntime."""

    def __init__(self, path: Path, threads: int) -> None:
        from edgedigits.runtimes.onnx_session import open_network

        threads = thread_count(threads)
        self._session, metadata, answers = open_network(path, threads)
        super().__init__(path, metadata, name_and_version("onnxruntime"), threads)
        self.widths = None if answers.is_free else answers.widths

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        result: Probabilities = self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels})[0]
        return result


def open_onnx(path: Path, opening: Opening) -> OnnxModel:
    """Open a ``.onnx`` or ``.ort`` file; see ``open_model``."""
    return OnnxModel(path, opening.threads)
