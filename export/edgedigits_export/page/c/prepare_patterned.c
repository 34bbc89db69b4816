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
static int find_line(struct arena *arena, const struct view *view)
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
        return PREPARE_FINE;
    }
    width = pic_median_of_doubles(widths, begun);
    if (width > widest) {
        return PREPARE_FINE;
    }
    pic_fit_line(x, y, begun, &slope, &place);
    for (int i = 0; i < begun; i++) {
        double bent = pic_size(y[i] - place - slope * x[i]);

        away += bent;
        on_line += bent <= pic_greater(1, width);
    }
    if (away / begun > LINE_BENT || (double)on_line / view->width < LINE_LENGTH) {
        return PREPARE_FINE;
    }
    for (int column = 0; column < view->width; column++) {
        if (begins_at(view, column, depth, band, &start, &stop) &&
            pic_size(start - place - slope * column) <= pic_greater(1, width)) {
            int end = pic_least(stop, start + pic_round(width) + (stop - start <= width + 1));

            for (int row = start; row < end; row++) {
                view->lines[column * view->across + row * view->down] = 1;
            }
        }
    }
    return PREPARE_FINE;
}

/* Where lines of a form run along the borders, from one side to the other; strokes that cross them stay. */
static int border_lines(struct arena *arena, const uint8_t *ink, int width, int height, uint8_t *lines)
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
        TRY(find_line(arena, &views[side]));
    }
    return PREPARE_FINE;
}

/* Cut off what reaches in from the left or the right, where the digit has some paper above and below. */
static int without_neighbours(struct arena *arena, uint8_t *ink, int width, int height)
{
    size_t mark = arena->used;
    int margin = pic_round(SIDE_MARGIN * pic_longer(width, height)), largest = 0;
    struct components parts;
    struct box box;

    TRY(pic_connected(arena, ink, width, height, &parts));
    for (int part = 1; part < parts.parts; part++) {
        largest = parts.area[part] > parts.area[largest] ? part : largest;
    }
    box = parts.box[largest];
    arena->used = mark;
    if (margin == 0 || box.top < margin / 2.0 || box.bottom > height - margin / 2.0 ||
        (box.left > 0 && box.right < width)) {
        return PREPARE_FINE;
    }
    for (int row = 0; row < height; row++) {
        if (box.left == 0) {
            pic_fill(ink + row * width, 0, (size_t)margin);
        }
        if (box.right == width) {
            pic_fill(ink + row * width + width - margin, 0, (size_t)margin);
        }
    }
    return PREPARE_FINE;
}

/* Whether ink and paper are two tones: enough of the variance of levels is between them. */
static int has_two_tones(struct arena *arena, const uint8_t *levels, const uint8_t *ink, int count, int *found)
{
    size_t mark = arena->used;
    float *inked, *plain, *tones, apart, mean;
    int inks = 0, plains = 0;
    double share;

    *found = 0;
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
        *found = share * (1 - share) * ((double)apart * (double)apart) >= CLEAR_TONES * (double)pic_mean(tones, count);
    }
    arena->used = mark;
    return PREPARE_FINE;
}

/* The parts that are the digit's: the main one, and strokes that are neither a neighbour's nor specks. */
static int digit_of(struct arena *arena, const struct components *parts, int *main, uint8_t *chosen)
{
    double *prominence;
    uint8_t *foreign;

    TAKE(arena, foreign, parts->parts);
    TRY(pic_prominence(arena, parts, &prominence));
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
    return PREPARE_FINE;
}

/* Whether a finding in ink is large enough for a digit to whose box a picture was cut, and in strokes. */
static int is_digit(struct arena *arena, struct finding *finding, int *found)
{
    struct box box = finding->box;
    double sides[4], most = 0;

    *found = 0;
    pic_covered_sides(finding->mask, finding->width, finding->height, sides);
    for (int side = 0; side < 4; side++) {
        most = pic_greater(most, sides[side]);
    }
    TRY(pic_thickness(arena, finding));
    *found = !(most > COVERED || pic_has_full_corner(finding->mask, finding->width, finding->height) ||
               pic_lies_along_border(finding)) &&
             finding->thickness <= PLAUSIBLE_THICKNESS && finding->level >= CLEAR_CONTRAST &&
             pic_side(box) >= MIN_INK_SIDE;
    return PREPARE_FINE;
}

/* The digit in ink from which lines were taken. */
static int digit_in(struct arena *arena, const float *contrast, uint8_t *ink, struct finding *finding, int *is_found)
{
    int width = finding->width, height = finding->height, main;
    struct components parts;
    uint8_t *chosen;
    struct box box;
    double fills;

    *is_found = 0;
    TRY(without_neighbours(arena, ink, width, height));
    TRY(pic_connected(arena, ink, width, height, &parts));
    if (parts.parts == 0) {
        return PREPARE_FINE;
    }
    TAKE(arena, chosen, parts.parts);
    TRY(digit_of(arena, &parts, &main, chosen));
    box = pic_box_of(&parts, chosen);
    fills = pic_greater((double)(box.bottom - box.top) / height, (double)(box.right - box.left) / width);
    if (fills < (pic_touches(box, width, height) ? FILLS : FILLS_INSIDE)) {
        return PREPARE_FINE;
    }
    TRY(pic_describe(arena, contrast, &parts, chosen, ink, 1, 2, finding));
    TRY(pic_digits_in_line(arena, &parts, main, &finding->digits));
    return is_digit(arena, finding, is_found);
}

static int find_in(struct arena *arena, float *contrast, struct finding *finding, int *is_found)
{
    int count = finding->width * finding->height, threshold, are_tones;
    double highest = pic_highest(contrast, count);
    uint8_t *levels, *ink, *lines;

    *is_found = 0;
    if (highest <= 0) {
        return PREPARE_FINE;
    }
    TAKE(arena, levels, count);
    TAKE(arena, ink, count);
    TAKE(arena, lines, count);
    pic_levels_of(contrast, count, highest, levels);
    threshold = pic_otsu(levels, count);
    for (int i = 0; i < count; i++) {
        ink[i] = levels[i] > threshold;
    }
    TRY(border_lines(arena, ink, finding->width, finding->height, lines));
    for (int i = 0; i < count; i++) {
        if (lines[i]) {
            ink[i] = levels[i] = 0;
            contrast[i] = 0.0f;
        }
    }
    TRY(has_two_tones(arena, levels, ink, count, &are_tones));
    return are_tones ? digit_in(arena, contrast, ink, finding, is_found) : PREPARE_FINE;
}

int pic_on_patterned_paper(struct arena *arena, struct pixels gray, struct finding *finding, int *is_found)
{
    int width = gray.width, height = gray.height, count = width * height, longer = pic_longer(width, height);
    int threshold, dark, is_surface, has_shade, darker = 0;
    struct pixels soft;
    float *contrast;
    size_t mark;

    *is_found = 0;
    if (longer > LARGEST_CUT || pic_least(width, height) < SMALLEST_CUT || width > WIDEST_CUT * height) {
        return PREPARE_FINE;
    }
    TRY(pic_new_finding(arena, width, height, finding));
    mark = arena->used;
    TRY(pic_new_pixels(arena, width, height, &soft));
    TAKE(arena, contrast, count);
    pic_copy(soft.at, gray.at, (size_t)count);
    TRY(pic_box_blur(arena, soft.at, width, height, pic_gaussian_radius((float)(BLUR * longer), 3), 3));
    threshold = pic_otsu(soft.at, count);
    for (int i = 0; i < count; i++) {
        darker += soft.at[i] <= threshold;
    }
    dark = 2 * darker < count;
    TRY(pic_paper_surface(arena, soft, threshold, dark, PATTERN, -1, contrast, &is_surface));
    if (is_surface) {
        pic_contrast_on(soft, contrast, dark, contrast);
        TRY(pic_has_shade(arena, contrast, width, height, &has_shade));
        if (!has_shade) {
            TRY(find_in(arena, contrast, finding, is_found));
        }
    }
    arena->used = mark;
    return PREPARE_FINE;
}
