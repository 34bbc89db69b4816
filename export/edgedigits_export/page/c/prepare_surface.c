/* contrast.py, paper_surface: paper on which the light falls off evenly, by trimmed least squares. */
#include "prepare_rooms.h"

#define SLOPE_SIDE 32
#define SLOPE_PAPER 0.12
#define TERMS 6
#define ROUNDS 3
#define SWEEPS 30
#define EPSILON 2.220446049250313e-16

/* From -1 to 1. */
static float place_of(int index, int count)
{
    return count < 2 || index == 0 ? -1.0f : index == count - 1 ? 1.0f : (float)(index * (2.0 / (count - 1)) - 1.0);
}

static void terms_at(int index, int width, int height, float terms[TERMS])
{
    float x = place_of(index % width, width), y = place_of(index / width, height);

    terms[0] = 1.0f;
    terms[1] = x;
    terms[2] = y;
    terms[3] = x * x;
    terms[4] = x * y;
    terms[5] = y * y;
}

/* Take one more equation into the triangle of those before, by Givens rotations. */
static void rotate_in(double triangle[TERMS][TERMS + 1], double row[TERMS + 1])
{
    for (int pivot = 0; pivot < TERMS; pivot++) {
        double length, cosine, sine;

        if (row[pivot] == 0) {
            continue;
        }
        length = pic_root(triangle[pivot][pivot] * triangle[pivot][pivot] + row[pivot] * row[pivot]);
        cosine = triangle[pivot][pivot] / length;
        sine = row[pivot] / length;
        for (int k = pivot; k <= TERMS; k++) {
            double upper = triangle[pivot][k], lower = row[k];

            triangle[pivot][k] = cosine * upper + sine * lower;
            row[k] = cosine * lower - sine * upper;
        }
    }
}

/* Turn two columns of a matrix, and of what it is multiplied by, until they are orthogonal; whether they were. */
static int orthogonal(double columns[TERMS][TERMS], double turns[TERMS][TERMS], int p, int q)
{
    double a = 0, b = 0, c = 0, zeta, tangent, cosine, sine;

    for (int k = 0; k < TERMS; k++) {
        a += columns[p][k] * columns[p][k];
        b += columns[q][k] * columns[q][k];
        c += columns[p][k] * columns[q][k];
    }
    if (pic_size(c) <= EPSILON * pic_root(a * b) || c == 0) {
        return 1;
    }
    zeta = (b - a) / (2 * c);
    tangent = (zeta < 0 ? -1 : 1) / (pic_size(zeta) + pic_root(1 + zeta * zeta));
    cosine = 1 / pic_root(1 + tangent * tangent);
    sine = cosine * tangent;
    for (int k = 0; k < TERMS; k++) {
        double one = columns[p][k], other = columns[q][k];

        columns[p][k] = cosine * one - sine * other;
        columns[q][k] = sine * one + cosine * other;
        one = turns[p][k];
        other = turns[q][k];
        turns[p][k] = cosine * one - sine * other;
        turns[q][k] = sine * one + cosine * other;
    }
    return 0;
}

/* The shortest solution of least squares, as of LAPACK's gelsd: by the singular values of the triangle (one-sided
 * Jacobi, Hestenes 1958), of which those are 0 that are below the precision of the number of equations. */
static void solve(double triangle[TERMS][TERMS + 1], int equations, double weights[TERMS])
{
    double columns[TERMS][TERMS], turns[TERMS][TERMS], lengths[TERMS], longest = 0;
    int is_done = 0;

    for (int p = 0; p < TERMS; p++) {
        for (int k = 0; k < TERMS; k++) {
            columns[p][k] = k <= p ? triangle[k][p] : 0;
            turns[p][k] = p == k;
        }
        weights[p] = 0;
    }
    for (int sweep = 0; sweep < SWEEPS && !is_done; sweep++) {
        is_done = 1;
        for (int p = 0; p < TERMS; p++) {
            for (int q = p + 1; q < TERMS; q++) {
                is_done &= orthogonal(columns, turns, p, q);
            }
        }
    }
    for (int p = 0; p < TERMS; p++) {
        lengths[p] = 0;
        for (int k = 0; k < TERMS; k++) {
            lengths[p] += columns[p][k] * columns[p][k];
        }
        longest = pic_greater(longest, lengths[p]);
    }
    for (int p = 0; p < TERMS; p++) {
        double least = EPSILON * pic_most(equations, TERMS), share = 0;

        if (lengths[p] <= least * least * longest) {
            continue;
        }
        for (int k = 0; k < TERMS; k++) {
            share += columns[p][k] * triangle[k][TERMS];
        }
        for (int k = 0; k < TERMS; k++) {
            weights[k] += turns[p][k] * share / lengths[p];
        }
    }
}

/* Fit a surface to the pixels that are paper, and measure how far all are on the ink's side of it. */
static void fit(const struct pixels *small, const uint8_t *is_paper, int dark, double weights[TERMS], double *away)
{
    double triangle[TERMS][TERMS + 1];
    int equations = 0;
    float terms[TERMS];

    for (int p = 0; p < TERMS; p++) {
        for (int k = 0; k <= TERMS; k++) {
            triangle[p][k] = 0;
        }
    }
    for (int i = 0; i < small->width * small->height; i++) {
        double row[TERMS + 1];

        if (!is_paper[i]) {
            continue;
        }
        terms_at(i, small->width, small->height, terms);
        for (int k = 0; k < TERMS; k++) {
            row[k] = terms[k];
        }
        row[TERMS] = small->at[i];
        rotate_in(triangle, row);
        equations++;
    }
    solve(triangle, equations, weights);
    for (int i = 0; i < small->width * small->height; i++) {
        double level = 0;

        terms_at(i, small->width, small->height, terms);
        for (int k = 0; k < TERMS; k++) {
            level += terms[k] * weights[k];
        }
        away[i] = dark ? level - small->at[i] : small->at[i] - level;
    }
}

static int count_of(const uint8_t *mask, int count)
{
    int found = 0;

    for (int i = 0; i < count; i++) {
        found += mask[i];
    }
    return found;
}

/* The mean distance of what is no paper; 0 where all is. */
static double ink_of(const double *away, const uint8_t *is_paper, int count, double *values)
{
    int found = 0;

    for (int i = 0; i < count; i++) {
        if (!is_paper[i]) {
            values[found++] = away[i];
        }
    }
    return found ? pic_sum_of_doubles(values, found) / found : 0.0;
}

/* The distance from the surface that seven tenths of the paper keep, with linear interpolation. */
static double residual_of(const double *away, const uint8_t *is_paper, int count, double *values)
{
    int found = 0, below;
    double position, upper;

    for (int i = 0; i < count; i++) {
        if (is_paper[i]) {
            values[found++] = pic_size(away[i]);
        }
    }
    pic_median_of_doubles(values, found); /* which sorts them */
    position = 0.7 * (found - 1);
    below = (int)position;
    upper = values[pic_least(below + 1, found - 1)];
    return values[below] + (upper - values[below]) * (position - below);
}

/* residual below 0: the paper's distance from the surface is not looked at. */
int pic_paper_surface(struct arena *arena, const struct pixels *gray, int threshold, int dark, double tolerance,
                      double residual, float *paper)
{
    int is_surface = 0;
    size_t mark = arena->used;
    double weights[TERMS], *away, *values, ink = 0;
    struct pixels small;
    uint8_t *is_paper;
    int count;

    pic_shrunk(arena, gray, SLOPE_SIDE, &small);
    count = small.width * small.height;
    TAKE(arena, away, count);
    TAKE(arena, values, count);
    TAKE(arena, is_paper, count);
    for (int i = 0; i < count; i++) {
        is_paper[i] = (small.at[i] > threshold) == dark;
    }
    for (int round = 0; round < ROUNDS; round++) {
        int papers = count_of(is_paper, count);

        if (papers < pic_greater(SLOPE_PAPER * count, TERMS)) {
            arena->used = mark;
            return is_surface;
        }
        fit(&small, is_paper, dark, weights, away);
        ink = ink_of(away, is_paper, count, values);
        for (int i = 0; i < count; i++) {
            is_paper[i] = pic_size(away[i]) < tolerance * ink;
        }
    }
    is_surface = count_of(is_paper, count) > 0 &&
                  (residual < 0 || residual_of(away, is_paper, count, values) <= residual * ink);
    arena->used = mark;
    for (int i = 0; is_surface && i < gray->width * gray->height; i++) {
        float terms[TERMS], level = 0;

        terms_at(i, gray->width, gray->height, terms);
        for (int k = 0; k < TERMS; k++) {
            level += (float)weights[k] * terms[k];
        }
        paper[i] = level < 0 ? 0 : level > PIXEL_MAX ? PIXEL_MAX : level;
    }
    return is_surface;
}
