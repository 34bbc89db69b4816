/* levels.py: what is measured of levels; sums in NumPy's order; memory. */
#include "prepare_rooms.h"

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

void *pic_take(struct arena *arena, size_t bytes)
{
    size_t rounded = (bytes + 7) & ~(size_t)7;
    void *taken = arena->base + arena->used;

    if (rounded > arena->size - arena->used) {
        pic_stop();
    }
    arena->used += rounded;
    return taken;
}

/* In WebAssembly both are one instruction. */
void pic_copy(void *to, const void *from, size_t bytes)
{
#ifdef __wasm_bulk_memory__
    __builtin_memcpy(to, from, bytes);
#else
    uint8_t *target = to;
    const uint8_t *source = from;

    for (size_t i = 0; i < bytes; i++) {
        target[i] = source[i];
    }
#endif
}

void pic_fill(void *to, uint8_t value, size_t bytes)
{
#ifdef __wasm_bulk_memory__
    __builtin_memset(to, value, bytes);
#else
    uint8_t *target = to;

    for (size_t i = 0; i < bytes; i++) {
        target[i] = value;
    }
#endif
}

void pic_new_pixels(struct arena *arena, int width, int height, struct pixels *made)
{
    made->width = width;
    made->height = height;
    TAKE(arena, made->at, width * height);
}

/* Pairwise, as NumPy's loops_utils.h adds: by eights up to 128 values, and halves of more. */
#define PAIRWISE_SUM(name, type)                                                                                      \
    type name(const type *values, int count)                                                                          \
    {                                                                                                                 \
        type sums[8], sum = 0;                                                                                        \
        int half = count / 2, i;                                                                                      \
                                                                                                                      \
        if (count < 8) {                                                                                              \
            for (i = 0; i < count; i++) {                                                                             \
                sum += values[i];                                                                                     \
            }                                                                                                         \
            return sum;                                                                                               \
        }                                                                                                             \
        if (count > 128) {                                                                                            \
            half -= half % 8;                                                                                         \
            return name(values, half) + name(values + half, count - half);                                            \
        }                                                                                                             \
        for (i = 0; i < 8; i++) {                                                                                     \
            sums[i] = values[i];                                                                                      \
        }                                                                                                             \
        for (i = 8; i < count - count % 8; i++) {                                                                     \
            sums[i % 8] += values[i];                                                                                 \
        }                                                                                                             \
        sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));              \
        for (; i < count; i++) {                                                                                      \
            sum += values[i];                                                                                         \
        }                                                                                                             \
        return sum;                                                                                                   \
    }

PAIRWISE_SUM(pic_sum, float)
PAIRWISE_SUM(pic_sum_of_doubles, double)

float pic_mean(const float *values, int count)
{
    return pic_sum(values, count) / (float)count;
}

float pic_highest(const float *values, int count)
{
    float highest = values[0];

    for (int i = 1; i < count; i++) {
        highest = values[i] > highest ? values[i] : highest;
    }
    return highest;
}

/* The value that stands at a position in order; the others are moved about (Hoare, Find, CACM 4(7), 1961). */
float pic_partition(float *values, int count, int position)
{
    int first = 0, last = count - 1;

    while (first < last) {
        float pivot = values[first + (last - first) / 2];
        int up = first, down = last;

        while (up <= down) {
            while (values[up] < pivot) {
                up++;
            }
            while (pivot < values[down]) {
                down--;
            }
            if (up <= down) {
                float value = values[up];
                values[up++] = values[down];
                values[down--] = value;
            }
        }
        if (down < position) {
            first = up;
        }
        if (position < up) {
            last = down;
        }
    }
    return values[position];
}

float pic_median_of_floats(float *values, int count)
{
    float upper = pic_partition(values, count, count / 2);

    return count % 2 ? upper : (pic_partition(values, count, count / 2 - 1) + upper) / 2;
}

/* Puts the values in order (Shell, CACM 2(7), 1959; gaps of Ciura, 2001). */
double pic_median_of_doubles(double *values, int count)
{
    static const int gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};

    for (size_t step = 0; step < sizeof gaps / sizeof *gaps; step++) {
        int gap = gaps[step];

        for (int i = gap; i < count; i++) {
            double value = values[i];
            int place = i;

            for (; place >= gap && values[place - gap] > value; place -= gap) {
                values[place] = values[place - gap];
            }
            values[place] = value;
        }
    }
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

void pic_histogram(const uint8_t *levels, int count, uint32_t histogram[256])
{
    for (int level = 0; level < 256; level++) {
        histogram[level] = 0;
    }
    for (int i = 0; i < count; i++) {
        histogram[levels[i]]++;
    }
}

/* The level at a position in order. */
static int level_at(const uint32_t histogram[256], uint32_t position)
{
    uint32_t below = 0;
    int level = 0;

    for (; level < PIXEL_MAX; level++) {
        below += histogram[level];
        if (below > position) {
            break;
        }
    }
    return level;
}

double pic_median_of_levels(const uint32_t histogram[256], int count)
{
    int upper = level_at(histogram, (uint32_t)count / 2);

    return count % 2 ? upper : (level_at(histogram, (uint32_t)count / 2 - 1) + upper) / 2.0;
}

double pic_quantile_of_levels(const uint8_t *levels, int count, double share)
{
    uint32_t histogram[256];

    pic_histogram(levels, count, histogram);
    return level_at(histogram, (uint32_t)(share * (count - 1)));
}

int pic_otsu_of(const uint32_t histogram[256], int count)
{
    double total = 0, below = 0, moment = 0, highest = -1;
    int best = 0;

    for (int level = 0; level < 256; level++) {
        total += (double)histogram[level] * level;
    }
    for (int level = 0; level < PIXEL_MAX; level++) {
        double distance, variance, above;

        below += histogram[level];
        moment += (double)histogram[level] * level;
        above = count - below;
        distance = total * below - moment * count;
        variance = distance * distance / pic_greater(below * above, 1);
        if (variance > highest) {
            highest = variance;
            best = level;
        }
    }
    return best;
}

int pic_otsu(const uint8_t *levels, int count)
{
    uint32_t histogram[256];

    pic_histogram(levels, count, histogram);
    return pic_otsu_of(histogram, count);
}

int pic_odd(double length, int at_least)
{
    return pic_most(at_least, pic_round(length)) | 1;
}

/* Make each value the larger, or smaller, of itself and the one some places ahead. */
static void join(uint8_t *flat, int count, int ahead, int largest)
{
    int i = 0;

#ifdef __wasm_simd128__
    for (; i + 16 <= count; i += 16) {
        v128_t here = wasm_v128_load(flat + i), there = wasm_v128_load(flat + i + ahead);

        wasm_v128_store(flat + i, largest ? wasm_u8x16_max(here, there) : wasm_u8x16_min(here, there));
    }
#endif
    for (; i < count; i++) {
        uint8_t there = flat[i + ahead];

        flat[i] = (flat[i] > there) == largest ? flat[i] : there;
    }
}

/* The extremum of 2 values, of 4, of 8... and one more step to the width, over rows of a flat array, as in Python. */
static void slide(uint8_t *flat, int count, int window, int step, int largest)
{
    int span = 1;

    while (span < window) {
        int further = pic_least(span, window - span);

        count -= further * step;
        join(flat, count, further * step, largest);
        span += further;
    }
}

void pic_sliding(struct arena *arena, const uint8_t *levels, int width, int height, int window, int largest,
                uint8_t *found)
{
    size_t mark = arena->used;
    int half = window / 2, stride = width + window;
    int count = (height + window) * stride;
    uint8_t *padded;

    TAKE(arena, padded, count);
    pic_fill(padded, largest ? 0 : PIXEL_MAX, (size_t)count);
    for (int row = 0; row < height; row++) {
        pic_copy(padded + (half + row) * stride + half, levels + row * width, (size_t)width);
    }
    slide(padded, count, window, 1, largest);
    slide(padded, count - (window - 1), window, stride, largest);
    for (int row = 0; row < height; row++) {
        pic_copy(found + row * width, padded + row * stride, (size_t)width);
    }
    arena->used = mark;
}

void pic_widened(struct arena *arena, const uint8_t *mask, int width, int height, int by, uint8_t *found)
{
    pic_sliding(arena, mask, width, height, 2 * by + 1, 1, found);
}

static float square_root(float value)
{
#ifdef __GNUC__
    return __builtin_sqrtf(value);
#else
    extern float sqrtf(float);

    return sqrtf(value);
#endif
}

double pic_root(double value)
{
#ifdef __GNUC__
    return __builtin_sqrt(value);
#else
    extern double sqrt(double);

    return sqrt(value);
#endif
}

void pic_stroke_width(struct arena *arena, const uint8_t *ink, int width, int height, double *found)
{
    size_t mark = arena->used;
    int stride = width + 1, count = stride * (height + 1);
    uint32_t area = 0;
    double perimeter;
    float *slopes;

    TAKE(arena, slopes, count);
    for (int row = 0; row <= height; row++) {
        const uint8_t *above = row > 0 ? ink + (row - 1) * width : NULL;
        const uint8_t *below = row < height ? ink + row * width : NULL;

        for (int column = 0; column <= width; column++) {
            int here = above && column > 0 ? above[column - 1] : 0;
            int down = (below && column > 0 ? below[column - 1] : 0) - here;
            int across = (above && column < width ? above[column] : 0) - here;

            slopes[row * stride + column] =
                down | across ? square_root((float)(down * down + across * across)) : 0.0f;
        }
    }
    for (int i = 0; i < width * height; i++) {
        area += ink[i];
    }
    perimeter = pic_sum(slopes, count);
    *found = perimeter > 0 ? 2.0 * (double)(float)area / perimeter : 0.0;
    arena->used = mark;
}

/* Least squares. */
void pic_fit_line(const double *x, const double *y, int count, double *slope, double *place)
{
    double mean_x = 0, mean_y = 0, squares = 0, products = 0;

    for (int i = 0; i < count; i++) {
        mean_x += x[i];
        mean_y += y[i];
    }
    mean_x /= count;
    mean_y /= count;
    for (int i = 0; i < count; i++) {
        squares += (x[i] - mean_x) * (x[i] - mean_x);
        products += (x[i] - mean_x) * (y[i] - mean_y);
    }
    *slope = squares > 0 ? products / squares : 0.0;
    *place = mean_y - *slope * mean_x;
}

void pic_transposed(struct arena *arena, const uint8_t *levels, int width, int height, uint8_t **found)
{
    TAKE(arena, *found, width * height);
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            (*found)[column * height + row] = levels[row * width + column];
        }
    }
}

void pic_cut(struct arena *arena, const struct pixels *from, const struct box *box, struct pixels *cut)
{
    pic_new_pixels(arena, box->right - box->left, box->bottom - box->top, cut);
    for (int row = 0; row < cut->height; row++) {
        pic_copy(cut->at + row * cut->width, from->at + (box->top + row) * from->width + box->left,
                 (size_t)cut->width);
    }
}
