/* Pillow's filters, in its fixed-point arithmetic: BoxBlur.c, RankFilter.c, and a quadrilateral of Geometry.c. */
#include "prepare_rooms.h"

/* Average over 2 radius + 1 pixels, of which the outermost two count in part; the ends go on beyond the picture. */
static void blur_line(const uint8_t *from, int count, float radius, uint8_t *to)
{
    int whole = (int)radius, last = count - 1;
    uint32_t weight = (uint32_t)((float)(1 << 24) / (radius * 2 + 1));
    uint32_t outer = ((1u << 24) - (uint32_t)(whole * 2 + 1) * weight) / 2;
    uint32_t sum = 0;

    for (int i = -whole - 1; i < whole; i++) {
        sum += from[pic_least(pic_most(i, 0), last)];
    }
    for (int i = 0; i < count; i++) {
        int before = pic_most(i - whole - 1, 0), behind = pic_least(i + whole + 1, last);

        sum += from[pic_least(i + whole, last)];
        sum -= from[before];
        to[i] = (uint8_t)((sum * weight + (uint32_t)(from[before] + from[behind]) * outer + (1u << 23)) >> 24);
    }
}

static void blur_rows(struct arena *arena, uint8_t *levels, int width, int height, float radius, int passes)
{
    size_t mark = arena->used;
    uint8_t *line;

    TAKE(arena, line, width);
    for (int row = 0; row < height; row++) {
        for (int pass = 0; pass < passes; pass++) {
            pic_copy(line, levels + row * width, (size_t)width);
            blur_line(line, width, radius, levels + row * width);
        }
    }
    arena->used = mark;
}

void pic_box_blur(struct arena *arena, uint8_t *levels, int width, int height, float radius, int passes)
{
    size_t mark = arena->used;
    uint8_t *turned;

    if (radius <= 0) {
        return;
    }
    blur_rows(arena, levels, width, height, radius, passes);
    pic_transposed(arena, levels, width, height, &turned);
    blur_rows(arena, turned, height, width, radius, passes);
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            levels[row * width + column] = turned[column * height + row];
        }
    }
    arena->used = mark;
}

/* Gwosdek and others, Theoretical foundations of Gaussian convolution by extended box filtering, SSVM 2011. */
float pic_gaussian_radius(float radius, int passes)
{
    float variance = radius * radius / (float)passes;
    float length = (float)pic_root(12.0 * (double)variance + 1.0);
    float whole = (float)pic_floor(((double)length - 1.0) / 2.0);
    float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);

    part /= 6 * (variance - (whole + 1) * (whole + 1));
    return whole + part;
}

void pic_median_3(const uint8_t *levels, int width, int height, uint8_t *found)
{
    for (int row = 0; row < height; row++) {
        for (int column = 0; column < width; column++) {
            uint8_t near[9];
            int count = 0;

            for (int down = -1; down <= 1; down++) {
                int y = pic_least(pic_most(row + down, 0), height - 1);

                for (int across = -1; across <= 1; across++) {
                    int x = pic_least(pic_most(column + across, 0), width - 1);
                    uint8_t level = levels[y * width + x];
                    int place = count++;

                    for (; place > 0 && near[place - 1] > level; place--) {
                        near[place] = near[place - 1];
                    }
                    near[place] = level;
                }
            }
            found[row * width + column] = near[4];
        }
    }
}

static double between(double a, double b, double share)
{
    return a + (b - a) * share;
}

/* The level at (x, y), by linear interpolation; black outside of the picture. */
static uint8_t level_at(const struct pixels *gray, double x, double y)
{
    int column, row, left, right;
    const uint8_t *line;
    double upper, lower;

    if (!(x >= 0.0 && x < gray->width && y >= 0.0 && y < gray->height)) {
        return 0;
    }
    x -= 0.5;
    y -= 0.5;
    column = pic_floor(x);
    row = pic_floor(y);
    left = pic_least(pic_most(column, 0), gray->width - 1);
    right = pic_least(column + 1, gray->width - 1);
    line = gray->at + pic_most(row, 0) * gray->width;
    upper = lower = between(line[left], line[right], x - column);
    if (row + 1 < gray->height) {
        line = gray->at + (row + 1) * gray->width;
        lower = between(line[left], line[right], x - column);
    }
    return (uint8_t)between(upper, lower, y - row);
}

/* Cut out a quadrilateral, corners (x, y) from the upper left one down and around. */
void pic_from_quad(const struct pixels *gray, const double quad[4][2], const struct pixels *made)
{
    double across = 1.0 / made->width, down = 1.0 / made->height, terms[2][4];

    for (int axis = 0; axis < 2; axis++) {
        double first = quad[0][axis];

        terms[axis][0] = first;
        terms[axis][1] = (quad[3][axis] - first) * across;
        terms[axis][2] = (quad[1][axis] - first) * down;
        terms[axis][3] = (quad[2][axis] - quad[1][axis] - quad[3][axis] + first) * across * down;
    }
    for (int row = 0; row < made->height; row++) {
        for (int column = 0; column < made->width; column++) {
            double x = column + 0.5, y = row + 0.5, place[2];

            for (int axis = 0; axis < 2; axis++) {
                const double *term = terms[axis];

                place[axis] = term[0] + term[1] * x + term[2] * y + term[3] * x * y;
            }
            made->at[row * made->width + column] = level_at(gray, place[0], place[1]);
        }
    }
}
