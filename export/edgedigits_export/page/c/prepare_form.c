/* form.py: the digit alone -> MNIST's form: strokes of its width, fitted into 20 x 20, centred by mass. */
#include "prepare_rooms.h"

#define CENTRE (PREPARED_SIDE / 2)
#define STROKE_WIDTH 1.8
#define THIN_LINE 1.05
#define MIN_STROKE_SIDE (4 * DIGIT_SIDE)
#define LEAST_PEAK 254
#define MNIST_ROUNDING 0.53

/* The box of what is lighter than a level; 0 if nothing is. */
int pic_ink_box(const struct pixels *pixels, int above, struct box *box)
{
    *box = (struct box){pixels->height, 0, pixels->width, 0};
    for (int row = 0; row < pixels->height; row++) {
        for (int column = 0; column < pixels->width; column++) {
            if (pixels->at[row * pixels->width + column] > above) {
                box->top = pic_least(box->top, row);
                box->bottom = row + 1;
                box->left = pic_least(box->left, column);
                box->right = pic_most(box->right, column + 1);
            }
        }
    }
    return box->bottom > 0;
}

int pic_cropped(struct arena *arena, const struct pixels *ink, int above, struct pixels *made)
{
    struct box box;

    if (!pic_ink_box(ink, above, &box) || pic_side(&box) < MIN_INK_SIDE) {
        return PREPARE_SPECK;
    }
    pic_cut(arena, ink, &box, made);
    return PREPARE_FINE;
}

static uint8_t lighter(uint8_t one, uint8_t other)
{
    return one > other ? one : other;
}

/* Let the ink grow by a pixel to all sides; turns with the diagonals make the growth almost round. */
static void dilate(const struct pixels *ink, int diagonally, uint8_t *upright, const struct pixels *grown)
{
    int width = ink->width, height = ink->height;

    for (int row = 0; row < height; row++) {
        const uint8_t *here = ink->at + row * width;
        const uint8_t *above = row > 0 ? here - width : here, *below = row < height - 1 ? here + width : here;

        for (int column = 0; column < width; column++) {
            upright[column] = lighter(here[column], lighter(above[column], below[column]));
        }
        for (int column = 0; column < width; column++) {
            const uint8_t *source = diagonally ? upright : here;
            uint8_t level = upright[column];

            level = column > 0 ? lighter(level, source[column - 1]) : level;
            grown->at[row * width + column] = column < width - 1 ? lighter(level, source[column + 1]) : level;
        }
    }
}

#ifdef WITH_NUMBERS
void pic_dilate(const struct pixels *ink, int diagonally, uint8_t *upright, const struct pixels *grown)
{
    dilate(ink, diagonally, upright, grown);
}
#endif

int pic_thickened(struct arena *arena, const struct pixels *ink, struct pixels *made)
{
    int side = pic_most(MIN_STROKE_SIDE, pic_longer(ink->width, ink->height)), steps;
    struct pixels grown, next;
    uint8_t *upright;
    double width;

    pic_resized(arena, ink, side, made);
    pic_stroke_width(arena, made->at, made->width, made->height, &width);
    steps = pic_round((STROKE_WIDTH * pic_longer(made->width, made->height) / DIGIT_SIDE - width) / 2);
    if (steps <= 0) {
        return PREPARE_FINE;
    }
    pic_new_pixels(arena, made->width + 2 * steps, made->height + 2 * steps, &grown);
    pic_new_pixels(arena, grown.width, grown.height, &next);
    TAKE(arena, upright, grown.width);
    pic_fill(grown.at, 0, (size_t)(grown.width * grown.height));
    for (int row = 0; row < made->height; row++) {
        pic_copy(grown.at + (row + steps) * grown.width + steps, made->at + row * made->width, (size_t)made->width);
    }
    for (int step = 0; step < steps; step++) {
        struct pixels before = grown;

        dilate(&before, step % 2 == 0, upright, &next);
        grown = next;
        next = before;
    }
    return pic_cropped(arena, &grown, PIXEL_MAX / 2, made);
}

void pic_fitted(struct arena *arena, const struct pixels *ink, struct pixels *made)
{
    int peak = 0;

    pic_resized(arena, ink, DIGIT_SIDE, made);
    for (int i = 0; i < made->width * made->height; i++) {
        peak = pic_most(peak, made->at[i]);
    }
    for (int i = 0; peak > 0 && peak < PIXEL_MAX && i < made->width * made->height; i++) {
        made->at[i] = (uint8_t)pic_rint(made->at[i] * ((double)PIXEL_MAX / peak));
    }
}

void pic_centre_of_mass(const struct pixels *ink, double *row_found, double *column_found)
{
    int64_t mass = 0, down = 0, across = 0;

    for (int row = 0; row < ink->height; row++) {
        for (int column = 0; column < ink->width; column++) {
            int level = ink->at[row * ink->width + column];

            mass += level;
            down += (int64_t)level * row;
            across += (int64_t)level * column;
        }
    }
    *row_found = (double)down / (double)mass;
    *column_found = (double)across / (double)mass;
}

void pic_centred(const struct pixels *ink, uint8_t image[PREPARED_PIXELS])
{
    double row, column;
    int top, left;

    pic_centre_of_mass(ink, &row, &column);
    top = pic_least(pic_most(pic_round(CENTRE - row), 0), PREPARED_SIDE - ink->height);
    left = pic_least(pic_most(pic_round(CENTRE - column), 0), PREPARED_SIDE - ink->width);
    pic_fill(image, 0, PREPARED_PIXELS);
    for (int line = 0; line < ink->height; line++) {
        pic_copy(image + (top + line) * PREPARED_SIDE + left, ink->at + line * ink->width, (size_t)ink->width);
    }
}

static int is_centred(double position, int start, int end)
{
    double offset = position - CENTRE;

    return pic_size(offset) <= MNIST_ROUNDING || (offset > 0 && start == 0) || (offset < 0 && end == PREPARED_SIDE);
}

int pic_is_mnist_form(struct arena *arena, const struct pixels *pixels)
{
    int is_form = 0;
    double row, column, width;
    struct box box;
    int peak = 0;

    for (int i = 0; i < PREPARED_PIXELS; i++) {
        peak = pic_most(peak, pixels->at[i]);
    }
    if (!pic_ink_box(pixels, 0, &box) || pic_side(&box) < DIGIT_SIDE - 1 || pic_side(&box) > DIGIT_SIDE ||
        peak < LEAST_PEAK) {
        return is_form;
    }
    pic_centre_of_mass(pixels, &row, &column);
    pic_stroke_width(arena, pixels->at, PREPARED_SIDE, PREPARED_SIDE, &width);
    return is_centred(row, box.top, box.bottom) && is_centred(column, box.left, box.right) && width > THIN_LINE;
}
