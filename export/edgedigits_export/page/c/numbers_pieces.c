/* pieces.py, the pieces: parts of digits, whole ones, and cuts of what touches. */
#include "numbers_rooms.h"

#define INK_LEVEL 66
#define SPECK 0.08
#define SMALL_HEIGHT 0.4
#define SMALL_WIDTH 0.5
#define COMMA_HEIGHT 0.5
#define COMMA_WIDTH 0.3
#define DASH_HEIGHT 0.35
#define STRAIGHT 0.06
#define BESIDE_STROKE 1.25

/* The parts of a strip, and the runs of each behind each other. */
struct grouped {
    struct components parts;
    int *run;   /* in the order of their parts */
    int *first; /* of each part, and one more */
};

/* Whole numbers: of pixels, their rows and columns, squares and products. */
struct moments {
    int64_t count, down, across, down_squares, across_squares, products;
};

static double not_a_number(void)
{
    double zero = 0;

    return zero / zero;
}

/* As counting sorts do: first has, one place further, where a part's next run goes, which is in the end its last one. */
static void group_runs(struct arena *arena, struct grouped *grouped)
{
    const struct components *parts = &grouped->parts;

    TAKE(arena, grouped->run, parts->runs);
    TAKE(arena, grouped->first, parts->parts + 2);
    pic_fill(grouped->first, 0, sizeof *grouped->first * (size_t)(parts->parts + 2));
    for (int run = 0; run < parts->runs; run++) {
        grouped->first[parts->part[run] + 2]++;
    }
    for (int part = 0; part < parts->parts; part++) {
        grouped->first[part + 2] += grouped->first[part + 1];
    }
    for (int run = 0; run < parts->runs; run++) {
        grouped->run[grouped->first[parts->part[run] + 1]++] = run;
    }
}

/* The sum of all whole numbers from start to before stop, and of their squares. */
static int64_t sum_of(int64_t start, int64_t stop)
{
    return (stop * (stop - 1) - start * (start - 1)) / 2;
}

static int64_t sum_of_squares(int64_t start, int64_t stop)
{
    return (stop * (stop - 1) * (2 * stop - 1) - start * (start - 1) * (2 * start - 1)) / 6;
}

/* Measure what of a part is in some of its columns; its box is in the strip, the moments are in the part's. */
static void measure(const struct grouped *grouped, int part, int begin, int end, struct moments *sums, struct box *box)
{
    const struct components *parts = &grouped->parts;
    const struct box *whole = &parts->box[part];

    *sums = (struct moments){0, 0, 0, 0, 0, 0};
    *box = (struct box){parts->height, 0, parts->width, 0};
    for (int i = grouped->first[part]; i < grouped->first[part + 1]; i++) {
        int run = grouped->run[i];
        int start = pic_most(parts->start[run] - whole->left, begin), stop = pic_least(parts->stop[run] - whole->left, end);
        int64_t row = parts->row[run] - whole->top, length = stop - start;

        if (start >= stop) {
            continue;
        }
        sums->count += length;
        sums->down += row * length;
        sums->down_squares += row * row * length;
        sums->across += sum_of(start, stop);
        sums->across_squares += sum_of_squares(start, stop);
        sums->products += row * sum_of(start, stop);
        box->top = pic_least(box->top, parts->row[run]);
        box->bottom = pic_most(box->bottom, parts->row[run] + 1);
        box->left = pic_least(box->left, whole->left + start);
        box->right = pic_most(box->right, whole->left + stop);
    }
}

/* Sums of squares and products about the means: down, across, and of both. */
static void spread_of(const struct moments *sums, double spread[3])
{
    double count = (double)sums->count, down = (double)sums->down, across = (double)sums->across;

    spread[0] = (double)sums->down_squares - down * down / count;
    spread[1] = (double)sums->across_squares - across * across / count;
    spread[2] = (double)sums->products - down * across / count;
}

/* The ratio of the standard deviations along and across; a pixel has some of its own. */
static double elongation_of(const struct moments *sums)
{
    double spread[3], count = (double)sums->count, vertical, level, half, apart;

    spread_of(sums, spread);
    vertical = spread[0] / count + 1.0 / 12;
    level = spread[1] / count + 1.0 / 12;
    half = (vertical + level) / 2;
    apart = (vertical - level) / 2;
    apart = pic_root(apart * apart + spread[2] / count * (spread[2] / count));
    return pic_root((half + apart) / (half - apart));
}

/* The tilt of a straight stroke; whether it is one. */
static int tilt_of(const struct moments *sums, double *tilt)
{
    double spread[3], slope, away;

    spread_of(sums, spread);
    slope = spread[2] / pic_greater(spread[0], 1.0);
    away = (spread[1] - slope * spread[2]) / (double)sums->count;
    *tilt = -slope;
    return away < STRAIGHT * STRIP_HEIGHT * (STRAIGHT * STRIP_HEIGHT);
}

/* Whether a part with these sides is no digit by itself. */
static int is_small(int height, int width)
{
    return (height < SMALL_HEIGHT * STRIP_HEIGHT && width < SMALL_WIDTH * STRIP_HEIGHT) ||
           (height < COMMA_HEIGHT * STRIP_HEIGHT && width < COMMA_WIDTH * STRIP_HEIGHT) ||
           (height < DASH_HEIGHT * STRIP_HEIGHT && width > height);
}

/* Where a part may be cut; how often. */
static int cuts_of(struct arena *arena, const struct num_strip *strip, const struct grouped *grouped, int part, int *cuts)
{
    const struct components *parts = &grouped->parts;
    struct box box = parts->box[part];
    size_t mark = arena->used;
    uint32_t *columns;
    int found;

    TAKE(arena, columns, box.right - box.left);
    pic_fill(columns, 0, sizeof *columns * (size_t)(box.right - box.left));
    for (int i = grouped->first[part]; i < grouped->first[part + 1]; i++) {
        int run = grouped->run[i];

        for (int column = parts->start[run]; column < parts->stop[run]; column++) {
            columns[column - box.left] += strip->ink.at[parts->row[run] * strip->ink.width + column];
        }
    }
    found = num_cuts_of(arena, columns, box.right - box.left, BESIDE_STROKE * strip->stroke, cuts);
    arena->used = mark;
    return found;
}

/* Add what of a part is between two cuts, if anything is; 0 if there is no room. */
static int add_piece(const struct grouped *grouped, int part, int begin, int end, const struct numbers_piece *kind,
                     struct num_strip *strip)
{
    struct numbers_piece *piece = &strip->piece[strip->pieces];
    struct moments sums;
    struct box box;

    measure(grouped, part, begin, end, &sums, &box);
    if (sums.count == 0) {
        return 1;
    }
    if (strip->pieces == MOST_IN_LINE) {
        return 0;
    }
    *piece = *kind;
    piece->left = box.left;
    piece->top = box.top;
    piece->right = box.right;
    piece->bottom = box.bottom;
    piece->area = (int32_t)sums.count;
    piece->elongation = elongation_of(&sums);
    strip->pieces++;
    return 1;
}

/* Part a part further where digits may touch; 0 if there is no room. */
static int add_pieces(struct arena *arena, const struct grouped *grouped, int part, struct num_strip *strip)
{
    struct box box = grouped->parts.box[part], ignored;
    int width = box.right - box.left, cuts[MOST_CUTS + 2], count = 0, begin = 0, is_straight = 0;
    struct numbers_piece kind = {0, 0, 0, 0, 0, 0, 0, part, is_small(box.bottom - box.top, width), 1};
    struct moments sums;

    if (!kind.is_small) {
        measure(grouped, part, 0, width, &sums, &ignored);
        is_straight = tilt_of(&sums, &kind.tilt);
    }
    if (is_straight) {
        kind.tilt += strip->slant;
    } else {
        kind.tilt = not_a_number();
    }
    if (!kind.is_small && !is_straight) {
        count = cuts_of(arena, strip, grouped, part, cuts);
    }
    kind.is_whole = count == 0;
    for (int i = 0; i <= count; i++) {
        int end = i < count ? cuts[i] : width;

        if (!add_piece(grouped, part, begin, end, &kind, strip)) {
            return 0;
        }
        begin = end;
    }
    return 1;
}

/* Order pieces by their middles, those with the same one as they are. */
static void sort_pieces(struct numbers_piece *piece, int count)
{
    for (int i = 1; i < count; i++) {
        struct numbers_piece one = piece[i];
        int at = i;

        for (; at > 0 && piece[at - 1].left + piece[at - 1].right > one.left + one.right; at--) {
            piece[at] = piece[at - 1];
        }
        piece[at] = one;
    }
}

/* Write an index where a part is, from a column of the strip to before another. */
static void mark_part(const struct grouped *grouped, int part, int left, int right, int index, int16_t *ids)
{
    const struct components *parts = &grouped->parts;

    for (int i = grouped->first[part]; i < grouped->first[part + 1]; i++) {
        int run = grouped->run[i], stop = pic_least(parts->stop[run], right);

        for (int column = pic_most(parts->start[run], left); column < stop; column++) {
            ids[parts->row[run] * parts->width + column] = (int16_t)index;
        }
    }
}

/* Part a strip; whether there are not too many pieces. */
int num_pieces_of(struct arena *arena, struct num_strip *strip)
{
    size_t mark = arena->used;
    int width = strip->ink.width, count = width * strip->ink.height, is_fine = 1;
    struct grouped grouped;
    uint8_t *mask;

    TAKE(arena, mask, count);
    for (int i = 0; i < count; i++) {
        mask[i] = strip->ink.at[i] > INK_LEVEL;
        strip->ids[i] = PAPER;
    }
    pic_connected(arena, mask, width, strip->ink.height, &grouped.parts);
    group_runs(arena, &grouped);
    strip->pieces = 0;
    for (int part = 0; part < grouped.parts.parts && is_fine; part++) {
        if (grouped.parts.area[part] < SPECK * STRIP_HEIGHT * (SPECK * STRIP_HEIGHT)) {
            mark_part(&grouped, part, 0, width, SPECKS, strip->ids);
        } else {
            is_fine = add_pieces(arena, &grouped, part, strip);
        }
    }
    sort_pieces(strip->piece, strip->pieces);
    for (int index = 0; index < strip->pieces; index++) {
        const struct numbers_piece *piece = &strip->piece[index];

        mark_part(&grouped, piece->part, piece->left, piece->right, index, strip->ids);
    }
    arena->used = mark;
    return is_fine;
}
