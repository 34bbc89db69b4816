/*
 * tiny-fast.c - a neural network for images of 28x28 pixels, in C99
 *
 * Made by edgedigits 0.1.0 from an int8 TFLite file. Every integer that is computed here is the one that
 * TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and
 * no variable outlives a call.
 * (Some compilers make calls of memcpy and memset of loops that copy bytes.)
 *
 *   network           conv8-pool-conv17-conv26-dense10 (784 pixels, hidden layers, 10 classes)
 *   trained weights   sha256 17cb81cee2e6fdada2a49095305802d67e8f7d6fe8f068425a789c131ecfcbf6
 *   int8 TFLite file  sha256 431a285fc0f2ff73e31f318ff10ee63aa0d4615ef9242798e5d5f7bf051aabe6
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
 *     "correct": 9925,
 *     "dataset": "MNIST",
 *     "images": 10000
 *   },
 *   "arch": "conv8-pool-conv17-conv26-dense10",
 *   "calibration": {
 *     "images": 5000,
 *     "indices_sha256": "2f8718f77ea7ed68b43010110d95c0d75d4e793396ae89490475010865ddfa00",
 *     "ranges": "min-max, logits mse",
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
 *     "answered": 4438,
 *     "drawn": 0,
 *     "images": 5000,
 *     "min_margin": 255,
 *     "right": 4438
 *   },
 *   "tools": {
 *     "edgedigits": "0.1.0",
 *     "keras": "3.15.1",
 *     "python": "3.11.7",
 *     "tensorflow": "2.21.0"
 *   },
 *   "weights_sha256": "17cb81cee2e6fdada2a49095305802d67e8f7d6fe8f068425a789c131ecfcbf6"
 * }
 */
#include "tiny-fast.h"

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
    uint8_t size;          /**< of what it gives */
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
        .target = 226,
        .size = 200,
        .down = 56,
        .line = 28,
        .across = 2,
        .height = 10,
        .width = 10,
        .pool = 1,
        .pooled_width = 5,
        .rows = 5,
        .row = 5,
        .span = 25,
        .stride = 25,
        .outputs = 8,
        .groups = 4,
        .bias = 0,
        .shift = 6,
    },
    {
        .source = 226,
        .patch = 154,
        .target = 0,
        .size = 153,
        .down = 40,
        .line = 40,
        .across = 8,
        .height = 3,
        .width = 3,
        .pool = 0,
        .pooled_width = 3,
        .rows = 3,
        .row = 24,
        .span = 72,
        .stride = 72,
        .outputs = 17,
        .groups = 9,
        .bias = 8,
        .shift = 5,
    },
    {
        .source = 0,
        .patch = 154,
        .target = 400,
        .size = 26,
        .down = 51,
        .line = 51,
        .across = 17,
        .height = 1,
        .width = 1,
        .pool = 0,
        .pooled_width = 1,
        .rows = 3,
        .row = 51,
        .span = 153,
        .stride = 153,
        .outputs = 26,
        .groups = 13,
        .bias = 26,
        .shift = 5,
    },
    {
        .source = 400,
        .patch = 400,
        .target = 0,
        .size = 10,
        .down = 0,
        .line = 26,
        .across = 0,
        .height = 1,
        .width = 1,
        .pool = 0,
        .pooled_width = 1,
        .rows = 1,
        .row = 26,
        .span = 26,
        .stride = 26,
        .outputs = 10,
        .groups = 5,
        .bias = 52,
        .shift = 3,
    },
};

/*
 * The weights of all layers, in the order in which they are needed.
 * A byte with weights of 4 bits is those of two outputs for one input, the second in the higher bits.
 */
static const FLASH uint8_t weights[2867] = {
    125, 123, 122, 140, 188, 137, 108, 108, 140, 214, 67, 58, 119, 148, 241, 48, 128, 96, 160, 213, 39, 70,
    119, 219, 187, 198, 201, 104, 55, 39, 201, 201, 153, 10, 122, 218, 170, 58, 10, 155, 235, 155, 11, 42,
    188, 108, 26, 26, 137, 199, 152, 184, 150, 118, 117, 185, 93, 62, 91, 123, 51, 9, 77, 156, 205, 33, 115,
    232, 234, 154, 229, 242, 192, 97, 82, 9, 43, 70, 149, 199, 103, 92, 10, 6, 129, 182, 155, 111, 10, 35,
    182, 186, 207, 110, 5, 161, 164, 215, 222, 121, 200, 42, 150, 89, 119, 104, 105, 199, 134, 90, 103, 120,
    136, 120, 91, 200, 211, 91, 120, 104, 215, 151, 59, 152, 186, 135, 181, 122, 171, 137, 89, 152, 122, 153,
    198, 132, 170, 139, 155, 185, 192, 56, 239, 70, 231, 152, 73, 161, 191, 112, 118, 128, 158, 150, 131, 228,
    133, 127, 149, 112, 195, 89, 135, 162, 176, 14, 154, 90, 201, 80, 95, 149, 136, 177, 195, 148, 121, 226,
    9, 26, 166, 152, 214, 7, 116, 215, 116, 117, 102, 77, 157, 43, 244, 105, 248, 219, 42, 181, 87, 232, 93,
    106, 226, 8, 170, 121, 74, 122, 164, 142, 192, 5, 154, 205, 106, 155, 195, 118, 181, 102, 121, 123, 104,
    159, 133, 124, 160, 115, 185, 122, 152, 123, 163, 168, 129, 112, 135, 152, 104, 170, 102, 115, 84, 89,
    158, 126, 73, 170, 173, 104, 153, 117, 143, 106, 74, 197, 143, 90, 107, 83, 101, 88, 90, 200, 7, 102, 13,
    121, 173, 119, 118, 173, 94, 153, 64, 217, 139, 137, 133, 174, 5, 206, 0, 115, 185, 75, 117, 138, 87, 235,
    38, 226, 121, 165, 230, 119, 135, 182, 131, 138, 152, 135, 215, 57, 137, 184, 167, 150, 153, 199, 200, 88,
    216, 232, 200, 249, 204, 171, 183, 214, 185, 204, 167, 136, 119, 194, 104, 228, 70, 154, 235, 155, 86,
    176, 133, 183, 80, 147, 167, 140, 91, 136, 90, 182, 123, 126, 215, 213, 53, 217, 89, 186, 97, 108, 202,
    90, 160, 144, 170, 126, 96, 208, 151, 76, 202, 73, 168, 36, 186, 73, 135, 247, 218, 55, 202, 90, 164, 120,
    39, 217, 215, 102, 117, 122, 96, 144, 40, 106, 132, 124, 77, 207, 49, 142, 169, 241, 9, 136, 103, 159, 5,
    77, 131, 100, 27, 153, 85, 138, 7, 170, 122, 123, 130, 137, 203, 147, 154, 118, 174, 244, 71, 149, 246,
    130, 140, 103, 175, 137, 185, 180, 182, 103, 246, 139, 167, 154, 166, 151, 136, 196, 88, 134, 139, 106,
    120, 154, 86, 213, 137, 38, 137, 62, 215, 134, 42, 183, 216, 70, 154, 87, 88, 202, 185, 169, 105, 137,
    231, 201, 25, 183, 108, 170, 89, 25, 200, 185, 7, 169, 75, 76, 106, 25, 135, 136, 140, 170, 138, 166, 107,
    106, 166, 185, 8, 185, 107, 122, 105, 7, 183, 176, 11, 194, 72, 108, 121, 6, 145, 120, 151, 156, 147, 155,
    115, 151, 101, 151, 121, 170, 193, 200, 165, 129, 122, 162, 123, 194, 208, 131, 181, 129, 115, 152, 23,
    199, 150, 136, 54, 134, 180, 134, 167, 139, 152, 121, 199, 153, 68, 136, 202, 116, 151, 114, 171, 170,
    105, 107, 58, 216, 229, 226, 90, 150, 183, 140, 219, 7, 101, 64, 236, 135, 123, 205, 231, 9, 23, 50, 202,
    104, 175, 191, 154, 122, 202, 181, 186, 108, 204, 189, 201, 56, 123, 82, 169, 175, 136, 201, 133, 43, 62,
    110, 132, 28, 136, 164, 103, 185, 75, 220, 151, 56, 169, 107, 120, 152, 135, 169, 70, 183, 104, 90, 182,
    135, 102, 138, 146, 185, 152, 169, 8, 249, 169, 205, 22, 140, 73, 8, 118, 121, 116, 102, 53, 188, 123, 11,
    162, 89, 72, 119, 195, 185, 203, 214, 16, 204, 106, 94, 101, 28, 221, 39, 161, 70, 169, 72, 195, 171, 216,
    48, 161, 141, 135, 253, 96, 223, 106, 113, 10, 9, 8, 13, 12, 9, 9, 2, 15, 9, 7, 12, 12, 13, 7, 5, 11, 10,
    7, 12, 8, 10, 7, 6, 11, 8, 7, 3, 12, 8, 10, 2, 8, 4, 9, 5, 10, 11, 10, 7, 10, 6, 8, 4, 11, 9, 8, 10, 14,
    8, 6, 5, 9, 11, 0, 2, 8, 14, 8, 12, 6, 14, 6, 0, 5, 13, 8, 9, 8, 8, 9, 6, 120, 133, 171, 189, 160, 139,
    113, 88, 163, 155, 152, 158, 122, 175, 100, 155, 114, 134, 152, 187, 189, 180, 169, 128, 134, 136, 153,
    136, 162, 152, 79, 115, 156, 103, 149, 174, 106, 203, 148, 187, 130, 104, 120, 142, 103, 192, 162, 125,
    130, 152, 107, 183, 121, 103, 153, 98, 137, 84, 55, 213, 203, 137, 185, 168, 89, 22, 139, 133, 166, 56,
    185, 184, 121, 156, 55, 135, 180, 119, 86, 140, 153, 91, 100, 123, 152, 201, 90, 139, 167, 133, 173, 173,
    134, 164, 120, 53, 152, 185, 137, 153, 151, 106, 248, 73, 198, 105, 103, 88, 57, 6, 197, 186, 122, 120,
    118, 71, 247, 151, 135, 135, 136, 150, 184, 121, 201, 13, 87, 215, 182, 20, 123, 57, 153, 250, 235, 104,
    37, 151, 58, 170, 170, 213, 122, 138, 152, 118, 7, 157, 251, 39, 238, 220, 101, 57, 135, 70, 152, 233,
    103, 229, 152, 70, 150, 166, 153, 103, 88, 147, 106, 166, 121, 87, 119, 137, 206, 152, 186, 121, 89, 183,
    187, 211, 167, 137, 200, 102, 107, 120, 135, 167, 135, 121, 167, 200, 155, 170, 121, 155, 184, 150, 170,
    151, 168, 93, 69, 172, 148, 135, 202, 91, 198, 186, 19, 122, 116, 150, 73, 103, 7, 131, 166, 87, 122, 164,
    137, 201, 102, 169, 140, 135, 202, 200, 137, 123, 153, 67, 86, 134, 142, 121, 121, 104, 170, 186, 136,
    152, 183, 136, 127, 170, 151, 137, 149, 154, 135, 146, 122, 132, 102, 186, 86, 77, 106, 32, 39, 123, 88,
    189, 36, 76, 3, 249, 212, 119, 177, 117, 167, 137, 187, 94, 49, 151, 182, 102, 159, 102, 25, 48, 201, 186,
    135, 167, 149, 138, 157, 153, 139, 153, 104, 200, 122, 139, 169, 123, 133, 137, 182, 153, 197, 157, 90,
    168, 60, 106, 112, 152, 120, 120, 187, 152, 133, 115, 92, 121, 219, 197, 220, 135, 151, 152, 73, 118, 151,
    245, 137, 171, 154, 134, 165, 105, 137, 220, 132, 206, 186, 85, 137, 85, 117, 153, 178, 124, 170, 151,
    153, 106, 118, 183, 149, 173, 186, 107, 107, 89, 118, 84, 165, 201, 121, 90, 203, 138, 182, 55, 148, 134,
    218, 170, 122, 152, 103, 89, 70, 104, 168, 217, 89, 122, 156, 121, 120, 117, 124, 200, 201, 169, 23, 150,
    58, 100, 45, 153, 202, 198, 41, 169, 118, 87, 131, 91, 184, 63, 105, 140, 170, 121, 153, 120, 185, 199,
    88, 191, 173, 143, 99, 112, 137, 231, 88, 137, 105, 119, 185, 122, 134, 202, 235, 9, 185, 188, 124, 87,
    112, 43, 245, 104, 182, 11, 145, 139, 124, 107, 200, 233, 96, 123, 181, 67, 154, 132, 106, 165, 7, 59,
    216, 165, 232, 103, 86, 53, 216, 123, 118, 196, 117, 205, 102, 53, 119, 8, 106, 133, 135, 153, 102, 146,
    24, 232, 125, 120, 196, 165, 121, 184, 4, 117, 5, 108, 104, 136, 204, 153, 160, 150, 217, 41, 89, 168,
    167, 104, 153, 137, 218, 104, 90, 201, 102, 149, 153, 167, 118, 146, 151, 235, 152, 154, 215, 172, 57, 75,
    105, 120, 185, 121, 120, 203, 136, 168, 115, 118, 89, 168, 138, 170, 212, 71, 101, 55, 67, 173, 103, 183,
    156, 205, 89, 196, 71, 126, 135, 154, 171, 72, 167, 186, 223, 213, 167, 154, 122, 174, 136, 148, 181, 131,
    171, 90, 174, 195, 100, 155, 123, 173, 184, 162, 43, 105, 187, 116, 133, 107, 103, 153, 72, 191, 183, 165,
    187, 151, 154, 150, 166, 91, 119, 138, 215, 137, 75, 60, 102, 39, 136, 199, 113, 72, 69, 96, 81, 124, 165,
    230, 226, 87, 51, 143, 184, 49, 206, 165, 166, 217, 86, 73, 96, 129, 53, 196, 232, 178, 88, 219, 154, 172,
    54, 153, 164, 212, 235, 104, 122, 55, 104, 99, 181, 139, 156, 137, 188, 121, 70, 156, 101, 118, 215, 119,
    106, 134, 83, 146, 186, 170, 155, 215, 152, 152, 58, 124, 58, 170, 135, 166, 188, 117, 137, 69, 166, 117,
    135, 121, 139, 184, 188, 73, 122, 138, 136, 133, 136, 153, 183, 183, 73, 134, 162, 57, 10, 232, 138, 168,
    88, 74, 205, 105, 166, 103, 184, 155, 135, 167, 137, 150, 173, 137, 168, 169, 184, 77, 89, 154, 152, 167,
    167, 204, 102, 137, 180, 167, 106, 70, 153, 123, 215, 154, 159, 103, 120, 151, 169, 118, 122, 183, 87,
    152, 185, 212, 106, 151, 150, 124, 102, 152, 88, 152, 70, 166, 103, 119, 72, 169, 124, 64, 169, 89, 109,
    220, 132, 132, 119, 101, 172, 156, 190, 118, 151, 122, 118, 152, 84, 166, 106, 138, 185, 164, 137, 183,
    72, 106, 171, 189, 122, 135, 89, 214, 168, 119, 132, 123, 104, 168, 186, 134, 152, 120, 140, 119, 109,
    157, 198, 101, 178, 184, 88, 168, 169, 123, 253, 230, 89, 123, 56, 153, 213, 185, 123, 122, 133, 118, 149,
    88, 169, 140, 170, 155, 137, 126, 118, 73, 149, 145, 151, 154, 44, 152, 184, 152, 150, 49, 171, 166, 152,
    41, 123, 121, 153, 103, 116, 102, 104, 182, 169, 77, 166, 41, 164, 100, 164, 235, 121, 124, 145, 43, 179,
    243, 224, 26, 8, 219, 124, 134, 139, 182, 200, 181, 119, 106, 143, 68, 105, 164, 177, 224, 71, 26, 165,
    190, 69, 169, 38, 197, 232, 132, 86, 221, 155, 119, 185, 150, 49, 99, 151, 154, 168, 175, 105, 121, 56,
    23, 134, 206, 169, 148, 138, 158, 119, 154, 84, 100, 157, 152, 205, 121, 155, 89, 73, 103, 156, 167, 118,
    171, 136, 105, 126, 178, 89, 205, 137, 155, 156, 68, 138, 166, 53, 182, 89, 166, 236, 164, 169, 184, 145,
    181, 154, 101, 138, 136, 103, 57, 92, 168, 140, 104, 184, 168, 122, 86, 169, 121, 104, 167, 132, 136, 151,
    122, 153, 126, 150, 154, 183, 155, 123, 164, 107, 170, 104, 94, 195, 167, 83, 155, 155, 151, 152, 103,
    122, 166, 58, 7, 200, 138, 137, 104, 90, 134, 74, 102, 107, 105, 154, 181, 134, 134, 105, 135, 246, 134,
    135, 26, 126, 111, 19, 59, 86, 88, 106, 227, 118, 164, 57, 74, 87, 230, 120, 103, 122, 187, 223, 53, 44,
    71, 24, 91, 198, 69, 200, 45, 123, 150, 128, 202, 117, 139, 249, 136, 135, 126, 73, 136, 42, 115, 241,
    182, 167, 137, 182, 22, 119, 135, 167, 200, 68, 40, 63, 42, 137, 204, 146, 198, 229, 103, 36, 169, 72,
    153, 135, 216, 201, 97, 74, 10, 72, 41, 249, 104, 22, 150, 188, 1, 41, 166, 171, 153, 231, 246, 139, 155,
    122, 75, 209, 88, 27, 230, 172, 167, 134, 188, 116, 122, 191, 125, 100, 102, 154, 76, 121, 201, 151, 234,
    184, 136, 165, 128, 121, 121, 90, 172, 125, 73, 88, 230, 168, 199, 152, 120, 219, 134, 103, 133, 161, 90,
    122, 57, 220, 234, 102, 103, 166, 50, 55, 113, 172, 112, 191, 173, 171, 149, 204, 117, 170, 166, 142, 86,
    108, 170, 89, 103, 132, 169, 140, 202, 122, 134, 252, 150, 107, 114, 198, 92, 107, 47, 184, 104, 137, 163,
    53, 70, 183, 151, 106, 234, 105, 104, 81, 105, 89, 107, 169, 167, 158, 137, 105, 169, 120, 119, 144, 206,
    173, 121, 103, 170, 134, 149, 38, 108, 131, 159, 148, 136, 187, 169, 152, 135, 120, 154, 155, 118, 152,
    114, 182, 104, 106, 82, 154, 179, 168, 111, 121, 149, 106, 119, 150, 157, 167, 108, 170, 151, 118, 106,
    104, 76, 172, 56, 180, 130, 166, 128, 25, 60, 229, 247, 102, 67, 100, 150, 203, 99, 62, 135, 122, 106,
    136, 183, 102, 119, 137, 172, 213, 104, 167, 72, 137, 116, 136, 107, 133, 181, 127, 153, 181, 74, 152,
    135, 155, 135, 123, 123, 7, 135, 149, 159, 203, 57, 154, 201, 197, 54, 128, 136, 138, 42, 150, 171, 197,
    246, 201, 150, 42, 60, 56, 88, 126, 153, 57, 150, 120, 42, 11, 116, 205, 199, 170, 183, 82, 77, 36, 132,
    72, 126, 150, 39, 248, 141, 37, 153, 161, 172, 149, 137, 200, 184, 137, 11, 133, 128, 73, 105, 184, 247,
    104, 86, 169, 199, 119, 127, 137, 161, 216, 122, 13, 123, 81, 104, 186, 211, 203, 100, 184, 107, 169, 93,
    139, 172, 165, 151, 119, 77, 136, 129, 67, 153, 186, 151, 57, 184, 92, 187, 105, 171, 136, 150, 140, 84,
    155, 70, 162, 107, 24, 57, 183, 73, 217, 139, 200, 49, 121, 37, 164, 191, 168, 124, 87, 84, 87, 74, 119,
    170, 152, 204, 43, 119, 169, 72, 90, 136, 95, 123, 77, 134, 84, 85, 89, 168, 183, 71, 201, 73, 135, 183,
    86, 167, 153, 94, 150, 156, 149, 213, 166, 218, 97, 168, 87, 89, 119, 84, 234, 182, 174, 41, 47, 166, 204,
    149, 168, 83, 199, 147, 140, 88, 107, 120, 149, 220, 164, 166, 117, 12, 102, 123, 102, 167, 20, 247, 165,
    151, 6, 153, 153, 200, 151, 165, 167, 152, 196, 139, 117, 67, 142, 86, 57, 200, 128, 164, 215, 198, 167,
    177, 112, 136, 141, 167, 124, 40, 0, 63, 162, 59, 169, 192, 246, 155, 169, 106, 114, 163, 162, 122, 155,
    185, 169, 2, 15, 166, 75, 185, 166, 247, 186, 74, 56, 101, 168, 99, 104, 136, 173, 167, 100, 125, 89, 91,
    134, 112, 134, 137, 133, 154, 116, 58, 167, 184, 121, 138, 105, 71, 105, 154, 77, 138, 131, 196, 136, 131,
    140, 71, 182, 148, 137, 137, 166, 181, 71, 152, 250, 107, 200, 172, 169, 169, 73, 24, 188, 137, 167, 107,
    154, 137, 106, 123, 149, 122, 182, 85, 116, 92, 68, 73, 156, 7, 89, 102, 217, 154, 121, 87, 170, 151, 138,
    119, 120, 119, 200, 139, 131, 154, 157, 150, 135, 181, 150, 169, 133, 203, 135, 184, 154, 152, 122, 185,
    137, 24, 133, 186, 117, 118, 136, 122, 184, 135, 153, 107, 148, 11, 10, 137, 113, 168, 102, 121, 120, 157,
    155, 25, 88, 136, 197, 182, 137, 183, 91, 88, 87, 147, 119, 116, 151, 123, 188, 213, 76, 55, 202, 133,
    181, 103, 170, 24, 105, 169, 167, 120, 97, 112, 235, 151, 196, 158, 121, 138, 56, 168, 73, 135, 89, 175,
    214, 83, 123, 184, 169, 120, 193, 169, 168, 164, 121, 116, 151, 88, 169, 137, 216, 135, 118, 98, 150, 153,
    119, 151, 201, 171, 100, 196, 96, 152, 119, 207, 168, 164, 108, 152, 150, 86, 72, 167, 105, 202, 175, 117,
    73, 123, 86, 124, 55, 182, 91, 181, 134, 76, 114, 186, 87, 152, 153, 198, 145, 141, 123, 122, 108, 99,
    157, 122, 150, 169, 165, 22, 200, 168, 91, 135, 136, 246, 103, 152, 172, 123, 177, 174, 104, 117, 102,
    100, 126, 143, 144, 156, 105, 124, 140, 185, 137, 164, 103, 216, 11, 83, 168, 89, 59, 9, 150, 113, 149,
    198, 86, 137, 171, 136, 185, 137, 135, 187, 182, 151, 5, 136, 85, 199, 83, 153, 164, 136, 135, 105, 119,
    200, 238, 37, 235, 169, 25, 103, 137, 187, 232, 53, 168, 212, 120, 153, 152, 87, 153, 119, 165, 229, 153,
    169, 74, 69, 108, 187, 123, 158, 167, 132, 118, 189, 72, 156, 135, 146, 131, 123, 120, 121, 153, 118, 167,
    69, 138, 151, 150, 151, 54, 148, 139, 138, 32, 151, 57, 139, 90, 201, 184, 137, 135, 150, 84, 187, 134,
    152, 66, 112, 84, 135, 146, 205, 170, 169, 104, 91, 155, 154, 109, 152, 117, 146, 156, 104, 148, 134, 164,
    155, 74, 186, 87, 121, 6, 155, 103, 107, 86, 151, 176, 119, 105, 106, 123, 209, 125, 108, 197, 4, 76, 202,
    142, 84, 157, 65, 153, 57, 111, 244, 128, 60, 169, 50, 88, 162, 132, 42, 158, 21, 129, 40, 34, 244, 49,
    245, 48, 162, 129, 66, 3, 13, 151, 35, 91, 150, 214, 127, 81, 125, 104, 153, 40, 49, 83, 74, 241, 52, 105,
    75, 125, 1, 112, 185, 68, 244, 32, 211, 189, 227, 65, 181, 56, 131, 147, 98, 79, 234, 59, 171, 52, 39,
    196, 76, 131, 84, 83, 9, 106, 35, 173, 224, 185, 132, 36, 172, 44, 114, 210, 67, 227, 156, 56, 23, 129,
    71, 29, 224, 84, 121, 79, 90, 90, 37, 99, 245, 199, 5, 25, 20, 21, 99, 42, 144, 130, 73, 150, 26, 54, 5,
    218, 210, 25, 167, 122, 225, 3, 67, 47, 152, 191, 16, 8, 107, 187, 199, 185,
};
/* What is added to sums, rounding included, in units of 2^bias_shift. */
static const FLASH int16_t biases[62] = {
    203, 32, -1964, 36, 22, 34, -718, 933, 236, 198, 242, -21, -149, -50, 61, -214, 148, -15, 281, 230, -126,
    61, 3, 133, -90, -32767, 9, 7, -18, 49, 0, 10, 67, 59, 59, 58, 7, -51, 44, 46, -45, -32, -19, 99, 50, 114,
    14, 108, 110, 41, 48, 5, 867, 888, 863, 874, 890, 902, 830, 916, 916, 853,
};

/*
 * exp(-d * 0.0808603987) in Q0.31, for a logit that is d steps below the largest.
 * What is not in the table counts as 0.
 */
#define EXPONENTIALS 172
static const FLASH int32_t exponentials[EXPONENTIALS] = {
    2147483647, 1980672370, 1826818563, 1684916114, 1554035604, 1433321925, 1321985161, 1219296401,
    1124584429, 1037229570, 956659991, 882348993, 813810328, 750595466, 692291048, 638515604, 588917221,
    543171587, 500979355, 462064471, 426172445, 393068420, 362535792, 334374920, 308401492, 284445591,
    262350573, 241971824, 223176011, 205840271, 189851100, 175103900, 161502283, 148957181, 137386588,
    126714699, 116871809, 107793515, 99420357, 91697627, 84574790, 78005216, 71945961, 66357381, 61202895,
    56448804, 52064002, 48019794, 44289733, 40849417, 37676331, 34749727, 32050454, 29560851, 27264637,
    25146787, 23193444, 21391835, 19730170, 18197577, 16784035, 15480292, 14277819, 13168754, 12145838,
    11202377, 10332205, 9529625, 8789389, 8106649, 7476944, 6896154, 6360477, 5866410, 5410723, 4990430,
    4602786, 4245253, 3915492, 3611346, 3330826, 3072095, 2833462, 2613366, 2410366, 2223135, 2050447,
    1891173, 1744271, 1608781, 1483814, 1368555, 1262249, 1164201, 1073769, 990361, 913432, 842479, 777037,
    716679, 661009, 609664, 562307, 518628, 478342, 441186, 406916, 375307, 346154, 319266, 294466, 271593,
    250496, 231038, 213092, 196539, 181273, 167192, 154205, 142226, 131179, 120989, 111591, 102923, 94928,
    87554, 80753, 74480, 68695, 63359, 58437, 53898, 49711, 45850, 42288, 39004, 35974, 33180, 30602, 28225,
    26033, 24011, 22145, 20425, 18839, 17375, 16026, 14781, 13633, 12574, 11597, 10696, 9865, 9099, 8392,
    7740, 7139, 6585, 6073, 5601, 5166, 4765, 4395, 4053, 3739, 3448, 3180, 2933, 2705, 2495, 2301, 2123,
};

/* Sums of exponentials are in Q12.19, so that many of them fit. */
#define SUM_INTEGER_BITS 12

/* For Newton's division, in Q2.29. */
#define ONE_Q29 ((int32_t)1 << 29)
#define FORTY_EIGHT_17THS 1515870810
#define MINUS_THIRTY_TWO_17THS (-1010580540)
#define NEWTON_STEPS 3


/**
 * Multiply values with the weights of two outputs that share a byte, at least one.
 *
 * @return two sums: of products with whole bytes in the lower 32 bits, with their higher four bits in the others
 */
static APART uint64_t sum_pairs(const FLASH uint8_t *bytes, const uint8_t *values, uint_fast16_t count)
{
    uint32_t whole = 0;
    uint32_t upper = 0;

    do {
        count--;
        {
            const uint_fast16_t value = values[count];
            uint_fast16_t byte = bytes[count];
            uint_fast16_t second = byte >> 4;

            byte *= value;
            whole += (uint32_t)byte;
            second *= value;
            upper += (uint32_t)second;
        }
    } while (count > 0);
    return (uint64_t)upper << 32 | whole;
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
    total *= 8;
    for (uint_fast16_t group = layer->groups; group > 0; group--) {
        uint64_t sums = 0;
        uint32_t sum;
        uint32_t second;
        uint_fast8_t outputs = 2;

        for (const uint8_t *piece = patch; piece < end; piece += layer->span) {
            sums += sum_pairs(weight, piece, layer->span);
        }
        weight += layer->stride;
        second = (uint32_t)(sums >> 32);
        sum = (uint32_t)sums - (second << 4);
        do {
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
            sum = second;
        } while (--outputs > 0);
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
