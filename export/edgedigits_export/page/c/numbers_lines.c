/* lines.py: the ink of a picture in its lines of writing, what is of one size and stands beside each other. */
#include "numbers_rooms.h"

#define RULE_LENGTH 1.5
#define RULE_THICKNESS 0.16
#define RULE_ROUNDS 3
#define LEAST_HEIGHT 7
#define LOWEST 0.4
#define HIGHEST 2.5
#define LEAST_SHARE 0.5
#define BESIDE 2.5
#define OVERLAP 0.35
#define AROUND 0.35
#define SMALLEST_LINE 0.5
#define MOST_LINES 200
#define MOST_PARTS 1500

static int height_of(const struct box *box)
{
    return box->bottom - box->top;
}

/* The height of the parts that half of the ink of a group is in; of group -1, of all ink. */
static double weighted_height(const struct components *parts, const int *group, int chosen)
{
    long areas[DETAIL_SIDE + 1], all = 0, below = 0;
    int height = 0;

    pic_fill(areas, 0, sizeof areas);
    for (int part = 0; part < parts->parts; part++) {
        if (chosen < 0 || group[part] == chosen) {
            areas[height_of(&parts->box[part])] += parts->area[part];
            all += parts->area[part];
        }
    }
    while (2 * below < all) {
        below += areas[++height];
    }
    return height;
}

double num_usual_height(const struct components *parts)
{
    return weighted_height(parts, NULL, -1);
}

/* Take printed lines off ink, in place. */
static void without_rules(struct arena *arena, uint8_t *mask, int width, int height)
{
    int is_ruled = 1;

    for (int round = 0; round < RULE_ROUNDS && is_ruled; round++) {
        size_t mark = arena->used;
        struct components parts;
        double usual;

        pic_connected(arena, mask, width, height, &parts);
        usual = num_usual_height(&parts);
        arena->used = mark;
        is_ruled = num_without_rules_in(arena, mask, width, height, RULE_LENGTH * usual,
                                        pic_greater(3, RULE_THICKNESS * usual));
    }
}

/* Give each part of a digit's size itself as its group, and others -1; how many have that size. */
static int digits_of(const struct components *parts, int *group)
{
    double usual = num_usual_height(parts), least = pic_greater(LOWEST * usual, LEAST_HEIGHT);
    int count = 0;

    for (int part = 0; part < parts->parts; part++) {
        int height = height_of(&parts->box[part]), is_digit = height >= least && height <= HIGHEST * usual;

        group[part] = is_digit ? part : -1;
        count += is_digit;
    }
    return count;
}

static int is_beside(const struct box *one, const struct box *other)
{
    int height = height_of(one), its_height = height_of(other);
    int common = pic_least(one->bottom, other->bottom) - pic_most(one->top, other->top);
    int gap = pic_most(one->left, other->left) - pic_least(one->right, other->right);

    return common >= OVERLAP * pic_least(height, its_height) && gap <= BESIDE * pic_most(height, its_height);
}

static int root_of(int *group, int part)
{
    while (group[part] != part) {
        group[part] = group[group[part]];
        part = group[part];
    }
    return part;
}

/* Give the digits of each line the number of its first part; how many lines there are. */
static int join_digits(struct arena *arena, const struct components *parts, int *group, int count)
{
    size_t mark = arena->used;
    int *digits, found = 0, lines = 0;

    TAKE(arena, digits, count);
    for (int part = 0; part < parts->parts; part++) {
        if (group[part] >= 0) {
            digits[found++] = part;
        }
    }
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < i; k++) {
            if (is_beside(&parts->box[digits[i]], &parts->box[digits[k]])) {
                int one = root_of(group, digits[i]), other = root_of(group, digits[k]);

                group[pic_most(one, other)] = pic_least(one, other);
            }
        }
    }
    for (int i = 0; i < count; i++) {
        group[digits[i]] = root_of(group, digits[i]);
        lines += group[digits[i]] == digits[i];
    }
    arena->used = mark;
    return lines;
}

static void grow(struct box *box, const struct box *by)
{
    box->top = pic_least(box->top, by->top);
    box->bottom = pic_most(box->bottom, by->bottom);
    box->left = pic_least(box->left, by->left);
    box->right = pic_most(box->right, by->right);
}

/* The box of a line's digits. */
static struct box box_of_group(const struct num_lines *lines, int group)
{
    struct box box = {lines->parts.height, 0, lines->parts.width, 0};

    for (int part = 0; part < lines->parts.parts; part++) {
        if (lines->group[part] == group) {
            grow(&box, &lines->parts.box[part]);
        }
    }
    return box;
}

/* Whether a part is one of a line's digits, or a point or piece around them. */
static int belongs(const struct num_lines *lines, int part, int group, const struct box *digits, double height)
{
    const struct box *box = &lines->parts.box[part];
    double around = AROUND * height, row = (box->top + box->bottom) / 2.0, column = (box->left + box->right) / 2.0;

    if (lines->group[part] >= 0) {
        return lines->group[part] == group;
    }
    return height_of(box) <= HIGHEST * height && row >= digits->top - around && row <= digits->bottom + around &&
           column >= digits->left - height && column <= digits->right + height;
}

/* Where a line is cut out: its digits, and the points and pieces around them. */
static void place_of(const struct num_lines *lines, int group, struct num_place *place)
{
    struct box digits = box_of_group(lines, group), box = digits;
    const struct components *parts = &lines->parts;

    place->group = group;
    place->height = weighted_height(parts, lines->group, group);
    for (int part = 0; part < parts->parts; part++) {
        if (belongs(lines, part, group, &digits, place->height)) {
            grow(&box, &parts->box[part]);
        }
    }
    place->box.top = pic_most(box.top - 1, 0);
    place->box.bottom = pic_least(box.bottom + 1, parts->height);
    place->box.left = pic_most(box.left - 1, 0);
    place->box.right = pic_least(box.right + 1, parts->width);
}

/* Leave out what is far smaller than the largest line. */
static int large_enough(struct num_place *place, int count)
{
    double largest = 0;
    int kept = 0;

    for (int i = 0; i < count; i++) {
        largest = pic_greater(largest, place[i].height);
    }
    for (int i = 0; i < count; i++) {
        if (place[i].height >= SMALLEST_LINE * largest) {
            place[kept++] = place[i];
        }
    }
    return kept;
}

/* Order places by a side, those with an equal one as they are. */
static void sort(struct num_place *place, int count, int is_by_left)
{
    for (int i = 1; i < count; i++) {
        struct num_place one = place[i];
        int side = is_by_left ? one.box.left : one.box.top, at = i;

        for (; at > 0 && (is_by_left ? place[at - 1].box.left : place[at - 1].box.top) > side; at--) {
            place[at] = place[at - 1];
        }
        place[at] = one;
    }
}

/* Order lines as they are read: from top to bottom, those beside each other from left to right. */
static void put_in_order(struct num_place *place, int count)
{
    sort(place, count, 0);
    for (int first = 0; first < count;) {
        double middle = place[first].box.top + height_of(&place[first].box) / 2.0;
        int last = first;

        while (last < count && place[last].box.top <= middle) {
            last++;
        }
        sort(place + first, last - first, 1);
        first = last;
    }
}

static long digit_area(const struct num_lines *lines)
{
    long area = 0;

    for (int part = 0; part < lines->parts.parts; part++) {
        area += lines->group[part] >= 0 ? lines->parts.area[part] : 0;
    }
    return area;
}

/* Find the parts of the ink, and the levels of what is in none of the lines that a form is printed with. */
static void find_parts(struct arena *arena, const struct num_ink *ink, struct num_lines *lines)
{
    int count = ink->width * ink->height;
    uint8_t *mask, *inked;
    size_t mark;

    TAKE(arena, lines->levels, count);
    TAKE(arena, mask, count);
    num_levels_of(ink, lines->levels);
    num_mask_of(ink, mask);
    mark = arena->used;
    TAKE(arena, inked, count);
    pic_copy(inked, mask, (size_t)count);
    without_rules(arena, mask, ink->width, ink->height);
    for (int i = 0; i < count; i++) {
        lines->levels[i] = inked[i] && !mask[i] ? 0 : lines->levels[i];
    }
    arena->used = mark;
    pic_connected(arena, mask, ink->width, ink->height, &lines->parts);
}

int num_lines_of(struct arena *arena, const struct num_ink *ink, struct num_lines *lines)
{
    int digits;

    lines->count = 0;
    find_parts(arena, ink, lines);
    TAKE(arena, lines->group, lines->parts.parts);
    digits = digits_of(&lines->parts, lines->group);
    if ((double)digit_area(lines) < LEAST_SHARE * (double)pic_area_of(&lines->parts, NULL)) {
        return PREPARE_FINE;
    }
    if (digits > MOST_PARTS) {
        return NUMBERS_TOO_MANY_MARKS;
    }
    if (join_digits(arena, &lines->parts, lines->group, digits) > MOST_LINES) {
        return NUMBERS_TOO_MANY_LINES;
    }
    TAKE(arena, lines->place, MOST_LINES);
    for (int part = 0; part < lines->parts.parts; part++) {
        if (lines->group[part] == part) {
            place_of(lines, part, &lines->place[lines->count++]);
        }
    }
    lines->count = large_enough(lines->place, lines->count);
    put_in_order(lines->place, lines->count);
    return PREPARE_FINE;
}

void num_line_ink(struct arena *arena, const struct num_lines *lines, int line, struct pixels *cut)
{
    const struct num_place *place = &lines->place[line];
    const struct box *box = &place->box;
    const struct components *parts = &lines->parts;
    struct box digits = box_of_group(lines, place->group);
    struct pixels whole = {lines->levels, parts->width, parts->height};
    size_t mark;
    uint8_t *chosen;

    pic_cut(arena, &whole, box, cut);
    mark = arena->used;
    TAKE(arena, chosen, parts->parts);
    for (int part = 0; part < parts->parts; part++) {
        chosen[part] = (uint8_t)belongs(lines, part, place->group, &digits, place->height);
    }
    for (int run = 0; run < parts->runs; run++) {
        int row = parts->row[run], start = pic_most(parts->start[run], box->left);
        int stop = pic_least(parts->stop[run], box->right);

        if (!chosen[parts->part[run]] && row >= box->top && row < box->bottom && start < stop) {
            pic_fill(cut->at + (row - box->top) * cut->width + start - box->left, 0, (size_t)(stop - start));
        }
    }
    arena->used = mark;
}
