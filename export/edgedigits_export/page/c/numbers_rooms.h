/* What the files of numbers share; each is the C of the module of edgedigits/numbers that it names. */
#ifndef EDGEDIGITS_NUMBERS_ROOMS_H
#define EDGEDIGITS_NUMBERS_ROOMS_H

#include "numbers.h"
#include "prepare_rooms.h"

#define STRIP_HEIGHT 48  /* pixels of a digit's height in a strip: HEIGHT of pieces.py */
#define STRIP_MARGIN 4   /* pixels of paper around a strip */
#define MOST_IN_LINE 5000 /* pieces, and candidates but for the last piece's */
#define MOST_CUTS 24     /* in a part, and two beside 1s */
#define PAPER (-1)       /* in the place of the index of a piece */
#define SPECKS (-2)

/* What scaling and form lend, where WITH_NUMBERS is defined. */
void pic_enlarge(struct arena *arena, const uint8_t *from, int width, int height, int new_width, int new_height,
                uint8_t *to);
void pic_dilate(const struct pixels *ink, int diagonally, uint8_t *upright, const struct pixels *grown);

/* How far each pixel of a picture stands out from its paper, 0 to 1, and the mean of the ink. */
struct num_ink {
    int width, height;
    float *contrast;
    double level;
};

/* Where a line of writing is in its picture, and how high a digit in it, about. */
struct num_place {
    struct box box;
    double height;
    int group;
};

/* The ink of a picture in lines. */
struct num_lines {
    int count;
    struct num_place *place;  /* in reading order */
    uint8_t *levels;          /* of the picture, 0 = paper, 255 = ink */
    struct components parts;
    int *group;               /* of each part: the first part of its line; -1 of what has no digit's size */
};

/* A line, upright, with digits of STRIP_HEIGHT. */
struct num_strip {
    struct pixels ink;
    int16_t *ids;
    struct numbers_piece *piece;
    int pieces, widening;
    double slant, stroke;
};

/* ink, rules */
int num_ink_of(struct arena *arena, const struct pixels *gray, struct num_ink *ink);
void num_mask_of(const struct num_ink *ink, uint8_t *mask);
void num_levels_of(const struct num_ink *ink, uint8_t *levels);
int num_without_rules_in(struct arena *arena, uint8_t *mask, int width, int height, double length, double thickness);

/* lines */
double num_usual_height(const struct components *parts);
int num_lines_of(struct arena *arena, const struct num_ink *ink, struct num_lines *lines);
void num_line_ink(struct arena *arena, const struct num_lines *lines, int line, struct pixels *cut);

/* strip, pieces, cuts */
void num_strip_size(const struct num_place *place, int *width, int *height, int *widest);
void num_upright(struct arena *arena, const struct num_lines *lines, int line, struct num_strip *strip);
int num_pieces_of(struct arena *arena, struct num_strip *strip);
int num_cuts_of(struct arena *arena, const uint32_t *columns, int width, double one_width, int *cuts);

/* candidates */
int num_candidates_of(const struct num_strip *strip, struct numbers_candidate *found, int *count);
void num_images_of(struct arena *arena, const struct num_strip *strip, const struct numbers_candidate *candidates,
                  int count, uint8_t *images);

#endif
