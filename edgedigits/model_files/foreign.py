"""Tells whole model files of other tools from damaged ones of edgedigits, once a file has been refused."""

from edgedigits.metadata import METADATA_KEY

_TFLITE = b"TFL3"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH = 7
"""Field of an ONNX model."""


def is_foreign(content: bytes) -> bool:
    """Whether a ``.tflite`` or ``.onnx`` file was made by another tool.

    Files of edgedigits name it near their beginning, so that what is left of a truncated one still does.
    """
    if METADATA_KEY.encode() in content:
        return False
    return content[4:8] == _TFLITE or _is_onnx(content)


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
