"""Letters and signs that nobody takes for a digit, as strokes."""

from collections.abc import Callable
from itertools import pairwise

from edgedigits.training.strokes import Chance, Floats, Strokes

LETTERS = {
    "A": "09-40-89 26-66",
    "A round": "09~02~40~72~79 05-75",
    "C": "82~50~14~38~87",
    "E": "70-00-09-79 04-64",
    "e": "05-65 65~72~40~05~49~78",
    "E round": "81~40~12~44 44~06~49~87",
    "F": "00-09 00-70 04-54",
    "f": "80~50~39 04-74",
    "H": "00-09 70-79 04-74",
    "h": "00-09 06~34~66~69",
    "K": "00-09 70-04-79",
    "k": "00-09 63-06-69",
    "L": "00-09-79",
    "M": "09-00-45-80-89",
    "m": "03-09 05~23~44~49 45~63~84~89",
    "N": "09-00-79-70",
    "n": "02-09 05~32~64~69",
    "P": "00-09 00~60~72~54~05",
    "R": "00-09 00~60~72~54~05 25-79",
    "r": "02-09 05~32~63",
    "T": "00-80 40-49",
    "U": "00~06~39~76~70",
    "u": "00~06~39~76~70 70-79",
    "V": "00-49-80",
    "W": "00-29-43-69-90",
    "w": "00~28~44~68~90",
    "X": "00-79 70-09",
    "Y": "00-44-80 44-49",
    "d": "60-69 64~33~05~38~67",
    "p": "00-09 02~50~73~45~04",
    "Gamma": "09-00-70",
    "Delta": "40-09-89-40",
    "alpha": "80~55~18~05~22~55~89",
    "lambda": "00-79 33-09",
    "pi": "00-90 20-29 70-79",
    "Sigma": "80-00-45-09-89",
    "Psi": "00~05~46~85~80 40-49",
    "Omega": "09~29~04~40~84~69~89",
    "zhe cyrillic": "40-49 00-89 80-09",
    "sha cyrillic": "00-09-89-80 40-49",
    "i cyrillic": "00-09-70-79",
    "ya cyrillic": "70-79 70~20~02~24~75 54-09",
    "great": "03-93 40~37~09 43~89",
    "tree": "03-93 40-49 43-07 43-87",
    "person": "40~35~09 44~89",
    "field": "00-90-99-09-00 40-49 04-94",
    "ampersand": "89~32~40~52~05~39~75",
    "at": "55~34~36~56~62~30~03~08~49~78",
    "euro": "82~40~04~49~87 03-53 05-55",
    "yen": "00-44-80 44-49 15-75 17-77",
}
"""Letters of several scripts. Left out are those that are a digit to some reader: O, D, Q, a and o (0), I, l, i, j and
J (1), Z and z (2), t and y (4), S and s (5), G and b (6), B (8), g and q (9), and a Greek capital lambda (1).

Places are written as two figures, x and y, of 0 to 9, downwards; ``~`` joins them in a curve and ``-`` in straight
lines, and a blank lifts the pen."""

SIGNS = {
    "plus": "04-84 40-48",
    "equal": "02-82 06-86",
    "minus": "04-94",
    "divided": "04-94 41-42 47-48",
    "hash": "20-19 60-59 03-83 06-76",
    "percent": "80-09 01~20~32~13~01 66~85~97~78~66",
    "star": "19-40-79-03-83-19",
    "asterisk": "04-84 20-68 60-28",
    "question": "02~20~51~35~37 38-39",
    "tick": "05-38-90",
    "right": "04-94 61-94-67",
    "left": "94-04 31-04-37",
    "down": "40-49 06-49-86",
    "less": "80-04-89",
    "more": "00-84-09",
    "tilde": "05~23~56~83",
    "zigzag": "09-20-39-50-69-80",
    "spiral": "44~54~46~34~52~66~37~22~50~85~58",
    "heart": "42~20~02~49 42~60~82~49",
    "smile": "40~04~49~84~40 23-24 63-64 26~47~66",
    "sleeping": "44~20~04~28~44~70~94~78~44",
    "house": "09-04-40-84-89-09",
    "diamond": "40-04-49-84-40",
    "brackets": "20-00-09-29 70-90-99-79",
    "dots": "18-19 48-49 88-89",
    "colon": "41-42 47-48",
    "envelope": "01-91-98-08-01 01-45-91",
    "window": "00-90-99-09-00 30-39 60-69 03-93 06-96",
    "frame": "00-90-99-09-00",
    "flat frame": "02-92-97-07-02",
    "frame with dot": "00-90-99-09-00 44-45",
    "frame with tick": "00-90-99-09-00 24-47-82",
    "frame with cross": "00-90-99-09-00 00-99 90-09",
    "corner": "00-90 00-09 02-92",
    "lines": "01-91 04-94 08-98",
}
"""Signs and frames, written as ``LETTERS`` are."""
SPREAD = 0.06
"""By which each place is moved at most, in heights."""


def written(path: str) -> Callable[[Chance], Strokes]:
    """Return the strokes of a letter, each time with its places moved a little.

    Args:
        path: written as in ``LETTERS``.
    """
    strokes = [
        [[int(figure) / 9 for figure in place] for place in stroke.replace("~", "-").split("-")]
        for stroke in path.split()
    ]
    is_curve = ["~" in stroke for stroke in path.split()]

    def strokes_of(c: Chance) -> Strokes:
        lines: list[Floats] = []
        for places, curved in zip(strokes, is_curve, strict=True):
            moved = [(x + c(-SPREAD, SPREAD), y + c(-SPREAD, SPREAD)) for x, y in places]
            steps = [
                abs(x - before_x) + abs(y - before_y) for (before_x, before_y), (x, y) in pairwise(places)
            ]
            if curved:
                lines.append(c.curve(*moved, length=1.1 * sum(steps)))
            else:
                lines += [
                    c.curve(start, end, length=step + 0.1)
                    for (start, end), step in zip(pairwise(moved), steps, strict=True)
                ]
        return lines

    return strokes_of
