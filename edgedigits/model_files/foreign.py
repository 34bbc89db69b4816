"""Tells whole model files of other tools from damaged ones of edgedigits, once a file has been refused."""

import struct
from pathlib import Path

from edgedigits.errors import ForeignModelError
from edgedigits.metadata import METADATA_KEY
from edgedigits.model_files.budget import TooMuchError
from edgedigits.model_files.onnx_file import BYTES, FIXED32, FIXED64, VARINT, varint
from edgedigits.model_files.onnx_tensors import DamagedGraphError, ForeignGraphError

_TFLITE = b"TFL3"
_FIXED = {FIXED32: 4, FIXED64: 8}
"""Bytes of a number of that kind."""
_GRAPH, _BUFFERS = 7, 4
"""Fields of an ONNX and of a TFLite model."""


def foreign_error(
    path: Path, content: bytes, refused: BaseException | None = None
) -> ForeignModelError | None:
    """Return the error that says that another tool made a file; None where edgedigits did, or nothing is whole.

    Args:
        path: of the file, for the message.
        content: of the file.
        refused: the error that it was refused with, which may tell what was found.
    """
    reason = None if refused is None else refused.__cause__
    # What has spent the budget is damaged, whoever made it.
    if isinstance(reason, TooMuchError) or not is_foreign(content):
        return None
    if isinstance(reason, ForeignGraphError):
        return ForeignModelError(path, reason.expected, reason.found)
    return ForeignModelError(path, "a file that `edgedigits export` wrote", "another one")


def is_foreign(content: bytes) -> bool:
    """Whether a ``.tflite`` or ``.onnx`` file was made by another tool.

    Files of edgedigits name it near their beginning, so that what is left of a truncated one still does.
    """
    if METADATA_KEY.encode() in content:
        return False
    return _is_tflite(content) if content[4:8] == _TFLITE else _is_onnx(content)


def _is_tflite(content: bytes) -> bool:
    """Whether a flatbuffer has buffers, and begins and ends within the content as far as these go."""
    try:
        (root,) = struct.unpack_from("<I", content)
        vtable = root - struct.unpack_from("<i", content, root)[0]
        (field,) = struct.unpack_from("<H", content, vtable + 4 + 2 * _BUFFERS)
        vector = root + field + struct.unpack_from("<I", content, root + field)[0]
        (count,) = struct.unpack_from("<I", content, vector)
    except struct.error:
        return False
    return bool(vtable > 0 and field > 0 and vector + 4 + 4 * count <= len(content))


def _is_onnx(content: bytes) -> bool:
    """Whether the bytes are a whole protobuf message with a graph where an ONNX model has it."""
    view, at, has_graph = memoryview(content), 0, False
    try:
        while at < len(view):
            tag, at = varint(view, at)
            kind = tag & 7
            if kind not in {VARINT, BYTES, *_FIXED}:
                return False
            value, at = varint(view, at) if kind not in _FIXED else (_FIXED[kind], at)
            at += 0 if kind == VARINT else value
            has_graph = has_graph or (tag >> 3 == _GRAPH and kind == BYTES)
    except DamagedGraphError:
        return False
    return has_graph and at == len(view)
