/* search.py: a photograph, in windows that grow with the strokes. */
#include "prepare_rooms.h"

#define FIRST_WINDOW 0.1
#define LAST_WINDOW 0.4
#define SMALL_SIDE 64
#define SMALLEST_WINDOW 9
#define WINDOW_PER_DIGIT 0.3
#define SAME_TONE 0.85
#define SAME_TONE_AT_BORDER 0.95
#define GROWTH 1.06

/* The contrasts of some pixels;

returns how many. */
static int chosen_values(const float *contrast, const uint8_t *mask, int count, float *values)
{
    int found = 0;

    for (int i = 0; i < count; i++) {
        if (mask[i]) {
            values[found++] = contrast[i];
        }
    }
    return found;
}

/* Tell which parts hold pixels of the finding, at an end of one of their runs. */
static void connected_with(const struct components *parts, const struct finding *finding, uint8_t *connected)
{
    pic_fill(connected, 0, (size_t)parts->parts);
    for (int run = 0; run < parts->runs; run++) {
        const uint8_t *row = finding->mask + parts->row[run] * parts->width;

        connected[parts->part[run]] |= row[parts->start[run]] | row[parts->stop[run] - 1];
    }
}

static int grows(struct arena *arena, const struct finding *finding, const float *contrast)
{
    int count = finding->width * finding->height, area, candidates = 0, found = 0;
    struct components parts;
    struct box box;
    uint8_t *mask, *connected;
    float *values;
    double tone;

    TAKE(arena, values, count);
    TAKE(arena, mask, count);
    area = chosen_values(finding->contrast, finding->mask, count, values);
    tone = pic_partition(values, area, (int)(0.75 * (area - 1)));
    for (int i = 0; i < count; i++) {
        mask[i] = contrast[i] >= (float)(SAME_TONE * tone) || finding->mask[i];
        candidates += mask[i];
    }
    if (candidates <= GROWTH * area) {
        return 0;
    }
    pic_connected(arena, mask, finding->width, finding->height, &parts);
    TAKE(arena, connected, parts.parts);
    connected_with(&parts, finding, connected);
    if ((double)pic_area_of(&parts, connected) <= GROWTH * area) {
        return 0;
    }
    box = pic_box_of(&parts, connected);
    if (pic_touches(&finding->box, finding->width, finding->height) ||
        !pic_touches(&box, finding->width, finding->height)) {
        return 1;
    }
    pic_mask_of(&parts, connected, mask);
    for (int i = 0; i < count; i++) {
        if (mask[i] && !finding->mask[i]) {
            values[found++] = contrast[i];
        }
    }
    return pic_median_of_floats(values, found) > SAME_TONE_AT_BORDER * tone;
}

int pic_search(struct arena *arena, const struct pixels *gray, int dark, struct finding *finding)
{
    size_t mark = arena->used, inner;
    int side = pic_longer(gray->width, gray->height), last = pic_odd(LAST_WINDOW * side, SMALLEST_WINDOW);
    int window = pic_odd((side >= SMALL_SIDE ? FIRST_WINDOW : WINDOW_PER_DIGIT) * side, SMALLEST_WINDOW);
    float *contrast;

    TAKE(arena, contrast, gray->width * gray->height);
    inner = arena->used;
    for (;;) {
        int larger = pic_least(2 * window + 1, last), needed, is_growing = 0, status;

        pic_ink_contrast(arena, gray, window, dark, contrast);
        status = pic_finding_in(arena, contrast, finding);
        arena->used = inner;
        if (status == PREPARE_EMPTY && window < last) {
            window = larger;
            continue;
        }
        if (status != PREPARE_FINE) {
            arena->used = mark;
            return status;
        }
        needed = pic_least(pic_odd(WINDOW_PER_DIGIT * pic_side(&finding->box), SMALLEST_WINDOW), last);
        if (needed > window) {
            window = needed;
            continue;
        }
        if (window < last) {
            pic_ink_contrast(arena, gray, larger, dark, contrast);
            is_growing = grows(arena, finding, contrast);
            arena->used = inner;
        }
        if (!is_growing) {
            arena->used = mark;
            return PREPARE_FINE;
        }
        window = larger;
    }
}
