"""NumPy's numbers, and texts, as arrays of Arrow.

``pyarrow.array`` and ``pyarrow.scalar`` import pandas wherever it is installed, which takes 0.2 seconds of every
process. These take the memory as it is.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Missing = npt.NDArray[np.bool_]


def number_array(
    values: "npt.NDArray[np.generic]", kind: pa.DataType, missing: Missing | None = None
) -> pa.Array:
    """Return numbers (n,) as a column, not copied where they are of this type.

    Args:
        values: integers or floats.
        kind: type of the column, of fixed width.
        missing: bool (n,): where the column has null; None for nowhere.
    """
    content = np.ascontiguousarray(values, kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(content), [_validity(missing), pa.py_buffer(content)])


def flag_array(values: "npt.NDArray[np.bool_]", missing: Missing | None = None) -> pa.Array:
    """Return bool (n,) as a column, null where ``missing`` is true."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(missing), _bits(values)])


def text_array(values: Sequence[str | None]) -> pa.Array:
    """Return texts as a column, null where there is None.

    Args:
        values: that can be written as UTF-8; at most 2 GiB of them.
    """
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    missing = np.array([value is None for value in values], np.bool_)
    buffers = [
        _validity(missing if missing.any() else None),
        pa.py_buffer(offsets),
        pa.py_buffer(b"".join(encoded)),
    ]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _validity(missing: Missing | None) -> pa.Buffer | None:
    return None if missing is None else _bits(~missing)


def _bits(values: "npt.NDArray[np.bool_]") -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
