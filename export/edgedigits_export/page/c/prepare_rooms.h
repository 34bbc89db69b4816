/* What the files of the preparation share; each is the C of the module of edgedigits/picture that it names. */
#ifndef EDGEDIGITS_PREPARE_ROOMS_H
#define EDGEDIGITS_PREPARE_ROOMS_H

#include <stddef.h>
#include <stdint.h>

#include "prepare.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define PIXEL_MAX 255
#define DIGIT_SIDE 20
#define DETAIL_SIDE 1024
#define MIN_INK_SIDE 3
#define MIN_CONTRAST 0.02
#define PLAUSIBLE_THICKNESS 0.33

/* Return what a call found, unless it is fine. */
#define TRY(call)                            \
    do {                                     \
        int status_ = (call);                \
        if (status_ != PREPARE_FINE) {       \
            return status_;                  \
        }                                    \
    } while (0)

/* Take room for a number of values out of the arena. */
#define TAKE(arena, pointer, count) ((pointer) = pic_take((arena), (size_t)(count) * sizeof *(pointer)))

/* Memory that is taken and given back in turn: arena->used is a mark to go back to. */
struct arena {
    uint8_t *base;
    size_t used, size;
};

/* A picture, row by row without gaps. */
struct pixels {
    uint8_t *at;
    int width, height;
};

struct box {
    int top, bottom, left, right; /* the ends exclusive */
};

/* The connected parts of a mask, as the horizontal runs that they are made of. */
struct components {
    int width, height, runs, parts;
    int *row, *start, *stop, *part; /* of each run */
    int *area;                      /* of each part */
    struct box *box;
};

/* The ink of a digit, and where it was found. */
struct finding {
    int width, height;
    float *contrast; /* 0 where it does not belong to the digit */
    uint8_t *mask;
    double level, share, grain;
    double thickness; /* below 0: not measured yet, see pic_thickness */
    struct box box;
    int is_frame, is_panel, is_cut;
    int digits; /* that stand in one line; 0 where it is alone */
};

static inline int pic_least(int a, int b)
{
    return a < b ? a : b;
}

static inline int pic_most(int a, int b)
{
    return a > b ? a : b;
}

static inline double pic_greater(double a, double b)
{
    return a > b ? a : b;
}

static inline double pic_size(double a)
{
    return a < 0 ? -a : a;
}

/* To the nearest whole number, halves to the even one; below 2^22 and 2^51. */
static inline float pic_rintf(float x)
{
    const float big = 12582912.0f;

    return (x + big) - big;
}

static inline double pic_rint(double x)
{
    const double big = 6755399441055744.0;

    return (x + big) - big;
}

static inline int pic_round(double x)
{
    return (int)pic_rint(x);
}

/* To six decimals, as np.round: what a fit leaves in the last places of whole numbers decides nothing. */
static inline double pic_round_6(double x)
{
    return pic_rint(x * 1e6) / 1e6;
}

static inline int pic_floor(double x)
{
    int whole = (int)x;

    return whole > x ? whole - 1 : whole;
}

static inline int pic_ceil(double x)
{
    int whole = (int)x;

    return whole < x ? whole + 1 : whole;
}

static inline int pic_longer(int width, int height)
{
    return pic_most(width, height);
}

static inline int pic_touches(const struct box *box, int width, int height)
{
    return box->top == 0 || box->left == 0 || box->bottom == height || box->right == width;
}

static inline int pic_side(const struct box *box)
{
    return pic_most(box->bottom - box->top, box->right - box->left);
}

/* An area of one tone with four corners. */
struct panel {
    double corners[4][2]; /* (x, y) from the upper left one down and around, in shares of the picture's sides */
    double share;         /* of the picture that it covers */
};

/* Stop: the arena's size is a bound that was shown, and who wrote beyond it would overwrite what is not his. */
static inline void pic_stop(void)
{
#ifdef __GNUC__
    __builtin_trap();
#else
    for (;;) {
    }
#endif
}

/* levels */
void *pic_take(struct arena *arena, size_t bytes);
void pic_copy(void *to, const void *from, size_t bytes);
void pic_fill(void *to, uint8_t value, size_t bytes);
void pic_new_pixels(struct arena *arena, int width, int height, struct pixels *made);
float pic_sum(const float *values, int count);
double pic_sum_of_doubles(const double *values, int count);
float pic_mean(const float *values, int count);
float pic_partition(float *values, int count, int position);
double pic_median_of_doubles(double *values, int count);
float pic_median_of_floats(float *values, int count);
double pic_quantile_of_levels(const uint8_t *levels, int count, double share);
double pic_median_of_levels(const uint32_t histogram[256], int count);
void pic_histogram(const uint8_t *levels, int count, uint32_t histogram[256]);
int pic_otsu_of(const uint32_t histogram[256], int count);
int pic_otsu(const uint8_t *levels, int count);
int pic_odd(double length, int at_least);
float pic_highest(const float *values, int count);
void pic_sliding(struct arena *arena, const uint8_t *levels, int width, int height, int window, int largest,
                uint8_t *found);
void pic_widened(struct arena *arena, const uint8_t *mask, int width, int height, int by, uint8_t *found);
double pic_root(double value);
void pic_stroke_width(struct arena *arena, const uint8_t *ink, int width, int height, double *found);
void pic_fit_line(const double *x, const double *y, int count, double *slope, double *place);
void pic_transposed(struct arena *arena, const uint8_t *levels, int width, int height, uint8_t **found);
void pic_cut(struct arena *arena, const struct pixels *from, const struct box *box, struct pixels *cut);

/* scaling */
void pic_resize(struct arena *arena, const uint8_t *from, int width, int height, int channels, int new_width,
               int new_height, uint8_t *to);
void pic_resize_rgba(struct arena *arena, const uint8_t *rgba, int width, int height, int new_width, int new_height,
                    uint8_t *to);
void pic_scaled_size(int width, int height, double ratio, int *new_width, int *new_height);
void pic_resized(struct arena *arena, const struct pixels *ink, int side, struct pixels *made);
void pic_shrunk(struct arena *arena, const struct pixels *gray, int side, struct pixels *made);

/* filters */
void pic_box_blur(struct arena *arena, uint8_t *levels, int width, int height, float radius, int passes);
float pic_gaussian_radius(float radius, int passes);
void pic_median_3(const uint8_t *levels, int width, int height, uint8_t *found);
void pic_from_quad(const struct pixels *gray, const double quad[4][2], const struct pixels *made);

/* gray */
int pic_gray_of_rgba(struct arena *arena, const uint8_t *rgba, int width, int height, struct pixels *gray);
void pic_without_blocks(struct arena *arena, struct pixels *gray);
void pic_without_stripes(struct arena *arena, struct pixels *gray);

/* components */
void pic_connected(struct arena *arena, const uint8_t *mask, int width, int height, struct components *parts);
void pic_mask_of(const struct components *parts, const uint8_t *chosen, uint8_t *mask);
void pic_touching(const struct components *parts, uint8_t *touching);
void pic_strips(const struct components *parts, uint8_t *strips);
void pic_prominence(struct arena *arena, const struct components *parts, double **prominence);
void pic_frames(struct arena *arena, const struct components *parts, int main, uint8_t *frames);
int pic_is_empty_frame(struct arena *arena, const struct components *parts, int main);
int pic_digits_in_line(struct arena *arena, const struct components *parts, int main);
void pic_strokes_near(const struct components *parts, int main, const uint8_t *foreign, uint8_t *chosen);
struct box pic_box_of(const struct components *parts, const uint8_t *chosen);
long pic_area_of(const struct components *parts, const uint8_t *chosen);
void pic_covered_sides(const uint8_t *mask, int width, int height, double sides[4]);
int pic_has_full_corner(const uint8_t *mask, int width, int height);

/* contrast */
double pic_polarity(struct arena *arena, const struct pixels *gray);
void pic_ink_contrast(struct arena *arena, const struct pixels *gray, int window, int dark, float *contrast);
int pic_flat_paper(const struct pixels *gray, int dark);
void pic_flat_contrast(const struct pixels *gray, int paper, int dark, float *contrast);
void pic_contrast_on(const struct pixels *gray, const float *paper, int dark, float *contrast);
int pic_has_shade(struct arena *arena, const float *contrast, int width, int height);
void pic_levels_of(const float *contrast, int count, double highest, uint8_t *levels);

/* surface */
int pic_paper_surface(struct arena *arena, const struct pixels *gray, int threshold, int dark, double tolerance,
                      double residual, float *paper);

/* finding */
void pic_new_finding(struct arena *arena, int width, int height, struct finding *finding);
int pic_finding_in(struct arena *arena, const float *contrast, struct finding *finding);
void pic_describe(struct arena *arena, const float *contrast, const struct components *parts, const uint8_t *chosen,
                 const uint8_t *ink, int soft_edge, int grain_distance, struct finding *finding);
void pic_ink(const struct finding *finding, uint8_t *ink);
void pic_thickness(struct arena *arena, struct finding *finding);
int pic_lies_along_border(const struct finding *finding);

/* search, even_paper, patterned, panels, ruling, digit: most tell whether there is a finding. */
int pic_search(struct arena *arena, const struct pixels *gray, int dark, struct finding *finding);
int pic_on_even_paper(struct arena *arena, const struct pixels *gray, int *dark, struct finding *finding);
int pic_reaches_across(const struct box *box, int width, int height);
int pic_on_patterned_paper(struct arena *arena, const struct pixels *gray, struct finding *finding);
int pic_is_panel(struct arena *arena, const struct components *parts, int index);
int pic_panel(struct arena *arena, const struct components *parts, int index, struct panel *panel);
int pic_may_be_panel(const struct components *parts, int index);
int pic_in_panel(struct arena *arena, const struct pixels *gray, const struct pixels *whole, int papers,
                 struct finding *finding);
int pic_without_ruling(struct arena *arena, struct pixels *gray, int lone);
int pic_find(struct arena *arena, const struct pixels *gray, int papers, struct finding *finding);
int pic_find_digit(struct arena *arena, const struct pixels *gray, struct pixels *ink);

/* form, tiny, noise */
int pic_ink_box(const struct pixels *pixels, int above, struct box *box);
int pic_cropped(struct arena *arena, const struct pixels *ink, int above, struct pixels *made);
int pic_thickened(struct arena *arena, const struct pixels *ink, struct pixels *made);
void pic_fitted(struct arena *arena, const struct pixels *ink, struct pixels *made);
void pic_centred(const struct pixels *ink, uint8_t image[PREPARED_PIXELS]);
void pic_centre_of_mass(const struct pixels *ink, double *row, double *column);
int pic_is_mnist_form(struct arena *arena, const struct pixels *pixels);
int pic_tiny_digit(struct arena *arena, const struct pixels *gray, struct pixels *ink);
int pic_is_noisy_form(struct arena *arena, const struct pixels *pixels, uint8_t cleaned[PREPARED_PIXELS]);

#endif
