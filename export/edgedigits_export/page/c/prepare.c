/* prepare.py: the way of a picture, one function a step. */
#include "prepare_rooms.h"

#define MAX_PIXELS 60000000u
#define MAX_ASPECT 128u
#define LARGEST_TINY 12

static int check_size(uint32_t width, uint32_t height)
{
    uint32_t shorter = width < height ? width : height, longer = width < height ? height : width;

    if (shorter == 0) {
        return PREPARE_NO_PIXELS;
    }
    if (longer > MAX_PIXELS / shorter) {
        return PREPARE_TOO_LARGE;
    }
    return longer > DETAIL_SIDE && longer / MAX_ASPECT >= shorter && longer > MAX_ASPECT * shorter
               ? PREPARE_TOO_NARROW
               : PREPARE_FINE;
}

/* What looking for a digit takes: bytes a pixel of the picture in which it is looked for, with a margin, of which 53
 * were measured with panels and noise of any kind; and copies of the gray picture and of papers in it. */
#define LOOK_BYTES 96
#define MOST_COPIES 7
#define LOOK_SIDE 256
#define COLOUR_SIDE 64
#define SOME_ROOM 65536

static uint32_t look_bytes(int width, int height)
{
    int longer = pic_longer(width, height), margin;

    if (longer > LOOK_SIDE) {
        pic_scaled_size(width, height, (double)LOOK_SIDE / longer, &width, &height);
    }
    margin = pic_most(2, pic_round(0.1 * pic_longer(width, height)));
    return LOOK_BYTES * (uint32_t)((width + 2 * margin) * (height + 2 * margin));
}

uint32_t prepare_arena_bytes(uint32_t width, uint32_t height)
{
    int longer = (int)(width > height ? width : height), new_width = (int)width, new_height = (int)height;
    uint32_t gray, bytes, reduced;

    if (check_size(width, height) != PREPARE_FINE) {
        return 0;
    }
    if (longer > DETAIL_SIDE) {
        pic_scaled_size(new_width, new_height, (double)DETAIL_SIDE / longer, &new_width, &new_height);
    }
    gray = (uint32_t)(new_width * new_height);
    bytes = MOST_COPIES * gray + look_bytes(new_width, new_height) + SOME_ROOM;
    /* Colours, 4 bytes a pixel: the reduced picture, the one that is reduced in one direction, and coefficients. */
    reduced = 5 * gray + 48 * (width + height) + 4 * COLOUR_SIDE * (uint32_t)pic_least(longer, DETAIL_SIDE) + SOME_ROOM;
    if (longer > DETAIL_SIDE) {
        uint32_t across = (uint32_t)new_width * height, down = width * (uint32_t)new_height;

        reduced += 4 * (across > down ? across : down);
    }
    return bytes > reduced ? bytes : reduced;
}

/* A picture that already is in MNIST's form, light or dark ink, comes back to the bit; noise is taken off it. */
static int as_it_is(struct arena *arena, const struct pixels *gray, uint8_t image[PREPARED_PIXELS])
{
    int is_form;
    size_t mark = arena->used;
    struct pixels turned;

    pic_new_pixels(arena, PREPARED_SIDE, PREPARED_SIDE, &turned);
    for (int i = 0; i < PREPARED_PIXELS; i++) {
        turned.at[i] = (uint8_t)(PIXEL_MAX - gray->at[i]);
    }
    for (int way = 0; way < 2; way++) {
        const struct pixels *pixels = way ? &turned : gray;

        is_form = pic_is_mnist_form(arena, pixels);
        if (is_form) {
            pic_copy(image, pixels->at, PREPARED_PIXELS);
            return is_form;
        }
    }
    for (int way = 0; way < 2; way++) {
        uint8_t cleaned[PREPARED_PIXELS];

        is_form = pic_is_noisy_form(arena, way ? &turned : gray, cleaned);
        if (is_form) {
            pic_copy(image, cleaned, PREPARED_PIXELS);
            return is_form;
        }
    }
    arena->used = mark;
    return is_form;
}

static int prepare_gray(struct arena *arena, struct pixels *gray, uint8_t image[PREPARED_PIXELS])
{
    struct pixels ink, cut, thick, small;

    pic_without_blocks(arena, gray);
    if (pic_longer(gray->width, gray->height) <= LARGEST_TINY) {
        TRY(pic_tiny_digit(arena, gray, &ink));
        pic_fitted(arena, &ink, &small);
        pic_centred(&small, image);
        return PREPARE_FINE;
    }
    pic_without_stripes(arena, gray);
    if (gray->width == PREPARED_SIDE && gray->height == PREPARED_SIDE) {
        int is_form;

        is_form = as_it_is(arena, gray, image);
        if (is_form) {
            return PREPARE_FINE;
        }
    }
    TRY(pic_find_digit(arena, gray, &ink));
    TRY(pic_cropped(arena, &ink, PIXEL_MAX / 2, &cut));
    TRY(pic_thickened(arena, &cut, &thick));
    pic_fitted(arena, &thick, &small);
    pic_centred(&small, image);
    return PREPARE_FINE;
}

int32_t prepare_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *arena_at,
                     uint8_t image[PREPARED_PIXELS])
{
    struct arena arena = {arena_at, 0, prepare_arena_bytes(width, height)};
    struct pixels gray;

    TRY(check_size(width, height));
    TRY(pic_gray_of_rgba(&arena, rgba, (int)width, (int)height, &gray));
    return prepare_gray(&arena, &gray, image);
}

int edgedigits_prepare(const uint8_t *gray_at, uint16_t width, uint16_t height, void *arena_at, uint32_t arena_bytes,
                       uint8_t image[PREPARED_PIXELS])
{
    struct arena arena = {arena_at, 0, arena_bytes};
    struct pixels given = {NULL, width, height}, gray;

    TRY(check_size(width, height));
    if (arena_bytes < prepare_arena_bytes(width, height)) {
        return PREPARE_NO_ROOM;
    }
    if (pic_longer(width, height) <= DETAIL_SIDE) {
        pic_new_pixels(&arena, width, height, &given);
        pic_copy(given.at, gray_at, (size_t)width * height);
        return prepare_gray(&arena, &given, image);
    }
    pic_scaled_size(width, height, (double)DETAIL_SIDE / pic_longer(width, height), &given.width, &given.height);
    pic_new_pixels(&arena, given.width, given.height, &gray);
    pic_resize(&arena, gray_at, width, height, 1, given.width, given.height, gray.at);
    return prepare_gray(&arena, &gray, image);
}
