"""Which columns of a Parquet file hold images and labels, and how what is in them becomes pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from edgedigits.contract import IMAGE_SIDE, PIXELS
from edgedigits.errors import SourceError
from edgedigits.picture.limits import MAX_PIXELS
from edgedigits.sources.levels import as_labels
from edgedigits.sources.parts import NO_LABEL, Labels

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE_NAMES = ("image", "images", "img", "pixels", "x", "data", "picture", "bytes", "png", "jpg")
LABEL_NAMES = ("label", "labels", "class", "digit", "target", "y", "cls")
_OTHER_NAMES = ("", "id", "index", "imageid", "__index_level_0__", "unnamed: 0")
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
"""First bytes of picture files that are told from pixels."""


@dataclass(frozen=True)
class Layout:
    """What is read, and as what."""

    kind: Literal["encoded", "bytes", "numbers", "columns"]
    """Picture files; pixels as bytes; lists of numbers; a column for each pixel."""
    images: tuple[str, ...]
    """Columns, as pyarrow is asked for them."""
    label: str | None
    sides: tuple[int, int] = (IMAGE_SIDE, IMAGE_SIDE)
    factor: float = 1.0

    @property
    def columns(self) -> list[str]:
        """All that are read."""
        return [*self.images, *(() if self.label is None else (self.label,))]


def layout_of(path: str, schema: "pa.Schema") -> Layout:
    """Tell by names and types where images and labels are; ``with_sides`` looks at what is in them.

    Raises:
        SourceError: nothing in the file can be images, or too much.
    """
    label = next(
        (
            field.name
            for name in LABEL_NAMES
            for field in schema
            if field.name.lower() == name and _can_label(field)
        ),
        None,
    )
    fitting = {field.name: kind for field in schema if field.name != label and (kind := _kind(field.type))}
    named = [name for wanted in IMAGE_NAMES for name in fitting if name.lower() == wanted]
    chosen = named[0] if named else next(iter(fitting)) if len(fitting) == 1 else None
    if chosen is not None:
        column = f"{chosen}.bytes" if _is_struct(schema.field(chosen).type) else chosen
        return Layout(fitting[chosen], (column,), label)
    pixels = tuple(
        field.name
        for field in schema
        if field.name != label and field.name.lower() not in _OTHER_NAMES and _is_number(field.type)
    )
    if len(pixels) == PIXELS:
        return Layout("columns", pixels, label)
    found = ", ".join(fitting) or ", ".join(schema.names[:10]) or "no columns"
    raise SourceError(
        f"{path}: expected a column of images (bytes, lists of numbers, or 784 columns), called image where several "
        f"could be, found {found}; rename the column that it is"
    )


def with_sides(path: str, layout: Layout, first: Any) -> Layout:
    """Complete a layout by the first image of the file.

    Args:
        path: for the message.
        layout: of the file.
        first: of its kind: bytes, a list of numbers or of lists of them; None where there is none.

    Raises:
        SourceError: it is no image.
    """
    if layout.kind == "columns" or first is None:
        return layout
    if isinstance(first, bytes):
        side = math.isqrt(len(first))
        if (
            layout.kind == "encoded"
            or first.startswith(_SIGNATURES)
            or side * side != len(first)
            or not first
        ):
            return replace(layout, kind="encoded")
        return replace(layout, sides=(side, side))
    shape = np.shape(first)
    shape = tuple(side for side in shape if side != 1) if len(shape) > 2 else shape
    if len(shape) == 1 and (side := math.isqrt(shape[0])) ** 2 == shape[0]:
        shape = (side, side)
    if len(shape) != 2 or not 0 < math.prod(shape) <= MAX_PIXELS:
        raise SourceError(
            f"{path}: {layout.images[0]}: expected gray images as lists of numbers, found a first one of shape "
            f"{np.shape(first)}; save the pixels as 784 bytes"
        )
    return replace(layout, sides=shape)


def rows_of_bytes(column: "pa.Array", size: int) -> "npt.NDArray[np.uint8] | None":
    """Return a column of bytes as an array (n, size) that is a view of it; None where a row has another length."""
    import pyarrow as pa

    if column.null_count:
        return None
    if pa.types.is_fixed_size_binary(column.type):
        if column.type.byte_width != size:
            return None
        begin = column.offset * size
        return np.frombuffer(column.buffers()[1], np.uint8)[begin : begin + len(column) * size].reshape(
            -1, size
        )
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        column = column.cast(pa.large_binary())
    kind = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    _, of_offsets, data = column.buffers()
    offsets = np.frombuffer(of_offsets, kind)[column.offset : column.offset + len(column) + 1]
    if not len(column) or (np.diff(offsets) != size).any():
        return None
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].reshape(-1, size)


def rows_of_numbers(column: "pa.Array", sides: tuple[int, int]) -> "npt.NDArray[Any] | None":
    """Return a column of lists of numbers as an array (n, pixels); None where a row is of another size, or null."""
    import pyarrow as pa

    rows, size = len(column), math.prod(sides)
    while not pa.types.is_primitive(column.type):
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        elif column.null_count:
            return None
        elif pa.types.is_fixed_size_list(column.type):
            column = column.flatten()
        else:
            lengths = np.diff(np.asarray(column.offsets))
            if len(lengths) and (lengths != lengths[0]).any():
                return None
            column = column.flatten()
    if column.null_count or len(column) != rows * size:
        return None
    numbers: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return numbers.reshape(rows, size)


def rows_of_columns(columns: "Sequence[pa.Array]") -> "npt.NDArray[Any]":
    """Return a column for each pixel as an array (n, pixels); what is null becomes NaN."""
    return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1)


def labels_of(path: str, column: "pa.Array") -> Labels:
    """Return a column of labels, ``NO_LABEL`` where there is none.

    Raises:
        SourceError: they are no labels.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = column.to_pylist()
        return np.array([int(text) if text and text.isdigit() else NO_LABEL for text in texts], np.int64)
    if not pa.types.is_primitive(column.type):
        one_hot = rows_of_numbers(column, (1, 10))
        if one_hot is None:
            raise SourceError(
                f"{path}: expected labels, found lists that are not one-hot; save them as integers"
            )
        return as_labels(path, one_hot)
    if column.null_count:
        column = column.cast(pa.float64()).fill_null(NO_LABEL)
    return as_labels(path, column.to_numpy(zero_copy_only=False))


def _kind(arrow: "pa.DataType") -> Literal["encoded", "bytes", "numbers", None]:
    import pyarrow as pa

    types = pa.types
    arrow = _plain(arrow)
    if _is_struct(arrow):
        return "encoded"
    if types.is_binary(arrow) or types.is_large_binary(arrow) or types.is_binary_view(arrow):
        return "bytes"
    if types.is_fixed_size_binary(arrow):
        return "bytes"
    depth = 0
    while types.is_list(arrow) or types.is_large_list(arrow) or types.is_fixed_size_list(arrow):
        arrow, depth = arrow.value_type, depth + 1
    return "numbers" if 0 < depth <= 3 and _is_number(arrow) else None


def _is_struct(arrow: "pa.DataType") -> bool:
    """Tell a picture as Hugging Face's datasets keep it: its bytes, and where they came from."""
    import pyarrow as pa

    if not pa.types.is_struct(arrow) or arrow.get_field_index("bytes") < 0:
        return False
    inner = arrow.field(arrow.get_field_index("bytes")).type
    return bool(pa.types.is_binary(inner) or pa.types.is_large_binary(inner))


def _plain(arrow: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    return arrow.storage_type if isinstance(arrow, pa.BaseExtensionType) else arrow


def _is_number(arrow: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_boolean(arrow))


def _can_label(field: "pa.Field") -> bool:
    import pyarrow as pa

    arrow = field.type
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    if pa.types.is_list(arrow) or pa.types.is_fixed_size_list(arrow):
        arrow = arrow.value_type
    return _is_number(arrow) or bool(pa.types.is_string(arrow) or pa.types.is_large_string(arrow))
