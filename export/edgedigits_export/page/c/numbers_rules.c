/* rules.py: lines that a form is printed with, long, thin, level or nearly so. */
#include "numbers_rooms.h"

/* Mark what is in a row of ink, its own or that above or below, of at least a length. */
static void mark_long(const uint8_t *mask, int width, int height, int row, double length, uint8_t *marks)
{
    const uint8_t *here = mask + row * width;
    const uint8_t *above = row > 0 ? here - width : here, *below = row < height - 1 ? here + width : here;

    for (int column = 0; column < width; column++) {
        int start = column;

        while (column < width && (here[column] | above[column] | below[column])) {
            column++;
        }
        if (column - start >= length) {
            pic_copy(marks + start, here + start, (size_t)(column - start));
        }
    }
}

/* Take the marks off what is higher than a line: the stroke that crosses it or stands on it. */
static void unmark_high(const uint8_t *mask, int width, int height, int column, double thickness, uint8_t *marks)
{
    for (int row = 0; row < height; row++) {
        int start = row;

        while (row < height && mask[row * width + column]) {
            row++;
        }
        for (int near = start; row - start > thickness && near < row; near++) {
            marks[near * width + column] = 0;
        }
    }
}

/* Take lines off ink; whether there was one. */
int num_without_rules_in(struct arena *arena, uint8_t *mask, int width, int height, double length, double thickness)
{
    size_t mark = arena->used;
    int found = 0;
    uint8_t *marks;

    TAKE(arena, marks, width * height);
    pic_fill(marks, 0, (size_t)(width * height));
    for (int row = 0; row < height; row++) {
        mark_long(mask, width, height, row, length, marks + row * width);
    }
    for (int column = 0; column < width; column++) {
        unmark_high(mask, width, height, column, thickness, marks);
    }
    for (int i = 0; i < width * height; i++) {
        found |= marks[i];
        mask[i] = (uint8_t)(mask[i] & !marks[i]);
    }
    arena->used = mark;
    return found;
}
