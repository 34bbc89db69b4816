/* components.py: what is connected in the ink of a picture, and which of it is no digit. */
#include "prepare_rooms.h"

#define STRIP 0.2
#define CORNER 0.3
#define MIN_PART 0.03
#define IN_LINE_AREA 0.25
#define IN_LINE_HEIGHT 0.55
#define LINE_WIDTH 1.15
#define REACH 0.2

static int root_of(int *number, int run)
{
    while (number[run] != run) {
        number[run] = number[number[run]];
        run = number[run];
    }
    return run;
}

/* Give the runs of one row the numbers of those above that they touch, the smallest of each part. */
static void join_rows(struct components *parts, int *number, int upper, int first, int last)
{
    for (int run = first; run < last; run++) {
        while (upper < first && parts->stop[upper] < parts->start[run]) {
            upper++;
        }
        for (int above = upper; above < first && parts->start[above] <= parts->stop[run]; above++) {
            int one = root_of(number, above), other = root_of(number, run);

            number[pic_most(one, other)] = pic_least(one, other);
        }
    }
}

static int count_runs(const uint8_t *mask, int width, int height)
{
    int runs = 0;

    for (int row = 0; row < height; row++) {
        int before = 0;

        for (int column = 0; column < width; column++) {
            int inside = *mask++ != 0;

            runs += inside && !before;
            before = inside;
        }
    }
    return runs;
}

static void find_runs(const uint8_t *mask, struct components *parts, int *number)
{
    int runs = 0, upper = 0, width = parts->width;

    for (int row = 0; row < parts->height; row++, mask += width) {
        int first = runs;

        for (int column = 0; column < width; column++) {
            if (!mask[column]) {
                continue;
            }
            parts->row[runs] = row;
            parts->start[runs] = column;
            while (column < width && mask[column]) {
                column++;
            }
            parts->stop[runs] = column;
            number[runs] = runs;
            runs++;
        }
        join_rows(parts, number, upper, first, runs);
        upper = first;
    }
}

void pic_connected(struct arena *arena, const uint8_t *mask, int width, int height, struct components *parts)
{
    int runs = count_runs(mask, width, height), count = 0, *number;
    size_t mark;

    parts->width = width;
    parts->height = height;
    parts->runs = runs;
    TAKE(arena, parts->row, runs);
    TAKE(arena, parts->start, runs);
    TAKE(arena, parts->stop, runs);
    TAKE(arena, number, runs);
    parts->part = number;
    find_runs(mask, parts, number);
    for (int run = 0; run < runs; run++) {
        count += number[run] == run;
    }
    parts->parts = count;
    TAKE(arena, parts->area, count);
    TAKE(arena, parts->box, count);
    mark = arena->used;
    count = 0;
    /* A part's first run has the smallest number of all, so its index is known before it is asked for. */
    for (int run = 0; run < runs; run++) {
        int part = number[run] == run ? count++ : number[number[run]];
        struct box *box = &parts->box[part];

        if (number[run] == run) {
            parts->area[part] = 0;
            *box = (struct box){height, 0, width, 0};
        }
        number[run] = part;
        parts->area[part] += parts->stop[run] - parts->start[run];
        box->top = pic_least(box->top, parts->row[run]);
        box->bottom = pic_most(box->bottom, parts->row[run] + 1);
        box->left = pic_least(box->left, parts->start[run]);
        box->right = pic_most(box->right, parts->stop[run]);
    }
    arena->used = mark;
}

void pic_mask_of(const struct components *parts, const uint8_t *chosen, uint8_t *mask)
{
    pic_fill(mask, 0, (size_t)(parts->width * parts->height));
    for (int run = 0; run < parts->runs; run++) {
        if (chosen[parts->part[run]]) {
            pic_fill(mask + parts->row[run] * parts->width + parts->start[run], 1,
                     (size_t)(parts->stop[run] - parts->start[run]));
        }
    }
}

void pic_touching(const struct components *parts, uint8_t *touching)
{
    for (int part = 0; part < parts->parts; part++) {
        touching[part] = (uint8_t)pic_touches(&parts->box[part], parts->width, parts->height);
    }
}

void pic_strips(const struct components *parts, uint8_t *strips)
{
    for (int part = 0; part < parts->parts; part++) {
        struct box box = parts->box[part];
        int is_flat = (box.top == 0 || box.bottom == parts->height) && box.bottom - box.top < STRIP * parts->height;
        int is_upright = (box.left == 0 || box.right == parts->width) && box.right - box.left < STRIP * parts->width;

        strips[part] = is_flat || is_upright;
    }
}

void pic_prominence(struct arena *arena, const struct components *parts, double **prominence)
{
    double *found;

    TAKE(arena, found, parts->parts);
    for (int part = 0; part < parts->parts; part++) {
        found[part] = 0;
    }
    for (int run = 0; run < parts->runs; run++) {
        int middle = (parts->start[run] + parts->stop[run] - 1) / 2, row = parts->row[run];
        int border = pic_least(pic_least(row, parts->height - 1 - row), pic_least(middle, parts->width - 1 - middle));

        found[parts->part[run]] += (border + 0.5) * (parts->stop[run] - parts->start[run]);
    }
    for (int part = 0; part < parts->parts; part++) {
        found[part] *= pic_touches(&parts->box[part], parts->width, parts->height) ? 0.25 : 1.0;
    }
    *prominence = found;
}

/* The share of a part that lies along the sides of its box, and the share of each side that it covers. */
static void along_box(struct arena *arena, const struct components *parts, int index, double *near, double sides[4])
{
    struct box box = parts->box[index];
    int height = box.bottom - box.top, width = box.right - box.left;
    int rim = pic_most(3, pic_round(0.05 * pic_most(height, width)));
    int longest[2] = {0, 0}, rows[2] = {0, 0};
    long along = 0, all = 0;
    size_t mark = arena->used;
    uint8_t *seen[2];

    *near = sides[0] = sides[1] = sides[2] = sides[3] = 0;
    if (pic_least(height, width) < 4 * MIN_INK_SIDE) {
        return;
    }
    for (int end = 0; end < 2; end++) {
        TAKE(arena, seen[end], height);
        pic_fill(seen[end], 0, (size_t)height);
    }
    for (int run = 0; run < parts->runs; run++) {
        int row = parts->row[run] - box.top, start = parts->start[run] - box.left;
        int stop = parts->stop[run] - box.left, length = stop - start, at[2];

        if (parts->part[run] != index) {
            continue;
        }
        at[0] = pic_least(stop, rim) - pic_least(start, rim);
        at[1] = pic_most(stop, width - rim) - pic_most(start, width - rim);
        all += length;
        along += row < rim || row >= height - rim ? length : pic_least(at[0] + at[1], length);
        if (row < rim) {
            longest[0] = pic_most(longest[0], length);
        }
        if (row >= height - rim) {
            longest[1] = pic_most(longest[1], length);
        }
        for (int end = 0; end < 2; end++) {
            if (at[end] > 0 && !seen[end][row]) {
                seen[end][row] = 1;
                rows[end]++;
            }
        }
    }
    *near = (double)along / (double)all;
    for (int end = 0; end < 2; end++) {
        sides[end] = (double)longest[end] / width;
        sides[2 + end] = (double)rows[end] / height;
    }
    arena->used = mark;
}

/* Whether a part runs along at least three sides of its own box, and has another part inside. */
static void is_frame(struct arena *arena, const struct components *parts, int index, uint8_t *found)
{
    struct box box = parts->box[index];
    double near, sides[4];
    int largest = 0, covered = 0;

    *found = 0;
    for (int part = 0; part < parts->parts; part++) {
        struct box other = parts->box[part];

        if (other.top > box.top && other.bottom < box.bottom && other.left > box.left && other.right < box.right) {
            largest = pic_most(largest, parts->area[part]);
        }
    }
    if (largest < 0.1 * parts->area[index]) {
        return;
    }
    along_box(arena, parts, index, &near, sides);
    for (int side = 0; side < 4; side++) {
        covered += sides[side] > 0.8;
    }
    *found = near > 0.85 && covered >= 3;
}

void pic_frames(struct arena *arena, const struct components *parts, int main, uint8_t *frames)
{
    struct box inner = parts->box[main];

    for (int part = 0; part < parts->parts; part++) {
        struct box box = parts->box[part];

        frames[part] = 0;
        if (part == main || (box.top < inner.top && box.bottom > inner.bottom && box.left < inner.left &&
                             box.right > inner.right)) {
            is_frame(arena, parts, part, &frames[part]);
        }
    }
}

int pic_is_empty_frame(struct arena *arena, const struct components *parts, int main)
{
    int is_frame_found = 0;
    struct box box = parts->box[main];
    int height = box.bottom - box.top, width = box.right - box.left;
    double near, sides[4], least;

    if (parts->area[main] > 0.03 * pic_most(height, width) * 2 * (height + width)) {
        return is_frame_found;
    }
    along_box(arena, parts, main, &near, sides);
    least = sides[0];
    for (int side = 1; side < 4; side++) {
        least = sides[side] < least ? sides[side] : least;
    }
    return near > 0.95 && least > 0.9;
}

/* Leave of boxes, from left to right, those that do not stand above or below another one;

return how many. */
static int apart_of(const struct box *boxes, int count, int *left, int *right)
{
    int apart = 0;

    for (int index = 0; index < count; index++) {
        int is_apart = 1;

        for (int before = 0; before < index; before++) {
            is_apart &= 2 * boxes[before].right <= boxes[index].left + boxes[index].right;
        }
        if (is_apart) {
            *left = apart ? pic_least(*left, boxes[index].left) : boxes[index].left;
            *right = apart ? pic_most(*right, boxes[index].right) : boxes[index].right;
            apart++;
        }
    }
    return apart;
}

int pic_digits_in_line(struct arena *arena, const struct components *parts, int main)
{
    int digits;
    struct box box = parts->box[main], *boxes;
    int count = 0, highest = 0, left = 0, right = 0;
    size_t mark = arena->used;

    TAKE(arena, boxes, parts->parts);
    for (int part = 0; part < parts->parts; part++) {
        struct box other = parts->box[part];
        int height = other.bottom - other.top, place = count;
        int overlap = pic_least(other.bottom, box.bottom) - pic_most(other.top, box.top);

        if (pic_touches(&other, parts->width, parts->height) ||
            parts->area[part] < IN_LINE_AREA * parts->area[main] ||
            height < IN_LINE_HEIGHT * (box.bottom - box.top) || overlap < 0.5 * height) {
            continue;
        }
        highest = pic_most(highest, height);
        for (; place > 0 && boxes[place - 1].left > other.left; place--) {
            boxes[place] = boxes[place - 1];
        }
        boxes[place] = other;
        count++;
    }
    count = apart_of(boxes, count, &left, &right);
    digits = count < 2 || right - left < LINE_WIDTH * highest ? 0 : count;
    arena->used = mark;
    return digits;
}

struct box pic_box_of(const struct components *parts, const uint8_t *chosen)
{
    struct box box = {parts->height, 0, parts->width, 0};

    for (int part = 0; part < parts->parts; part++) {
        if (chosen[part]) {
            box.top = pic_least(box.top, parts->box[part].top);
            box.bottom = pic_most(box.bottom, parts->box[part].bottom);
            box.left = pic_least(box.left, parts->box[part].left);
            box.right = pic_most(box.right, parts->box[part].right);
        }
    }
    return box;
}

long pic_area_of(const struct components *parts, const uint8_t *chosen)
{
    long area = 0;

    for (int part = 0; part < parts->parts; part++) {
        area += !chosen || chosen[part] ? parts->area[part] : 0;
    }
    return area;
}

void pic_strokes_near(const struct components *parts, int main, const uint8_t *foreign, uint8_t *chosen)
{
    int is_grown = 1;

    pic_fill(chosen, 0, (size_t)parts->parts);
    chosen[main] = 1;
    while (is_grown) {
        struct box box = pic_box_of(parts, chosen);
        double reach = REACH * pic_side(&box);

        is_grown = 0;
        for (int part = 0; part < parts->parts; part++) {
            struct box other = parts->box[part];
            int down = pic_most(other.top - box.bottom, box.top - other.bottom);
            int across = pic_most(other.left - box.right, box.left - other.right);

            if (!chosen[part] && !foreign[part] && parts->area[part] >= MIN_PART * parts->area[main] &&
                pic_most(down, across) <= reach) {
                chosen[part] = 1;
                is_grown = 1;
            }
        }
    }
}

void pic_covered_sides(const uint8_t *mask, int width, int height, double sides[4])
{
    int counts[4] = {0, 0, 0, 0};

    for (int column = 0; column < width; column++) {
        counts[0] += mask[column];
        counts[1] += mask[(height - 1) * width + column];
    }
    for (int row = 0; row < height; row++) {
        counts[2] += mask[row * width];
        counts[3] += mask[row * width + width - 1];
    }
    for (int side = 0; side < 4; side++) {
        sides[side] = (double)counts[side] / (side < 2 ? width : height);
    }
}

int pic_has_full_corner(const uint8_t *mask, int width, int height)
{
    int side = pic_round(CORNER * pic_longer(width, height));
    int rows = pic_least(side, height), columns = pic_least(side, width);

    for (int corner = 0; side > 0 && corner < 4; corner++) {
        int top = corner < 2 ? 0 : height - rows, left = corner % 2 ? width - columns : 0, count = 0;

        for (int row = top; row < top + rows; row++) {
            for (int column = left; column < left + columns; column++) {
                count += mask[row * width + column];
            }
        }
        if ((double)count / (rows * columns) > 0.95) {
            return 1;
        }
    }
    return 0;
}
