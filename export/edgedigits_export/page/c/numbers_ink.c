/* ink.py: how far each pixel stands out from the paper around it, for many digits on one sheet. */
#include "numbers_rooms.h"

#define BLOCKS 18
#define LARGEST_BLOCK 8
#define LIGHT_SHARE 0.7
#define MEDIAN_REACH 5 /* blocks to each side of the square whose median the paper is */
#define MEDIAN_PLACE 60
#define THRESHOLD 0.38
#define FAINTEST 0.1
#define MOST_INK 0.36
#define PAPER_ENDS 0.25
#define INK_BEGINS 0.9
#define BLACK_LEVEL 24.0f

static int block_of(const struct pixels *toned)
{
    return pic_least(pic_most(pic_round(pic_least(toned->width, toned->height) / (double)BLOCKS), 1), LARGEST_BLOCK);
}

/* One tone for each block of pixels; those beyond the picture are the nearest of it. */
static void tones_of(const struct pixels *toned, int block, const struct pixels *tones)
{
    int place = (int)(LIGHT_SHARE * (block * block - 1));
    float levels[LARGEST_BLOCK * LARGEST_BLOCK];

    for (int row = 0; row < tones->height; row++) {
        for (int column = 0; column < tones->width; column++) {
            int count = 0;

            for (int i = 0; i < block * block; i++) {
                int y = pic_least(row * block + i / block, toned->height - 1);
                int x = pic_least(column * block + i % block, toned->width - 1);

                levels[count++] = toned->at[y * toned->width + x];
            }
            tones->at[row * tones->width + column] = (uint8_t)pic_partition(levels, count, place);
        }
    }
}

/* Count a column of the square around a row, or take it away. */
static void count_column(const struct pixels *from, int row, int column, int by, int counts[256])
{
    int x = pic_least(pic_most(column, 0), from->width - 1);

    for (int near = row - MEDIAN_REACH; near <= row + MEDIAN_REACH; near++) {
        counts[from->at[pic_least(pic_most(near, 0), from->height - 1) * from->width + x]] += by;
    }
}

/* Pillow's median filter: what is beyond the picture is the nearest of it. */
static void median_of(const struct pixels *from, const struct pixels *to)
{
    int counts[256];

    for (int row = 0; row < from->height; row++) {
        pic_fill(counts, 0, sizeof counts);
        for (int column = -MEDIAN_REACH; column < MEDIAN_REACH; column++) {
            count_column(from, row, column, 1, counts);
        }
        for (int column = 0; column < from->width; column++) {
            int level = 0, below;

            count_column(from, row, column + MEDIAN_REACH, 1, counts);
            for (below = counts[0]; below <= MEDIAN_PLACE; below += counts[level]) {
                level++;
            }
            to->at[row * to->width + column] = (uint8_t)level;
            count_column(from, row, column - MEDIAN_REACH, -1, counts);
        }
    }
}

/* Which values make one of an enlarged row, and how much of each: Pillow's bilinear coefficients. */
struct taps {
    int first, count;
    double weights[3];
};

static struct taps taps_at(int index, int from, int to)
{
    double centre = (index + 0.5) * ((double)from / to), sum = 0;
    int first = pic_most((int)(centre - 1.0 + 0.5), 0);
    struct taps taps = {first, pic_least((int)(centre + 1.0 + 0.5), from) - first, {0, 0, 0}};

    for (int i = 0; i < taps.count; i++) {
        taps.weights[i] = pic_greater(1.0 - pic_size(i + first - centre + 0.5), 0.0);
        sum += taps.weights[i];
    }
    for (int i = 0; i < taps.count; i++) {
        taps.weights[i] /= sum;
    }
    return taps;
}

/* Enlarge tones to one for each pixel of a picture, as Pillow does in float32; to has its rows. */
static void enlarge(struct arena *arena, const struct pixels *tones, int block, const struct num_ink *to)
{
    size_t mark = arena->used;
    int full = tones->width * block;
    float *rows;

    TAKE(arena, rows, to->width * tones->height);
    for (int column = 0; column < to->width; column++) {
        struct taps taps = taps_at(column, tones->width, full);

        for (int row = 0; row < tones->height; row++) {
            double sum = 0;

            for (int i = 0; i < taps.count; i++) {
                sum += (float)tones->at[row * tones->width + taps.first + i] * taps.weights[i];
            }
            rows[row * to->width + column] = (float)sum;
        }
    }
    for (int row = 0; row < to->height; row++) {
        struct taps taps = taps_at(row, tones->height, tones->height * block);

        for (int column = 0; column < to->width; column++) {
            double sum = 0;

            for (int i = 0; i < taps.count; i++) {
                sum += rows[(taps.first + i) * to->width + column] * taps.weights[i];
            }
            to->contrast[row * to->width + column] = (float)sum;
        }
    }
    arena->used = mark;
}

/* The tone of the paper at each pixel, 0 to 255, in the place of the contrast. */
static void paper_of(struct arena *arena, const struct pixels *toned, const struct num_ink *ink)
{
    size_t mark = arena->used;
    int block = block_of(toned);
    int rows = (toned->height + block - 1) / block, columns = (toned->width + block - 1) / block;
    struct pixels tones, smooth;

    pic_new_pixels(arena, columns, rows, &tones);
    pic_new_pixels(arena, columns, rows, &smooth);
    tones_of(toned, block, &tones);
    median_of(&tones, &smooth);
    enlarge(arena, &smooth, block, ink);
    arena->used = mark;
}

/* Measure the mean contrast of the ink; 0 where nothing stands out. */
static double level_of(struct arena *arena, const struct num_ink *ink)
{
    size_t mark = arena->used;
    int count = ink->width * ink->height, highest = 0, threshold, inked = 0;
    uint8_t *levels, *blurred;
    double level = 0;
    float *values;

    TAKE(arena, levels, count);
    TAKE(arena, blurred, count);
    for (int i = 0; i < count; i++) {
        levels[i] = blurred[i] = (uint8_t)(ink->contrast[i] * (float)PIXEL_MAX);
    }
    pic_box_blur(arena, blurred, ink->width, ink->height, 1.0f, 1);
    for (int i = 0; i < count; i++) {
        highest = pic_most(highest, blurred[i]);
    }
    if (highest >= MIN_CONTRAST * PIXEL_MAX) {
        threshold = pic_otsu(levels, count);
        TAKE(arena, values, count);
        for (int i = 0; i < count; i++) {
            if (levels[i] > threshold) {
                values[inked++] = ink->contrast[i];
            }
        }
        level = pic_mean(values, inked);
    }
    arena->used = mark;
    return level;
}

void num_mask_of(const struct num_ink *ink, uint8_t *mask)
{
    float least = (float)(THRESHOLD * ink->level);

    for (int i = 0; i < ink->width * ink->height; i++) {
        mask[i] = ink->contrast[i] > least;
    }
}

void num_levels_of(const struct num_ink *ink, uint8_t *levels)
{
    double lowest = PAPER_ENDS * ink->level, highest = INK_BEGINS * ink->level;
    float scale = (float)(PIXEL_MAX / (highest - lowest));

    for (int i = 0; i < ink->width * ink->height; i++) {
        float spread = (ink->contrast[i] - (float)lowest) * scale;

        levels[i] = (uint8_t)(spread < 0 ? 0 : spread > PIXEL_MAX ? PIXEL_MAX : spread);
    }
}

/* Find what stands out from the paper; 0 where nothing does. */
int num_ink_of(struct arena *arena, const struct pixels *gray, struct num_ink *ink)
{
    int count = gray->width * gray->height, is_light = pic_polarity(arena, gray) > 0, inked = 0;
    float least;
    struct pixels toned;
    size_t mark;

    ink->width = gray->width;
    ink->height = gray->height;
    TAKE(arena, ink->contrast, count);
    mark = arena->used;
    pic_new_pixels(arena, gray->width, gray->height, &toned);
    for (int i = 0; i < count; i++) {
        toned.at[i] = is_light ? gray->at[i] : (uint8_t)(PIXEL_MAX - gray->at[i]);
    }
    paper_of(arena, &toned, ink);
    for (int i = 0; i < count; i++) {
        float paper = ink->contrast[i], away = paper - (float)toned.at[i];

        ink->contrast[i] = (away > 0 ? away : 0) / (paper + BLACK_LEVEL);
    }
    arena->used = mark;
    ink->level = level_of(arena, ink);
    least = (float)(THRESHOLD * ink->level);
    for (int i = 0; i < count; i++) {
        inked += ink->contrast[i] > least;
    }
    return ink->level >= FAINTEST && (double)inked / count <= MOST_INK;
}
