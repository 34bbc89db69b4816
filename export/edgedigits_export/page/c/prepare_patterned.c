/* patterned.py: small pictures cut to a box around their digit, on printed paper or with neighbours that peep in. */
#include "prepare_rooms.h"

#define LARGEST_CUT 128
#define SMALLEST_CUT 16
#define WIDEST_CUT 1.8
#define BLUR 0.015
#define FILLS 0.6
#define FILLS_INSIDE 0.35
#define PATTERN 0.5
#define MOST_INK 0.5
#define CLEAR_TONES 0.55
#define COVERED 0.6
#define CLEAR_CONTRAST 0.08
#define LINE_DEPTH 0.16
#define LINE_LENGTH 0.92
#define LINE_WIDTH 0.1
#define LINE_BENT 0.7
#define SIDE_MARGIN 0.06
#define MIN_STROKE 0.08
#define MOST_OF_NEIGHBOUR 0.7

/* A mask as it is seen from one of its sides: the border that is looked at lies above. */
struct view {
    const uint8_t *ink;
    uint8_t *lines;
    int width, height, down, across; /* steps to the next row and column */
};

/* Where what begins near the upper border starts and stops in a column, in rows of the band; 0 if nothing does. */
static int begins_at(const struct view *view, int column, int depth, int band, int *start, int *stop)
{
    const uint8_t *at = view->ink + column * view->across;
    int row = 0;

    while (row < band && !at[row * view->down]) {
        row++;
    }
    *start = row < band ? row : 0;
    for (row = *start + 1; row < band && at[row * view->down]; row++) {
    }
    *stop = row < band ? row : band;
    return at[*start * view->down] && *start < depth;
}

/* Mark the line along the upper border, if there is one. */
static void find_line(struct arena *arena, const struct view *view)
{
    size_t mark = arena->used;
    int depth = pic_most(2, pic_round(LINE_DEPTH * view->height)), begun = 0, on_line = 0;
    int widest = pic_most(2, pic_round(LINE_WIDTH * view->height));
    int band = pic_least(depth + widest + 1, view->height), start, stop;
    double *x, *y, *widths, width, slope, place, away = 0;

    TAKE(arena, x, view->width);
    TAKE(arena, y, view->width);
    TAKE(arena, widths, view->width);
    for (int column = 0; column < view->width; column++) {
        if (begins_at(view, column, depth, band, &start, &stop)) {
            x[begun] = column;
            y[begun] = start;
            widths[begun++] = stop - start;
        }
    }
    arena->used = mark;
    if ((double)begun / view->width < LINE_LENGTH) {
        return;
    }
    width = pic_median_of_doubles(widths, begun);
    if (width > widest) {
        return;
    }
    pic_fit_line(x, y, begun, &slope, &place);
    for (int i = 0; i < begun; i++) {
        double bent = pic_round_6(pic_size(y[i] - place - slope * x[i]));

        away += bent;
        on_line += bent <= pic_greater(1, width);
    }
    if (away / begun > LINE_BENT || (double)on_line / view->width < LINE_LENGTH) {
        return;
    }
    for (int column = 0; column < view->width; column++) {
        if (begins_at(view, column, depth, band, &start, &stop) &&
            pic_round_6(pic_size(start - place - slope * column)) <= pic_greater(1, width)) {
            int end = pic_least(stop, start + pic_round(width) + (stop - start <= width + 1));

            for (int row = start; row < end; row++) {
                view->lines[column * view->across + row * view->down] = 1;
            }
        }
    }
}

/* Where lines of a form run along the borders, from one side to the other; strokes that cross them stay. */
static void border_lines(struct arena *arena, const uint8_t *ink, int width, int height, uint8_t *lines)
{
    int below = (height - 1) * width, right = width - 1;
    struct view views[4] = {
        {ink, lines, width, height, width, 1},
        {ink + below, lines + below, width, height, -width, 1},
        {ink, lines, height, width, 1, width},
        {ink + right, lines + right, height, width, -1, width},
    };

    pic_fill(lines, 0, (size_t)(width * height));
    for (int side = 0; side < 4; side++) {
        find_line(arena, &views[side]);
    }
}

/* Cut off what reaches in from the left or the right, where the digit has some paper above and below. */
static void without_neighbours(struct arena *arena, uint8_t *ink, int width, int height)
{
    size_t mark = arena->used;
    int margin = pic_round(SIDE_MARGIN * pic_longer(width, height)), largest = 0;
    struct components parts;
    struct box box;

    pic_connected(arena, ink, width, height, &parts);
    for (int part = 1; part < parts.parts; part++) {
        largest = parts.area[part] > parts.area[largest] ? part : largest;
    }
    box = parts.box[largest];
    arena->used = mark;
    if (margin == 0 || box.top < margin / 2.0 || box.bottom > height - margin / 2.0 ||
        (box.left > 0 && box.right < width)) {
        return;
    }
    for (int row = 0; row < height; row++) {
        if (box.left == 0) {
            pic_fill(ink + row * width, 0, (size_t)margin);
        }
        if (box.right == width) {
            pic_fill(ink + row * width + width - margin, 0, (size_t)margin);
        }
    }
}

/* Whether ink and paper are two tones: enough of the variance of levels is between them. */
static int has_two_tones(struct arena *arena, const uint8_t *levels, const uint8_t *ink, int count)
{
    int found = 0;
    size_t mark = arena->used;
    float *inked, *plain, *tones, apart, mean;
    int inks = 0, plains = 0;
    double share;

    TAKE(arena, inked, count);
    TAKE(arena, plain, count);
    TAKE(arena, tones, count);
    for (int i = 0; i < count; i++) {
        tones[i] = levels[i];
        *(ink[i] ? &inked[inks++] : &plain[plains++]) = levels[i];
    }
    share = (double)inks / count;
    if (inks > 0 && share <= MOST_INK) {
        apart = pic_mean(inked, inks) - pic_mean(plain, plains);
        mean = pic_mean(tones, count);
        for (int i = 0; i < count; i++) {
            tones[i] = (tones[i] - mean) * (tones[i] - mean);
        }
        found = share * (1 - share) * ((double)apart * (double)apart) >= CLEAR_TONES * (double)pic_mean(tones, count);
    }
    arena->used = mark;
    return found;
}

/* The parts that are the digit's: the main one, and strokes that are neither a neighbour's nor specks. */
static void digit_of(struct arena *arena, const struct components *parts, int *main, uint8_t *chosen)
{
    double *prominence;
    uint8_t *foreign;

    TAKE(arena, foreign, parts->parts);
    pic_prominence(arena, parts, &prominence);
    pic_touching(parts, foreign);
    *main = 0;
    for (int part = 0; part < parts->parts; part++) {
        prominence[part] *= foreign[part] ? 4.0 : 1.0;
        *main = prominence[part] > prominence[*main] ? part : *main;
    }
    for (int part = 0; part < parts->parts; part++) {
        int size = parts->area[*main];

        foreign[part] = (foreign[part] && parts->area[part] < MOST_OF_NEIGHBOUR * size) ||
                        parts->area[part] < MIN_STROKE * size;
    }
    foreign[*main] = 0;
    pic_strokes_near(parts, *main, foreign, chosen);
}

/* Whether a finding in ink is large enough for a digit to whose box a picture was cut, and in strokes. */
static int is_digit(struct arena *arena, struct finding *finding)
{
    struct box box = finding->box;
    double sides[4], most = 0;

    pic_covered_sides(finding->mask, finding->width, finding->height, sides);
    for (int side = 0; side < 4; side++) {
        most = pic_greater(most, sides[side]);
    }
    pic_thickness(arena, finding);
    return !(most > COVERED || pic_has_full_corner(finding->mask, finding->width, finding->height) ||
               pic_lies_along_border(finding)) &&
             finding->thickness <= PLAUSIBLE_THICKNESS && finding->level >= CLEAR_CONTRAST &&
             pic_side(&box) >= MIN_INK_SIDE;
}

/* The digit in ink from which lines were taken. */
static int digit_in(struct arena *arena, const float *contrast, uint8_t *ink, struct finding *finding)
{
    int is_found = 0;
    int width = finding->width, height = finding->height, main;
    struct components parts;
    uint8_t *chosen;
    struct box box;
    double fills;

    without_neighbours(arena, ink, width, height);
    pic_connected(arena, ink, width, height, &parts);
    if (parts.parts == 0) {
        return is_found;
    }
    TAKE(arena, chosen, parts.parts);
    digit_of(arena, &parts, &main, chosen);
    box = pic_box_of(&parts, chosen);
    fills = pic_greater((double)(box.bottom - box.top) / height, (double)(box.right - box.left) / width);
    if (fills < (pic_touches(&box, width, height) ? FILLS : FILLS_INSIDE)) {
        return is_found;
    }
    pic_describe(arena, contrast, &parts, chosen, ink, 1, 2, finding);
    finding->digits = pic_digits_in_line(arena, &parts, main);
    return is_digit(arena, finding);
}

static int find_in(struct arena *arena, float *contrast, struct finding *finding)
{
    int is_found = 0;
    int count = finding->width * finding->height, threshold, are_tones;
    double highest = pic_highest(contrast, count);
    uint8_t *levels, *ink, *lines;

    if (highest <= 0) {
        return is_found;
    }
    TAKE(arena, levels, count);
    TAKE(arena, ink, count);
    TAKE(arena, lines, count);
    pic_levels_of(contrast, count, highest, levels);
    threshold = pic_otsu(levels, count);
    for (int i = 0; i < count; i++) {
        ink[i] = levels[i] > threshold;
    }
    border_lines(arena, ink, finding->width, finding->height, lines);
    for (int i = 0; i < count; i++) {
        if (lines[i]) {
            ink[i] = levels[i] = 0;
            contrast[i] = 0.0f;
        }
    }
    are_tones = has_two_tones(arena, levels, ink, count);
    if (are_tones) {
        is_found = digit_in(arena, contrast, ink, finding);
    }
    return is_found;
}

int pic_on_patterned_paper(struct arena *arena, const struct pixels *gray, struct finding *finding)
{
    int is_found = 0;
    int width = gray->width, height = gray->height, count = width * height, longer = pic_longer(width, height);
    int threshold, dark, is_surface, has_shade, darker = 0;
    struct pixels soft;
    float *contrast;
    size_t mark;

    if (longer > LARGEST_CUT || pic_least(width, height) < SMALLEST_CUT || width > WIDEST_CUT * height) {
        return is_found;
    }
    pic_new_finding(arena, width, height, finding);
    mark = arena->used;
    pic_new_pixels(arena, width, height, &soft);
    TAKE(arena, contrast, count);
    pic_copy(soft.at, gray->at, (size_t)count);
    pic_box_blur(arena, soft.at, width, height, pic_gaussian_radius((float)(BLUR * longer), 3), 3);
    threshold = pic_otsu(soft.at, count);
    for (int i = 0; i < count; i++) {
        darker += soft.at[i] <= threshold;
    }
    dark = 2 * darker < count;
    is_surface = pic_paper_surface(arena, &soft, threshold, dark, PATTERN, -1, contrast);
    if (is_surface) {
        pic_contrast_on(&soft, contrast, dark, contrast);
        has_shade = pic_has_shade(arena, contrast, width, height);
        if (!has_shade) {
            is_found = find_in(arena, contrast, finding);
        }
    }
    arena->used = mark;
    return is_found;
}
