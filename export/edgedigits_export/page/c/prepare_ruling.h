/* Lines that run through a picture: what finds them and what takes them off share this. */
#ifndef EDGEDIGITS_PREPARE_RULING_H
#define EDGEDIGITS_PREPARE_RULING_H

#include "prepare_rooms.h"

#define STRIPS 8
#define STRIP_ROOM 16 /* pixels of a strip in a picture of 256, and some more */

#ifdef WITH_NUMBERS
#undef STRIP_ROOM
#define STRIP_ROOM 48 /* of 1024, in which numbers are looked for */
#endif

/* What is darker than the paper above and below it, in each strip. */
struct dips {
    int count;
    int *strip, *offset;
    double *place, *width, *depth;
};

/* A line from the left to the right border. */
struct line {
    double *rows; /* its middle, in each column */
    double middle, width, depth;
};

struct lines {
    struct line *at;
    int count, most;
};

void pic_lines_in(struct arena *arena, const struct pixels *gray, struct lines *lines);

#endif
