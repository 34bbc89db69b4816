"""Tells whole model files of other tools from damaged ones of edgedigits, once a file has been refused."""

import struct

from edgedigits.metadata import METADATA_KEY

WRITTEN = "a file that `edgedigits export` wrote"
"""What is expected where a model of another tool is found."""
_TFLITE = b"TFL3"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _BUFFERS = 7, 4
"""Fields of an ONNX and of a TFLite model."""


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
    at, has_graph = 0, False
    while at < len(content):
        tag, at = _varint(content, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(content, at)
        elif kind == _BYTES:
            length, at = _varint(content, at)
            at += length
            has_graph = has_graph or tag >> 3 == _GRAPH
        elif kind in (_FIXED32, _FIXED64):
            at += 4 if kind == _FIXED32 else 8
        else:
            return False
    return has_graph and at == len(content)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends; a place behind the content where it has no end."""
    number = 0
    for place in range(at, min(at + 10, len(content))):
        number |= (content[place] & 0x7F) << 7 * (place - at)
        if content[place] < 0x80:
            return number, place + 1
    return 0, len(content) + 1
