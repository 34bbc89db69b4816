"""What stands between two digits and is none: a point, a comma, a dash, a slash, a colon."""

from edgedigits.numbers.path import Measures
from edgedigits.numbers.pieces import Piece

LOW_MIDDLE = 0.35
"""Height of the middle of a point above the foot of the digits, in their heights, at most."""
LONG = 1.6
"""Elongation of a comma, at least. Points that were drawn have up to 1.45, commas from 1.8."""
FLAT = 1.3
"""Width of a dash, at least, in its heights."""
DASH_WIDTH = 0.15
"""Width of a dash, at least."""
DASH_MIDDLE = 0.25, 0.66
"""Height of the middle of a dash."""
COLON_MIDDLE = 0.3, 0.95
"""Height of the middle of a colon's upper point."""
SMALLEST_POINT, SMALLEST_COMMA = 0.4, 1.2
"""Area of a point and of a comma, in squares of the line's strokes, at least: less is a speck."""
LARGEST_POINT = 0.5
"""Height of a point or comma, at most."""


def separator_of(pieces: list[Piece], measures: Measures, stroke: float) -> tuple[str, list[Piece]] | None:
    """Tell what pieces between two digits are, none of which is a slash.

    Args:
        pieces: from left to right.
        measures: of the digits.
        stroke: width of the line's strokes, in pixels of its strip.

    Returns:
        The character and the pieces that make it up; None where they are litter.
    """
    pieces = [piece for piece in pieces if piece.is_whole and piece.area >= SMALLEST_POINT * stroke**2]
    points = [piece for piece in pieces if _is_point(piece, measures)]
    low = [piece for piece in points if _middle(piece, measures) <= LOW_MIDDLE]
    high = [piece for piece in points if COLON_MIDDLE[0] <= _middle(piece, measures) <= COLON_MIDDLE[1]]
    for one in low:
        for other in high:
            if one is not other and one.box.left < other.box.right and other.box.left < one.box.right:
                return ":", [one, other]
    for piece in pieces:
        if _is_dash(piece, measures):
            return "-", [piece]
    low = [piece for piece in low if not _is_long(piece) or piece.area >= SMALLEST_COMMA * stroke**2]
    if low:
        largest = max(low, key=lambda piece: piece.area)
        return ("," if _is_long(largest) else "."), [largest]
    return None


def _middle(piece: Piece, measures: Measures) -> float:
    """Return how high the middle of a piece is above the foot of the digits, in their heights."""
    return (measures.foot - (piece.box.top + piece.box.bottom) / 2) / measures.height


def _is_point(piece: Piece, measures: Measures) -> bool:
    sides = piece.box.bottom - piece.box.top, piece.box.right - piece.box.left
    return max(sides) <= LARGEST_POINT * measures.height and not _is_dash(piece, measures)


def _is_long(piece: Piece) -> bool:
    return piece.elongation >= LONG


def _is_dash(piece: Piece, measures: Measures) -> bool:
    width, height = piece.box.right - piece.box.left, piece.box.bottom - piece.box.top
    is_flat = width >= FLAT * height and width >= DASH_WIDTH * measures.height
    return is_flat and DASH_MIDDLE[0] <= _middle(piece, measures) <= DASH_MIDDLE[1]
