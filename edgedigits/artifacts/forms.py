"""Whether data that were read from JSON have the form of a type: one check for every record.

The types are those that ``typing`` has: a TypedDict, ``list[...]``, ``dict[str, ...]``, ``... | None``, ``Literal``,
and numbers, texts and booleans, which ``Annotated`` may bound by a ``Range`` or a ``Length``.
"""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

MOST = 1 << 53
"""Larger numbers are no counts or measurements; those below are exact as floats."""


@dataclass(frozen=True)
class Range:
    """Bounds of a whole number."""

    least: int
    most: int = MOST


@dataclass(frozen=True)
class Length:
    """How many values a list has."""

    count: int


class FormError(ValueError):
    """Data that are not of a form; the message says where, what was expected and what was found."""


def check_form(data: object, form: Any, place: str) -> None:
    """Raise ``FormError`` unless JSON data have the form of a type.

    Unknown keys are left alone: a later release may write more.

    Args:
        data: what ``json.loads`` gives.
        form: the type; see above. ``Any`` is anything.
        place: what the message calls the data: ``networks.digits``.
    """
    for inner, part, where in _parts(data, form, place):
        check_form(inner, part, where)


def _parts(data: object, form: Any, place: str) -> Iterator[tuple[object, Any, str]]:
    """Check the outermost layer of data, and list what lies inside it with its forms and places."""
    origin = get_origin(form)
    if form is Any:
        return
    if origin is Annotated:
        inner, bound = get_args(form)
        yield data, inner, place
        _check_bound(data, bound, place)
    elif is_typeddict(form):
        fields = _of_kind(data, dict, "an object", place)
        if missing := sorted(form.__required_keys__ - fields.keys()):
            raise FormError(f"{place}: expected {', '.join(missing)}, found none")
        hints = get_type_hints(form, include_extras=True)
        yield from ((fields[key], hints[key], f"{place}.{key}") for key in hints if key in fields)
    elif origin is dict:
        fields = _of_kind(data, dict, "an object", place)
        yield from ((value, get_args(form)[1], f"{place}.{key}") for key, value in fields.items())
    elif origin is list:
        values = _of_kind(data, list, "a list", place)
        yield from ((value, get_args(form)[0], f"{place}[{index}]") for index, value in enumerate(values))
    elif origin in (Union, types.UnionType):
        (wanted,) = (part for part in get_args(form) if part is not type(None))
        if data is not None:
            yield data, wanted, place
    elif origin is Literal:
        if data not in get_args(form):
            raise FormError(
                f"{place}: expected {' or '.join(map(repr, get_args(form)))}, found {_told(data)}"
            )
    else:
        _check_scalar(data, form, place)


def _check_scalar(data: object, form: type, place: str) -> None:
    # Bounded, so that none overflows in a division or in a table.
    is_number = isinstance(data, int | float) and not isinstance(data, bool) and abs(data) <= MOST
    kinds: dict[type, tuple[str, bool]] = {
        str: ("a text", isinstance(data, str)),
        bool: ("true or false", isinstance(data, bool)),
        int: ("a whole number", is_number and isinstance(data, int)),
        float: ("a number", is_number),
    }
    expected, holds = kinds[form]
    if not holds:
        raise FormError(f"{place}: expected {expected}, found {_told(data)}")


def _check_bound(data: Any, bound: Range | Length, place: str) -> None:
    """Check what ``Annotated`` adds to a type that was checked before."""
    if isinstance(bound, Length) and len(data) != bound.count:
        raise FormError(f"{place}: expected {bound.count} values, found {len(data)}")
    if isinstance(bound, Range) and not bound.least <= data <= bound.most:
        limit = f"{bound.least} or more" if bound.most == MOST else f"{bound.least} to {bound.most}"
        raise FormError(f"{place}: expected {limit}, found {data}")


def _of_kind(data: object, kind: type, expected: str, place: str) -> Any:
    if not isinstance(data, kind):
        raise FormError(f"{place}: expected {expected}, found {_told(data)}")
    return data


def _told(data: object) -> str:
    text = repr(data)
    return text if len(text) <= 40 else f"{text[:40]}…"
