/* Pictures of numbers -> their lines, each in pieces, with images of all that may be a digit: the C of the modules ink,
 * rules, lines, pieces and candidates of edgedigits/numbers, from decoded pixels on. Which of it is a digit tell the
 * network and whoever reads its answers (path.py).
 *
 * A picture is looked through as a whole, and then parted line by line, in memory that is given back before the next.
 */
#ifndef EDGEDIGITS_NUMBERS_H
#define EDGEDIGITS_NUMBERS_H

#include <stdint.h>

/* What keeps numbers from being read, besides the statuses up to 5 of prepare.h, which are of the picture itself; in
 * each case Python raises ImageError. */
enum numbers_status {
    NUMBERS_TOO_MANY_MARKS = 32,     /* of a digit's size, in a picture */
    NUMBERS_TOO_MANY_LINES = 33,     /* in a picture */
    NUMBERS_TOO_MANY_CANDIDATES = 34 /* beside each other, in a line: too many marks, or too large a line */
};

/* pieces.py, Piece: lengths are in pixels of the strip; right and bottom exclusive. 48 bytes. */
struct numbers_piece {
    double elongation, tilt; /* tilt: NaN where it is not one straight stroke */
    int32_t left, top, right, bottom, area, part, is_small, is_whole;
};

/* candidates.py, Candidate: pieces from first to last, inclusive. 24 bytes. */
struct numbers_candidate {
    int32_t first, last, left, top, right, bottom;
};

/* pieces.py, Strip: a line, upright, with digits of 48 pixels. In WebAssembly 72 bytes. */
struct numbers_line {
    double slant, ratio, origin_x, origin_y, stroke;
    uint32_t width, height, pieces, candidates; /* of the strip, in pixels; counts */
    const int16_t *ids;                         /* [height][width]: index of the piece, -1 paper, -2 specks */
    const struct numbers_piece *piece;
    const struct numbers_candidate *candidate;
    const uint8_t *images; /* [candidates][28][28] */
};

/* A picture that was looked through. In WebAssembly 16 bytes. */
struct numbers_found {
    uint32_t width, height; /* of the gray picture, 1024 at most: boxes are in it before reading.at */
    uint32_t lines;         /* 0 where there are none */
    const void *rest;       /* what numbers_line needs, in the arena of numbers_find */
};

/* Bytes of memory that looking through a picture of this size takes at most; 0: none of this size is read. */
uint32_t numbers_arena_bytes(uint32_t width, uint32_t height);

/* Look through a picture; rgba as for prepare_rgba. The arena has numbers_arena_bytes bytes, aligned to 8, and stays as
 * it is until the last line is parted; rgba is not needed any more. Returns 0, or why not; found counts where it is 0. */
int32_t numbers_find(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *arena,
                     struct numbers_found *found);

/* Bytes of memory that parting a line takes at most; 0: it is too large, as numbers_line says, too. */
uint32_t numbers_line_bytes(const struct numbers_found *found, uint32_t line);

/* Part a line (in reading order, from 0), in numbers_line_bytes bytes, aligned to 8, that hold what parted points to. A
 * line without candidates has 0 of them. Returns 0, or NUMBERS_TOO_MANY_CANDIDATES. */
int32_t numbers_line(const struct numbers_found *found, uint32_t line, uint8_t *arena, struct numbers_line *parted);

#endif
