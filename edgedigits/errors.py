"""What can go wrong, as one tree.

Every error says what was expected, what came, and what to do next. Each also is the builtin error that a
caller would expect, so ``except FileNotFoundError`` and ``except ValueError`` work as usual:

    EdgeDigitsError
    ├── ModelNotFoundError  (FileNotFoundError)  no model file at that path
    ├── ModelFileError      (ValueError)         the file is no model: truncated, altered, of another kind
    ├── ContractError       (ValueError)         a model, but not one that takes and gives what contract.py says
    │   └── ForeignModelError  (ValueError)      a model that edgedigits did not make
    ├── ImageError          (ValueError)         a picture that cannot be read or shows nothing
    │   ├── ImageNotFoundError  (FileNotFoundError)  no picture, or no folder of pictures, at that path
    │   ├── ImageFileError  (OSError)            a picture that the system does not let us read
    │   └── ImageTypeError  (TypeError)          what is no picture in any form
    ├── DatasetError        (ValueError)         a dataset that is missing, altered or out of shape
    │   ├── DatasetNotFoundError  (FileNotFoundError)  no dataset, or not all of its files, at that path
    │   └── DownloadError   (ConnectionError)    no mirror could be reached, or none served the right bytes
    ├── SourceError         (ValueError)         a file of pictures, or a folder of them, that cannot be read
    │   └── SourceNotFoundError  (FileNotFoundError)  nothing at that path, or nothing in which pictures are
    ├── ArgumentError       (ValueError)         an argument out of its range
    │   └── ArgumentTypeError  (TypeError)       an argument of another type than those that are taken
    ├── AccuracyError       (ValueError)         an exported model lost more accuracy than the gate allows
    ├── QuantizationError   (ValueError)         a network whose numbers the integers of an int8 file cannot hold
    ├── ClusterError        (ConnectionError)    a scheduler of Dask that cannot be reached, or went away
    ├── OutputError         (OSError)            a result cannot be written where it should go
    └── MissingExtraError   (ImportError)        a part of edgedigits that is not installed

The command line turns any of them into one line on standard error and exit status 1.
"""

from pathlib import Path
from typing import Any

LONGEST_MESSAGE = 1_500
"""Characters of a message; what a file or a library contributes to one may go on for pages."""


class EdgeDigitsError(Exception):
    """Base of all errors that edgedigits raises on purpose."""

    def __str__(self) -> str:
        # OSError and ImportError, which some of the subclasses also are, would format the arguments their own way.
        text = str(self.args[0]) if self.args else ""
        if len(text) <= LONGEST_MESSAGE:
            return text
        # What it is about stands at the beginning, what to do next at the end.
        return f"{text[: LONGEST_MESSAGE - 301]}…{text[-300:]}"

    def __reduce__(self) -> tuple[Any, ...]:
        # By default a copy is made by calling the class with the finished message, which some subclasses would
        # refuse: an error would not survive its way out of a worker process.
        return _with_message, (type(self), self.args)


class ModelNotFoundError(EdgeDigitsError, FileNotFoundError):
    """There is no model file at the path that was given."""

    def __init__(self, path: Path, advice: str) -> None:
        super().__init__(f"{path}: no such model file; {advice}")


class ModelFileError(EdgeDigitsError, ValueError):
    """The file cannot be read as a model: truncated, altered or of another kind."""

    def __init__(
        self, path: Path, reason: str, advice: str = "export it again with `edgedigits export`"
    ) -> None:
        super().__init__(f"{path}: {reason}; {advice}")


class ContractError(EdgeDigitsError, ValueError):
    """The model does not take or give what the contract says."""

    def __init__(
        self, path: Path, expected: str, found: str, advice: str = "export it again with `edgedigits export`"
    ) -> None:
        super().__init__(f"{path}: expected {expected}, found {found}; {advice}")


class ForeignModelError(ContractError, ValueError):
    """A model that edgedigits did not make: it says nothing of itself that could be checked."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(
            path,
            expected,
            f"{found}: the model was not made by edgedigits",
            "export the Keras network that it comes from: `edgedigits export NETWORK.keras --format all`; or measure "
            "it as it is with `verify --foreign`, `bench --foreign` or `diff --foreign`",
        )


class ImageError(EdgeDigitsError, ValueError):
    """A picture cannot be read, or there is no digit to see in it."""


class ImageNotFoundError(ImageError, FileNotFoundError):
    """There is no picture, or no folder of pictures, at the path that was given."""


class ImageFileError(ImageError, OSError):
    """The system does not let us read the picture: it may not be read, is a folder, or its disk fails."""


class ImageTypeError(ImageError, TypeError):
    """What was given is no picture in any form, or no pixels where only pixels are taken."""


class DatasetError(EdgeDigitsError, ValueError):
    """A dataset is missing, altered, or not of the form that was expected."""


class DatasetNotFoundError(DatasetError, FileNotFoundError):
    """There is no dataset at the path that was given, or not all of its files."""


class DownloadError(DatasetError, ConnectionError):
    """No mirror could be reached, or none of them served the right bytes."""


class SourceError(EdgeDigitsError, ValueError):
    """A file in which many pictures are, or a folder of them, cannot be read, or is not of a form that is known."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at the path that was given, or nothing in which pictures are."""


class ArgumentError(EdgeDigitsError, ValueError):
    """An argument is out of its range."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of another type than those that are taken."""


class AccuracyError(EdgeDigitsError, ValueError):
    """An exported model lost more accuracy than the gate allows."""


class QuantizationError(EdgeDigitsError, ValueError):
    """A network has numbers that the integers of an int8 file cannot hold."""


class ClusterError(EdgeDigitsError, ConnectionError):
    """A scheduler of Dask cannot be reached, or went away during the run."""


class OutputError(EdgeDigitsError, OSError):
    """A result cannot be written where it should go."""


class MissingExtraError(EdgeDigitsError, ImportError):
    """A part of edgedigits that was not installed is needed."""

    def __init__(self, purpose: str, extra: str, where: str = "") -> None:
        super().__init__(
            f"{purpose} needs an extra that is not installed: pip install 'edgedigits[{extra}]'{where}"
        )


def _with_message(kind: type[EdgeDigitsError], args: tuple[object, ...]) -> EdgeDigitsError:
    # Some are two builtins at once; the one whose memory they share, and that may make them, is their __base__.
    builtin: Any = kind.__base__
    error: EdgeDigitsError = builtin.__new__(kind)
    error.args = args
    return error
