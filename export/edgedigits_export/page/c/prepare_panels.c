/* panels.py: paper within a picture, an area of one tone with four corners and something in it. */
#include "prepare_rooms.h"

#define SMALLEST_SIDE 12
#define SMALLEST_SHARE 0.04
#define STRAIGHT 0.06
#define STRAIGHT_AWAY 0.006
#define MIDDLE 0.12
#define LEAST_AWAY 0.6
#define ROUGHLY 0.7
#define LEAST_INK 0.008
#define MOST_INK 0.6

/* Where the outline of a mask, (width, height), begins and ends in each row and column. */
struct outline {
    int width, height;
    int *starts, *stops, *upper, *lower;
};

static void outline_of(struct arena *arena, const uint8_t *mask, int stride, const struct box *box,
                       struct outline *outline)
{
    int width = box->right - box->left, height = box->bottom - box->top;

    outline->width = width;
    outline->height = height;
    TAKE(arena, outline->starts, height);
    TAKE(arena, outline->stops, height);
    TAKE(arena, outline->upper, width);
    TAKE(arena, outline->lower, width);
    for (int column = 0; column < width; column++) {
        outline->upper[column] = -1;
    }
    for (int row = 0; row < height; row++) {
        const uint8_t *line = mask + (box->top + row) * stride + box->left;

        outline->starts[row] = -1;
        for (int column = 0; column < width; column++) {
            if (line[column]) {
                outline->starts[row] = outline->starts[row] < 0 ? column : outline->starts[row];
                outline->stops[row] = column + 1;
                outline->upper[column] = outline->upper[column] < 0 ? row : outline->upper[column];
                outline->lower[column] = row + 1;
            }
        }
    }
}

static double distance(const double a[2], const double b[2])
{
    return pic_root((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]));
}

static double area_of(const double quad[4][2])
{
    double there = 0, back = 0;

    for (int i = 0; i < 4; i++) {
        int next = (i + 1) % 4;

        there += quad[i][0] * quad[next][1];
        back += quad[i][1] * quad[next][0];
    }
    return pic_size(there - back) / 2;
}

/* The rows of the pixels that lie furthest out along the diagonals, in the order of corners. */
static void ends_of(const struct outline *outline, int ends[4])
{
    ends[0] = ends[1] = ends[2] = ends[3] = 0;
    for (int row = 1; row < outline->height; row++) {
        const int *starts = outline->starts, *stops = outline->stops;

        ends[0] = row + starts[row] < ends[0] + starts[ends[0]] ? row : ends[0];
        ends[1] = row - starts[row] > ends[1] - starts[ends[1]] ? row : ends[1];
        ends[2] = row + stops[row] > ends[2] + stops[ends[2]] ? row : ends[2];
        ends[3] = row - stops[row] < ends[3] - stops[ends[3]] ? row : ends[3];
    }
}

/* Fit a line to the middle of a side, and once more without what lies far from it; 0 for a short one. */
static int line_of(struct arena *arena, const int *places, int start, int stop, double line[2])
{
    int is_line = 0;
    size_t mark = arena->used;
    double margin = MIDDLE * (stop - start), *x, *y, *away, *order;
    int first = pic_round(start + margin), count = pic_round(stop - margin) - first, near = count;

    if (count < 4) {
        return is_line;
    }
    TAKE(arena, x, count);
    TAKE(arena, y, count);
    TAKE(arena, away, count);
    TAKE(arena, order, count);
    for (int i = 0; i < count; i++) {
        x[i] = first + i;
        y[i] = places[first + i];
    }
    for (int round = 0; round < 2 && near >= 4; round++) {
        double most;

        pic_fit_line(x, y, near, &line[0], &line[1]);
        for (int i = 0; i < count; i++) {
            away[i] = order[i] = pic_round_6(pic_size(line[0] * (first + i) + line[1] - places[first + i]));
        }
        most = pic_greater(1.0, 2 * pic_median_of_doubles(order, count));
        near = 0;
        for (int i = 0; i < count; i++) {
            if (away[i] <= most) {
                x[near] = first + i;
                y[near++] = places[first + i];
            }
        }
    }
    is_line = near >= 4;
    arena->used = mark;
    return is_line;
}

/* Where the sides of an outline meet: upper left, lower left, lower right, upper right. */
static int corners_of(struct arena *arena, const struct outline *outline, const int near[4], double quad[4][2])
{
    int is_found = 0;
    static const int sides[4] = {0, 0, 1, 1}, ends[4] = {0, 1, 1, 0};
    const int *starts = outline->starts, *stops = outline->stops;
    double upright[2][2], level[2][2];
    int are_lines[4];

    are_lines[0] = line_of(arena, starts, near[0], near[1], upright[0]);
    are_lines[1] = line_of(arena, stops, near[3], near[2], upright[1]);
    are_lines[2] = line_of(arena, outline->upper, starts[near[0]], stops[near[3]], level[0]);
    are_lines[3] = line_of(arena, outline->lower, starts[near[1]], stops[near[2]], level[1]);
    if (!(are_lines[0] && are_lines[1] && are_lines[2] && are_lines[3])) {
        return is_found;
    }
    for (int corner = 0; corner < 4; corner++) {
        const double *across = upright[sides[corner]], *down = level[ends[corner]];
        double turn = 1 - across[0] * down[0];

        if (pic_size(turn) < 0.1) {
            return is_found;
        }
        quad[corner][0] = (across[0] * (down[1] + 0.5 * (1 - down[0]) - 0.5) + across[1]) / turn;
        quad[corner][1] = down[0] * (quad[corner][0] - 0.5) + down[1];
    }
    for (int i = 0; i < 8; i++) {
        quad[i / 2][i % 2] = pic_round_6(quad[i / 2][i % 2]);
    }
    return 1;
}

/* How far the straight lines from corner to corner are from an outline, summed over its rows. */
static double away_from(const struct outline *outline, const double quad[4][2])
{
    double middle = (quad[0][0] + quad[1][0] + quad[2][0] + quad[3][0]) / 4, away = 0;

    for (int row = 0; row < outline->height; row++) {
        double y = row + 0.5, left = 0, right = 0;
        int crosses = 0;

        for (int i = 0; i < 4; i++) {
            const double *one = quad[i], *other = quad[(i + 1) % 4];
            double at;

            if (one[1] == other[1] || !((one[1] <= y && y <= other[1]) || (other[1] <= y && y <= one[1]))) {
                continue;
            }
            at = one[0] + (y - one[1]) / (other[1] - one[1]) * (other[0] - one[0]);
            left = crosses && left < at ? left : at;
            right = crosses && right > at ? right : at;
            crosses = 1;
        }
        left = crosses ? left : middle;
        right = crosses ? right : middle;
        away += pic_size(left - outline->starts[row]) + pic_size(right - outline->stops[row]);
    }
    return away;
}

/* The corners of the outline of a part, cut to its box, if straight sides join them and it holds something. */
static int straight_corners(struct arena *arena, const struct components *parts, int index, double quad[4][2])
{
    int is_found = 0;
    int ends[4], filled = 0, side = pic_longer(parts->width, parts->height), is_quad;
    double rough[4][2], empty, length = 0, share;
    struct outline outline;
    uint8_t *mask, *chosen;

    TAKE(arena, mask, parts->width * parts->height);
    TAKE(arena, chosen, parts->parts);
    pic_fill(chosen, 0, (size_t)parts->parts);
    chosen[index] = 1;
    pic_mask_of(parts, chosen, mask);
    outline_of(arena, mask, parts->width, &parts->box[index], &outline);
    for (int row = 0; row < outline.height; row++) {
        filled += outline.stops[row] - outline.starts[row];
    }
    empty = 1 - (double)parts->area[index] / filled;
    if (!(LEAST_INK <= empty && empty <= MOST_INK)) {
        return is_found;
    }
    ends_of(&outline, ends);
    for (int i = 0; i < 4; i++) {
        rough[i][0] = (i < 2 ? outline.starts : outline.stops)[ends[i]];
        rough[i][1] = ends[i];
    }
    share = area_of((const double(*)[2])rough) / filled;
    if (!(ROUGHLY < share && share < 1 / ROUGHLY)) {
        return is_found;
    }
    is_quad = corners_of(arena, &outline, ends, quad);
    if (!is_quad) {
        return is_found;
    }
    for (int i = 0; i < 4; i++) {
        length += distance(quad[i], quad[(i + 1) % 4]);
    }
    share = pic_greater(LEAST_AWAY, STRAIGHT_AWAY * side) * length;
    length = STRAIGHT * area_of((const double(*)[2])quad);
    return away_from(&outline, (const double(*)[2])quad) <= (share < length ? share : length);
}

/* Find the panel that a part is; 0 if it has no four corners, or nothing or too much in it. */
int pic_panel(struct arena *arena, const struct components *parts, int index, struct panel *panel)
{
    int is_found;
    size_t mark = arena->used;
    struct box box = parts->box[index];
    double quad[4][2];

    is_found = straight_corners(arena, parts, index, quad);
    arena->used = mark;
    for (int i = 0; is_found && i < 4; i++) {
        for (int axis = 0; axis < 2; axis++) {
            double corner = quad[i][axis] + (axis ? box.top : box.left), side = axis ? parts->height : parts->width;

            /* A side that is the picture's own lies there exactly. */
            corner = pic_size(corner) < 1 ? 0 : pic_size(corner - side) < 1 ? side : corner;
            quad[i][axis] = corner / side;
        }
    }
    if (is_found) {
        panel->share = area_of((const double(*)[2])quad);
        is_found = panel->share >= SMALLEST_SHARE;
        for (int i = 0; i < 8; i++) {
            double corner = quad[i / 2][i % 2];

            panel->corners[i / 2][i % 2] = corner < 0 ? 0 : corner > 1 ? 1 : corner;
        }
    }
    return is_found;
}

int pic_is_panel(struct arena *arena, const struct components *parts, int index)
{
    struct panel panel;

    return pic_panel(arena, parts, index, &panel);
}

/* Whether a part is large enough for a panel, and not all of the picture. */
int pic_may_be_panel(const struct components *parts, int index)
{
    int height = parts->box[index].bottom - parts->box[index].top;
    int width = parts->box[index].right - parts->box[index].left;

    return pic_least(height, width) >= SMALLEST_SIDE &&
           height * width >= SMALLEST_SHARE * parts->width * parts->height &&
           (height < parts->height || width < parts->width);
}
