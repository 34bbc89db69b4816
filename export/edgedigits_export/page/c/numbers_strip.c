/* pieces.py, until there are pieces: a line at its usual height, with its slant undone. */
#include "numbers_rooms.h"

#define LEAST_SLANT 0.04
#define UPRIGHTED 0.65
#define STROKE_WIDTH 1.8
#define MOST_WIDENED 3

static const double slants[] = {
    -0.3, -0.19999999999999998, -0.09999999999999998, 5.551115123125783e-17, 0.10000000000000003, 0.2,
    0.3000000000000001, 0.4000000000000001, 0.5, 0.6000000000000001, 0.7, 0.8, 0.9000000000000001, 1.0,
}; /* as np.arange(-0.3, 1.05, 0.1) has them */

/* How many columns a picture of that height grows by on each side where a slant is undone. */
static int room_for(double slant, int height)
{
    return pic_size(slant) >= LEAST_SLANT ? (int)(pic_size(slant) * height / 2) + 1 : 0;
}

/* Width and height of a line's strip, and its width once the strongest slant is undone. */
void num_strip_size(const struct num_place *place, int *width, int *height, int *widest)
{
    const struct box *box = &place->box;

    pic_scaled_size(box->right - box->left, box->bottom - box->top, STRIP_HEIGHT / place->height, width, height);
    *width += 2 * STRIP_MARGIN;
    *height += 2 * STRIP_MARGIN;
    *widest = *width + 2 * room_for(UPRIGHTED * slants[sizeof slants / sizeof *slants - 1], *height);
}

/* The level at a place of a row, by linear interpolation in float64; black outside of it. */
static uint8_t level_between(const uint8_t *line, int width, double x)
{
    int left;
    double before, behind;

    if (!(x >= 0.0 && x < width)) {
        return 0;
    }
    x -= 0.5;
    left = pic_floor(x);
    before = line[pic_most(left, 0)];
    behind = line[pic_least(left + 1, width - 1)];
    return (uint8_t)(before + (behind - before) * (x - left));
}

/* A row with a slant undone, as Pillow's affine transform has it. */
static void shear_row(const struct pixels *from, int row, double slant, uint8_t *to)
{
    int pad = room_for(slant, from->height);
    double first = -pad + slant * from->height / 2;

    for (int column = 0; column < from->width + 2 * pad; column++) {
        double x = (column + 0.5) + -slant * (row + 0.5) + first;

        to[column] = level_between(from->at + row * from->width, from->width, x);
    }
}

/* Undo a slant, in columns to the right per row up; the middle row stays. */
static void shear(const struct pixels *from, double slant, struct pixels *to)
{
    to->width = from->width + 2 * room_for(slant, from->height);
    to->height = from->height;
    for (int row = 0; row < from->height; row++) {
        if (to->width == from->width) {
            pic_copy(to->at + row * to->width, from->at + row * from->width, (size_t)from->width);
        } else {
            shear_row(from, row, slant, to->at + row * to->width);
        }
    }
}

/* Half a picture's size, each pixel the mean of four, at its ends of two or one. */
static void halve(const struct pixels *from, const struct pixels *to)
{
    for (int row = 0; row < to->height; row++) {
        for (int column = 0; column < to->width; column++) {
            int sum = 0, count = 0;

            for (int y = 2 * row; y < pic_least(2 * row + 2, from->height); y++) {
                for (int x = 2 * column; x < pic_least(2 * column + 2, from->width); x++) {
                    sum += from->at[y * from->width + x];
                    count++;
                }
            }
            to->at[row * to->width + column] = (uint8_t)((sum + count / 2) / count);
        }
    }
}

/* The sum of squares of the columns of a picture once a slant is undone: whole numbers below 2^53. */
static double sharpness_of(struct arena *arena, const struct pixels *small, double slant)
{
    size_t mark = arena->used;
    int pad = room_for(slant, small->height), width = small->width + 2 * pad;
    uint32_t *columns;
    uint8_t *line;
    double sharpness = 0;

    TAKE(arena, columns, width);
    TAKE(arena, line, width);
    pic_fill(columns, 0, sizeof *columns * (size_t)width);
    for (int row = 0; row < small->height; row++) {
        const uint8_t *at = small->at + row * width;

        if (pad > 0) {
            shear_row(small, row, slant, line);
            at = line;
        }
        for (int column = 0; column < width; column++) {
            columns[column] += at[column];
        }
    }
    for (int column = 0; column < width; column++) {
        sharpness += (double)columns[column] * columns[column];
    }
    arena->used = mark;
    return sharpness;
}

/* The slant of writing: the one that leaves the sharpest columns. */
static double slant_of(struct arena *arena, const struct pixels *even)
{
    size_t mark = arena->used;
    double best = -1, slant = 0;
    struct pixels small;

    pic_new_pixels(arena, (even->width + 1) / 2, (even->height + 1) / 2, &small);
    halve(even, &small);
    for (size_t i = 0; i < sizeof slants / sizeof *slants; i++) {
        double sharpness = sharpness_of(arena, &small, slants[i]);

        if (sharpness > best) {
            best = sharpness;
            slant = slants[i];
        }
    }
    arena->used = mark;
    return slant;
}

/* Bring a line to its usual height, with a margin. */
static void even_of(struct arena *arena, const struct pixels *cut, double ratio, const struct pixels *even)
{
    size_t mark = arena->used;
    struct pixels scaled;

    pic_new_pixels(arena, even->width - 2 * STRIP_MARGIN, even->height - 2 * STRIP_MARGIN, &scaled);
    if (ratio < 1) {
        pic_resize(arena, cut->at, cut->width, cut->height, 1, scaled.width, scaled.height, scaled.at);
    } else {
        pic_enlarge(arena, cut->at, cut->width, cut->height, scaled.width, scaled.height, scaled.at);
    }
    pic_fill(even->at, 0, (size_t)(even->width * even->height));
    for (int row = 0; row < scaled.height; row++) {
        pic_copy(even->at + (row + STRIP_MARGIN) * even->width + STRIP_MARGIN, scaled.at + row * scaled.width,
                 (size_t)scaled.width);
    }
    arena->used = mark;
}

/* The level at a place of a strip with paper around it, which lies a row and a column further. */
static int level_at(const struct pixels *ink, int row, int column)
{
    int is_inside = row > 0 && row <= ink->height && column > 0 && column <= ink->width;

    return is_inside ? ink->at[(row - 1) * ink->width + column - 1] : 0;
}

static float padded_level(const struct pixels *ink, int index)
{
    int stride = ink->width + 2;

    return (float)level_at(ink, index / stride, index % stride);
}

static float slope_at(const struct pixels *ink, int index)
{
    int stride = ink->width + 1, row = index / stride, column = index % stride, here = level_at(ink, row, column);
    int down = level_at(ink, row + 1, column) - here, across = level_at(ink, row, column + 1) - here;

    return (float)pic_root((double)(down * down + across * across));
}

/* As pic_sum, of values that are made one by one. */
static float sum_of(float (*value)(const struct pixels *, int), const struct pixels *ink, int first, int count)
{
    float values[128];
    int half = count / 2 - count / 2 % 8;

    if (count > 128) {
        return sum_of(value, ink, first, half) + sum_of(value, ink, first + half, count - half);
    }
    for (int i = 0; i < count; i++) {
        values[i] = value(ink, first + i);
    }
    return pic_sum(values, count);
}

/* The mean width of strokes: levels.stroke_width, of larger pictures than pic_stroke_width has room for. */
static double stroke_of(const struct pixels *ink)
{
    double perimeter = sum_of(slope_at, ink, 0, (ink->width + 1) * (ink->height + 1));
    double area = sum_of(padded_level, ink, 0, (ink->width + 2) * (ink->height + 2));

    return perimeter > 0 ? 2 * area / perimeter : 0.0;
}

/* Bring a line to its usual height, upright; the arena has room for what num_strip_size says behind the strip's ink. */
void num_upright(struct arena *arena, const struct num_lines *lines, int line, struct num_strip *strip)
{
    const struct num_place *place = &lines->place[line];
    double wanted = STROKE_WIDTH * STRIP_HEIGHT / DIGIT_SIDE;
    struct pixels cut, even;
    int width, height, widest;
    size_t mark;

    num_strip_size(place, &width, &height, &widest);
    pic_new_pixels(arena, widest, height, &strip->ink);
    mark = arena->used;
    pic_new_pixels(arena, width, height, &even);
    num_line_ink(arena, lines, line, &cut);
    even_of(arena, &cut, STRIP_HEIGHT / place->height, &even);
    strip->slant = UPRIGHTED * slant_of(arena, &even);
    shear(&even, strip->slant, &strip->ink);
    arena->used = mark;
    strip->stroke = stroke_of(&strip->ink);
    strip->widening = pic_most(0, pic_least(pic_round((wanted - strip->stroke) / 2), MOST_WIDENED));
}
