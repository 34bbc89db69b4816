/* read.py until the network is asked: the way of a picture of numbers, and how much memory it takes. */
#include "numbers_rooms.h"
#include "prepare_ruling.h"

#define SOME_ROOM 262144 /* for the vote on what is ink, on a small picture, and all that is small */
#define CLOSEST 4
#define LARGEST_STRIP 4000000u             /* height by both sides, in pixels */
#define MOST_CANDIDATES (MOST_IN_LINE + 9) /* and those that begin with the piece that is too much */

/* Of connected parts: runs, of 16 bytes, are every other pixel of a row at most, and parts, of 24, every fourth. */
static uint32_t parts_bytes(uint32_t width, uint32_t height)
{
    uint32_t across = (width + 1) / 2;

    return 16 * across * height + 24 * across * ((height + 1) / 2);
}

/* What looking for lines that run through a picture takes, level or upright: the rows of each that is tried, which are
 * three votes apart, or added between others; see pic_lines_in. */
static uint32_t ruling_bytes(uint32_t width, uint32_t height)
{
    uint32_t votes = height + width / 4 + 8, lines = votes / 3 + height / CLOSEST + 4;
    uint32_t dips = STRIPS * (height / 2 + 1);

    return lines * (8 * width + 64) + dips * 48 + votes * 16 + height * 32;
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

uint32_t numbers_arena_bytes(uint32_t width, uint32_t height)
{
    uint32_t preparing = prepare_arena_bytes(width, height), pixels, ruling, finding;
    int longer = (int)larger(width, height), new_width = (int)width, new_height = (int)height;

    if (preparing == 0) {
        return 0;
    }
    if (longer > DETAIL_SIDE) {
        pic_scaled_size(new_width, new_height, (double)DETAIL_SIDE / longer, &new_width, &new_height);
    }
    width = (uint32_t)new_width;
    height = (uint32_t)new_height;
    pixels = width * height;
    ruling = 4 * pixels + larger(ruling_bytes(width, height), ruling_bytes(height, width));
    /* The picture twice, contrast in float32, levels, and masks with their parts or two blurred pictures and values. */
    finding = 9 * pixels + larger(parts_bytes(width, height), 4 * pixels);
    return larger(preparing, larger(ruling, finding) + SOME_ROOM);
}

int32_t numbers_find(const uint8_t *rgba, uint32_t width, uint32_t height, uint8_t *arena_at,
                     struct numbers_found *found)
{
    struct arena arena = {arena_at, 0, numbers_arena_bytes(width, height)};
    struct num_lines *lines;
    struct num_ink ink;
    struct pixels gray;

    if (arena.size == 0) {
        uint8_t none[PREPARED_PIXELS];

        return prepare_rgba(rgba, width, height, arena_at, none); /* which says what is wrong with the size */
    }
    TAKE(&arena, lines, 1);
    TRY(pic_gray_of_rgba(&arena, rgba, (int)width, (int)height, &gray));
    *found = (struct numbers_found){(uint32_t)gray.width, (uint32_t)gray.height, 0, lines};
    pic_without_ruling(&arena, &gray, 0);
    lines->count = 0;
    if (num_ink_of(&arena, &gray, &ink)) {
        TRY(num_lines_of(&arena, &ink, lines));
    }
    found->lines = (uint32_t)lines->count;
    return PREPARE_FINE;
}

/* Whether a strip is larger than one that is parted. */
static int is_too_large(const struct num_place *place, int *widest, int *height)
{
    uint32_t across, down;
    int width;

    num_strip_size(place, &width, height, widest);
    across = (uint32_t)(width - 2 * STRIP_MARGIN);
    down = (uint32_t)(*height - 2 * STRIP_MARGIN);
    return (across + down) * down > LARGEST_STRIP;
}

/* What bringing a line to its usual height takes: the line, coefficients, the strip, and it scaled in one direction. */
static uint32_t scaling_bytes(const struct num_lines *lines, const struct num_place *place, uint32_t pixels,
                              uint32_t width, uint32_t height)
{
    uint32_t from_width = (uint32_t)(place->box.right - place->box.left);
    uint32_t from_height = (uint32_t)(place->box.bottom - place->box.top), from = from_width * from_height;
    uint32_t between = larger(width * from_height, from_width * height);

    return 3 * pixels + from + (uint32_t)lines->parts.parts + between + 40 * (width + height) +
           16 * (from_width + from_height) + SOME_ROOM;
}

uint32_t numbers_line_bytes(const struct numbers_found *found, uint32_t line)
{
    const struct num_lines *lines = found->rest;
    const struct num_place *place = &lines->place[line];
    int widest, height;
    uint32_t pixels, kept, most, parting;

    if (is_too_large(place, &widest, &height)) {
        return 0;
    }
    pixels = (uint32_t)widest * (uint32_t)height;
    parting = parts_bytes((uint32_t)widest, (uint32_t)height);
    kept = 3 * pixels + MOST_IN_LINE * (uint32_t)sizeof(struct numbers_piece) +
           MOST_CANDIDATES * (uint32_t)sizeof(struct numbers_candidate) + SOME_ROOM;
    most = larger(scaling_bytes(lines, place, pixels, (uint32_t)widest, (uint32_t)height),
                  pixels + parting + parting / 4 + 20 * (uint32_t)widest);
    return kept + larger(most, MOST_CANDIDATES * PREPARED_PIXELS + 2 * pixels + (uint32_t)widest);
}

static void describe(const struct num_place *place, const struct num_strip *strip, struct numbers_line *parted)
{
    parted->slant = strip->slant;
    parted->ratio = STRIP_HEIGHT / place->height;
    parted->origin_x = place->box.left + (place->box.right - place->box.left) / 2.0;
    parted->origin_y = place->box.top + (place->box.bottom - place->box.top) / 2.0;
    parted->stroke = strip->stroke;
    parted->width = (uint32_t)strip->ink.width;
    parted->height = (uint32_t)strip->ink.height;
    parted->pieces = (uint32_t)strip->pieces;
    parted->ids = strip->ids;
    parted->piece = strip->piece;
}

int32_t numbers_line(const struct numbers_found *found, uint32_t line, uint8_t *arena_at, struct numbers_line *parted)
{
    struct arena arena = {arena_at, 0, numbers_line_bytes(found, line)};
    const struct num_lines *lines = found->rest;
    struct numbers_candidate *candidates;
    struct num_strip strip;
    uint8_t *images;
    int count;

    if (arena.size == 0) {
        return NUMBERS_TOO_MANY_CANDIDATES;
    }
    num_upright(&arena, lines, (int)line, &strip);
    TAKE(&arena, strip.ids, strip.ink.width * strip.ink.height);
    TAKE(&arena, strip.piece, MOST_IN_LINE);
    TAKE(&arena, candidates, MOST_CANDIDATES);
    if (!num_pieces_of(&arena, &strip) || !num_candidates_of(&strip, candidates, &count)) {
        return NUMBERS_TOO_MANY_CANDIDATES;
    }
    TAKE(&arena, images, count * PREPARED_PIXELS);
    num_images_of(&arena, &strip, candidates, count, images);
    describe(&lines->place[line], &strip, parted);
    parted->candidates = (uint32_t)count;
    parted->candidate = candidates;
    parted->images = images;
    return PREPARE_FINE;
}
