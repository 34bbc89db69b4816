/* pieces.py, where a part may be cut: where there is least ink. */
#include "numbers_rooms.h"

#define CUT_WIDTH 0.4
#define CUT_INK 0.35
#define LEAST_PIECE 0.14
#define CUT_DISTANCE 0.18
#define TALL 0.4
#define REACH 0.2
#define NEAR 0.1
#define WIDE 0.9
#define FILL 0.13
#define SMOOTH_REACH 3

/* Weights that columns are smoothed with: exp(-(x / 1.5)^2 / 2), of the sum 1. */
static const double gaussian[] = {
    0.036632845369194034, 0.11128075847888486, 0.21674532140370778, 0.27068214949642655,
    0.21674532140370778,  0.11128075847888486, 0.036632845369194034,
};

/* Ink of each column, in pixels, smoothed; its ends go on beyond the part. */
static void smooth_columns(const uint32_t *columns, int width, double *smooth)
{
    for (int column = 0; column < width; column++) {
        double sum = 0;

        for (int i = 0; i <= 2 * SMOOTH_REACH; i++) {
            int near = pic_least(pic_most(column + i - SMOOTH_REACH, 0), width - 1);

            sum += (double)columns[near] / PIXEL_MAX * gaussian[i];
        }
        smooth[column] = sum;
    }
}

/* Order columns by their ink, those with as much as they are. */
static void sort_by_ink(int *columns, int count, const double *smooth)
{
    for (int i = 1; i < count; i++) {
        int column = columns[i], at = i;

        for (; at > 0 && smooth[columns[at - 1]] > smooth[column]; at--) {
            columns[at] = columns[at - 1];
        }
        columns[at] = column;
    }
}

/* Add the columns that are far enough from every cut, in order; how many cuts there are then. */
static int add_cuts(const int *columns, int count, double distance, int most, int *cuts, int found)
{
    for (int i = 0; i < count && found < most; i++) {
        int is_apart = 1;

        for (int cut = 0; cut < found; cut++) {
            int apart = columns[i] - cuts[cut];

            is_apart &= (apart < 0 ? -apart : apart) >= distance;
        }
        if (is_apart) {
            cuts[found++] = columns[i];
        }
    }
    return found;
}

/* The columns that have no more ink than their neighbours, and little; how many. */
static int least_columns(const double *smooth, int width, int *columns)
{
    double least = LEAST_PIECE * STRIP_HEIGHT;
    int count = 0;

    for (int column = 1; column < width - 1; column++) {
        if (smooth[column] <= smooth[column - 1] && smooth[column] <= smooth[column + 1] &&
            smooth[column] < CUT_INK * STRIP_HEIGHT && column >= least && column <= width - least) {
            columns[count++] = column;
        }
    }
    return count;
}

/* Where to cut if a part begins or ends in a 1 with no less ink between it and its neighbour; how many. */
static int beside_ones(const double *smooth, int width, double one_width, int columns[2])
{
    int reach = pic_least(pic_round(REACH * STRIP_HEIGHT), width), count = 0;

    for (int is_right = 0; is_right < 2; is_right++) {
        for (int i = 0; i < reach; i++) {
            if (smooth[is_right ? width - 1 - i : i] >= TALL * STRIP_HEIGHT) {
                int column = pic_round(i + one_width);

                column = is_right ? width - column : column;
                if (column > 0 && column < width) {
                    columns[count++] = column;
                }
                break;
            }
        }
    }
    return count;
}

/* The columns at which a part may be cut, from left to right, MOST_CUTS and two more at most; how many. */
int num_cuts_of(struct arena *arena, const uint32_t *ink, int width, double one_width, int *cuts)
{
    double least = LEAST_PIECE * STRIP_HEIGHT, *smooth;
    size_t mark = arena->used;
    int count, found, ones[2], *columns;

    if (width < CUT_WIDTH * STRIP_HEIGHT) {
        return 0;
    }
    TAKE(arena, smooth, width);
    TAKE(arena, columns, width);
    smooth_columns(ink, width, smooth);
    count = least_columns(smooth, width, columns);
    sort_by_ink(columns, count, smooth);
    found = add_cuts(columns, count, CUT_DISTANCE * STRIP_HEIGHT, MOST_CUTS, cuts, 0);
    if (width >= WIDE * STRIP_HEIGHT) {
        count = pic_ceil(width - least - least);
        for (int i = 0; i < count; i++) {
            columns[i] = (int)(least + i);
        }
        sort_by_ink(columns, count, smooth);
        found = add_cuts(columns, count, FILL * STRIP_HEIGHT, MOST_CUTS, cuts, found);
    }
    count = beside_ones(smooth, width, one_width, ones);
    for (int i = 0; i < count; i++) {
        found = add_cuts(&ones[i], 1, NEAR * STRIP_HEIGHT, MOST_CUTS + 2, cuts, found);
    }
    for (int i = 1; i < found; i++) {
        int cut = cuts[i], at = i;

        for (; at > 0 && cuts[at - 1] > cut; at--) {
            cuts[at] = cuts[at - 1];
        }
        cuts[at] = cut;
    }
    arena->used = mark;
    return found;
}
