/* Any picture -> 28 x 28 in MNIST's form, light ink on black: the C of edgedigits/picture, from decoded pixels on.
 *
 * The same results as Python's, to the bit wherever it counts with whole numbers or with float32 in a known order.
 * What Python leaves to LAPACK and BLAS (a fitted surface, fitted lines, two votes) is rounded otherwise in the last
 * places of a float64, which decides nothing but by chance.
 *
 * C99 without a library: no allocation, no libm but the square root, which is an instruction. A build has to keep
 * float and double as they are: no -ffast-math, and -ffp-contract=off where there are fused instructions.
 */
#ifndef EDGEDIGITS_PREPARE_H
#define EDGEDIGITS_PREPARE_H

#include <stdint.h>

#define PREPARED_SIDE 28
#define PREPARED_PIXELS (PREPARED_SIDE * PREPARED_SIDE)

/* What keeps a picture from being prepared; in each case Python raises ImageError. */
enum prepare_status {
    PREPARE_FINE = 0,
    PREPARE_NO_ROOM = 1,     /* the arena is smaller than prepare_arena_bytes says */
    PREPARE_NO_PIXELS = 2,   /* a side is 0 */
    PREPARE_TOO_LARGE = 3,   /* more than 60 megapixels */
    PREPARE_TOO_NARROW = 4,  /* larger than 1024, and more than 128 times as long as wide */
    PREPARE_TRANSPARENT = 5, /* every pixel is transparent */
    PREPARE_EMPTY = 6,       /* ink and paper do not differ: nothing is drawn */
    PREPARE_SPECK = 7,       /* no more than a speck: draw larger, or move closer */
    PREPARE_SEVERAL = 8,     /* several digits stand in one line */
    PREPARE_NO_INK = 9,      /* only grain of the paper, or an empty frame */
    PREPARE_SHADE = 10,      /* only shade at the border */
    PREPARE_FAINT = 11,      /* ink and paper hardly differ */
    PREPARE_BLOT = 12,       /* a blot, no strokes */
    PREPARE_DASH = 13,       /* a dash, no digit */
    PREPARE_MARKS = 14       /* many small marks, none of which stands out */
};

/* Bytes of memory that preparing a picture of this size takes at most; 0: no picture of this size is prepared. */
uint32_t prepare_arena_bytes(uint32_t width, uint32_t height);

/* Prepare a picture as a canvas gives it: red, green, blue and alpha of each pixel, row by row, upright. The arena
 * has prepare_arena_bytes bytes, aligned to 8. Returns an enum prepare_status; image is written only where it is 0. */
int32_t prepare_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *arena,
                     uint8_t image[PREPARED_PIXELS]);

/* Prepare a camera's frame of gray levels, row by row, upright, in arena_bytes bytes of memory, aligned to 8. */
int edgedigits_prepare(const uint8_t *gray, uint16_t width, uint16_t height, void *arena, uint32_t arena_bytes,
                       uint8_t image[PREPARED_PIXELS]);

#endif
