/* panels.py and digit.py, in_panel: the digit in the innermost paper that holds one. */
#include "prepare_rooms.h"

#define TWO_TONES 0.85
#define OPENED_SIDE 128
#define INSET 0.012
#define LEAST_SIDES 2
#define EDGE 0.012
#define EDGE_PLACES 24
#define EDGE_STEPS 5
#define LEAST_STEP 14
#define LEAST_TONE 0.02
#define MOST_PANELS 4
#define LARGE_PANEL 0.8
#define TONES 6

static void quad_of(const struct panel *panel, const struct pixels *gray, double quad[4][2])
{
    for (int i = 0; i < 4; i++) {
        quad[i][0] = panel->corners[i][0] * gray->width;
        quad[i][1] = panel->corners[i][1] * gray->height;
    }
}

static double length_of(const double quad[4][2], int side)
{
    double x = quad[side][0] - quad[(side + 1) % 4][0], y = quad[side][1] - quad[(side + 1) % 4][1];

    return pic_root(x * x + y * y);
}

static double spread_of(double a, double b)
{
    return pic_size(a - b);
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

/* Cut the panel out of the picture, in any size, that it was found in, upright and without its edges; 0: nothing is
 * left of it. */
static int cut_from(struct arena *arena, const struct panel *panel, const struct pixels *gray, struct pixels *cut)
{
    double quad[4][2], inner[4][2], lengths[4], shares[2], inset[2], slant;
    int longer = pic_longer(gray->width, gray->height), size[2];

    quad_of(panel, gray, quad);
    for (int side = 0; side < 4; side++) {
        lengths[side] = length_of((const double(*)[2])quad, side);
    }
    for (int axis = 0; axis < 2; axis++) {
        size[axis] = pic_most(1, pic_round((lengths[1 - axis] + lengths[3 - axis]) / 2));
        inset[axis] = pic_greater(size[axis] * INSET, pic_greater(1.0, longer / 256.0));
    }
    slant = pic_greater(pic_greater(spread_of(quad[0][0], quad[1][0]), spread_of(quad[0][1], quad[3][1])),
                        pic_greater(spread_of(quad[2][0], quad[3][0]), spread_of(quad[1][1], quad[2][1])));
    if (slant <= 1 + longer / 128.0) {
        struct box box = {pic_ceil(pic_greater(quad[0][1], quad[3][1]) + inset[1]),
                          (int)(lesser(quad[1][1], quad[2][1]) - inset[1]),
                          pic_ceil(pic_greater(quad[0][0], quad[1][0]) + inset[0]),
                          (int)(lesser(quad[2][0], quad[3][0]) - inset[0])};

        if (box.bottom <= box.top || box.right <= box.left) {
            return 0;
        }
        pic_cut(arena, gray, &box, cut);
        return 1;
    }
    shares[0] = inset[1] / size[1];
    shares[1] = inset[0] / size[0];
    /* From the first corner the next one lies below, from the second to the right, and so on. */
    for (int i = 0; i < 4; i++) {
        const double *next = quad[(i + 1) % 4], *before = quad[(i + 3) % 4];

        for (int axis = 0; axis < 2; axis++) {
            inner[i][axis] = quad[i][axis] + shares[i % 2] * (next[axis] - quad[i][axis]) +
                             shares[1 - i % 2] * (before[axis] - quad[i][axis]);
        }
    }
    pic_new_pixels(arena, size[0], size[1], cut);
    pic_from_quad(gray, (const double(*)[2])inner, cut);
    return 1;
}

/* The level of the pixel at (x, y), or next to it where this lies outside. */
static int level_at(const struct pixels *gray, double x, double y)
{
    int column = pic_least(pic_most(pic_floor(x), 0), gray->width - 1);
    int row = pic_least(pic_most(pic_floor(y), 0), gray->height - 1);

    return gray->at[row * gray->width + column];
}

/* Whether the tone changes at once along one side, in half of its places. */
static int has_edge(const struct pixels *gray, const double start[2], const double end[2], const double middle[2],
                    double reach)
{
    double across = end[0] - start[0], down = end[1] - start[1];
    double length = pic_root(across * across + down * down);
    double out_x = down / length, out_y = -(across / length), steps[EDGE_PLACES];
    double away = out_x * (start[0] - middle[0]) + out_y * (start[1] - middle[1]);
    double turn = away > 0 ? 1 : away < 0 ? -1 : 0;

    out_x *= turn;
    out_y *= turn;
    for (int place = 0; place < EDGE_PLACES; place++) {
        double along = place == EDGE_PLACES - 1 ? 0.9 : place * ((0.9 - 0.1) / (EDGE_PLACES - 1)) + 0.1;
        double x = start[0] + along * across, y = start[1] + along * down;
        int inside = level_at(gray, x - reach * out_x, y - reach * out_y);

        steps[place] = 0;
        for (int step = 0; step < EDGE_STEPS; step++) {
            double far = step == EDGE_STEPS - 1 ? reach : step * (reach / (EDGE_STEPS - 1));
            int level = level_at(gray, x + far * out_x, y + far * out_y);

            steps[place] = pic_greater(steps[place], pic_size(level - inside));
        }
    }
    return pic_median_of_doubles(steps, EDGE_PLACES) >= LEAST_STEP;
}

/* Whether the tone changes at once along each side that is not the picture's own, and does not fade. */
static int stands_out(const struct panel *panel, const struct pixels *gray)
{
    double quad[4][2], middle[2], reach = pic_greater(1.0, EDGE * pic_longer(gray->width, gray->height));
    int inner = 0, edges = 0;

    quad_of(panel, gray, quad);
    for (int axis = 0; axis < 2; axis++) {
        middle[axis] = (quad[0][axis] + quad[1][axis] + quad[2][axis] + quad[3][axis]) / 4;
    }
    for (int i = 0; i < 4; i++) {
        const double *start = quad[i], *end = quad[(i + 1) % 4];
        int is_own = 0;

        for (int axis = 0; axis < 2; axis++) {
            is_own |= start[axis] == end[axis] &&
                      (end[axis] == 0 || end[axis] == (axis ? gray->height : gray->width));
        }
        if (!is_own) {
            inner++;
            edges += has_edge(gray, start, end, middle, reach);
        }
    }
    return inner >= LEAST_SIDES && edges == inner;
}

/* Give the levels from low to high - 1 that parts light or dark levels in two tones; 0 where they are no two. */
static int half_of(const uint32_t histogram[256], int from, int to, int *middle)
{
    uint32_t part[256];
    double total = 0, sum = 0, upper = 0, upper_sum = 0, variance = 0, share, apart, all = 0;

    for (int level = 0; level < 256; level++) {
        part[level] = level >= from && level < to ? histogram[level] : 0;
        total += part[level];
        sum += (double)part[level] * level;
        all += histogram[level];
    }
    if (total < LEAST_TONE * all) {
        return 0;
    }
    *middle = pic_otsu_of(part, (int)total);
    for (int level = 0; level < 256; level++) {
        double away = level - sum / total;

        variance += part[level] * (away * away);
        if (level > *middle) {
            upper += part[level];
            upper_sum += (double)part[level] * level;
        }
    }
    share = upper / total;
    if (!(LEAST_TONE < share && share < 1 - LEAST_TONE)) {
        return 0;
    }
    apart = upper_sum / upper - (sum - upper_sum) / (total - upper);
    return share * (1 - share) * (apart * apart) > TWO_TONES * (variance / total);
}

/* Ranges of levels of one tone: the light and the dark, and the halves of those that have two tones. */
static int tones_of(const struct pixels *gray, int ranges[TONES][2])
{
    int count = gray->width * gray->height, threshold, tones = 2;
    uint32_t histogram[256];

    pic_histogram(gray->at, count, histogram);
    threshold = pic_otsu_of(histogram, count);
    ranges[0][0] = threshold + 1;
    ranges[0][1] = 256;
    ranges[1][0] = 0;
    ranges[1][1] = threshold + 1;
    for (int part = 0; part < 2; part++) {
        int middle;

        if (half_of(histogram, ranges[part][0], ranges[part][1], &middle)) {
            ranges[tones][0] = ranges[part][0];
            ranges[tones++][1] = middle + 1;
            ranges[tones][0] = middle + 1;
            ranges[tones++][1] = ranges[part][1];
        }
    }
    return tones;
}

/* The panels of one tone, the largest first. */
static void panels_of(struct arena *arena, const struct pixels *gray, const int range[2], struct panel **panels,
                      int *count)
{
    int width = gray->width, height = gray->height, most = 0;
    struct components parts;
    uint8_t *mask;

    TAKE(arena, mask, width * height);
    for (int i = 0; i < width * height; i++) {
        mask[i] = gray->at[i] >= range[0] && gray->at[i] < range[1];
    }
    if (pic_longer(width, height) >= OPENED_SIDE) {
        pic_sliding(arena, mask, width, height, 3, 0, mask);
        pic_sliding(arena, mask, width, height, 3, 1, mask);
    }
    pic_connected(arena, mask, width, height, &parts);
    for (int part = 0; part < parts.parts; part++) {
        most += pic_may_be_panel(&parts, part);
    }
    TAKE(arena, *panels, most);
    *count = 0;
    for (int part = 0; part < parts.parts; part++) {
        struct panel panel;
        int is_found = 0, place = *count;

        if (pic_may_be_panel(&parts, part)) {
            is_found = pic_panel(arena, &parts, part, &panel);
        }
        if (!is_found) {
            continue;
        }
        for (; place > 0 && (*panels)[place - 1].share < panel.share; place--) {
            (*panels)[place] = (*panels)[place - 1];
        }
        (*panels)[place] = panel;
        ++*count;
    }
}

static int is_among(const struct panel *panel, const struct panel *others, int count)
{
    for (int other = 0; other < count; other++) {
        int is_same = 1;

        for (int i = 0; i < 8; i++) {
            is_same &= panel->corners[i / 2][i % 2] == others[other].corners[i / 2][i % 2];
        }
        if (is_same) {
            return 1;
        }
    }
    return 0;
}

/* Look for the digit in a panel; 0 where there is none, or it runs out of the panel. */
static int look_in(struct arena *arena, const struct panel *panel, const struct pixels *gray, int papers,
                   struct finding *finding)
{
    struct pixels cut;

    if (!cut_from(arena, panel, gray, &cut) || pic_find(arena, &cut, papers - 1, finding) != PREPARE_FINE) {
        return 0;
    }
    return panel->share > LARGE_PANEL ||
           !(finding->is_cut || pic_touches(&finding->box, finding->width, finding->height));
}

int pic_in_panel(struct arena *arena, const struct pixels *gray, const struct pixels *whole, int papers,
                 struct finding *finding)
{
    struct panel seen[MOST_PANELS], *panels;
    int ranges[TONES][2], tones = tones_of(whole, ranges), looks = 0, count;

    for (int tone = 0; tone < tones; tone++) {
        size_t mark = arena->used, inner;

        panels_of(arena, whole, ranges[tone], &panels, &count);
        inner = arena->used;
        for (int i = 0; i < count; i++) {
            if (is_among(&panels[i], seen, looks) || !stands_out(&panels[i], whole)) {
                continue;
            }
            seen[looks++] = panels[i];
            if (look_in(arena, &panels[i], gray, papers, finding)) {
                return 1;
            }
            arena->used = inner;
            if (looks == MOST_PANELS) {
                return 0;
            }
        }
        arena->used = mark;
    }
    return 0;
}
