/* finding.py: one digit among the ink of a picture: the most prominent part, and what belongs to it. */
#include "prepare_rooms.h"

#define THRESHOLD_FLOOR 30 /* 0.12 of white */
#define GRAIN_DISTANCE 6
#define MOST_LAYERS 8
#define LYING 0.7
#define FULL 0.35

void pic_new_finding(struct arena *arena, int width, int height, struct finding *finding)
{
    finding->width = width;
    finding->height = height;
    TAKE(arena, finding->contrast, width * height);
    TAKE(arena, finding->mask, width * height);
}

void pic_ink(const struct finding *finding, uint8_t *ink)
{
    double lowest = 0.25 * finding->level, highest = 0.9 * finding->level;
    float least = (float)lowest, scale = (float)(PIXEL_MAX / (highest - lowest));

    for (int i = 0; i < finding->width * finding->height; i++) {
        float spread = (finding->contrast[i] - least) * scale;

        ink[i] = (uint8_t)(spread < 0 ? 0 : spread > PIXEL_MAX ? PIXEL_MAX : spread);
    }
}

void pic_thickness(struct arena *arena, struct finding *finding)
{
    size_t mark = arena->used;
    uint8_t *ink;

    if (finding->thickness >= 0) {
        return;
    }
    TAKE(arena, ink, finding->width * finding->height);
    pic_ink(finding, ink);
    pic_stroke_width(arena, ink, finding->width, finding->height, &finding->thickness);
    finding->thickness /= pic_side(&finding->box);
    arena->used = mark;
}

int pic_lies_along_border(const struct finding *finding)
{
    struct box box = finding->box;
    double sides[4];

    pic_covered_sides(finding->mask, finding->width, finding->height, sides);
    for (int side = 0; side < 4; side++) {
        int extent = side < 2 ? box.right - box.left : box.bottom - box.top;

        if (sides[side] * (side < 2 ? finding->width : finding->height) > LYING * extent) {
            return 1;
        }
    }
    return 0;
}

/* Mean contrast of the digit's pixels, and the contrast that only 1 in 100 pixels away from all ink exceed. */
static void measure(struct arena *arena, const float *contrast, const uint8_t *ink, int grain_distance,
                   struct finding *finding)
{
    size_t mark = arena->used;
    int count = finding->width * finding->height, found = 0;
    uint8_t *near;
    float *values;

    TAKE(arena, near, count);
    TAKE(arena, values, count);
    for (int i = 0; i < count; i++) {
        if (finding->mask[i]) {
            values[found++] = contrast[i];
        }
    }
    finding->level = pic_mean(values, found);
    pic_widened(arena, ink, finding->width, finding->height, grain_distance, near);
    found = 0;
    for (int i = 0; i < count; i++) {
        if (!near[i]) {
            values[found++] = contrast[i];
        }
    }
    finding->grain = found ? pic_partition(values, found, (int)(0.99 * (found - 1))) : 0.0;
    arena->used = mark;
}

void pic_describe(struct arena *arena, const float *contrast, const struct components *parts, const uint8_t *chosen,
                 const uint8_t *ink, int soft_edge, int grain_distance, struct finding *finding)
{
    size_t mark = arena->used;
    int width = parts->width, height = parts->height;
    uint8_t *near;

    pic_mask_of(parts, chosen, finding->mask);
    measure(arena, contrast, ink, grain_distance, finding);
    TAKE(arena, near, width * height);
    pic_widened(arena, finding->mask, width, height, soft_edge, near);
    for (int i = 0; i < width * height; i++) {
        finding->contrast[i] = near[i] ? contrast[i] : 0.0f;
    }
    finding->box = pic_box_of(parts, chosen);
    finding->share = (double)pic_area_of(parts, chosen) / (double)pic_area_of(parts, NULL);
    finding->thickness = -1;
    finding->is_frame = finding->is_panel = finding->is_cut = 0;
    arena->used = mark;
}

static void found_in(struct arena *arena, const float *contrast, const struct components *parts, int main,
                    const uint8_t *foreign, struct finding *finding)
{
    struct box box = parts->box[main];
    uint8_t *chosen, *either, *ink;

    TAKE(arena, chosen, parts->parts);
    TAKE(arena, either, parts->parts);
    TAKE(arena, ink, parts->width * parts->height);
    pic_strokes_near(parts, main, foreign, chosen);
    for (int part = 0; part < parts->parts; part++) {
        either[part] = chosen[part] | foreign[part];
    }
    pic_mask_of(parts, either, ink);
    /* The soft edge of strokes lies below the threshold, and belongs to them. */
    pic_describe(arena, contrast, parts, chosen, ink,
                     pic_most(1, pic_round(pic_longer(parts->width, parts->height) / 85.0)), GRAIN_DISTANCE,
                     finding);
    finding->is_frame = pic_is_empty_frame(arena, parts, main);
    finding->digits = pic_digits_in_line(arena, parts, main);
    if (parts->area[main] >= FULL * (box.bottom - box.top) * (box.right - box.left)) {
        finding->is_panel = pic_is_panel(arena, parts, main);
    }
}

/* Take away what is foreign, and all that is not inside of the frames. */
static void without_foreign(struct arena *arena, const struct components *parts, const uint8_t *foreign,
                           const uint8_t *frames, float *contrast)
{
    int width = parts->width, height = parts->height;
    uint8_t *mask;

    TAKE(arena, mask, width * height);
    pic_mask_of(parts, foreign, mask);
    pic_widened(arena, mask, width, height, 2, mask);
    for (int i = 0; i < width * height; i++) {
        contrast[i] = mask[i] ? 0.0f : contrast[i];
    }
    for (int part = 0; part < parts->parts; part++) {
        struct box box = parts->box[part];

        for (int i = 0; frames[part] && i < width * height; i++) {
            int row = i / width, column = i % width;

            if (row < box.top || row >= box.bottom || column < box.left || column >= box.right) {
                contrast[i] = 0.0f;
            }
        }
    }
}

/* Look at one layer of ink; tell whether the digit was in it. Otherwise what is foreign is taken away. */
static int look(struct arena *arena, float *contrast, struct finding *finding)
{
    int is_found = 0;
    int width = finding->width, height = finding->height, count = width * height, main = 0, threshold, any = 0;
    struct components parts;
    uint8_t *levels, *foreign, *frames, *strips;
    double *prominence;

    TAKE(arena, levels, count);
    pic_levels_of(contrast, count, pic_highest(contrast, count), levels);
    threshold = pic_most(pic_otsu(levels, count), THRESHOLD_FLOOR);
    for (int i = 0; i < count; i++) {
        levels[i] = levels[i] > threshold;
    }
    pic_connected(arena, levels, width, height, &parts);
    TAKE(arena, foreign, parts.parts);
    TAKE(arena, frames, parts.parts);
    TAKE(arena, strips, parts.parts);
    pic_prominence(arena, &parts, &prominence);
    for (int part = 1; part < parts.parts; part++) {
        main = prominence[part] > prominence[main] ? part : main;
    }
    pic_frames(arena, &parts, main, frames);
    pic_strips(&parts, strips);
    pic_touching(&parts, foreign);
    for (int part = 0; part < parts.parts; part++) {
        foreign[part] |= frames[part];
        any |= frames[part];
    }
    if (!frames[main] && !strips[main]) {
        foreign[main] = 0;
        if (!any && (double)pic_area_of(&parts, foreign) <= 0.2 * parts.area[main]) {
            is_found = 1;
            found_in(arena, contrast, &parts, main, foreign, finding);
            return is_found;
        }
    }
    without_foreign(arena, &parts, foreign, frames, contrast);
    return is_found;
}

int pic_finding_in(struct arena *arena, const float *contrast, struct finding *finding)
{
    size_t mark = arena->used, layer_mark;
    int count = finding->width * finding->height, is_found = 0;
    float *left;

    TAKE(arena, left, count);
    pic_copy(left, contrast, sizeof *left * (size_t)count);
    layer_mark = arena->used;
    for (int layer = 0; layer < MOST_LAYERS && !is_found; layer++) {
        if (pic_highest(left, count) < MIN_CONTRAST) {
            break;
        }
        is_found = look(arena, left, finding);
        arena->used = layer_mark;
    }
    arena->used = mark;
    return is_found ? PREPARE_FINE : PREPARE_EMPTY;
}
