/* ruling.py, where lines are: dips in a few strips, and which of them lie on one straight line. */
#include "prepare_rooms.h"
#include "prepare_ruling.h"

#define STRIP_WIDTH 0.045
#define WIDEST 0.03
#define LEAST_DEPTH 5
#define OVER_NOISE 3.0
#define STEEPEST 0.12
#define STEPS 25
#define SLOPES (2 * STEPS + 1)
#define LEAST_STRIPS 5
#define UNEVEN 0.1
#define LEAST_HIDDEN 2
#define CLOSEST 4
#define MOST_AWAY 0.8
#define LEAST_RULED 0.4

static int wide_of(int width)
{
    return pic_most(4, pic_round(STRIP_WIDTH * width));
}

static int start_of(int strip, int width)
{
    int room = width - wide_of(width);

    return strip == STRIPS - 1 ? room : (int)(strip * ((double)room / (STRIPS - 1)));
}

static double middle_of(int strip, int width)
{
    return start_of(strip, width) + (wide_of(width) - 1) / 2.0;
}

/* The middle of the levels of a strip, in order, in each row. */
static void tones_of(const struct pixels *gray, int strip, int *tones)
{
    int wide = wide_of(gray->width), start = start_of(strip, gray->width);

    for (int row = 0; row < gray->height; row++) {
        const uint8_t *line = gray->at + row * gray->width + start;
        uint8_t ordered[STRIP_ROOM];

        for (int i = 0; i < wide; i++) {
            int place = i;

            for (; place > 0 && ordered[place - 1] > line[i]; place--) {
                ordered[place] = ordered[place - 1];
            }
            ordered[place] = line[i];
        }
        tones[row] = ordered[wide / 2];
    }
}

/* The lightest, or darkest, of a window around each row. */
static void extremes(const int *tones, int height, int widest, int lightest, int *found)
{
    for (int row = 0; row < height; row++) {
        int last = pic_least(row + widest, height - 1);

        found[row] = tones[row];
        for (int near = pic_most(row - widest, 0); near <= last; near++) {
            found[row] = lightest ? pic_most(found[row], tones[near]) : pic_least(found[row], tones[near]);
        }
    }
}

/* Add the dips of one strip to those before. */
static void dips_of(struct arena *arena, const struct pixels *gray, int strip, struct dips *dips)
{
    int height = gray->height, widest = pic_most(3, pic_round(WIDEST * pic_longer(gray->width, height)));
    int *tones, *light, *depth;
    double least, *ordered;

    TAKE(arena, tones, height);
    TAKE(arena, light, height);
    TAKE(arena, depth, height);
    TAKE(arena, ordered, height);
    tones_of(gray, strip, tones);
    extremes(tones, height, widest, 1, light);
    extremes(light, height, widest, 0, depth);
    for (int row = 0; row < height; row++) {
        depth[row] -= tones[row];
        ordered[row] = depth[row];
    }
    least = pic_greater(LEAST_DEPTH, OVER_NOISE * pic_median_of_doubles(ordered, height));
    for (int row = 0; row < height; row++) {
        int begin = row, deepest = 0;
        double sum = 0, moment = 0, place;

        for (; row < height && depth[row] > least; row++) {
            sum += depth[row];
            moment += (double)depth[row] * (row - begin);
            deepest = pic_most(deepest, depth[row]);
        }
        if (row == begin || row - begin > widest) {
            continue;
        }
        place = begin + moment / sum;
        dips->strip[dips->count] = strip;
        dips->place[dips->count] = place > height - 1 ? height - 1 : place;
        dips->width[dips->count] = row - begin;
        dips->depth[dips->count++] = deepest;
    }
}

static void find_dips(struct arena *arena, const struct pixels *gray, struct dips *dips)
{
    int most = STRIPS * (gray->height / 2 + 1);
    size_t mark;

    dips->count = 0;
    TAKE(arena, dips->strip, most);
    TAKE(arena, dips->place, most);
    TAKE(arena, dips->width, most);
    TAKE(arena, dips->depth, most);
    TAKE(arena, dips->offset, most);
    mark = arena->used;
    for (int strip = 0; strip < STRIPS; strip++) {
        dips_of(arena, gray, strip, dips);
        arena->used = mark;
    }
}

static double slope_of(int index)
{
    return index == SLOPES - 1 ? STEEPEST : index * (2 * STEEPEST / (SLOPES - 1)) - STEEPEST;
}

/* Where each dip's line of a slope meets the picture's middle, from reach rows above it. */
static void offsets_of(struct dips *dips, int width, int reach, double slope)
{
    for (int i = 0; i < dips->count; i++) {
        double away = middle_of(dips->strip[i], width) - width / 2.0;

        dips->offset[i] = pic_round(dips->place[i] - slope * away) + reach;
    }
}

/* How many dips lie on a line through each row, or through a neighbour of it; the sum of their cubes. */
static double votes_of(const struct dips *dips, int count, int *table, int *votes)
{
    double sum = 0;

    for (int i = 0; i < count; i++) {
        table[i] = 0;
    }
    for (int i = 0; i < dips->count; i++) {
        table[dips->offset[i]]++;
    }
    for (int i = 0; i < count; i++) {
        votes[i] = table[i] + (i > 0 ? table[i - 1] : 0) + (i < count - 1 ? table[i + 1] : 0);
        sum += (double)votes[i] * votes[i] * votes[i];
    }
    return sum;
}

static double median_of(const struct dips *dips, const double *values, const uint8_t *chosen, double *room)
{
    int found = 0;

    for (int i = 0; i < dips->count; i++) {
        if (chosen[i]) {
            room[found++] = values[i];
        }
    }
    return pic_median_of_doubles(room, found);
}

/* The rows of a line through places in some strips, in each column. */
static void rows_through(const double *x, const double *y, int count, double slope, int width, double *rows)
{
    int at = 0;

    for (int column = 0; column < width; column++) {
        if (column < x[0]) {
            rows[column] = y[0] + slope * (column - x[0]);
        } else if (column > x[count - 1]) {
            rows[column] = y[count - 1] + slope * (column - x[count - 1]);
        } else if (column == x[count - 1]) {
            rows[column] = y[count - 1];
        } else {
            while (column >= x[at + 1]) {
                at++;
            }
            rows[column] = (y[at + 1] - y[at]) / (x[at + 1] - x[at]) * (column - x[at]) + y[at];
        }
    }
}

/* Whether places lie on a straight line that reaches both sides, or leaves the picture above or below before. */
static int is_straight(const double *x, const double *y, int count, const uint8_t seen[STRIPS],
                       const struct pixels *gray)
{
    double slope, place, away[STRIPS];

    pic_fit_line(x, y, count, &slope, &place);
    for (int i = 0; i < count; i++) {
        away[i] = pic_size(y[i] - pic_round_6(slope * x[i] + place));
    }
    if (pic_median_of_doubles(away, count) > MOST_AWAY) {
        return 0;
    }
    for (int strip = 0; strip < STRIPS; strip += STRIPS - 1) {
        double end = pic_round_6(slope * middle_of(strip, gray->width) + place);

        if (!seen[strip] && end >= 1 && end < gray->height - 2) {
            return 0;
        }
    }
    return 1;
}

/* The line that some dips make; 0 where they make none. Its rows are in the arena. */
static int line_of(struct arena *arena, const struct dips *dips, uint8_t *chosen, const struct pixels *gray,
                   double slope, struct line *line)
{
    int is_line = 0;
    double depth, *room, x[STRIPS], y[STRIPS];
    uint8_t seen[STRIPS] = {0, 0, 0, 0, 0, 0, 0, 0};
    int count = 0;
    size_t mark;

    TAKE(arena, line->rows, gray->width);
    mark = arena->used;
    TAKE(arena, room, dips->count);
    depth = median_of(dips, dips->depth, chosen, room);
    for (int i = 0; i < dips->count; i++) {
        int strip = dips->strip[i];

        chosen[i] = chosen[i] && dips->depth[i] < 2 * depth && dips->depth[i] > 0.5 * depth;
        if (chosen[i] && !seen[strip]) {
            seen[strip] = 1;
            x[count] = middle_of(strip, gray->width);
            y[count++] = dips->place[i];
        }
    }
    if (count >= LEAST_STRIPS && is_straight(x, y, count, seen, gray)) {
        rows_through(x, y, count, slope, gray->width, line->rows);
        line->width = median_of(dips, dips->width, chosen, room);
        line->depth = depth;
        line->middle = pic_sum_of_doubles(line->rows, gray->width) / gray->width;
        is_line = 1;
    }
    arena->used = mark;
    return is_line;
}

/* Add the lines that ink hides in more strips than one may, where those that were found are evenly apart. */
static void add_between(struct arena *arena, const int *votes, const struct pixels *gray, struct lines *lines)
{
    int found = lines->count, whole = 0, first, last;
    double *middles, *gaps, pitch;
    const struct line **ordered;

    if (found < 3) {
        return;
    }
    TAKE(arena, middles, found);
    TAKE(arena, gaps, found);
    TAKE(arena, ordered, found);
    for (int i = 0; i < found; i++) {
        int place = i;

        for (; place > 0 && ordered[place - 1]->middle > lines->at[i].middle; place--) {
            ordered[place] = ordered[place - 1];
        }
        ordered[place] = &lines->at[i];
    }
    for (int i = 0; i < found; i++) {
        middles[i] = ordered[i]->middle;
        gaps[i] = i > 0 ? middles[i] - middles[i - 1] : 0;
    }
    pitch = pic_median_of_doubles(gaps + 1, found - 1);
    if (pitch < CLOSEST) {
        return;
    }
    for (int i = 1; i < found; i++) {
        double steps = (middles[i] - middles[i - 1]) / pitch;

        whole += pic_round(steps);
        if (pic_size(steps - pic_rint(steps)) > UNEVEN) {
            return;
        }
    }
    pitch = (middles[found - 1] - middles[0]) / whole;
    first = -pic_floor(middles[0] / pitch) - 1;
    last = pic_floor((gray->height - middles[0]) / pitch) + 1;
    for (int number = first; number <= last; number++) {
        double place = middles[0] + number * pitch, apart;
        int nearest = 0, at = pic_round(place);

        for (int i = 1; i < found; i++) {
            nearest = pic_size(middles[i] - place) < pic_size(middles[nearest] - place) ? i : nearest;
        }
        apart = place - middles[nearest];
        if (pic_size(apart) > pitch / 2 && at > 0 && at < gray->height - 1 && lines->count < lines->most &&
            pic_most(votes[at - 1], pic_most(votes[at], votes[at + 1])) >= LEAST_HIDDEN) {
            struct line *added = &lines->at[lines->count++];

            *added = *ordered[nearest];
            TAKE(arena, added->rows, gray->width);
            for (int column = 0; column < gray->width; column++) {
                added->rows[column] = ordered[nearest]->rows[column] + apart;
            }
            added->middle = pic_sum_of_doubles(added->rows, gray->width) / gray->width;
        }
    }
}

/* Follow the votes of the best slope, the most first, to lines. */
static void follow(struct arena *arena, struct dips *dips, const struct pixels *gray, double slope, int count,
                   const int *votes, int *left, struct lines *lines)
{
    uint8_t *chosen;
    int ruled = 0;

    TAKE(arena, chosen, dips->count);
    pic_copy(left, votes, sizeof *left * (size_t)count);
    for (;;) {
        int at = 0, number = 0, is_line;

        for (int i = 1; i < count; i++) {
            at = left[i] > left[at] ? i : at;
        }
        if (left[at] < LEAST_STRIPS) {
            break;
        }
        for (int i = 0; i < dips->count; i++) {
            chosen[i] = dips->offset[i] >= at - 1 && dips->offset[i] <= at + 1;
            number += chosen[i];
        }
        for (int i = pic_most(0, at - 2); i < pic_least(count, at + 3); i++) {
            left[i] = 0;
        }
        is_line = line_of(arena, dips, chosen, gray, slope, &lines->at[lines->count]);
        if (is_line) {
            lines->count++;
            ruled += number;
        }
    }
    if (ruled < LEAST_RULED * dips->count) {
        lines->count = 0;
    }
}

/* The level lines of a picture that are darker than its paper. */
void pic_lines_in(struct arena *arena, const struct pixels *gray, struct lines *lines)
{
    int reach = (int)(STEEPEST * gray->width) + 2, count = gray->height + 2 * reach, best = 0;
    int *table, *votes, *left;
    double highest = -1;
    struct dips dips;

    lines->count = 0;
    lines->most = count / 3 + 1 + gray->height / CLOSEST + 1;
    TAKE(arena, lines->at, lines->most);
    find_dips(arena, gray, &dips);
    if (dips.count < LEAST_STRIPS) {
        return;
    }
    TAKE(arena, table, count);
    TAKE(arena, votes, count);
    TAKE(arena, left, count);
    for (int slope = 0; slope < SLOPES; slope++) {
        double sum;

        offsets_of(&dips, gray->width, reach, slope_of(slope));
        sum = votes_of(&dips, count, table, votes);
        if (sum > highest) {
            highest = sum;
            best = slope;
        }
    }
    offsets_of(&dips, gray->width, reach, slope_of(best));
    votes_of(&dips, count, table, votes);
    follow(arena, &dips, gray, slope_of(best), count, votes, left, lines);
    add_between(arena, votes + reach, gray, lines);
    return;
}
