/* digit.py: gray levels -> the ink of one digit, on paper of any tone, in any light. */
#include "prepare_rooms.h"

#define MOST_PAPERS 3
#define ALONE 0.98
#define LOOK_SIDE 256
#define CLOSE_SIDE 110
#define SMALLEST_LOOK 4
#define CLEAR_VOTE 0.35
#define GRAIN 0.6
#define FAINT 0.45
#define LARGEST_THICKNESS 0.42
#define WIDEST 3.0
#define MIN_SHARE 0.3
#define COVERED 0.8

static int touches_border(const struct finding *finding)
{
    return pic_touches(&finding->box, finding->width, finding->height);
}

/* Whether a digit on even paper lies inside the picture, with nothing beside it, and is no panel itself. */
static int is_alone(const struct finding *finding)
{
    return !finding->is_cut && !touches_border(finding) && finding->share > ALONE && !finding->is_panel;
}

static int is_plausible(struct arena *arena, struct finding *finding)
{
    if (touches_border(finding)) {
        return 0;
    }
    pic_thickness(arena, finding);
    return finding->thickness <= PLAUSIBLE_THICKNESS;
}

/* Look for a digit of the likelier polarity, and of the other where that one gives nothing plausible. */
static int find_in(struct arena *arena, const struct pixels *gray, int *dark, struct finding *finding)
{
    struct finding second;
    double vote = pic_polarity(arena, gray);

    *dark = vote > 0;
    pic_new_finding(arena, gray->width, gray->height, finding);
    if (pic_search(arena, gray, *dark, finding) != PREPARE_FINE) {
        *dark = !*dark;
        return pic_search(arena, gray, *dark, finding);
    }
    if (is_plausible(arena, finding) || pic_size(vote) > CLEAR_VOTE) {
        return PREPARE_FINE;
    }
    pic_new_finding(arena, gray->width, gray->height, &second);
    if (pic_search(arena, gray, !*dark, &second) == PREPARE_FINE && is_plausible(arena, &second)) {
        *dark = !*dark;
        *finding = second;
    }
    return PREPARE_FINE;
}

/* Cut what was found, with some paper around it, out of the picture scale times as large. */
static void around(struct arena *arena, const struct pixels *gray, const struct pixels *whole,
                   const struct finding *finding, double scale, struct pixels *cut)
{
    int down = (finding->height - whole->height) / 2, across = (finding->width - whole->width) / 2;
    struct box box = finding->box, part;
    double margin = 0.6 * pic_side(&box);

    part.top = pic_most(0, (int)((box.top - down - margin) * scale));
    part.bottom = pic_least(gray->height, (int)((box.bottom - down + margin) * scale));
    part.left = pic_most(0, (int)((box.left - across - margin) * scale));
    part.right = pic_least(gray->width, (int)((box.right - across + margin) * scale));
    pic_cut(arena, gray, &part, cut);
}

/* Whether the ink is the paper's: its grain, its edge, a shadow, an empty frame. */
static int check_ink(struct arena *arena, struct finding *finding)
{
    double sides[4], most = 0;
    int covered = 0, is_strip, is_faint, is_shadow;

    if (finding->grain > GRAIN * finding->level || finding->is_frame) {
        return PREPARE_NO_INK;
    }
    if (!touches_border(finding)) {
        return PREPARE_FINE;
    }
    pic_covered_sides(finding->mask, finding->width, finding->height, sides);
    for (int side = 0; side < 4; side++) {
        most = pic_greater(most, sides[side]);
        covered += sides[side] > COVERED;
    }
    pic_thickness(arena, finding);
    is_strip = most > 0.6 && finding->thickness < 0.05;
    is_faint = finding->level < FAINT && most > 0.2;
    is_shadow = finding->thickness > PLAUSIBLE_THICKNESS || pic_lies_along_border(finding);
    if (is_strip || covered >= 2 || is_faint ||
        (is_shadow && !pic_reaches_across(&finding->box, finding->width, finding->height))) {
        return PREPARE_SHADE;
    }
    return PREPARE_FINE;
}

/* Whether the ink cannot be a digit: a speck, a blot, a dash, one of many marks. */
static int check_digit(struct arena *arena, struct finding *finding)
{
    struct box box = finding->box;

    if (pic_side(&box) < MIN_INK_SIDE) {
        return PREPARE_SPECK;
    }
    if (finding->level < MIN_CONTRAST) {
        return PREPARE_FAINT;
    }
    pic_thickness(arena, finding);
    if (finding->thickness > LARGEST_THICKNESS) {
        return PREPARE_BLOT;
    }
    if (box.right - box.left > WIDEST * (box.bottom - box.top)) {
        return PREPARE_DASH;
    }
    return finding->share < MIN_SHARE ? PREPARE_MARKS : PREPARE_FINE;
}

/* Look at a small digit again, from closer. */
static int look_closer(struct arena *arena, const struct pixels *gray, const struct pixels *whole, int is_drawing,
                       int dark, int is_ruled, struct finding *finding)
{
    double scale = (double)pic_longer(gray->width, gray->height) / pic_longer(whole->width, whole->height);
    struct pixels cut, closer;
    int dark_again;

    around(arena, gray, whole, finding, scale, &cut);
    pic_shrunk(arena, &cut, LOOK_SIDE, &closer);
    if (is_ruled) {
        pic_without_ruling(arena, &closer, 1);
    }
    if (is_drawing && pic_on_even_paper(arena, &closer, &dark_again, finding) && dark_again == dark) {
        return PREPARE_FINE;
    }
    pic_new_finding(arena, closer.width, closer.height, finding);
    return pic_search(arena, &closer, dark, finding);
}

int pic_find(struct arena *arena, const struct pixels *gray, int papers, struct finding *finding)
{
    int dark = 0, is_drawing, is_ruled = 0, is_reduced;
    struct pixels whole;

    pic_shrunk(arena, gray, LOOK_SIDE, &whole);
    is_drawing = pic_on_even_paper(arena, &whole, &dark, finding);
    if (!is_drawing || !is_alone(finding)) {
        is_ruled = pic_without_ruling(arena, &whole, 0);
        if (is_ruled) {
            is_drawing = pic_on_even_paper(arena, &whole, &dark, finding);
        }
    }
    if (papers > 0 && !(is_drawing && is_alone(finding))) {
        struct finding inside;

        if (pic_in_panel(arena, gray, &whole, papers, &inside)) {
            *finding = inside;
            return PREPARE_FINE;
        }
    }
    if (!is_drawing) {
        if (pic_on_patterned_paper(arena, &whole, finding)) {
            return finding->digits ? PREPARE_SEVERAL : PREPARE_FINE;
        }
        TRY(find_in(arena, &whole, &dark, finding));
    }
    if (finding->digits) {
        return PREPARE_SEVERAL;
    }
    TRY(check_ink(arena, finding));
    is_reduced = pic_longer(gray->width, gray->height) > pic_longer(whole.width, whole.height);
    if (is_reduced && pic_side(&finding->box) < SMALLEST_LOOK) {
        return PREPARE_SPECK;
    }
    if (is_reduced && pic_side(&finding->box) < CLOSE_SIDE) {
        TRY(look_closer(arena, gray, &whole, is_drawing, dark, is_ruled, finding));
    }
    return check_digit(arena, finding);
}

int pic_find_digit(struct arena *arena, const struct pixels *gray, struct pixels *ink)
{
    struct finding finding;

    TRY(pic_find(arena, gray, MOST_PAPERS, &finding));
    pic_new_pixels(arena, finding.width, finding.height, ink);
    pic_ink(&finding, ink->at);
    return PREPARE_FINE;
}
