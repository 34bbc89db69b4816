/* even_paper.py: drawings, and pictures cut to their digit. */
#include "prepare_rooms.h"

#define SMALLEST_EVEN 3
#define INK_AT_BORDER 0.02
#define FILLED 0.8
#define NARROW 0.4
#define CUT_MARGIN 0.1
#define WIDEST_CUT 1.25
#define CLEAR_CONTRAST 0.3
#define CLEAR_SHARE 0.8
#define CLEAR_GRAIN 0.3
#define HALF_A_SIDE 0.5
#define COVERED 0.8
#define WHOLE_SIDE 0.95
#define MAIN_PART 0.6
#define SLOPE_TOLERANCE 0.2
#define SLOPE_RESIDUAL 0.1

int pic_reaches_across(const struct box *box, int width, int height)
{
    return box->bottom - box->top > FILLED * height &&
           (box->right - box->left > FILLED * width || width < NARROW * height);
}

/* Look for a digit that shows without doubt; tell whether there is one. */
static int clear(struct arena *arena, const float *contrast, struct finding *finding)
{
    if (pic_finding_in(arena, contrast, finding) != PREPARE_FINE) {
        return 0;
    }
    pic_thickness(arena, finding);
    return finding->thickness <= PLAUSIBLE_THICKNESS && !finding->is_frame && finding->share > CLEAR_SHARE &&
           finding->grain < CLEAR_GRAIN * finding->level;
}

/* Whether ink in a margin is a digit to which the picture, (width, height), was cut, by the part that is largest. */
static int is_cut_digit(const struct finding *finding, const uint8_t *mask, int width, int height,
                        const struct box *main)
{
    int covered = 0, whole = 0, is_digit;
    double sides[4], most = 0;

    pic_covered_sides(mask, width, height, sides);
    for (int side = 0; side < 4; side++) {
        covered += sides[side] > COVERED;
        whole += sides[side] > WHOLE_SIDE;
        most = pic_greater(most, sides[side]);
    }
    if (width < NARROW * height) {
        is_digit = covered < 3;
    } else if (pic_reaches_across(main, width, height)) {
        is_digit = whole < 2 && !pic_has_full_corner(mask, width, height);
    } else if (pic_side(&finding->box) > FILLED * pic_least(height, width)) {
        is_digit = most < WHOLE_SIDE && !pic_has_full_corner(mask, width, height);
    } else {
        is_digit = most < HALF_A_SIDE;
    }
    return is_digit;
}

static int at_border(const uint8_t *mask, int width, int height)
{
    double sides[4];

    pic_covered_sides(mask, width, height, sides);
    return sides[0] + sides[1] + sides[2] + sides[3] > 0;
}

/* The digit that runs out of the picture or to which it was cut. Made of finding's room, which holds the margin. */
static int cut_digit(struct arena *arena, const float *contrast, const struct pixels *gray, struct finding *finding)
{
    int width = gray->width, height = gray->height, main = 0;
    int margin = pic_most(2, pic_round(CUT_MARGIN * pic_longer(width, height)));
    int wide = width + 2 * margin, high = height + 2 * margin;
    struct components parts;
    uint8_t *mask;
    float *padded;

    finding->width = wide;
    finding->height = high;
    TAKE(arena, padded, wide * high);
    pic_fill(padded, 0, sizeof *padded * (size_t)(wide * high));
    for (int row = 0; row < height; row++) {
        pic_copy(padded + (margin + row) * wide + margin, contrast + row * width, sizeof *padded * (size_t)width);
    }
    if (!clear(arena, padded, finding)) {
        return 0;
    }
    TAKE(arena, mask, width * height);
    for (int row = 0; row < height; row++) {
        pic_copy(mask + row * width, finding->mask + (margin + row) * wide + margin, (size_t)width);
    }
    pic_connected(arena, finding->mask, wide, high, &parts);
    for (int part = 1; part < parts.parts; part++) {
        main = parts.area[part] > parts.area[main] ? part : main;
    }
    finding->is_cut = at_border(mask, width, height);
    return is_cut_digit(finding, mask, width, height, &parts.box[main]) &&
           parts.area[main] >= MAIN_PART * (double)pic_area_of(&parts, NULL);
}

static int clear_digit(struct arena *arena, const float *contrast, const struct pixels *gray, double ink_at_border,
                       struct finding *finding)
{
    if (pic_has_shade(arena, contrast, gray->width, gray->height)) {
        return 0;
    }
    if (ink_at_border > 0 && cut_digit(arena, contrast, gray, finding)) {
        return 1;
    }
    if (ink_at_border >= INK_AT_BORDER) {
        return 0;
    }
    finding->width = gray->width;
    finding->height = gray->height;
    return clear(arena, contrast, finding) && !pic_touches(&finding->box, gray->width, gray->height);
}

/* The share of the border's pixels that are lighter than a threshold. */
static double light_share_of(const struct pixels *gray, int threshold)
{
    int light = 0;

    for (int column = 0; column < gray->width; column++) {
        light += gray->at[column] > threshold;
        light += gray->at[(gray->height - 1) * gray->width + column] > threshold;
    }
    for (int row = 0; row < gray->height; row++) {
        light += gray->at[row * gray->width] > threshold;
        light += gray->at[row * gray->width + gray->width - 1] > threshold;
    }
    return (double)light / (2 * (gray->width + gray->height));
}

static int is_light_paper(const struct pixels *gray, int threshold, double light_share)
{
    int top = gray->height / 3, left = gray->width / 3;
    double sum = 0;

    if (!(gray->width < NARROW * gray->height && INK_AT_BORDER < light_share && light_share < 1 - INK_AT_BORDER)) {
        return light_share > 0.5;
    }
    for (int row = top; row < gray->height - top; row++) {
        for (int column = left; column < gray->width - left; column++) {
            sum += gray->at[row * gray->width + column];
        }
    }
    return sum / ((gray->height - 2 * top) * (gray->width - 2 * left)) <= threshold;
}

static int on_slope(struct arena *arena, const struct pixels *gray, int threshold, int dark, float *contrast,
                    struct finding *finding)
{
    if (!pic_paper_surface(arena, gray, threshold, dark, SLOPE_TOLERANCE, SLOPE_RESIDUAL, contrast)) {
        return 0;
    }
    pic_contrast_on(gray, contrast, dark, contrast);
    return !pic_has_shade(arena, contrast, gray->width, gray->height) && cut_digit(arena, contrast, gray, finding) &&
           finding->level > CLEAR_CONTRAST && pic_reaches_across(&finding->box, gray->width, gray->height);
}

int pic_on_even_paper(struct arena *arena, const struct pixels *gray, int *dark, struct finding *finding)
{
    int width = gray->width, height = gray->height, count = width * height, threshold, is_light, is_found = 0;
    int margin = pic_most(2, pic_round(CUT_MARGIN * pic_longer(width, height)));
    double light_share;
    float *contrast;
    size_t mark, inner;

    if (pic_least(height, width) < SMALLEST_EVEN) {
        return 0;
    }
    pic_new_finding(arena, width + 2 * margin, height + 2 * margin, finding);
    mark = arena->used;
    TAKE(arena, contrast, count);
    inner = arena->used;
    threshold = pic_otsu(gray->at, count);
    light_share = light_share_of(gray, threshold);
    is_light = is_light_paper(gray, threshold, light_share);
    /* Paper of one level in both polarities, and then paper that changes evenly. */
    for (int turn = 0; turn < 4 && !is_found; turn++) {
        *dark = is_light != turn % 2;
        if (turn < 2) {
            int paper = pic_flat_paper(gray, *dark);

            if (paper >= 0) {
                pic_flat_contrast(gray, paper, *dark, contrast);
                is_found = clear_digit(arena, contrast, gray, *dark ? 1 - light_share : light_share, finding);
            }
        } else if (INK_AT_BORDER < light_share && light_share < 1 - INK_AT_BORDER && width <= WIDEST_CUT * height) {
            is_found = on_slope(arena, gray, threshold, *dark, contrast, finding);
        }
        arena->used = inner;
    }
    arena->used = mark;
    return is_found;
}
