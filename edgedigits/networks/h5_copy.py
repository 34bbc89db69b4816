"""Copies the network out of a whole-model ``.h5`` file that nobody vouches for, in a process of its own.

As ``weights_copy`` does with the weights of a ``.keras`` file, and for the same reasons. The copy has the configuration
as bytes, and the arrays of each layer in their order, under numbers: no name of the file is looked up afterwards.
``python -m edgedigits.networks.h5_copy SOURCE TARGET SECONDS`` is the child.
"""

import contextlib
import io
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgedigits.model_files.content import read_model_bytes
from edgedigits.model_files.keras_archive import LARGEST_CONFIG
from edgedigits.networks.weights_copy import DEEPEST, MOST_OBJECTS, check_plain, run_child, run_copy

if TYPE_CHECKING:
    import h5py

LARGEST_NAMES = 1 << 20
"""Characters of the names of all layers, or of the arrays of one."""


@contextlib.contextmanager
def copied_network(path: Path) -> Iterator[Path]:
    """Yield a copy of an HDF5 file that holds what ``copy`` finds; it is gone when the block ends.

    Raises:
        ModelFileError: it cannot be read.
        OutputError: there is no room for the copy.
    """
    content = read_model_bytes(path)
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as scratch:
        source, target = Path(scratch, "source.h5"), Path(scratch, "copy.h5")
        run_copy(path, __name__, content, source, target)
        yield target


# --- The child -----------------------------------------------------------------------------------------------------


def copy(source: Path, target: Path) -> None:
    """Copy the configuration of a network, and the arrays of its layers in their order.

    The copy holds ``config`` and ``version`` as bytes, ``layers`` as JSON (their names), and the arrays as
    ``weights/3/0``: of the fourth layer the first. It is empty where the file has no configuration: weights alone.

    Raises:
        ValueError: there is something else in it, or more than ``MOST_OBJECTS``, or an array larger than the file.
        OSError, RuntimeError, KeyError, TypeError: what h5py says of a damaged file.
    """
    import h5py
    import numpy as np

    memory = io.BytesIO()
    with h5py.File(source, "r") as opened, h5py.File(memory, "w") as written:
        if "model_config" in opened.attrs:
            config = _text(opened.attrs, "model_config", LARGEST_CONFIG)
            version = _text(opened.attrs, "keras_version", 100) if "keras_version" in opened.attrs else "1"
            groups = _Groups(opened, source.stat().st_size)
            names = groups.copy(written)
            for key, text in (("config", config), ("version", version), ("layers", json.dumps(names))):
                written[key] = np.frombuffer(text.encode(), np.uint8)
    target.write_bytes(memory.getbuffer())


class _Groups:
    """The groups of weights of a file."""

    def __init__(self, file: "h5py.File", bytes_left: int) -> None:
        self.root = self._inside(file, "model_weights")
        self.left, self.bytes_left = MOST_OBJECTS, bytes_left

    def copy(self, target: "h5py.File") -> list[str]:
        """Copy the arrays of every layer, and return the names of the layers."""
        names = _texts(self.root.attrs, "layer_names")
        for index, name in enumerate(names):
            group = self._inside(self.root, name)
            for place, array in enumerate(_texts(group.attrs, "weight_names")):
                self.left -= 1
                if self.left < 0:
                    raise ValueError("more objects than a digits network has")
                item = self._inside(group, array)
                self.bytes_left = check_plain(item, array, self.bytes_left)
                target.create_dataset(f"weights/{index}/{place}", data=item[()])
        return names

    @staticmethod
    def _inside(group: "h5py.Group", name: str) -> Any:
        """Return what lies in a group, part of the name by part: behind no link, and not outside."""
        import h5py

        parts = name.split("/")
        if len(parts) > DEEPEST or not all(part and part.strip(".") for part in parts):
            raise ValueError(f"{name!r:.200} is no name of a layer or an array")
        item: Any = group
        for part in parts:
            if not isinstance(item, h5py.Group):
                raise ValueError(f"{name!r:.200} is in no group")
            if not isinstance(item.get(part, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r:.200} is a link to elsewhere")
            item = item[part]
        return item


def _text(attributes: "h5py.AttributeManager", key: str, most: int) -> str:
    """Return an attribute that is one text."""
    if attributes.get_id(key).shape != ():
        raise ValueError(f"{key} is no text")
    value = attributes[key]
    text = value.decode() if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > most:
        raise ValueError(f"{key} is no text of at most {most:,} characters")
    return text


def _texts(attributes: "h5py.AttributeManager", key: str) -> list[str]:
    """Return an attribute that is a list of texts; Keras breaks a long one into ``key0``, ``key1``, ..."""
    parts = [f"{key}{number}" for number in range(MOST_OBJECTS)]
    keys = [key] if key in attributes else list(itertools.takewhile(attributes.__contains__, parts))
    if not keys:
        raise ValueError(f"no {key}")
    found: list[str] = []
    for part in keys:
        shape = attributes.get_id(part).shape
        if shape is None or len(shape) != 1 or len(found) + shape[0] > MOST_OBJECTS:
            raise ValueError(f"{key} is no list of at most {MOST_OBJECTS:,} names")
        found += [name.decode() if isinstance(name, bytes) else str(name) for name in attributes[part]]
    if sum(map(len, found)) > LARGEST_NAMES:
        raise ValueError(f"{key} is longer than {LARGEST_NAMES:,} characters")
    return found


if __name__ == "__main__":
    run_child(copy)
