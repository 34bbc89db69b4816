"""edgedigits: a handwritten-digit network from training to the edge.

Everything a program that embeds a model needs is here; the rest is behind the ``edgedigits`` command.
Importing this package loads neither numpy nor onnxruntime: they come with the first use of ``DigitPredictor``.

    >>> from edgedigits import DigitPredictor
    >>> DigitPredictor().predict("seven.png").digit  # doctest: +SKIP
    7
"""

import sys

if sys.argv[:1] == ["-m"] and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    # `python -m edgedigits` has put the working directory first on the path: a `numpy.py` beside somebody's pictures
    # would be run in place of the library. Where a program imports us, argv[0] is "-m" no more.
    del sys.path[0]

from typing import TYPE_CHECKING, Any

from edgedigits.errors import (
    AccuracyError,
    ArgumentError,
    ArgumentTypeError,
    ClusterError,
    ContractError,
    DatasetError,
    DatasetNotFoundError,
    DownloadError,
    EdgeDigitsError,
    ForeignModelError,
    ImageError,
    ImageFileError,
    ImageNotFoundError,
    ImageTypeError,
    MissingExtraError,
    ModelFileError,
    ModelNotFoundError,
    OutputError,
    QuantizationError,
    SourceError,
    SourceNotFoundError,
)
from edgedigits.version import __version__

if TYPE_CHECKING:
    from edgedigits.numbers.reading import Box, Line, Reading, Sign
    from edgedigits.prediction import Prediction
    from edgedigits.predictor import DigitPredictor


__all__ = [
    "AccuracyError",
    "ArgumentError",
    "ArgumentTypeError",
    "Box",
    "ClusterError",
    "ContractError",
    "DatasetError",
    "DatasetNotFoundError",
    "DigitPredictor",
    "DownloadError",
    "EdgeDigitsError",
    "ForeignModelError",
    "ImageError",
    "ImageFileError",
    "ImageNotFoundError",
    "ImageTypeError",
    "Line",
    "MissingExtraError",
    "ModelFileError",
    "ModelNotFoundError",
    "OutputError",
    "Prediction",
    "QuantizationError",
    "Reading",
    "Sign",
    "SourceError",
    "SourceNotFoundError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load the predictor when it is first asked for (PEP 562), so that ``edgedigits --help`` stays quick."""
    if name == "DigitPredictor":
        from edgedigits.predictor import DigitPredictor

        return DigitPredictor
    if name == "Prediction":
        from edgedigits.prediction import Prediction

        return Prediction
    if name in {"Box", "Line", "Reading", "Sign"}:
        from edgedigits.numbers import reading

        return getattr(reading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
