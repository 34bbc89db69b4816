/* gray.py and stripes.py: colours and transparency -> gray levels; squares of one level and striped paper undone. */
#include "prepare_rooms.h"

#define COLOUR_SIDE 64
#define MIN_COLOUR 24
#define MOST_ROUNDING 4
#define COLOUR_GAIN 1.6
#define LEAST_SQUARES 8
#define MIN_TRANSPARENT_CONTRAST 32
#define DARK 55
#define LIGHT 200
#define SAME_TONE 40
#define NARROWEST 0.1

/* ITU-R 601-2, as Pillow rounds it. */
static uint8_t luminance(const uint8_t *rgba)
{
    return (uint8_t)((rgba[0] * 19595u + rgba[1] * 38470u + rgba[2] * 7471u + 0x8000u) >> 16);
}

/* Fourth powers of what stands out from the local mean; channel 3 is the luminance. */
static void local_contrast(struct arena *arena, const uint8_t *rgba, int width, int height, int channel, double *sum)
{
    size_t mark = arena->used;
    int count = width * height;
    uint8_t *levels, *mean;

    TAKE(arena, levels, count);
    TAKE(arena, mean, count);
    for (int i = 0; i < count; i++) {
        levels[i] = mean[i] = channel == 3 ? luminance(rgba + i * 4) : rgba[i * 4 + channel];
    }
    pic_box_blur(arena, mean, width, height, (float)(pic_longer(width, height) / 6.0), 1);
    *sum = 0;
    for (int i = 0; i < count; i++) {
        double away = levels[i] - mean[i];

        *sum += away * away * away * away;
    }
    arena->used = mark;
}

/* How far red, green and blue are apart in any pixel. */
static int colour_of(const uint8_t *rgba, int count)
{
    int most = 0;

    for (; count > 0; count--, rgba += 4) {
        int highest, lowest;

        if (rgba[0] == rgba[1] && rgba[1] == rgba[2]) {
            continue;
        }
        highest = pic_most(pic_most(rgba[0], rgba[1]), rgba[2]);
        lowest = pic_least(pic_least(rgba[0], rgba[1]), rgba[2]);
        most = pic_most(most, highest - lowest);
    }
    return most;
}

/* Find the channel in which ink stands out far more than in the luminance; 3 where there is none. */
static void best_channel(struct arena *arena, const uint8_t *rgba, int width, int height, int *best)
{
    size_t mark = arena->used;
    int longer = pic_longer(width, height);
    double contrasts[4], highest;
    const uint8_t *small = rgba;

    *best = 3;
    /* Averages differ by no more than what they are averages of, but for their rounding. */
    if (colour_of(rgba, width * height) < MIN_COLOUR - MOST_ROUNDING) {
        return;
    }
    if (longer > COLOUR_SIDE) {
        int new_width, new_height;
        uint8_t *made;

        pic_scaled_size(width, height, (double)COLOUR_SIDE / longer, &new_width, &new_height);
        TAKE(arena, made, new_width * new_height * 4);
        pic_resize(arena, rgba, width, height, 4, new_width, new_height, made);
        small = made;
        width = new_width;
        height = new_height;
    }
    if (colour_of(small, width * height) >= MIN_COLOUR) {
        for (int channel = 0; channel < 4; channel++) {
            local_contrast(arena, small, width, height, channel, &contrasts[channel]);
        }
        highest = COLOUR_GAIN * COLOUR_GAIN * COLOUR_GAIN * COLOUR_GAIN * contrasts[3];
        for (int channel = 0; channel < 3; channel++) {
            if (contrasts[channel] > highest) {
                highest = contrasts[channel];
                *best = channel;
            }
        }
    }
    arena->used = mark;
}

/* Resolve transparency so that the ink can be seen, whether it is in the colours or in alpha. */
static int on_paper(const uint8_t *rgba, const struct pixels *gray)
{
    int count = gray->width * gray->height, above = PIXEL_MAX / 2, visible, lowest = PIXEL_MAX, highest = 0;
    uint32_t histogram[256];
    uint64_t sum = 0;
    float paper;

    for (;; above = 0) {
        visible = 0;
        pic_fill(histogram, 0, sizeof histogram);
        for (int i = 0; i < count; i++) {
            if (rgba[i * 4 + 3] > above) {
                histogram[luminance(rgba + i * 4)]++;
                visible++;
            }
        }
        if (visible > 0) {
            break;
        }
        if (above == 0) {
            return PREPARE_TRANSPARENT;
        }
    }
    for (int level = 0; level < 256; level++) {
        if (histogram[level] > 0) {
            lowest = pic_least(lowest, level);
            highest = level;
            sum += (uint64_t)histogram[level] * (uint64_t)level;
        }
    }
    if (visible > count / 2 && highest - lowest >= MIN_TRANSPARENT_CONTRAST) {
        paper = (float)pic_median_of_levels(histogram, visible);
    } else {
        paper = 2 * sum > (uint64_t)visible * PIXEL_MAX ? 0.0f : 255.0f;
    }
    for (int i = 0; i < count; i++) {
        float opacity = (float)rgba[i * 4 + 3] * (float)(1.0 / PIXEL_MAX);
        float ink = (float)luminance(rgba + i * 4) * opacity, rest = paper * (1 - opacity);

        gray->at[i] = (uint8_t)pic_rintf(ink + rest);
    }
    return PREPARE_FINE;
}

int pic_gray_of_rgba(struct arena *arena, const uint8_t *rgba, int width, int height, struct pixels *gray)
{
    int longer = pic_longer(width, height), new_width = width, new_height = height, channel, is_opaque = 1;
    const uint8_t *shown = rgba;
    size_t mark;

    if (longer > DETAIL_SIDE) {
        pic_scaled_size(width, height, (double)DETAIL_SIDE / longer, &new_width, &new_height);
    }
    pic_new_pixels(arena, new_width, new_height, gray);
    mark = arena->used;
    if (longer > DETAIL_SIDE) {
        uint8_t *made;

        TAKE(arena, made, new_width * new_height * 4);
        pic_resize_rgba(arena, rgba, width, height, new_width, new_height, made);
        shown = made;
    }
    for (int i = 0; i < new_width * new_height; i++) {
        is_opaque &= shown[i * 4 + 3] == PIXEL_MAX;
    }
    if (!is_opaque) {
        TRY(on_paper(shown, gray));
    } else {
        best_channel(arena, shown, new_width, new_height, &channel);
        for (int i = 0; i < new_width * new_height; i++) {
            gray->at[i] = channel == 3 ? luminance(shown + i * 4) : shown[i * 4 + channel];
        }
    }
    arena->used = mark;
    return PREPARE_FINE;
}

static int divisor(int a, int b)
{
    while (b != 0) {
        int rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static int rows_differ(const uint8_t *row, const uint8_t *next, int count)
{
    while (count > 0 && *row++ == *next++) {
        count--;
    }
    return count > 0;
}

void pic_without_blocks(struct arena *arena, struct pixels *gray)
{
    int width = gray->width, height = gray->height, side = divisor(height, width);
    struct pixels small;

    for (int row = 0; row < height && side > 1; row++) {
        const uint8_t *line = gray->at + row * width;

        for (int column = 1; column < width && side > 1; column++) {
            if (line[column] != line[column - 1]) {
                side = divisor(side, column);
            }
        }
        if (row > 0 && row % side != 0 && rows_differ(line, line - width, width)) {
            side = divisor(side, row);
        }
    }
    if (side == 1 || pic_least(width, height) < LEAST_SQUARES * side) {
        return;
    }
    pic_new_pixels(arena, width / side, height / side, &small);
    for (int row = 0; row < small.height; row++) {
        for (int column = 0; column < small.width; column++) {
            small.at[row * small.width + column] = gray->at[row * side * width + column * side];
        }
    }
    *gray = small;
}

/* Tell which way stripes of the rarer tone are turned: 0 where a line of ends shows none. */
static int stripes_in(const uint8_t *first, const uint8_t *second, int step, int count, int *rarer_is_light)
{
    int light = 0, start = 0;

    for (int i = 0; i < count; i++) {
        int level = first[i * step], apart = level - second[i * step];

        if ((level > DARK && level < LIGHT) || apart > SAME_TONE || apart < -SAME_TONE) {
            return 0;
        }
        light += level >= LIGHT;
    }
    if (light == 0 || light == count) {
        return 0;
    }
    for (int i = 1; i <= count; i++) {
        if (i == count || (first[i * step] >= LIGHT) != (first[(i - 1) * step] >= LIGHT)) {
            if (i - start < NARROWEST * count) {
                return 0;
            }
            start = i;
        }
    }
    *rarer_is_light = 2 * light <= count;
    return 1;
}

void pic_without_stripes(struct arena *arena, struct pixels *gray)
{
    int width = gray->width, height = gray->height, rarer_is_light = 0, is_upright;
    const uint8_t *at = gray->at;
    struct pixels made;

    is_upright = stripes_in(at, at + (height - 1) * width, 1, width, &rarer_is_light);
    if (!is_upright && !stripes_in(at, at + width - 1, width, height, &rarer_is_light)) {
        return;
    }
    pic_new_pixels(arena, width, height, &made);
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            int is_light = (is_upright ? at[column] : at[row * width]) >= LIGHT;
            uint8_t level = at[row * width + column];

            made.at[row * width + column] = is_light == rarer_is_light ? (uint8_t)(PIXEL_MAX - level) : level;
        }
    }
    *gray = made;
}
