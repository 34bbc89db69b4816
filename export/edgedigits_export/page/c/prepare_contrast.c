/* contrast.py: how far each pixel stands out from its paper. */
#include "prepare_rooms.h"

#define VOTE_SIDE 96
#define SMOOTH_SIDE 128
#define BORDER_VOTE 0.12
#define BLACK_LEVEL 24.0f
#define BRIGHT_WINDOW 0.4
#define FLAT_PAPER 0.15
#define FLAT_TOLERANCE 6
#define MOST_SHADE 0.2
#define LOWEST_SHADE 35  /* 0.14 of white */
#define LOWEST_INK 216   /* 0.85 */
#define WIDEST_SPAN 7    /* below 0.03 of white */

/* The mean of the border's levels, corners counted twice. */
static double border_mean(const struct pixels *gray)
{
    long sum = 0;

    for (int column = 0; column < gray->width; column++) {
        sum += gray->at[column] + gray->at[(gray->height - 1) * gray->width + column];
    }
    for (int row = 0; row < gray->height; row++) {
        sum += gray->at[row * gray->width] + gray->at[row * gray->width + gray->width - 1];
    }
    return (double)sum / (2 * (gray->width + gray->height));
}

double pic_polarity(struct arena *arena, const struct pixels *gray)
{
    static const double shares[2] = {0.1, 0.3};
    size_t mark = arena->used;
    struct pixels small;
    uint8_t *lightest, *darkest;
    double vote = 0;
    int count, low = PIXEL_MAX, high = 0;

    pic_shrunk(arena, gray, VOTE_SIDE, &small);
    count = small.width * small.height;
    TAKE(arena, lightest, count);
    TAKE(arena, darkest, count);
    for (int i = 0; i < 2; i++) {
        int window = pic_odd(shares[i] * pic_longer(small.width, small.height), 3);
        double votes = 0, weights = 0;

        pic_sliding(arena, small.at, small.width, small.height, window, 1, lightest);
        pic_sliding(arena, small.at, small.width, small.height, window, 0, darkest);
        for (int k = 0; k < count; k++) {
            double span = lightest[k] - darkest[k];

            votes += (2.0 * (small.at[k] - lightest[k]) + span) * span * span;
            weights += span * span * span;
        }
        vote += votes / pic_greater(weights, 1.0);
    }
    for (int k = 0; k < count; k++) {
        low = pic_least(low, small.at[k]);
        high = pic_most(high, small.at[k]);
    }
    vote += BORDER_VOTE * (2 * border_mean(&small) - low - high) / pic_most(high - low, 1);
    arena->used = mark;
    return vote;
}

void pic_ink_contrast(struct arena *arena, const struct pixels *gray, int window, int dark, float *contrast)
{
    size_t mark = arena->used;
    int width = gray->width, height = gray->height, count = width * height, side = pic_longer(width, height);
    uint8_t *toned, *paper, *light;

    TAKE(arena, toned, count);
    TAKE(arena, paper, count);
    light = paper;
    for (int i = 0; i < count; i++) {
        toned[i] = dark ? gray->at[i] : (uint8_t)(PIXEL_MAX - gray->at[i]);
    }
    if (side >= SMOOTH_SIDE) {
        pic_box_blur(arena, toned, width, height, 1.0f, 1);
    }
    pic_sliding(arena, toned, width, height, window, 1, paper);
    pic_sliding(arena, paper, width, height, window, 0, paper);
    if (!dark) {
        uint8_t *inverted;

        TAKE(arena, inverted, count);
        TAKE(arena, light, count);
        for (int i = 0; i < count; i++) {
            inverted[i] = (uint8_t)(PIXEL_MAX - toned[i]);
        }
        pic_sliding(arena, inverted, width, height, pic_odd(BRIGHT_WINDOW * side, 3), 1, light);
    }
    for (int i = 0; i < count; i++) {
        contrast[i] = (float)(pic_most(paper[i], toned[i]) - toned[i]) / ((float)light[i] + BLACK_LEVEL);
    }
    arena->used = mark;
}

/* The first level up to which there are at least so many pixels. */
static int first_with(const uint32_t levels[256], double least)
{
    uint32_t below = 0;

    for (int level = 0; level < 256; level++) {
        below += levels[level];
        if (below >= least) {
            return level;
        }
    }
    return 256;
}

/* The level that most of the paper has; -1 where none is common enough. */
int pic_flat_paper(const struct pixels *gray, int dark)
{
    int count = gray->width * gray->height, paper, middle;
    uint32_t given[256], levels[256], near = 0, beyond = 0;

    pic_histogram(gray->at, count, given);
    for (int level = 0; level < 256; level++) {
        levels[level] = given[dark ? level : PIXEL_MAX - level];
    }
    middle = (first_with(levels, 0.01 * count) + first_with(levels, 0.99 * count)) / 2;
    paper = middle;
    for (int level = middle; level < 256; level++) {
        paper = levels[level] > levels[paper] ? level : paper;
    }
    for (int level = pic_most(paper - FLAT_TOLERANCE, 0); level < 256; level++) {
        near += level <= paper + FLAT_TOLERANCE ? levels[level] : 0;
        beyond += level > paper + FLAT_TOLERANCE ? levels[level] : 0;
    }
    if (near < FLAT_PAPER * count || beyond > 0.01 * count) {
        return -1;
    }
    return dark ? paper : PIXEL_MAX - paper;
}

void pic_flat_contrast(const struct pixels *gray, int paper, int dark, float *contrast)
{
    float light = (float)(dark ? paper : PIXEL_MAX) + BLACK_LEVEL;

    for (int i = 0; i < gray->width * gray->height; i++) {
        int away = dark ? paper - gray->at[i] : gray->at[i] - paper;

        contrast[i] = (float)pic_most(away, 0) / light;
    }
}

void pic_contrast_on(const struct pixels *gray, const float *paper, int dark, float *contrast)
{
    for (int i = 0; i < gray->width * gray->height; i++) {
        float level = (float)gray->at[i], away = dark ? paper[i] - level : level - paper[i];

        contrast[i] = (away > 0 ? away : 0) / ((dark ? paper[i] : (float)PIXEL_MAX) + BLACK_LEVEL);
    }
}

void pic_levels_of(const float *contrast, int count, double highest, uint8_t *levels)
{
    float scale = (float)(PIXEL_MAX / highest);

    for (int i = 0; i < count; i++) {
        levels[i] = (uint8_t)(contrast[i] * scale);
    }
}

int pic_has_shade(struct arena *arena, const float *contrast, int width, int height)
{
    int has_shade;
    size_t mark = arena->used;
    int count = width * height, between = 0, ink = 0, even = 0, window = pic_odd(pic_longer(width, height) / 16.0, 3);
    double highest = pic_highest(contrast, count);
    uint8_t *levels, *lightest, *darkest;

    has_shade = 1;
    if (highest < MIN_CONTRAST) {
        return has_shade;
    }
    TAKE(arena, levels, count);
    pic_levels_of(contrast, count, highest, levels);
    for (int i = 0; i < count; i++) {
        between += levels[i] > LOWEST_SHADE && levels[i] < LOWEST_INK;
        ink += levels[i] >= LOWEST_INK;
    }
    has_shade = between > MOST_SHADE * ink;
    if (has_shade) {
        TAKE(arena, lightest, count);
        TAKE(arena, darkest, count);
        pic_sliding(arena, levels, width, height, window, 1, lightest);
        pic_sliding(arena, levels, width, height, window, 0, darkest);
        for (int i = 0; i < count; i++) {
            even += levels[i] > LOWEST_SHADE && levels[i] < LOWEST_INK && lightest[i] - darkest[i] <= WIDEST_SPAN;
        }
        has_shade = even > MOST_SHADE * ink;
    }
    arena->used = mark;
    return has_shade;
}
