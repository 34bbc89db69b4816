/* candidates.py: pieces in a row, each of which may be a digit, a part of one, or more than one; images of them. */
#include "numbers_rooms.h"

#define MOST_PIECES 9
#define LARGEST_WIDTH 1.3
#define LEAST_HEIGHT 0.45
#define CENTRE (PREPARED_SIDE / 2)

/* Find what may be a digit; whether it is not more than in a line of numbers. There is room for MOST_IN_LINE and
 * MOST_PIECES more. */
int num_candidates_of(const struct num_strip *strip, struct numbers_candidate *found, int *count)
{
    *count = 0;
    for (int first = 0; first < strip->pieces; first++) {
        struct numbers_candidate one = {first, first, strip->ink.width, strip->ink.height, 0, 0};

        for (int last = first; last < pic_least(first + MOST_PIECES, strip->pieces); last++) {
            const struct numbers_piece *piece = &strip->piece[last];

            one.last = last;
            one.left = pic_least(one.left, piece->left);
            one.top = pic_least(one.top, piece->top);
            one.right = pic_most(one.right, piece->right);
            one.bottom = pic_most(one.bottom, piece->bottom);
            if (last > first && one.right - one.left > LARGEST_WIDTH * STRIP_HEIGHT) {
                break;
            }
            if (one.bottom - one.top >= LEAST_HEIGHT * STRIP_HEIGHT) {
                found[(*count)++] = one;
            }
        }
        if (*count > MOST_IN_LINE) {
            return 0;
        }
    }
    return 1;
}

/* The ink of a candidate, with as much paper around it as its strokes are to grow by. */
static void ink_of(const struct num_strip *strip, const struct numbers_candidate *candidate, const struct pixels *ink)
{
    int width = strip->ink.width, first = (candidate->top - strip->widening) * width + candidate->left - strip->widening;

    for (int row = 0; row < ink->height; row++, first += width) {
        for (int column = 0; column < ink->width; column++) {
            int id = strip->ids[first + column], is_mine = id >= candidate->first && id <= candidate->last;

            /* The soft edge of strokes is paper, and belongs to them. */
            ink->at[row * ink->width + column] = id == PAPER || is_mine ? strip->ink.at[first + column] : 0;
        }
    }
}

/* How much of a pixel falls into the first of the boxes that it lies in, of so many; the rest falls into the next. */
static int share_of(int pixel, int length, int boxes, int *box)
{
    *box = pixel * boxes / length;
    return pic_least((pixel + 1) * boxes, (*box + 1) * length) - pixel * boxes;
}

/* Add up ink in boxes: whole numbers below 2^53, exact in any order. */
static void add_up(const struct pixels *ink, int width, int height, double boxes[DIGIT_SIDE][DIGIT_SIDE])
{
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            boxes[row][column] = 0;
        }
    }
    for (int row = 0; row < ink->height; row++) {
        double sums[DIGIT_SIDE + 1] = {0};
        int box, share;

        for (int column = 0; column < ink->width; column++) {
            int level = ink->at[row * ink->width + column];

            if (level > 0) {
                share = share_of(column, ink->width, width, &box);
                sums[box] += (double)level * share;
                sums[box + 1] += (double)level * (width - share);
            }
        }
        share = share_of(row, ink->height, height, &box);
        for (int column = 0; column < width; column++) {
            boxes[box][column] += sums[column] * share;
            if (share < height) {
                boxes[box + 1][column] += sums[column] * (height - share);
            }
        }
    }
}

/* Bring the longer side to 20 by averaging, and the lightest pixel to 255, the centre of mass in the middle. */
static void put_centred(const struct pixels *ink, uint8_t *image)
{
    double boxes[DIGIT_SIDE][DIGIT_SIDE], mass = 0, down = 0, across = 0, highest = 0, scale;
    double ratio = (double)DIGIT_SIDE / pic_longer(ink->width, ink->height);
    int width, height, top, left;

    pic_scaled_size(ink->width, ink->height, ratio, &width, &height);
    add_up(ink, width, height, boxes);
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            double level = boxes[row][column];

            mass += level;
            down += level * row;
            across += level * column;
            highest = pic_greater(highest, level);
        }
    }
    scale = PIXEL_MAX / highest;
    top = pic_least(pic_most(pic_round(CENTRE - down / mass), 0), PREPARED_SIDE - height);
    left = pic_least(pic_most(pic_round(CENTRE - across / mass), 0), PREPARED_SIDE - width);
    pic_fill(image, 0, PREPARED_PIXELS);
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            image[(top + row) * PREPARED_SIDE + left + column] = (uint8_t)(boxes[row][column] * scale + 0.5);
        }
    }
}

void num_images_of(struct arena *arena, const struct num_strip *strip, const struct numbers_candidate *candidates,
                  int count, uint8_t *images)
{
    for (int i = 0; i < count; i++) {
        const struct numbers_candidate *one = &candidates[i];
        int width = one->right - one->left + 2 * strip->widening, height = one->bottom - one->top + 2 * strip->widening;
        size_t mark = arena->used;
        struct pixels ink, grown;
        uint8_t *upright;

        pic_new_pixels(arena, width, height, &ink);
        pic_new_pixels(arena, width, height, &grown);
        TAKE(arena, upright, width);
        ink_of(strip, one, &ink);
        for (int step = 0; step < strip->widening; step++) {
            struct pixels before = ink;

            pic_dilate(&before, step % 2 == 0, upright, &grown);
            ink = grown;
            grown = before;
        }
        put_centred(&ink, images + i * PREPARED_PIXELS);
        arena->used = mark;
    }
}
