/* scaling.py: pictures at another size, in the fixed-point arithmetic of Pillow's Resample.c. */
#include "prepare_rooms.h"

#define PRECISION_BITS (32 - 8 - 2)

/* Which pixels make one of the new ones, and how much of each. */
struct coefficients {
    int size; /* of the weights of one new pixel */
    int *first, *count;
    int32_t *weights;
};

static double cubic(double x)
{
    const double a = -0.5;

    x = pic_size(x);
    if (x < 1.0) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    }
    return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

/* Averaging over boxes on the way down, cubic on the way up. */
static void precompute(struct arena *arena, int from, int to, int is_cubic, struct coefficients *made)
{
    double scale = (double)from / to, wide = pic_greater(scale, 1.0);
    double support = (is_cubic ? 2.0 : 0.5) * wide, *weights;
    size_t mark;

    made->size = pic_ceil(support) * 2 + 1;
    TAKE(arena, made->first, to);
    TAKE(arena, made->count, to);
    TAKE(arena, made->weights, to * made->size);
    mark = arena->used;
    TAKE(arena, weights, made->size);
    for (int i = 0; i < to; i++) {
        double centre = (i + 0.5) * scale, inverse = 1.0 / wide, sum = 0.0;
        int first = pic_most((int)(centre - support + 0.5), 0);
        int count = pic_least((int)(centre + support + 0.5), from) - first;

        for (int k = 0; k < count; k++) {
            double place = (k + first - centre + 0.5) * inverse;

            weights[k] = is_cubic ? cubic(place) : box(place);
            sum += weights[k];
        }
        for (int k = 0; k < count; k++) {
            double weight = (sum != 0.0 ? weights[k] / sum : weights[k]) * (1 << PRECISION_BITS);

            made->weights[i * made->size + k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        made->first[i] = first;
        made->count[i] = count;
    }
    arena->used = mark;
}

static uint8_t clipped(int32_t sum)
{
    int32_t level = sum >> PRECISION_BITS;

    return (uint8_t)(level < 0 ? 0 : level > PIXEL_MAX ? PIXEL_MAX : level);
}

/* Rows of a picture that is scaled; those with alpha are multiplied by it in room for one. */
struct rows {
    const uint8_t *at;
    int width, height, channels;
    uint8_t *room; /* NULL: without alpha */
};

/* Multiplied by alpha, as Pillow has it before it scales colours. */
static void premultiplied(const uint8_t *from, int width, uint8_t *to)
{
    for (int x = 0; x < width; x++, from += 4, to += 4) {
        for (int channel = 0; channel < 3; channel++) {
            uint32_t product = (uint32_t)from[channel] * from[3] + 128;

            to[channel] = (uint8_t)(((product >> 8) + product) >> 8);
        }
        to[3] = from[3];
    }
}

static const uint8_t *row_of(const struct rows *rows, int row)
{
    const uint8_t *at = rows->at + (size_t)row * (size_t)rows->width * (size_t)rows->channels;

    if (rows->room == NULL) {
        return at;
    }
    premultiplied(at, rows->width, rows->room);
    return rows->room;
}

static void resize_across(const struct rows *from, int new_width, const struct coefficients *across, uint8_t *to)
{
    for (int y = 0; y < from->height; y++) {
        const uint8_t *row = row_of(from, y);

        for (int x = 0; x < new_width; x++) {
            const int32_t *weights = across->weights + x * across->size;
            const uint8_t *source = row + across->first[x] * from->channels;

            for (int channel = 0; channel < from->channels; channel++) {
                int32_t sum = 1 << (PRECISION_BITS - 1);

                for (int k = 0; k < across->count[x]; k++) {
                    sum += source[k * from->channels + channel] * weights[k];
                }
                *to++ = clipped(sum);
            }
        }
    }
}

static void resize_down(const struct rows *from, int new_height, const struct coefficients *down, int32_t *sums,
                        uint8_t *to)
{
    int length = from->width * from->channels;

    for (int y = 0; y < new_height; y++) {
        for (int i = 0; i < length; i++) {
            sums[i] = 1 << (PRECISION_BITS - 1);
        }
        for (int k = 0; k < down->count[y]; k++) {
            const uint8_t *source = row_of(from, down->first[y] + k);
            int32_t weight = down->weights[y * down->size + k];

            for (int i = 0; i < length; i++) {
                sums[i] += source[i] * weight;
            }
        }
        for (int i = 0; i < length; i++) {
            *to++ = clipped(sums[i]);
        }
    }
}

static void divided(uint8_t *rgba, int count)
{
    for (int i = 0; i < count; i++, rgba += 4) {
        int alpha = rgba[3];

        if (alpha == 0 || alpha == PIXEL_MAX) {
            continue;
        }
        for (int channel = 0; channel < 3; channel++) {
            rgba[channel] = (uint8_t)pic_least(PIXEL_MAX, PIXEL_MAX * rgba[channel] / alpha);
        }
    }
}

/* Pillow 13 scales the columns first where that takes away more than twice as many rows as columns. */
static int is_down_first(int width, int height, int new_width, int new_height)
{
    return new_height < height && height - new_height > 2 * (width - new_width);
}

static void resize(struct arena *arena, const uint8_t *from, int width, int height, int channels, int has_alpha,
                  int is_cubic, int new_width, int new_height, uint8_t *to)
{
    int down_first = is_down_first(width, height, new_width, new_height);
    int between_width = down_first ? width : new_width, between_height = down_first ? new_height : height;
    struct rows first = {from, width, height, channels, NULL};
    struct rows second = {NULL, between_width, between_height, channels, NULL};
    size_t mark = arena->used;
    struct coefficients across, down;
    uint8_t *between;
    int32_t *sums;

    precompute(arena, width, new_width, is_cubic, &across);
    precompute(arena, height, new_height, is_cubic, &down);
    TAKE(arena, sums, between_width * channels);
    TAKE(arena, between, (size_t)between_width * (size_t)between_height * (size_t)channels);
    second.at = between;
    if (has_alpha) {
        TAKE(arena, first.room, width * channels);
    }
    if (down_first) {
        resize_down(&first, new_height, &down, sums, between);
        resize_across(&second, new_width, &across, to);
    } else {
        resize_across(&first, new_width, &across, between);
        resize_down(&second, new_height, &down, sums, to);
    }
    if (has_alpha) {
        divided(to, new_width * new_height);
    }
    arena->used = mark;
}

void pic_resize(struct arena *arena, const uint8_t *from, int width, int height, int channels, int new_width,
               int new_height, uint8_t *to)
{
    resize(arena, from, width, height, channels, 0, 0, new_width, new_height, to);
}

void pic_resize_rgba(struct arena *arena, const uint8_t *rgba, int width, int height, int new_width, int new_height,
                    uint8_t *to)
{
    resize(arena, rgba, width, height, 4, 1, 0, new_width, new_height, to);
}

#ifdef WITH_NUMBERS
void pic_enlarge(struct arena *arena, const uint8_t *from, int width, int height, int new_width, int new_height,
                uint8_t *to)
{
    resize(arena, from, width, height, 1, 0, 1, new_width, new_height, to);
}
#endif

void pic_scaled_size(int width, int height, double ratio, int *new_width, int *new_height)
{
    *new_width = pic_most(1, pic_round(width * ratio));
    *new_height = pic_most(1, pic_round(height * ratio));
}

void pic_resized(struct arena *arena, const struct pixels *ink, int side, struct pixels *made)
{
    int longer = pic_longer(ink->width, ink->height), width, height;

    if (longer == side) {
        *made = *ink;
        return;
    }
    pic_scaled_size(ink->width, ink->height, (double)side / longer, &width, &height);
    pic_new_pixels(arena, width, height, made);
    resize(arena, ink->at, ink->width, ink->height, 1, 0, side > longer, width, height, made->at);
    return;
}

void pic_shrunk(struct arena *arena, const struct pixels *gray, int side, struct pixels *made)
{
    if (pic_longer(gray->width, gray->height) <= side) {
        *made = *gray;
        return;
    }
    pic_resized(arena, gray, side, made);
    return;
}
