/*
 * Runs a network from tables; see network.h. Quantized values are kept as unsigned bytes: TFLite's int8 value + 128.
 * An input is then the pixel itself.
 *
 * Tables come from a file that anybody may have changed. network_scratch_bytes checks every place and length in them;
 * what may be any number is computed so that nothing overflows in a way that C leaves open.
 */
#include "network.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

/* C99 leaves >> of negative numbers to the compiler. This line compiles where it rounds down, as everywhere. */
typedef char shifting_right_rounds_down[((-1) >> 1) == -1 ? 1 : -1];

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "expected a processor that keeps the lowest byte of a number first, as tables do"
#endif

#define MAGIC 0x44474445U /* "EDGD" */
#define VERSION 1U
#define QUANTIZED_MAX 255
#define TABLE_BYTES 256U
/* Rows of weights are filled up with zeros to a multiple of it, and places are a multiple of it. */
#define ROW_BYTES 16U
/* Values that are multiplied at once: where all of them are 0, they are left out. */
#define BLOCK 8U
/* Rows of weights that are multiplied together: they share each value that is loaded. */
#define ROWS_AT_ONCE 4U
/* So that no product of two lengths leaves 64 bits, and no place 31. */
#define MOST_SIDE (1U << 24)
#define MOST_VALUES (1U << 28)
/* Multiplications of an image: half a minute. The largest network of edgedigits has 2^30, of which a row may be a 16th. */
#define MOST_WORK ((uint64_t)1 << 35)
#define LARGEST_SHIFT 62U
/* Fixed-point numbers below 1 have 31 bits after the point: Q0.31. */
#define FRACTION_BITS 31U

enum kind { DENSE, CONVOLUTION, POOL, TABLE, ADDITION, SLOPES, BORDER, JOINED, SWAPPED, DEPTHWISE };

/* What becomes of the outputs under a window. */
enum pooling { LARGEST_SUM, LARGEST_OUTPUT, AVERAGE, MEAN };

/** What tables begin with, as words of 32 bits. */
typedef struct {
    uint32_t magic;
    uint32_t version;
    uint32_t bytes;
    uint32_t values; /**< bytes of the memory for values, which begins with the picture */
    uint32_t answer; /**< where in it the answer lies in the end */
    uint32_t layers;
    uint32_t exponentials; /**< in the table of the softmax; 0 where there is none */
    uint32_t exponentials_at;
} header;

/** A layer, as words of 32 bits. What each means to a kind of layer: see _Record in page/tables.py. */
typedef struct {
    uint32_t kind;
    uint32_t source;
    uint32_t other;
    uint32_t target;
    uint32_t height;
    uint32_t width;
    uint32_t channels;
    uint32_t rows;
    uint32_t columns;
    uint32_t outputs;
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t row_stride;
    uint32_t column_stride;
    uint32_t row_step;
    uint32_t column_step;
    int32_t top;
    int32_t left;
    uint32_t groups;
    uint32_t window_height;
    uint32_t window_width;
    uint32_t place_rows;
    uint32_t place_columns;
    uint32_t pooling;
    uint32_t weights;
    uint32_t biases;
    uint32_t multipliers;
    uint32_t shifts;
    uint32_t table;
    int32_t factors[3];
    uint32_t factor_shifts[3];
    uint32_t zero;
    uint32_t other_zero;
    uint32_t zero_point;
    uint32_t final_zero;
    uint32_t lowest;
    uint32_t highest;
} record;

/** The memory of a run. */
typedef struct {
    uint8_t *values;
    int16_t *patch;   /**< what is under a kernel, filled up with zeros to whole rows */
    uint32_t *blocks; /**< where in the patch there are blocks that are not all 0 */
    int32_t *sums;    /**< of a place, by output */
    int32_t *found;   /**< of the places under a window */
} memory;

static const header *header_of(const uint8_t *tables)
{
    return (const header *)(const void *)tables;
}

static const record *layer_of(const uint8_t *tables, uint32_t index)
{
    return (const record *)(const void *)(tables + sizeof(header)) + index;
}

/** The words of 32 bits at a place that is a multiple of 4. */
static const int32_t *words_at(const uint8_t *tables, uint32_t place)
{
    return (const int32_t *)(const void *)(tables + place);
}

static uint32_t aligned(uint32_t size)
{
    return (size + ROW_BYTES - 1) / ROW_BYTES * ROW_BYTES;
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static int has_weights(const record *layer)
{
    return layer->kind == DENSE || layer->kind == CONVOLUTION || layer->kind == DEPTHWISE;
}

/** Values under the kernel that an output is a sum of. */
static uint32_t patch_values(const record *layer)
{
    return layer->kernel_height * layer->kernel_width * (layer->channels / layer->groups);
}

/* The checks. */

/** Whether so many numbers of some bytes each, beginning at a place, end where all bytes end or before. */
static int is_within(uint64_t place, uint64_t count, uint64_t each, uint64_t bytes)
{
    return place <= bytes && count <= (bytes - place) / each;
}

/** The same of words, which begin at a multiple of 4. */
static int has_words(uint64_t place, uint64_t count, uint64_t bytes)
{
    return place % 4 == 0 && is_within(place, count, 4, bytes);
}

static int is_side(uint32_t side)
{
    return side > 0 && side <= MOST_SIDE;
}

/** Multiply lengths that are checked already; what is beyond any memory stays there. */
static uint64_t product(uint64_t one, uint64_t other, uint64_t last)
{
    const uint64_t both = one * other;

    return both > UINT32_MAX ? both : both * last;
}

/** Whether all lengths that any layer has are such. */
static int has_sides(const record *layer)
{
    const uint32_t sides[] = {
        layer->height, layer->width, layer->channels, layer->rows, layer->columns, layer->outputs,
        layer->kernel_height, layer->kernel_width, layer->row_stride, layer->column_stride,
        layer->row_step, layer->column_step, layer->groups, layer->window_height, layer->window_width,
        layer->place_rows, layer->place_columns,
    };
    const int32_t most = (int32_t)MOST_SIDE;

    for (uint32_t index = 0; index < sizeof sides / sizeof *sides; index++) {
        if (!is_side(sides[index])) {
            return 0;
        }
    }
    return layer->top >= -most && layer->top <= most && layer->left >= -most && layer->left <= most;
}

/** Whether all small numbers that any layer has are such. */
static int has_bytes(const record *layer)
{
    const uint32_t bytes[] = {
        layer->zero, layer->other_zero, layer->zero_point, layer->final_zero, layer->lowest, layer->highest,
    };

    for (uint32_t index = 0; index < sizeof bytes / sizeof *bytes; index++) {
        if (bytes[index] > QUANTIZED_MAX) {
            return 0;
        }
    }
    for (uint32_t index = 0; index < 3; index++) {
        if (layer->factor_shifts[index] < 1 || layer->factor_shifts[index] > LARGEST_SHIFT) {
            return 0;
        }
    }
    return 1;
}

/** Whether the last of some places, so many steps apart, begins before the end of a side, and the first ends in it. */
static int reaches(uint32_t places, uint32_t step, uint32_t extent, int32_t before, uint32_t side)
{
    return (int64_t)(places - 1) * step - before < (int64_t)side && (int64_t)extent > before;
}

/** Whether a layer's biases, multipliers and shifts are in the tables. */
static int has_scales(const uint8_t *tables, uint32_t bytes, const record *layer)
{
    if (!has_words(layer->biases, layer->outputs, bytes) || !has_words(layer->multipliers, layer->outputs, bytes)
        || !is_within(layer->shifts, layer->outputs, 1, bytes)) {
        return 0;
    }
    for (uint32_t output = 0; output < layer->outputs; output++) {
        const uint8_t shift = tables[layer->shifts + output];

        if (shift < 1 || shift > LARGEST_SHIFT) {
            return 0;
        }
    }
    return 1;
}

static int is_weighted_layer(const uint8_t *tables, uint32_t bytes, const record *layer)
{
    const int is_depthwise = layer->kind == DEPTHWISE;
    const uint64_t values = product(layer->kernel_height, layer->kernel_width, layer->channels / layer->groups);
    const uint64_t rows = is_depthwise ? values : layer->outputs;
    const uint64_t row = is_depthwise ? layer->channels : values;
    const uint64_t row_bytes = (row + ROW_BYTES - 1) / ROW_BYTES * ROW_BYTES;

    if (layer->channels % layer->groups != 0 || layer->outputs % layer->groups != 0 || layer->pooling > MEAN
        || (is_depthwise && (layer->groups != layer->channels || layer->outputs != layer->channels))
        || values > bytes || row_bytes > bytes || !is_within(layer->weights, rows, row_bytes, bytes)
        || (layer->table != 0 && !is_within(layer->table, TABLE_BYTES, 1, bytes))
        || !has_scales(tables, bytes, layer)) {
        return 0;
    }
    /* Every window has a place, and every place of the kernel lies within what 32 bits can say. */
    if (!reaches(layer->rows, layer->window_height, 1, 0, layer->place_rows)
        || !reaches(layer->columns, layer->window_width, 1, 0, layer->place_columns)
        || product(layer->place_rows, layer->row_stride, 1) > MOST_VALUES
        || product(layer->place_columns, layer->column_stride, 1) > MOST_VALUES
        || product(layer->kernel_height, layer->row_step, 1) > MOST_VALUES
        || product(layer->kernel_width, layer->column_step, 1) > MOST_VALUES
        || product(layer->place_rows, layer->place_columns, 1) > MOST_VALUES) {
        return 0;
    }
    return 1;
}

static int is_pool(const record *layer)
{
    return layer->outputs == layer->channels && layer->pooling <= MEAN && layer->pooling != LARGEST_SUM
        && reaches(layer->rows, layer->row_stride, layer->kernel_height, layer->top, layer->height)
        && reaches(layer->columns, layer->column_stride, layer->kernel_width, layer->left, layer->width);
}

/** Return what a layer that is whole takes of a processor: about as many steps. */
static uint64_t work_of(const record *layer)
{
    const uint64_t taken = product(layer->height, layer->width, layer->channels);
    const uint64_t given = product(layer->rows, layer->columns, layer->outputs);

    if (has_weights(layer)) {
        return product(layer->place_rows, layer->place_columns, 1) * layer->outputs * aligned(patch_values(layer));
    }
    if (layer->kind == POOL) {
        return given * smaller(layer->kernel_height, layer->height) * smaller(layer->kernel_width, layer->width);
    }
    return layer->kind == BORDER ? given : taken;
}

/** Whether a layer takes and gives what the memory has, and finds in the tables what it needs. */
static int is_layer(const uint8_t *tables, uint32_t bytes, uint32_t values, const record *layer)
{
    uint64_t taken, given;

    if (layer->kind > DEPTHWISE || !has_sides(layer) || !has_bytes(layer)) {
        return 0;
    }
    taken = product(layer->height, layer->width, layer->channels);
    given = taken;
    if (has_weights(layer) || layer->kind == POOL || layer->kind == BORDER) {
        given = product(layer->rows, layer->columns, layer->outputs);
    } else if (layer->kind == JOINED) {
        given = product(layer->height - 1, layer->column_stride, 1) + layer->channels;
    }
    if (!is_within(layer->source, taken, 1, values) || !is_within(layer->target, given, 1, values)) {
        return 0;
    }
    switch (layer->kind) {
    case DENSE:
    case CONVOLUTION:
    case DEPTHWISE:
        return is_weighted_layer(tables, bytes, layer);
    case POOL:
        return is_pool(layer);
    case TABLE:
        return is_within(layer->table, TABLE_BYTES, 1, bytes);
    case ADDITION:
        return is_within(layer->other, taken, 1, values);
    case SLOPES:
        return is_within(layer->weights, layer->outputs, 1, bytes);
    case BORDER:
        return layer->outputs == layer->channels;
    case JOINED:
        return layer->width == 1 && layer->channels <= layer->column_stride;
    default:
        return layer->channels == 1;
    }
}

/** Whether the table of the softmax begins with what keeps its sums above 0, and has no number below 0. */
static int has_exponentials(const uint8_t *tables, const header *head)
{
    const int32_t *exponentials;

    if (!has_words(head->exponentials_at, head->exponentials, head->bytes)) {
        return 0;
    }
    exponentials = words_at(tables, head->exponentials_at);
    for (uint32_t index = 0; index < head->exponentials; index++) {
        if (exponentials[index] < 0) {
            return 0;
        }
    }
    return head->exponentials == 0 || exponentials[0] == INT32_MAX;
}

/** Whether tables are such that network_run can follow them. */
static int are_whole(const uint8_t *tables, uint32_t bytes)
{
    const header *head = header_of(tables);
    uint64_t work = 0;

    if (bytes < sizeof *head || head->magic != MAGIC || head->version != VERSION || head->bytes != bytes
        || head->values < NETWORK_PIXELS || head->values > MOST_VALUES
        || !is_within(head->answer, NETWORK_CLASSES, 1, head->values) || head->layers == 0
        || !is_within(sizeof *head, head->layers, sizeof(record), bytes) || !has_exponentials(tables, head)) {
        return 0;
    }
    for (uint32_t index = 0; index < head->layers; index++) {
        const record *layer = layer_of(tables, index);

        if (!is_layer(tables, bytes, head->values, layer)) {
            return 0;
        }
        work += work_of(layer);
        if (work > MOST_WORK) {
            return 0;
        }
    }
    return 1;
}

/** Return the most bytes of a row of weights, and in *outputs the most outputs of a layer, of tables that are whole. */
static uint32_t longest_row(const uint8_t *tables, uint32_t *outputs)
{
    uint32_t longest = ROW_BYTES;

    *outputs = ROWS_AT_ONCE;
    for (uint32_t index = 0; index < header_of(tables)->layers; index++) {
        const record *layer = layer_of(tables, index);

        if (has_weights(layer)) {
            const uint32_t row = aligned(patch_values(layer));

            longest = row > longest ? row : longest;
            *outputs = layer->outputs > *outputs ? layer->outputs : *outputs;
        }
    }
    return longest;
}

uint32_t network_scratch_bytes(const uint8_t *tables, uint32_t bytes)
{
    uint32_t outputs;
    uint64_t row, size;

    if (!are_whole(tables, bytes)) {
        return 0;
    }
    row = longest_row(tables, &outputs);
    size = aligned(header_of(tables)->values) + 2 * row + 4 * (row / BLOCK) + 8 * (uint64_t)aligned(outputs);
    return size <= INT32_MAX ? (uint32_t)size : 0;
}

/* The arithmetic. */

/** Divide by a power of two and round to nearest, halves up. */
static int64_t rounding_shift(int64_t value, uint32_t bits)
{
    return (int64_t)((uint64_t)value + ((uint64_t)1 << (bits - 1))) >> bits;
}

/** Multiply by a number in Q0.31: gemmlowp's saturating rounding doubling high multiply, where nothing saturates. */
static int32_t multiply_q31(int32_t value, int32_t factor)
{
    return (int32_t)rounding_shift((int64_t)value * factor, FRACTION_BITS);
}

/** Add, and go on from the lowest number behind the highest. */
static int32_t wrapped_sum(int32_t one, int32_t other)
{
    return (int32_t)((uint32_t)one + (uint32_t)other);
}

/** Multiply by multiplier / 2^shift, rounded twice: TFLite's MultiplyByQuantizedMultiplier. */
static int32_t rescale(int32_t value, int32_t multiplier, uint32_t shift)
{
    const uint32_t up = shift < FRACTION_BITS ? FRACTION_BITS - shift : 0;
    const uint32_t down = shift < FRACTION_BITS ? 0 : shift - FRACTION_BITS;
    const uint64_t product = (uint64_t)((int64_t)value * multiplier) << up;
    const int32_t scaled = (int32_t)rounding_shift((int64_t)product, FRACTION_BITS);
    const int32_t mask = (int32_t)(((uint32_t)1 << down) - 1);

    return (scaled >> down) + ((scaled & mask) > (mask >> 1) + (scaled < 0)); /* halves away from 0 */
}

static uint8_t within(int64_t value, uint32_t lowest, uint32_t highest)
{
    value = value < (int64_t)lowest ? (int64_t)lowest : value;
    return (uint8_t)(value > (int64_t)highest ? (int64_t)highest : value);
}

/** Bring a number to another scale, and a byte of it. */
static uint8_t rescaled_byte(int32_t value, int32_t multiplier, uint32_t shift, uint32_t zero_point)
{
    return within((int64_t)rescale(value, multiplier, shift) + zero_point, 0, QUANTIZED_MAX);
}

/** The byte that stands for TFLite's 0. */
#define BYTE_OF_ZERO 128

/** Divide a sum of TFLite's own numbers, halves away from 0, and make a byte of it. */
static uint8_t average(int64_t sum, int64_t count)
{
    return (uint8_t)((sum > 0 ? sum + count / 2 : sum - count / 2) / count + BYTE_OF_ZERO);
}

/* Layers of weights. */

/** Write the same value some times, and return where it ends. */
static int16_t *fill(int16_t *patch, uint32_t count, int16_t value)
{
    for (uint32_t index = 0; index < count; index++) {
        patch[index] = value;
    }
    return patch + count;
}

/** Write bytes as numbers of 16 bits, and return where they end. */
static int16_t *widen(int16_t *patch, const uint8_t *bytes, uint32_t count)
{
    uint32_t index = 0;

#if defined(__wasm_simd128__)
    for (; index + BLOCK <= count; index += BLOCK) {
        wasm_v128_store(patch + index, wasm_u16x8_load8x8(bytes + index));
    }
#endif
    for (; index < count; index++) {
        patch[index] = bytes[index];
    }
    return patch + count;
}

/**
 * Lay out what a group of outputs takes under the kernel, whose corner is at top and left: [height][width][inputs],
 * filled up with zeros to whole rows.
 */
static void lay_out(const record *layer, const uint8_t *input, int32_t top, int32_t left, uint32_t group, int16_t *patch)
{
    const uint32_t inputs = layer->channels / layer->groups;
    const uint32_t across = layer->kernel_width * inputs;
    const int16_t *end = patch + aligned(patch_values(layer));
    const int is_whole = layer->groups == 1 && (layer->column_step == 1 || layer->kernel_width == 1) && left >= 0
        && left + (int64_t)layer->kernel_width <= layer->width;

    for (uint32_t down = 0; down < layer->kernel_height; down++) {
        const int32_t row = top + (int32_t)(down * layer->row_step);

        if (row < 0 || row >= (int32_t)layer->height) {
            patch = fill(patch, across, (int16_t)layer->zero);
            continue;
        }
        if (is_whole) {
            patch = widen(patch, input + ((uint32_t)row * layer->width + (uint32_t)left) * layer->channels, across);
            continue;
        }
        for (uint32_t along = 0; along < layer->kernel_width; along++) {
            const int32_t column = left + (int32_t)(along * layer->column_step);
            const uint32_t place = (uint32_t)row * layer->width + (uint32_t)column;

            patch = column < 0 || column >= (int32_t)layer->width
                ? fill(patch, inputs, (int16_t)layer->zero)
                : widen(patch, input + place * layer->channels + group * inputs, inputs);
        }
    }
    fill(patch, (uint32_t)(end - patch), 0);
}

/** Find the blocks of a patch that are not all 0, and return how many there are. */
static uint32_t find_blocks(const int16_t *patch, uint32_t row, uint32_t *blocks)
{
    uint32_t count = 0;

    for (uint32_t place = 0; place < row; place += BLOCK) {
#if defined(__wasm_simd128__)
        const int is_some = wasm_v128_any_true(wasm_v128_load(patch + place));
#else
        int is_some = 0;

        for (uint32_t index = place; index < place + BLOCK; index++) {
            is_some |= patch[index];
        }
#endif
        blocks[count] = place;
        count += is_some != 0;
    }
    return count;
}

#if defined(__wasm_simd128__)

/** Return the sums of the lanes of four vectors. */
static v128_t lane_sums(v128_t first, v128_t second, v128_t third, v128_t fourth)
{
    const v128_t one = wasm_i32x4_add(
        wasm_i32x4_shuffle(first, second, 0, 4, 1, 5), wasm_i32x4_shuffle(first, second, 2, 6, 3, 7));
    const v128_t other = wasm_i32x4_add(
        wasm_i32x4_shuffle(third, fourth, 0, 4, 1, 5), wasm_i32x4_shuffle(third, fourth, 2, 6, 3, 7));

    return wasm_i32x4_add(wasm_i32x4_shuffle(one, other, 0, 1, 4, 5), wasm_i32x4_shuffle(one, other, 2, 3, 6, 7));
}

static v128_t products(const int8_t *weights, v128_t values)
{
    return wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(weights), values);
}

/** Multiply blocks of a patch with four rows of weights. */
static void add_rows(
    const int8_t *weights, uint32_t row, const int16_t *patch, const uint32_t *blocks, uint32_t count, int32_t *sums)
{
    v128_t first = wasm_i32x4_splat(0), second = first, third = first, fourth = first;

    for (uint32_t index = 0; index < count; index++) {
        const int8_t *at = weights + blocks[index];
        const v128_t values = wasm_v128_load(patch + blocks[index]);

        first = wasm_i32x4_add(first, products(at, values));
        second = wasm_i32x4_add(second, products(at + row, values));
        third = wasm_i32x4_add(third, products(at + 2 * row, values));
        fourth = wasm_i32x4_add(fourth, products(at + 3 * row, values));
    }
    wasm_v128_store(sums, wasm_i32x4_add(wasm_v128_load(sums), lane_sums(first, second, third, fourth)));
}

#endif

/** Multiply blocks of a patch with one row of weights. */
static int32_t add_row(
    const int8_t *weights, const int16_t *patch, const uint32_t *blocks, uint32_t count, int32_t sum)
{
    uint32_t total = (uint32_t)sum;

    for (uint32_t index = 0; index < count; index++) {
        for (uint32_t place = blocks[index]; place < blocks[index] + BLOCK; place++) {
            total += (uint32_t)(weights[place] * patch[place]);
        }
    }
    return (int32_t)total;
}

/** Add some outputs up that take the same patch. */
static void add_outputs(
    const int8_t *weights, uint32_t row, const memory *run, uint32_t count, int32_t *sums, uint32_t outputs)
{
    uint32_t output = 0;

#if defined(__wasm_simd128__)
    for (; output + ROWS_AT_ONCE <= outputs; output += ROWS_AT_ONCE) {
        add_rows(weights + (uint64_t)output * row, row, run->patch, run->blocks, count, sums + output);
    }
#endif
    for (; output < outputs; output++) {
        sums[output] = add_row(weights + (uint64_t)output * row, run->patch, run->blocks, count, sums[output]);
    }
}

static void copy(int32_t *given, const int32_t *taken, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        given[index] = taken[index];
    }
}

/** Multiply some bytes with a weight each, and add the products to a sum each; a byte of all, if there are no bytes. */
static void add_bytes(const int8_t *weights, const uint8_t *bytes, int16_t byte, int32_t *sums, uint32_t count)
{
    uint32_t index = 0;

#if defined(__wasm_simd128__)
    for (; index + BLOCK <= count; index += BLOCK) {
        const v128_t values = bytes ? wasm_u16x8_load8x8(bytes + index) : wasm_i16x8_splat(byte);
        const v128_t factors = wasm_i16x8_load8x8(weights + index);
        const v128_t low = wasm_i32x4_extmul_low_i16x8(values, factors);
        const v128_t high = wasm_i32x4_extmul_high_i16x8(values, factors);

        wasm_v128_store(sums + index, wasm_i32x4_add(wasm_v128_load(sums + index), low));
        wasm_v128_store(sums + index + 4, wasm_i32x4_add(wasm_v128_load(sums + index + 4), high));
    }
#endif
    for (; index < count; index++) {
        sums[index] = wrapped_sum(sums[index], weights[index] * (bytes ? bytes[index] : byte));
    }
}

/** Add each output up of its own channel: weights are [height][width][outputs], filled up to whole rows. */
static void add_depthwise(
    const record *layer, const int8_t *weights, const uint8_t *input, int32_t top, int32_t left, int32_t *sums)
{
    for (uint32_t down = 0; down < layer->kernel_height; down++) {
        for (uint32_t along = 0; along < layer->kernel_width; along++) {
            const int32_t row = top + (int32_t)(down * layer->row_step);
            const int32_t column = left + (int32_t)(along * layer->column_step);
            const int is_inside
                = row >= 0 && row < (int32_t)layer->height && column >= 0 && column < (int32_t)layer->width;
            const uint32_t place = is_inside ? (uint32_t)row * layer->width + (uint32_t)column : 0;
            const uint8_t *bytes = is_inside ? input + place * layer->channels : 0;

            add_bytes(weights, bytes, (int16_t)layer->zero, sums, layer->channels);
            weights += aligned(layer->channels);
        }
    }
}

/** Add all outputs up at one place of a convolution, whose corner is at top and left. */
static void add_place(const uint8_t *tables, const record *layer, const memory *run, int32_t top, int32_t left)
{
    const uint32_t row = aligned(patch_values(layer));
    const uint32_t outputs = layer->outputs / layer->groups;
    const uint8_t *input = run->values + layer->source;
    const int8_t *weights = (const int8_t *)(tables + layer->weights);

    copy(run->sums, words_at(tables, layer->biases), layer->outputs);
    if (layer->kind == DEPTHWISE) {
        add_depthwise(layer, weights, input, top, left, run->sums);
        return;
    }
    for (uint32_t group = 0; group < layer->groups; group++) {
        const uint32_t first = group * outputs;
        uint32_t count;

        lay_out(layer, input, top, left, group, run->patch);
        count = find_blocks(run->patch, row, run->blocks);
        add_outputs(weights + (uint64_t)first * row, row, run, count, run->sums + first, outputs);
    }
}

/** Bring a sum to the scale of its output: rounded once in a fully connected layer, twice in a convolution. */
static uint8_t requantize(const uint8_t *tables, const record *layer, uint32_t output, int32_t sum)
{
    const int32_t multiplier = words_at(tables, layer->multipliers)[output];
    const uint8_t shift = tables[layer->shifts + output];
    const int64_t scaled = layer->kind == DENSE ? rounding_shift((int64_t)sum * multiplier, shift)
                                                : rescale(sum, multiplier, shift);

    return within(scaled + layer->zero_point, layer->lowest, layer->highest);
}

/** Let one place of a window count. */
static void combine(const uint8_t *tables, const record *layer, const memory *run)
{
    for (uint32_t output = 0; output < layer->outputs; output++) {
        int32_t value = run->sums[output];

        if (layer->pooling != LARGEST_SUM) {
            value = requantize(tables, layer, output, value);
            value = layer->table != 0 ? tables[layer->table + (uint32_t)value] : value;
        }
        if (layer->pooling == AVERAGE || layer->pooling == MEAN) {
            run->found[output] = wrapped_sum(run->found[output], value - (int32_t)layer->other_zero);
        } else {
            run->found[output] = value > run->found[output] ? value : run->found[output];
        }
    }
}

/** Make bytes of what was found under a window of some places. */
static void finish(const uint8_t *tables, const record *layer, const memory *run, int32_t count, uint8_t *given)
{
    for (uint32_t output = 0; output < layer->outputs; output++) {
        const int32_t found = run->found[output];

        if (layer->pooling == LARGEST_SUM) {
            given[output] = requantize(tables, layer, output, found);
        } else if (layer->pooling == LARGEST_OUTPUT) {
            given[output] = (uint8_t)found;
        } else if (layer->pooling == AVERAGE) {
            given[output] = average(found, count);
        } else {
            given[output] = rescaled_byte(found, layer->factors[0], layer->factor_shifts[0], layer->final_zero);
        }
    }
}

/** Compute all outputs under one window. */
static void run_window(
    const uint8_t *tables, const record *layer, const memory *run, uint32_t row, uint32_t column, uint8_t *given)
{
    const uint32_t first_row = row * layer->window_height;
    const uint32_t first_column = column * layer->window_width;
    const uint32_t end_row = smaller(first_row + layer->window_height, layer->place_rows);
    const uint32_t end_column = smaller(first_column + layer->window_width, layer->place_columns);
    const uint32_t count = (end_row - first_row) * (end_column - first_column);

    for (uint32_t output = 0; output < layer->outputs; output++) {
        run->found[output] = layer->pooling == LARGEST_SUM ? INT32_MIN : 0;
    }
    for (uint32_t y = first_row; y < end_row; y++) {
        for (uint32_t x = first_column; x < end_column; x++) {
            const int32_t top = (int32_t)(y * layer->row_stride) - layer->top;
            const int32_t left = (int32_t)(x * layer->column_stride) - layer->left;

            add_place(tables, layer, run, top, left);
            combine(tables, layer, run);
        }
    }
    finish(tables, layer, run, (int32_t)count, given);
}

static void run_weighted(const uint8_t *tables, const record *layer, const memory *run)
{
    uint8_t *given = run->values + layer->target;

    for (uint32_t row = 0; row < layer->rows; row++) {
        for (uint32_t column = 0; column < layer->columns; column++) {
            run_window(tables, layer, run, row, column, given);
            given += layer->outputs;
        }
    }
}

/* The other layers. What one writes may lie over what it has read for the last time. */

/** A window of a pooling, as far as it lies in the map. */
typedef struct {
    uint32_t row, column, end_row, end_column;
} window;

static uint32_t from_zero(int64_t place)
{
    return place < 0 ? 0 : (uint32_t)place;
}

static uint8_t pooled(const record *layer, const uint8_t *input, const window *under)
{
    const uint32_t count = (under->end_row - under->row) * (under->end_column - under->column);
    int32_t found = 0;

    for (uint32_t y = under->row; y < under->end_row; y++) {
        for (uint32_t x = under->column; x < under->end_column; x++) {
            const int32_t value = input[(y * layer->width + x) * layer->channels];

            if (layer->pooling == LARGEST_OUTPUT) {
                found = value > found ? value : found;
            } else {
                found = wrapped_sum(found, value - (int32_t)layer->other_zero);
            }
        }
    }
    if (layer->pooling == LARGEST_OUTPUT) {
        return (uint8_t)found;
    }
    return layer->pooling == AVERAGE
        ? average(found, count)
        : rescaled_byte(found, layer->factors[0], layer->factor_shifts[0], layer->final_zero);
}

static void run_pool(const record *layer, const uint8_t *input, uint8_t *given)
{
    for (uint32_t row = 0; row < layer->rows; row++) {
        for (uint32_t column = 0; column < layer->columns; column++) {
            const int64_t top = (int64_t)row * layer->row_stride - layer->top;
            const int64_t left = (int64_t)column * layer->column_stride - layer->left;
            const window under = {
                .row = from_zero(top),
                .column = from_zero(left),
                .end_row = smaller((uint32_t)(top + layer->kernel_height), layer->height),
                .end_column = smaller((uint32_t)(left + layer->kernel_width), layer->width),
            };

            for (uint32_t channel = 0; channel < layer->channels; channel++) {
                *given++ = pooled(layer, input + channel, &under);
            }
        }
    }
}

/** Bits that values have to spare before they are added up. */
#define SPARE_BITS 20

static void run_addition(const record *layer, const uint8_t *one, const uint8_t *other, uint8_t *given, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        const int32_t first = (one[index] - (int32_t)layer->zero) * ((int32_t)1 << SPARE_BITS);
        const int32_t second = (other[index] - (int32_t)layer->other_zero) * ((int32_t)1 << SPARE_BITS);
        const int32_t sum = wrapped_sum(
            rescale(first, layer->factors[0], layer->factor_shifts[0]),
            rescale(second, layer->factors[1], layer->factor_shifts[1]));
        const int64_t value = rescale(sum, layer->factors[2], layer->factor_shifts[2]);

        given[index] = within(value + layer->zero_point, layer->lowest, layer->highest);
    }
}

static void run_slopes(const record *layer, const int8_t *slopes, const uint8_t *input, uint8_t *given, uint32_t count)
{
    uint32_t place = 0;

    for (uint32_t index = 0; index < count; index++) {
        const int32_t value = input[index] - (int32_t)layer->zero;
        const int is_above = value >= 0;

        given[index] = rescaled_byte(
            is_above ? value : value * slopes[place], layer->factors[is_above ? 0 : 1],
            layer->factor_shifts[is_above ? 0 : 1], layer->zero_point);
        place = place + 1 < layer->outputs ? place + 1 : 0;
    }
}

static void run_table(const uint8_t *table, const uint8_t *input, uint8_t *given, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        given[index] = table[input[index]];
    }
}

static void run_border(const record *layer, const uint8_t *input, uint8_t *given)
{
    for (uint32_t down = 0; down < layer->rows; down++) {
        for (uint32_t along = 0; along < layer->columns; along++) {
            const int32_t row = (int32_t)down - layer->top;
            const int32_t column = (int32_t)along - layer->left;
            const int is_inside
                = row >= 0 && row < (int32_t)layer->height && column >= 0 && column < (int32_t)layer->width;
            const uint32_t place = is_inside ? (uint32_t)row * layer->width + (uint32_t)column : 0;

            for (uint32_t channel = 0; channel < layer->channels; channel++) {
                *given++ = is_inside ? input[place * layer->channels + channel] : (uint8_t)layer->zero;
            }
        }
    }
}

static void run_joined(const record *layer, const uint8_t *input, uint8_t *given)
{
    for (uint32_t block = 0; block < layer->height; block++) {
        for (uint32_t index = 0; index < layer->channels; index++) {
            given[block * layer->column_stride + index] = *input++;
        }
    }
}

static void run_swapped(const record *layer, const uint8_t *input, uint8_t *given)
{
    for (uint32_t column = 0; column < layer->width; column++) {
        for (uint32_t row = 0; row < layer->height; row++) {
            *given++ = input[row * layer->width + column];
        }
    }
}

static void run_layer(const uint8_t *tables, const record *layer, const memory *run)
{
    const uint8_t *input = run->values + layer->source;
    uint8_t *given = run->values + layer->target;
    const uint32_t count = layer->height * layer->width * layer->channels;

    switch (layer->kind) {
    case DENSE:
    case CONVOLUTION:
    case DEPTHWISE:
        run_weighted(tables, layer, run);
        break;
    case POOL:
        run_pool(layer, input, given);
        break;
    case TABLE:
        run_table(tables + layer->table, input, given, count);
        break;
    case ADDITION:
        run_addition(layer, input, run->values + layer->other, given, count);
        break;
    case SLOPES:
        run_slopes(layer, (const int8_t *)(tables + layer->weights), input, given, count);
        break;
    case BORDER:
        run_border(layer, input, given);
        break;
    case JOINED:
        run_joined(layer, input, given);
        break;
    default:
        run_swapped(layer, input, given);
        break;
    }
}

/* The softmax. */

/* Sums of exponentials are in Q12.19, so that many of them fit. */
#define SUM_INTEGER_BITS 12U
#define PROBABILITY_BITS 8U

/* For Newton's division, in Q2.29. */
#define ONE_Q29 ((int32_t)1 << 29)
#define FORTY_EIGHT_17THS 1515870810
#define MINUS_THIRTY_TWO_17THS (-1010580540)
#define NEWTON_STEPS 3

/** exp() of a logit that is some steps below the largest, in Q0.31. */
static int32_t exponential(const uint8_t *tables, uint32_t steps_below)
{
    const header *head = header_of(tables);

    return steps_below < head->exponentials ? words_at(tables, head->exponentials_at)[steps_below] : 0;
}

/**
 * Return 1 / (2 * half) in Q0.31, for half a denominator in Q0.31 from 1/2 to 1.
 *
 * Newton's method, rounded at every step as gemmlowp's one_over_one_plus_x_for_x_in_0_1 does.
 */
static int32_t reciprocal(int32_t half)
{
    int32_t estimate = FORTY_EIGHT_17THS + multiply_q31(half, MINUS_THIRTY_TWO_17THS);

    for (uint32_t step = 0; step < NEWTON_STEPS; step++) {
        const int32_t error = ONE_Q29 - multiply_q31(half, estimate);

        estimate += 4 * multiply_q31(estimate, error);
    }
    return estimate > INT32_MAX / 2 ? INT32_MAX : 2 * estimate;
}

/** Turn logits into probabilities in steps of 1/256, 255 at most: TFLite's reference softmax in fixed point. */
static void softmax(const uint8_t *tables, const uint8_t *logits, uint8_t *probabilities)
{
    uint8_t largest = 0;
    uint32_t sum = 0;
    uint32_t exponent = SUM_INTEGER_BITS;
    int32_t scale;

    for (uint32_t index = 0; index < NETWORK_CLASSES; index++) {
        largest = logits[index] > largest ? logits[index] : largest;
    }
    for (uint32_t index = 0; index < NETWORK_CLASSES; index++) {
        const int32_t share = exponential(tables, (uint32_t)(largest - logits[index]));

        sum += (uint32_t)rounding_shift(share, SUM_INTEGER_BITS);
    }
    while (sum <= INT32_MAX) { /* until the sum is 2^exponent times a number from 1 to 2 */
        sum <<= 1;
        exponent--;
    }
    scale = reciprocal((int32_t)(sum >> 1));
    for (uint32_t index = 0; index < NETWORK_CLASSES; index++) {
        const int32_t share = multiply_q31(scale, exponential(tables, (uint32_t)(largest - logits[index])));

        probabilities[index]
            = within(rounding_shift(share, exponent + FRACTION_BITS - PROBABILITY_BITS), 0, QUANTIZED_MAX);
    }
}

/** Divide the memory. */
static memory memory_of(const uint8_t *tables, uint8_t *scratch)
{
    uint32_t outputs;
    const uint32_t row = longest_row(tables, &outputs);
    uint8_t *const patch = scratch + aligned(header_of(tables)->values);
    uint8_t *const sums = patch + 2 * row + 4 * (row / BLOCK);
    const memory run = {
        .values = scratch,
        .patch = (int16_t *)(void *)patch,
        .blocks = (uint32_t *)(void *)(patch + 2 * row),
        .sums = (int32_t *)(void *)sums,
        .found = (int32_t *)(void *)(sums + 4 * aligned(outputs)),
    };

    return run;
}

static void copy_bytes(uint8_t *given, const uint8_t *taken, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        given[index] = taken[index];
    }
}

void network_run(const uint8_t *tables, const uint8_t *images, uint32_t count, uint8_t *probabilities, uint8_t *scratch)
{
    const header *head = header_of(tables);
    const memory run = memory_of(tables, scratch);
    const uint8_t *answer = run.values + head->answer;

    for (uint32_t image = 0; image < count; image++) {
        copy_bytes(run.values, images + (uint64_t)image * NETWORK_PIXELS, NETWORK_PIXELS);
        for (uint32_t index = 0; index < head->layers; index++) {
            run_layer(tables, layer_of(tables, index), &run);
        }
        if (head->exponentials != 0) {
            softmax(tables, answer, probabilities);
        } else {
            copy_bytes(probabilities, answer, NETWORK_CLASSES);
        }
        probabilities += NETWORK_CLASSES;
    }
}
