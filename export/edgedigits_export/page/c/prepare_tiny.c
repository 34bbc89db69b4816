/* tiny.py and noise.py: pictures of a few pixels; images in MNIST's form with something laid over them. */
#include "prepare_rooms.h"

#define LEAST_LEVEL 63 /* 0.25 of white */
#define LOWEST 0.27
#define HIGHEST 0.9

#define LEAST_PEAK 128
#define LEAST_BLACK 0.4
#define SHORTEST (DIGIT_SIDE - 3)
#define OFF_CENTRE 2.0
#define OFF_CENTRE_WITHOUT_LINES 2.25
#define OFF_CENTRE_WITH_LINES 5.5
#define CENTRED 0.6
#define LARGEST_BLURRED (DIGIT_SIDE + 2)
#define FAINT 8
#define LEAST_PART 0.1
#define THIN_LINE 1.05

/* The levels of the border, corners twice, in the order of the rows and columns. */
static int border_of(const float *levels, int width, int height, float *border)
{
    int count = 0;

    for (int column = 0; column < width; column++) {
        border[count++] = levels[column];
    }
    for (int column = 0; column < width; column++) {
        border[count++] = levels[(height - 1) * width + column];
    }
    for (int row = 0; row < height; row++) {
        border[count++] = levels[row * width];
    }
    for (int row = 0; row < height; row++) {
        border[count++] = levels[row * width + width - 1];
    }
    return count;
}

int pic_tiny_digit(struct arena *arena, const struct pixels *gray, struct pixels *ink)
{
    int count = gray->width * gray->height, lowest = PIXEL_MAX, highest = 0, is_dark_ink;
    struct pixels levels, cut;
    float *spread, *border, scale;

    for (int i = 0; i < count; i++) {
        lowest = pic_least(lowest, gray->at[i]);
        highest = pic_most(highest, gray->at[i]);
    }
    if (highest - lowest < MIN_CONTRAST * PIXEL_MAX) {
        return PREPARE_EMPTY;
    }
    TAKE(arena, spread, count);
    TAKE(arena, border, 2 * (gray->width + gray->height));
    pic_new_pixels(arena, gray->width, gray->height, &levels);
    scale = (float)((double)PIXEL_MAX / (highest - lowest));
    for (int i = 0; i < count; i++) {
        spread[i] = (float)(gray->at[i] - lowest) * scale;
    }
    is_dark_ink = pic_mean(border, border_of(spread, gray->width, gray->height, border)) > (float)(PIXEL_MAX / 2.0);
    for (int i = 0; i < count; i++) {
        levels.at[i] = (uint8_t)pic_rintf(is_dark_ink ? PIXEL_MAX - spread[i] : spread[i]);
    }
    TRY(pic_cropped(arena, &levels, LEAST_LEVEL, &cut));
    pic_resized(arena, &cut, DIGIT_SIDE, ink);
    for (int i = 0; i < ink->width * ink->height; i++) {
        float level = ((float)ink->at[i] - (float)(LOWEST * PIXEL_MAX)) / (float)(HIGHEST - LOWEST);

        level = pic_rintf(level);
        ink->at[i] = (uint8_t)(level < 0 ? 0 : level > PIXEL_MAX ? PIXEL_MAX : level);
    }
    return PREPARE_FINE;
}

/* How far the ink's centre of mass is from the picture's middle. */
static double off_centre(const struct pixels *pixels)
{
    double row, column;

    pic_centre_of_mass(pixels, &row, &column);
    return pic_greater(pic_size(row - PREPARED_SIDE / 2), pic_size(column - PREPARED_SIDE / 2));
}

static int side_above(const struct pixels *pixels, int above)
{
    struct box box;

    return pic_ink_box(pixels, above, &box) ? pic_side(&box) : 0;
}

/* Take away what is apart from the digit and small. */
static void without_noise(struct arena *arena, const struct pixels *pixels, int peak, const struct pixels *cleaned)
{
    uint8_t mask[PREPARED_PIXELS], *chosen;
    struct components parts;
    int largest = 0;

    for (int i = 0; i < PREPARED_PIXELS; i++) {
        mask[i] = pixels->at[i] > peak / FAINT;
    }
    pic_connected(arena, mask, PREPARED_SIDE, PREPARED_SIDE, &parts);
    TAKE(arena, chosen, parts.parts);
    for (int part = 0; part < parts.parts; part++) {
        largest = pic_most(largest, parts.area[part]);
    }
    for (int part = 0; part < parts.parts; part++) {
        chosen[part] = parts.area[part] >= LEAST_PART * largest;
    }
    pic_mask_of(&parts, chosen, mask);
    pic_widened(arena, mask, PREPARED_SIDE, PREPARED_SIDE, 1, mask);
    for (int i = 0; i < PREPARED_PIXELS; i++) {
        cleaned->at[i] = mask[i] ? pixels->at[i] : 0;
    }
}

int pic_is_noisy_form(struct arena *arena, const struct pixels *pixels, uint8_t cleaned_at[PREPARED_PIXELS])
{
    int is_form = 0;
    uint8_t core_at[PREPARED_PIXELS];
    struct pixels cleaned = {cleaned_at, PREPARED_SIDE, PREPARED_SIDE}, core = {core_at, PREPARED_SIDE, PREPARED_SIDE};
    int peak = 0, black = 0, side;
    double away, width;

    for (int i = 0; i < PREPARED_PIXELS; i++) {
        peak = pic_most(peak, pixels->at[i]);
        black += pixels->at[i] == 0;
    }
    if (peak < LEAST_PEAK || black < LEAST_BLACK * PREPARED_PIXELS) {
        return is_form;
    }
    without_noise(arena, pixels, peak, &cleaned);
    away = off_centre(&cleaned);
    side = side_above(&cleaned, peak / 2);
    if (away <= CENTRED && side <= LARGEST_BLURRED && side_above(&cleaned, peak / FAINT) >= SHORTEST) {
        pic_stroke_width(arena, cleaned.at, PREPARED_SIDE, PREPARED_SIDE, &width);
        if (width > THIN_LINE) {
            is_form = 1;
            return is_form;
        }
    }
    pic_median_3(pixels->at, PREPARED_SIDE, PREPARED_SIDE, core.at);
    if (side_above(&core, peak / 2) < SHORTEST) {
        return is_form;
    }
    /* A thin line within the digit's box adds ink to one side, and a median takes most of it away. */
    return away <= OFF_CENTRE || off_centre(&core) <= OFF_CENTRE_WITHOUT_LINES ||
               (side > DIGIT_SIDE && away <= OFF_CENTRE_WITH_LINES);
}
