/* ruling.py, without lines: what they take of the light is given back, or they are filled from both sides. */
#include "prepare_rooms.h"
#include "prepare_ruling.h"

#define SMALLEST_SIDE 40
#define APART 2.2
#define ALIKE 0.6

/* The rows that a line takes in one column, a little more on both sides. */
struct band {
    int first, count, above, below;
};

static struct band band_of(const struct line *line, int column, int height)
{
    int reach = pic_round(line->width / 2 + 1);
    struct band band = {pic_round(line->rows[column]) - reach, 2 * reach + 1, 0, 0};
    int upper = band.first - 1, lower = band.first + band.count;
    int above = pic_least(pic_most(upper, 0), height - 1), below = pic_least(pic_most(lower, 0), height - 1);

    band.above = upper >= 0 ? above : below;
    band.below = lower < height ? below : above;
    return band;
}

static int within(int row, int height)
{
    return pic_least(pic_most(row, 0), height - 1);
}

/* The median, over all columns, of what a line takes of the light in one of its rows; and its darkest level. */
static float taken_by(const struct pixels *gray, const struct line *line, int offset, float *values)
{
    float most = (float)(2 * line->depth);

    for (int column = 0; column < gray->width; column++) {
        struct band band = band_of(line, column, gray->height);
        const uint8_t *at = gray->at + column;
        int above = at[band.above * gray->width], below = at[band.below * gray->width];
        float taken = (float)(pic_most(above, below) - at[within(band.first + offset, gray->height) * gray->width]);

        values[column] = taken < 0 ? 0 : taken > most ? most : taken;
    }
    return pic_median_of_floats(values, gray->width);
}

static float darkest_of(const struct pixels *gray, const struct line *line)
{
    int darkest = PIXEL_MAX;

    for (int column = 0; column < gray->width; column++) {
        struct band band = band_of(line, column, gray->height);

        for (int i = 0; i < band.count; i++) {
            darkest = pic_least(darkest, gray->at[within(band.first + i, gray->height) * gray->width + column]);
        }
    }
    return (float)darkest;
}

/* The level of a pixel on a line that is filled from above and below. */
static float filled(float above, float below, int index, int count)
{
    return above + (below - above) * (float)((index + 1) / (double)(count + 1));
}

/* The level of a pixel on a line to which what that takes of the light is given back. */
static float given_back(float level, float paper, float taken, float darkest)
{
    float room = paper - taken - darkest, share;

    share = (level - darkest) / (room > 1 ? room : 1);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return darkest + share * (paper - darkest > 0 ? paper - darkest : 0);
}

static void take_off(struct arena *arena, const struct pixels *gray, const struct line *line, int is_filled)
{
    size_t mark = arena->used;
    int height = gray->height, width = gray->width, count = band_of(line, 0, height).count;
    float *taken, *values, darkest = darkest_of(gray, line);
    uint8_t *cleaned;

    TAKE(arena, taken, count);
    TAKE(arena, values, width);
    TAKE(arena, cleaned, count);
    for (int i = 0; i < count; i++) {
        taken[i] = is_filled ? 0 : taken_by(gray, line, i, values);
    }
    for (int column = 0; column < width; column++) {
        struct band band = band_of(line, column, height);
        uint8_t *at = gray->at + column;
        float above = at[band.above * width], below = at[band.below * width];
        float paper = above > below ? above : below;

        for (int i = 0; i < count; i++) {
            float level = at[within(band.first + i, height) * width];
            float light = is_filled ? filled(above, below, i, count) : given_back(level, paper, taken[i], darkest);

            cleaned[i] = (uint8_t)pic_rintf(level > light ? level : light);
        }
        for (int i = 0; i < count; i++) {
            int row = band.first + i;

            if (row >= 0 && row < height) {
                at[row * width] = cleaned[i];
            }
        }
    }
    arena->used = mark;
}

/* Whether a picture holds ink, and none at its border. */
static int is_inside(const struct pixels *gray, double ink)
{
    int width = gray->width, height = gray->height, dark = 0, at_border = 0;
    uint32_t histogram[256];
    double below;

    pic_histogram(gray->at, width * height, histogram);
    below = pic_median_of_levels(histogram, width * height) - ink / 2;
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            if (gray->at[row * width + column] < below) {
                dark = 1;
                at_border |= row == 0 || row == height - 1 || column == 0 || column == width - 1;
            }
        }
    }
    return dark && !at_border;
}

static double median_gap(const struct lines *lines, double *values, double *gaps)
{
    for (int i = 0; i < lines->count; i++) {
        values[i] = lines->at[i].middle;
    }
    pic_median_of_doubles(values, lines->count); /* which sorts them */
    for (int i = 1; i < lines->count; i++) {
        gaps[i - 1] = values[i] - values[i - 1];
    }
    return pic_median_of_doubles(gaps, lines->count - 1);
}

/* Take level lines off, in place; 0 where the picture stays as it is. */
static int without_level_lines(struct arena *arena, const struct pixels *gray, double ink, int lone)
{
    int is_changed = 0;
    size_t mark = arena->used;
    double *values, *gaps, width, depth;
    struct pixels cleaned;
    struct lines lines;

    pic_lines_in(arena, gray, &lines);
    if (lines.count == 0) {
        arena->used = mark;
        return is_changed;
    }
    TAKE(arena, values, lines.count);
    TAKE(arena, gaps, lines.count);
    for (int i = 0; i < lines.count; i++) {
        values[i] = lines.at[i].width;
        gaps[i] = lines.at[i].depth;
    }
    width = pic_median_of_doubles(values, lines.count);
    depth = pic_median_of_doubles(gaps, lines.count);
    if (lines.count == 1 || median_gap(&lines, values, gaps) >= APART * width) {
        pic_new_pixels(arena, gray->width, gray->height, &cleaned);
        pic_copy(cleaned.at, gray->at, (size_t)(gray->width * gray->height));
        for (int i = 0; i < lines.count; i++) {
            take_off(arena, &cleaned, &lines.at[i], depth > ALIKE * ink);
        }
        is_changed = !(lines.count == 1 && !lone && depth > ALIKE * ink && !is_inside(&cleaned, ink));
    }
    if (is_changed) {
        pic_copy(gray->at, cleaned.at, (size_t)(gray->width * gray->height));
    }
    arena->used = mark;
    return is_changed;
}

static void turn(const struct pixels *from, int is_inverted, const struct pixels *to)
{
    for (int row = 0; row < from->height; row++) {
        for (int column = 0; column < from->width; column++) {
            uint8_t level = from->at[row * from->width + column];

            to->at[column * from->height + row] = is_inverted ? (uint8_t)(PIXEL_MAX - level) : level;
        }
    }
}

int pic_without_ruling(struct arena *arena, struct pixels *gray, int lone)
{
    int is_ruled = 0;
    int count = gray->width * gray->height, lightest, darkest, is_light, is_level, is_upright;
    struct pixels toned, turned;
    double paper, ink;
    size_t mark;

    if (pic_least(gray->width, gray->height) < SMALLEST_SIDE) {
        return is_ruled;
    }
    lightest = (int)pic_quantile_of_levels(gray->at, count, 0.995);
    darkest = (int)pic_quantile_of_levels(gray->at, count, 0.005);
    paper = pic_quantile_of_levels(gray->at, count, 0.5);
    is_light = 2 * paper > lightest + darkest;
    ink = is_light ? paper - darkest : lightest - paper;
    pic_new_pixels(arena, gray->width, gray->height, &toned);
    mark = arena->used;
    pic_new_pixels(arena, gray->height, gray->width, &turned);
    for (int i = 0; i < count; i++) {
        toned.at[i] = is_light ? gray->at[i] : (uint8_t)(PIXEL_MAX - gray->at[i]);
    }
    is_level = without_level_lines(arena, &toned, ink, lone);
    turn(&toned, 0, &turned);
    is_upright = without_level_lines(arena, &turned, ink, lone);
    if (is_level || is_upright) {
        turn(&turned, !is_light, &toned);
        *gray = toned;
        is_ruled = 1;
    }
    arena->used = mark;
    return is_ruled;
}
