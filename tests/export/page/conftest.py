"""The folder that tests here import from, and pages of the shipped network, made without an export."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from edgedigits.model_files.tflite_file import metadata_of, read_graph
from edgedigits.training.drawn import draw_digits
from edgedigits_export.integers.fixed_point import read_fixed_point_network
from edgedigits_export.integers.reference_kernels import reference_probabilities
from edgedigits_export.page.assemble import Proof, make_module, make_page
from edgedigits_export.page.tables import tables_of

sys.path.append(str(Path(__file__).parent))

TFLITE = Path(__file__).parents[3] / "models" / "digits.int8.tflite"


@dataclasses.dataclass(frozen=True)
class MadePages:
    """The shipped network's page and module, whatever its classes are called."""

    content: bytes = TFLITE.read_bytes()

    def metadata(self, labels=None):
        metadata = metadata_of(TFLITE, read_graph(TFLITE, self.content))
        return dataclasses.replace(metadata, edges="uint8", labels=labels or metadata.labels)

    def html(self, labels=None, wrong: int = 0) -> str:
        """The page; of so many of its proof's images it has wrong answers."""
        images = draw_digits(10, np.random.default_rng(0))[0]
        answers = reference_probabilities(self.content, images)
        answers[:wrong] ^= 1
        proof = Proof(images, answers)
        return make_page(self.tables, self.metadata(labels), proof)

    def module(self) -> str:
        return make_module(self.tables, self.metadata())

    @property
    def tables(self) -> bytes:
        return tables_of(read_fixed_point_network(self.content))


@pytest.fixture(scope="session")
def made() -> MadePages:
    return MadePages()


@pytest.fixture(scope="session")
def page(made: MadePages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "digits.html"
    path.write_text(made.html(), encoding="utf-8", newline="\n")
    return path
