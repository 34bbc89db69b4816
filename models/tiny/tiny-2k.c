/*
 * tiny-2k.c - a neural network for images of 28x28 pixels, in C99
 *
 * Made by edgedigits 0.1.0 from an int8 TFLite file. Every integer that is computed here is the one that
 * TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and
 * no variable outlives a call.
 * (Some compilers make calls of memcpy and memset of loops that copy bytes.)
 *
 *   network           conv7-conv11-pool-conv18-dense10 (784 pixels, hidden layers, 10 classes)
 *   trained weights   sha256 4a20ee1a6d48bc502784c85c73be3beb2a0efd3d7a0ae18da9574248473cd11e
 *   int8 TFLite file  sha256 6ca388e637d1b23ef2ad3bf062704eaa82389e0ff73231d26a4b701b674fbf3f
 *
 * MIT License
 *
 * Copyright (c) 2026 The edgedigits developers
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 *
 * Metadata (JSON):
 * {
 *   "accuracy": {
 *     "correct": 9915,
 *     "dataset": "MNIST",
 *     "images": 10000
 *   },
 *   "arch": "conv7-conv11-pool-conv18-dense10",
 *   "calibration": {
 *     "images": 5000,
 *     "indices_sha256": "2f8718f77ea7ed68b43010110d95c0d75d4e793396ae89490475010865ddfa00",
 *     "ranges": "percentile, logits mse",
 *     "seed": 0
 *   },
 *   "contract": 1,
 *   "edges": "uint8",
 *   "labels": [
 *     "0",
 *     "1",
 *     "2",
 *     "3",
 *     "4",
 *     "5",
 *     "6",
 *     "7",
 *     "8",
 *     "9"
 *   ],
 *   "polarity": "white on black",
 *   "precision": "int8",
 *   "sure": {
 *     "answered": 4458,
 *     "drawn": 0,
 *     "images": 5000,
 *     "min_margin": 255,
 *     "right": 4457
 *   },
 *   "tools": {
 *     "edgedigits": "0.1.0",
 *     "keras": "3.15.1",
 *     "python": "3.11.7",
 *     "tensorflow": "2.21.0"
 *   },
 *   "weights_sha256": "4a20ee1a6d48bc502784c85c73be3beb2a0efd3d7a0ae18da9574248473cd11e"
 * }
 */
#include "tiny-2k.h"

/*
 * Values are kept as unsigned bytes: TFLite's int8 value + 128. An input is then the pixel itself, and 0 is 0.
 */
#define QUANTIZED_MAX 255

/* Fixed-point numbers below 1 have 31 bits after the point: Q0.31. */
#define FRACTION_BITS 31

/* C99 leaves >> of negative numbers to the compiler. This line compiles where it rounds down, as everywhere. */
typedef char shifting_right_rounds_down[((-1) >> 1) == -1 ? 1 : -1];

/* Where tables lie. Most processors read flash as memory; an AVR's plain constants are copied into its RAM. */
#if !defined(__AVR__)
#define FLASH
#elif (defined(__FLASH) && !defined(__STRICT_ANSI__)) || defined(__flash)
#define FLASH __flash
#if !defined(__clang__)
/* Where GCC makes one variable of several in a loop, it forgets (5.4, -O2) that what they point to lies in flash. */
#pragma GCC optimize("no-ivopts")
#endif
#else
#error "expected a compiler that knows __flash: avr-gcc does with -std=gnu99, and the Arduino IDE calls it so"
#endif

/* What is small and quick by itself, and neither as a part of something larger. */
#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART
#endif

/**
 * A layer: in each place of a map a patch is laid out, and every output is a sum of products with it. The patch of a
 * fully connected layer is all that it takes. What is the same in all layers is written where it is needed.
 */
typedef struct {
    uint16_t source;       /**< where what it takes begins */
    uint16_t patch;        /**< where a patch is laid out */
    uint16_t target;       /**< where what it gives begins */
    uint16_t size;         /**< of what it gives */
    uint8_t down;          /**< from a place to the one below */
    uint8_t line;          /**< from a row under the kernel to the next */
    uint8_t across;        /**< from a place to the next */
    uint8_t height;        /**< places */
    uint8_t width;         /**< places */
    uint8_t pool;          /**< bits of the side of a square of places of which the largest is taken */
    uint8_t pooled_width;  /**< places of what it gives */
    uint8_t rows;          /**< of a patch */
    uint8_t row;           /**< length of one */
    uint8_t span;          /**< weights of an output; a longer patch has the same ones over and over */
    uint8_t stride;        /**< from the weights of a group of outputs to those of the next */
    uint8_t outputs;       /**< of a place */
    uint8_t groups;        /**< of outputs whose weights share bytes */
    uint8_t bias;          /**< the first of its biases */
    uint8_t shift;         /**< from sums to outputs */
} packed_layer;

#define LAYERS 4
static const FLASH packed_layer layers[LAYERS] = {
    {
        .source = 0,
        .patch = 0,
        .target = 239,
        .size = 700,
        .down = 56,
        .line = 28,
        .across = 2,
        .height = 10,
        .width = 10,
        .pool = 0,
        .pooled_width = 10,
        .rows = 5,
        .row = 5,
        .span = 25,
        .stride = 12,
        .outputs = 7,
        .groups = 7,
        .bias = 0,
        .shift = 5,
    },
    {
        .source = 239,
        .patch = 176,
        .target = 0,
        .size = 176,
        .down = 70,
        .line = 70,
        .across = 7,
        .height = 8,
        .width = 8,
        .pool = 1,
        .pooled_width = 4,
        .rows = 3,
        .row = 21,
        .span = 63,
        .stride = 24,
        .outputs = 11,
        .groups = 11,
        .bias = 7,
        .shift = 3,
    },
    {
        .source = 0,
        .patch = 176,
        .target = 867,
        .size = 72,
        .down = 44,
        .line = 44,
        .across = 11,
        .height = 2,
        .width = 2,
        .pool = 0,
        .pooled_width = 2,
        .rows = 3,
        .row = 33,
        .span = 99,
        .stride = 39,
        .outputs = 18,
        .groups = 18,
        .bias = 18,
        .shift = 4,
    },
    {
        .source = 867,
        .patch = 867,
        .target = 0,
        .size = 10,
        .down = 0,
        .line = 72,
        .across = 0,
        .height = 1,
        .width = 1,
        .pool = 0,
        .pooled_width = 1,
        .rows = 1,
        .row = 72,
        .span = 72,
        .stride = 27,
        .outputs = 10,
        .groups = 10,
        .bias = 36,
        .shift = 4,
    },
};

/*
 * The weights of all layers, in the order in which they are needed.
 * Weights of 8 values lie 8 in 3 bytes: digits of a number, the highest first.
 */
static const FLASH uint8_t weights[1320] = {
    45, 203, 150, 235, 93, 181, 66, 86, 187, 0, 0, 96, 153, 219, 73, 69, 66, 39, 191, 205, 214, 0, 0, 224,
    119, 93, 183, 66, 88, 254, 67, 6, 32, 0, 0, 160, 26, 75, 82, 44, 161, 78, 111, 244, 43, 0, 0, 224, 141,
    56, 165, 244, 255, 240, 80, 153, 254, 0, 0, 96, 181, 73, 146, 39, 226, 115, 146, 79, 196, 0, 0, 160, 116,
    67, 219, 5, 82, 3, 64, 42, 128, 0, 0, 32, 108, 253, 210, 237, 104, 179, 145, 65, 211, 145, 80, 243, 235,
    194, 253, 20, 49, 131, 216, 128, 23, 64, 62, 146, 168, 233, 141, 68, 206, 229, 19, 69, 25, 19, 229, 202,
    48, 8, 126, 174, 23, 245, 62, 27, 206, 216, 121, 45, 31, 164, 108, 120, 88, 16, 118, 186, 239, 171, 49,
    168, 161, 160, 1, 180, 71, 73, 108, 157, 154, 144, 91, 185, 141, 221, 146, 110, 200, 210, 100, 165, 198,
    56, 200, 121, 16, 34, 241, 236, 205, 66, 35, 14, 162, 64, 126, 136, 84, 179, 225, 71, 40, 162, 149, 100,
    66, 12, 234, 137, 10, 238, 13, 120, 127, 117, 159, 223, 169, 232, 88, 170, 24, 166, 30, 106, 128, 200, 54,
    27, 144, 211, 233, 177, 65, 12, 82, 93, 91, 146, 244, 152, 91, 168, 87, 156, 245, 86, 211, 36, 239, 183,
    29, 219, 231, 48, 75, 40, 87, 167, 166, 192, 252, 181, 3, 244, 77, 40, 194, 34, 221, 78, 155, 240, 192,
    153, 23, 35, 106, 76, 74, 218, 61, 112, 149, 173, 13, 201, 49, 27, 208, 152, 249, 164, 219, 88, 146, 18,
    201, 122, 237, 94, 90, 110, 69, 246, 7, 81, 179, 244, 219, 84, 228, 83, 140, 48, 137, 105, 115, 255, 73,
    76, 127, 80, 152, 110, 147, 73, 87, 119, 103, 59, 21, 148, 118, 11, 24, 245, 26, 24, 237, 118, 69, 75,
    178, 22, 182, 253, 211, 208, 102, 58, 216, 219, 133, 71, 181, 20, 130, 6, 62, 52, 195, 80, 185, 139, 126,
    218, 86, 40, 29, 246, 12, 92, 86, 127, 40, 96, 45, 221, 81, 173, 75, 178, 91, 55, 104, 215, 10, 97, 117,
    213, 249, 101, 109, 92, 166, 166, 74, 100, 148, 240, 0, 128, 191, 29, 27, 156, 70, 30, 81, 87, 180, 174,
    97, 51, 35, 107, 177, 23, 162, 171, 110, 13, 214, 245, 181, 236, 176, 95, 90, 70, 39, 89, 145, 218, 60,
    22, 110, 155, 155, 0, 0, 137, 254, 207, 87, 239, 164, 75, 202, 167, 210, 150, 93, 154, 118, 221, 202, 164,
    219, 176, 116, 199, 117, 230, 70, 142, 232, 79, 214, 110, 149, 239, 14, 39, 102, 155, 54, 82, 0, 0, 143,
    159, 243, 210, 230, 106, 134, 100, 217, 146, 228, 55, 151, 59, 91, 243, 211, 182, 137, 100, 71, 143, 43,
    117, 175, 103, 223, 79, 245, 104, 106, 156, 81, 211, 153, 90, 58, 0, 0, 224, 21, 42, 190, 82, 201, 121,
    224, 90, 26, 55, 46, 160, 37, 233, 247, 118, 167, 83, 172, 201, 145, 25, 95, 139, 220, 223, 250, 164, 53,
    202, 162, 89, 175, 214, 124, 123, 0, 128, 164, 156, 171, 138, 211, 193, 107, 16, 201, 180, 60, 174, 160,
    212, 42, 249, 37, 121, 122, 43, 41, 145, 192, 95, 118, 116, 153, 127, 243, 105, 178, 107, 201, 210, 100,
    125, 222, 0, 128, 64, 226, 204, 214, 175, 253, 152, 60, 173, 85, 54, 165, 158, 237, 109, 145, 235, 100,
    151, 24, 169, 237, 6, 177, 64, 161, 213, 187, 152, 235, 114, 30, 191, 173, 44, 45, 109, 0, 128, 55, 235,
    166, 120, 171, 236, 243, 229, 70, 151, 163, 203, 114, 149, 161, 146, 99, 95, 15, 164, 51, 183, 125, 198,
    245, 250, 13, 108, 7, 90, 234, 233, 78, 233, 7, 98, 14, 0, 0, 35, 252, 242, 167, 237, 71, 140, 223, 214,
    82, 188, 203, 223, 39, 126, 80, 124, 168, 144, 227, 22, 14, 142, 43, 153, 71, 219, 174, 94, 169, 173, 107,
    57, 150, 174, 59, 114, 0, 0, 127, 39, 75, 185, 44, 77, 183, 238, 202, 90, 77, 219, 178, 78, 5, 142, 100,
    89, 215, 151, 71, 146, 212, 58, 57, 60, 242, 126, 19, 119, 228, 34, 225, 27, 248, 8, 227, 0, 0, 143, 51,
    205, 242, 166, 231, 125, 246, 222, 117, 229, 184, 210, 31, 125, 168, 126, 48, 106, 40, 87, 143, 35, 35,
    157, 234, 125, 112, 52, 134, 95, 85, 171, 55, 177, 7, 10, 0, 0, 166, 214, 57, 150, 28, 75, 75, 222, 208,
    82, 248, 79, 146, 93, 202, 173, 236, 204, 92, 6, 90, 59, 45, 41, 178, 128, 244, 24, 220, 130, 159, 65, 79,
    128, 45, 48, 85, 0, 0, 129, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146,
    36, 73, 146, 36, 73, 146, 36, 73, 146, 228, 72, 146, 36, 71, 146, 35, 73, 146, 0, 0, 114, 247, 123, 91,
    12, 159, 210, 220, 212, 206, 76, 197, 182, 247, 170, 50, 76, 81, 210, 97, 201, 182, 25, 219, 106, 211, 56,
    169, 181, 180, 238, 171, 216, 177, 103, 253, 50, 0, 0, 57, 236, 184, 145, 166, 202, 177, 20, 91, 86, 43,
    169, 151, 115, 39, 41, 222, 230, 125, 244, 168, 112, 154, 222, 171, 72, 241, 251, 232, 205, 31, 37, 9,
    206, 196, 251, 249, 0, 0, 153, 148, 200, 105, 107, 80, 142, 169, 217, 106, 29, 219, 223, 202, 169, 238,
    91, 91, 174, 180, 189, 201, 157, 73, 255, 40, 211, 134, 101, 215, 25, 110, 77, 142, 181, 166, 55, 0, 0,
    192, 131, 143, 157, 135, 124, 48, 101, 41, 202, 61, 41, 1, 50, 1, 179, 10, 59, 154, 233, 90, 155, 238,
    227, 105, 98, 199, 158, 27, 107, 151, 23, 217, 109, 237, 206, 119, 0, 128, 50, 99, 124, 167, 229, 231,
    125, 53, 201, 117, 179, 24, 247, 220, 219, 73, 228, 150, 182, 227, 74, 163, 78, 71, 82, 239, 63, 246, 183,
    73, 114, 211, 218, 252, 139, 255, 191, 0, 0, 73, 81, 211, 36, 237, 232, 21, 195, 73, 196, 102, 213, 113,
    132, 10, 154, 192, 1, 113, 31, 86, 143, 31, 8, 156, 208, 9, 42, 196, 42, 120, 10, 249, 129, 72, 194, 251,
    228, 87, 11, 241, 185, 79, 76, 30, 132, 237, 234, 140, 59, 32, 101, 43, 101, 58, 115, 231, 114, 188, 73,
    229, 66, 123, 5, 229, 54, 255, 228, 38, 165, 196, 140, 154, 33, 56, 147, 119, 60, 164, 107, 90, 2, 161,
    54, 47, 138, 73, 240, 33, 41, 28, 230, 72, 135, 103, 115, 142, 9, 173, 108, 192, 165, 140, 226, 36, 155,
    222, 72, 174, 220, 70, 117, 112, 9, 47, 25, 241, 239, 225, 158, 249, 105, 138, 131, 251, 242, 162, 242,
    70, 148, 193, 13, 73, 43, 81, 210, 211, 236, 89, 84, 152, 50, 255, 152, 177, 34, 221, 8, 102, 197, 82,
    169, 6, 209, 68, 135, 140, 84, 240, 155, 27, 71, 106, 201, 156, 252, 245, 168, 156, 123, 194, 170, 97, 64,
    10, 65, 171, 213, 130, 19, 117, 146, 220, 134, 14, 118, 114, 73, 15, 38, 58, 195, 35, 139, 73, 174, 145,
    44, 231, 100, 169, 142, 59, 25, 8, 39, 216, 73, 254, 196, 152, 144, 137, 205, 154, 39, 190, 253, 22, 109,
    213, 168, 45, 90, 189, 117, 228, 72, 212, 34, 119, 117, 1, 161, 87, 217, 217, 130, 12, 90, 122, 175, 207,
    45, 94, 71, 36, 31, 168, 19, 5, 71, 80, 37, 29, 113, 163, 200, 124, 249, 242, 165, 45, 217, 140, 216, 167,
    85, 37, 113, 250,
};
/* What is added to sums, rounding included, in units of 2^bias_shift. */
static const FLASH int16_t biases[46] = {
    -67, 455, 409, 272, 8, 18, 875, 147, 60, 65, 92, 156, 42, -45, 65, -31, -18, 41, 281, 347, 40, -168, 50,
    129, -66, 82, -15, -5, 115, 303, -4, 0, -23, 118, 181, 14, 1660, 1725, 1666, 1697, 1656, 1707, 1677, 1639,
    1728, 1719,
};

/*
 * exp(-d * 0.100178652) in Q0.31, for a logit that is d steps below the largest.
 * What is not in the table counts as 0.
 */
#define EXPONENTIALS 139
static const FLASH int32_t exponentials[EXPONENTIALS] = {
    2147483647, 1942776464, 1757582841, 1590042580, 1438473030, 1301351434, 1177301378, 1065076077, 963548487,
    871699003, 788604802, 713431823, 645424503, 583899898, 528240102, 477885932, 432331915, 391120226,
    353836980, 320107754, 289593673, 261988436, 237014598, 214421360, 193981813, 175490616, 158762139,
    143628267, 129937009, 117550868, 106345402, 96208129, 87037166, 78740413, 71234545, 64444157, 58301078,
    52743576, 47715833, 43167359, 39052458, 35329819, 31962032, 28915276, 26158950, 23665364, 21409485,
    19368644, 17522342, 15852039, 14340953, 12973915, 11737187, 10618349, 9606163, 8690462, 7862051, 7112608,
    6434604, 5821230, 5266325, 4764318, 4310163, 3899300, 3527602, 3191336, 2887125, 2611912, 2362933,
    2137688, 1933915, 1749566, 1582790, 1431912, 1295416, 1171931, 1060218, 959154, 867723, 785008, 710178,
    642481, 581237, 525831, 475707, 430360, 389336, 352223, 318648, 288273, 260794, 235934, 213443, 193097,
    174690, 158038, 142973, 129344, 117015, 105860, 95769, 86640, 78381, 70910, 64150, 58035, 52503, 47498,
    42970, 38874, 35169, 31816, 28783, 26040, 23557, 21312, 19280, 17442, 15780, 14276, 12915, 11684, 10570,
    9562, 8651, 7826, 7080, 6405, 5795, 5242, 4743, 4291, 3882, 3512, 3177, 2874, 2600, 2352, 2128,
};

/* Sums of exponentials are in Q12.19, so that many of them fit. */
#define SUM_INTEGER_BITS 12

/* For Newton's division, in Q2.29. */
#define ONE_Q29 ((int32_t)1 << 29)
#define FORTY_EIGHT_17THS 1515870810
#define MINUS_THIRTY_TWO_17THS (-1010580540)
#define NEWTON_STEPS 3


/** Multiply values, at least one, with the digits that are the weights of an output, and return the sum. */
static APART uint32_t sum_digits(const FLASH uint8_t *bytes, const uint8_t *values, uint_fast16_t count)
{
    uint32_t sum = 0;

    do {
        uint_fast8_t digits = 8;
        uint32_t unit = 0;

        for (uint_fast8_t left = 3; left > 0; left--) {
            unit = unit >> 8 | (uint32_t)*bytes++ << 24;
        }
        do {
            sum += ((unit >> 16) * 8 >> 16) * *values++;
            unit *= 8;
        } while (--count > 0 && --digits > 0);
    } while (count > 0);
    return sum;
}

/**
 * Compute all outputs of a layer in one place, each the largest of what it is and what it was.
 *
 * @param source  of the first row of the patch
 * @param patch   where it is laid out; source, if it lies well as it is
 * @param output  of the first
 * @param weight  of the first
 * @return behind the last weight
 */
static APART const FLASH uint8_t *compute_place(const FLASH packed_layer *layer, const uint8_t *source, uint8_t *patch,
    uint8_t *output, const FLASH uint8_t *weight)
{
    const FLASH int16_t *bias = biases + layer->bias;
    const uint8_t *end = patch;
    uint32_t total = 0;

    {
        uint8_t *copy = patch;

        for (uint_fast16_t row = layer->rows; row > 0; row--) {
            for (uint_fast16_t index = 0; index < layer->row; index++) {
                const uint8_t value = source[index];

                *copy++ = value;
                total += value;
            }
            source += layer->line;
        }
        end = copy;
    }
    /* The digits are weights that have been made positive by adding so much. */
    total *= 4;
    for (uint_fast16_t group = layer->groups; group > 0; group--) {
        uint32_t sum = 0;

        for (const uint8_t *piece = patch; piece < end; piece += layer->span) {
            sum += sum_digits(weight, piece, layer->span);
        }
        weight += layer->stride;
        {
            int32_t value = (int32_t)(sum - total);

            value = (value + (int32_t)((uint32_t)*bias << 0)) >> layer->shift;
            value = value > QUANTIZED_MAX ? QUANTIZED_MAX : value;
            if (value > *output) {
                *output = (uint8_t)value;
            }
            output++;
            bias++;
        }
    }
    return weight;
}

/** Run all layers. What one writes lies at the other end of the buffer than what it reads. */
static void compute_logits(const uint8_t image[EDGEDIGITS_PIXELS], uint8_t logits[EDGEDIGITS_CLASSES])
{
    uint8_t values[EDGEDIGITS_SCRATCH_BYTES];
    const FLASH uint8_t *weight = weights;

    for (const FLASH packed_layer *layer = layers; layer < layers + LAYERS; layer++) {
        const uint8_t *const source = layer == layers ? image + 58 : values + layer->source;
        uint8_t *const target = layer == layers + LAYERS - 1 ? logits : values + layer->target;
        const FLASH uint8_t *next = weight;

        /* Nothing below 0 comes out, and so all begin with that; volatile, lest it is left to a library. */
        for (uint_fast16_t index = 0; index < layer->size; index++) {
            *(volatile uint8_t *)(target + index) = 0;
        }
        for (uint_fast16_t row = 0; row < layer->height; row++) {
            for (uint_fast16_t column = 0; column < layer->width; column++) {
                const uint_fast16_t place = (row >> layer->pool) * layer->pooled_width + (column >> layer->pool);

                next = compute_place(layer, source + row * layer->down + column * layer->across,
                    values + layer->patch, target + place * layer->outputs, weight);
            }
        }
        weight = next;
    }
}

/** Return the place of the largest of the classes' bytes, the first of several. */
static APART int largest_class(const uint8_t bytes[EDGEDIGITS_CLASSES])
{
    int largest = 0;

    for (int digit = 1; digit < EDGEDIGITS_CLASSES; digit++) {
        if (bytes[digit] > bytes[largest]) {
            largest = digit;
        }
    }
    return largest;
}

int edgedigits_classify(const uint8_t image[EDGEDIGITS_PIXELS], uint8_t logits[EDGEDIGITS_CLASSES])
{
    compute_logits(image, logits);
    return largest_class(logits);
}

/** Divide by a power of two and round to nearest, halves up. */
static int64_t rounding_shift(int64_t value, uint8_t bits)
{
    return (value + ((int64_t)1 << (bits - 1))) >> bits;
}

/** Multiply by a number in Q0.31: gemmlowp's saturating rounding doubling high multiply, where nothing saturates. */
static int32_t multiply_q31(int32_t value, int32_t factor)
{
    return (int32_t)rounding_shift((int64_t)value * factor, FRACTION_BITS);
}

/** exp() of a logit that is some steps below the largest, in Q0.31. */
static int32_t exponential(int32_t steps_below)
{
    return steps_below < EXPONENTIALS ? exponentials[steps_below] : 0;
}

/**
 * Return 1 / (2 * half) in Q0.31, for half a denominator in Q0.31 from 1/2 to 1.
 *
 * Newton's method, rounded at every step as gemmlowp's one_over_one_plus_x_for_x_in_0_1 does.
 */
static int32_t reciprocal(int32_t half)
{
    int32_t estimate = FORTY_EIGHT_17THS + multiply_q31(half, MINUS_THIRTY_TWO_17THS);

    for (uint8_t step = 0; step < NEWTON_STEPS; step++) {
        const int32_t error = ONE_Q29 - multiply_q31(half, estimate);
        estimate += 4 * multiply_q31(estimate, error);
    }
    return estimate > INT32_MAX / 2 ? INT32_MAX : 2 * estimate;
}

/** Turn logits into probabilities in steps of 1/256, 255 at most: TFLite's reference softmax in fixed point. */
static void softmax(const uint8_t logits[EDGEDIGITS_CLASSES], uint8_t probabilities[EDGEDIGITS_CLASSES])
{
    uint8_t largest = 0;
    uint32_t sum = 0;
    uint8_t exponent = SUM_INTEGER_BITS;
    uint8_t spare_bits;
    int32_t scale;

    for (uint8_t digit = 0; digit < EDGEDIGITS_CLASSES; digit++) {
        if (logits[digit] > largest) {
            largest = logits[digit];
        }
    }
    for (uint8_t digit = 0; digit < EDGEDIGITS_CLASSES; digit++) {
        sum += (uint32_t)rounding_shift(exponential(largest - logits[digit]), SUM_INTEGER_BITS);
    }
    while (sum <= INT32_MAX) { /* until the sum is 2^exponent times a number from 1 to 2 */
        sum <<= 1;
        exponent--;
    }

    scale = reciprocal((int32_t)(sum >> 1));
    spare_bits = (uint8_t)(exponent + FRACTION_BITS - EDGEDIGITS_PROBABILITY_BITS);
    for (uint8_t digit = 0; digit < EDGEDIGITS_CLASSES; digit++) {
        const int32_t share = multiply_q31(scale, exponential(largest - logits[digit]));
        const int64_t probability = rounding_shift(share, spare_bits);
        probabilities[digit] = probability > QUANTIZED_MAX ? QUANTIZED_MAX : (uint8_t)probability;
    }
}

int edgedigits_predict(const uint8_t image[EDGEDIGITS_PIXELS], uint8_t probabilities[EDGEDIGITS_CLASSES])
{
    uint8_t logits[EDGEDIGITS_CLASSES];

    edgedigits_classify(image, logits);
    softmax(logits, probabilities);
    return largest_class(probabilities);
}
