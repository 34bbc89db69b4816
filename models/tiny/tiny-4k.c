/*
 * tiny-4k.c - a neural network for images of 28x28 pixels, in C99
 *
 * Made by edgedigits 0.1.0 from an int8 TFLite file. Every integer that is computed here is the one that
 * TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and
 * no variable outlives a call.
 * (Some compilers make calls of memcpy and memset of loops that copy bytes.)
 *
 *   network           conv8-conv17-pool-conv34-dense10 (784 pixels, hidden layers, 10 classes)
 *   trained weights   sha256 cb6a0e0cf7752e8907eebb3c723985b09c1ef4f93a346375b2d02921e15a3b17
 *   int8 TFLite file  sha256 892509d78091acd0772148c8b6c491f89dcaa1dd62b936251502995d454ee8a0
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
 *     "correct": 9941,
 *     "dataset": "MNIST",
 *     "images": 10000
 *   },
 *   "arch": "conv8-conv17-pool-conv34-dense10",
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
 *     "answered": 4669,
 *     "drawn": 0,
 *     "images": 5000,
 *     "min_margin": 255,
 *     "right": 4669
 *   },
 *   "tools": {
 *     "edgedigits": "0.1.0",
 *     "keras": "3.15.1",
 *     "python": "3.11.7",
 *     "tensorflow": "2.21.0"
 *   },
 *   "weights_sha256": "cb6a0e0cf7752e8907eebb3c723985b09c1ef4f93a346375b2d02921e15a3b17"
 * }
 */
#include "tiny-4k.h"

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
        .target = 344,
        .size = 800,
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
        .outputs = 8,
        .groups = 8,
        .bias = 0,
        .shift = 5,
    },
    {
        .source = 344,
        .patch = 272,
        .target = 0,
        .size = 272,
        .down = 80,
        .line = 80,
        .across = 8,
        .height = 8,
        .width = 8,
        .pool = 1,
        .pooled_width = 4,
        .rows = 3,
        .row = 24,
        .span = 72,
        .stride = 27,
        .outputs = 17,
        .groups = 17,
        .bias = 8,
        .shift = 3,
    },
    {
        .source = 0,
        .patch = 272,
        .target = 1008,
        .size = 136,
        .down = 68,
        .line = 68,
        .across = 17,
        .height = 2,
        .width = 2,
        .pool = 0,
        .pooled_width = 2,
        .rows = 3,
        .row = 51,
        .span = 153,
        .stride = 60,
        .outputs = 34,
        .groups = 34,
        .bias = 25,
        .shift = 5,
    },
    {
        .source = 1008,
        .patch = 1008,
        .target = 0,
        .size = 10,
        .down = 0,
        .line = 136,
        .across = 0,
        .height = 1,
        .width = 1,
        .pool = 0,
        .pooled_width = 1,
        .rows = 1,
        .row = 136,
        .span = 136,
        .stride = 51,
        .outputs = 10,
        .groups = 10,
        .bias = 59,
        .shift = 4,
    },
};

/*
 * The weights of all layers, in the order in which they are needed.
 * Weights of 8 values lie 8 in 3 bytes: digits of a number, the highest first.
 */
static const FLASH uint8_t weights[3105] = {
    119, 111, 183, 5, 232, 202, 66, 38, 100, 0, 0, 128, 34, 73, 146, 123, 147, 109, 95, 244, 47, 0, 0, 192,
    36, 219, 118, 170, 169, 177, 123, 231, 159, 0, 0, 32, 179, 129, 145, 31, 98, 11, 194, 92, 196, 0, 0, 192,
    230, 218, 182, 251, 223, 241, 65, 100, 106, 0, 0, 128, 98, 201, 109, 100, 66, 42, 255, 219, 187, 0, 0,
    160, 101, 199, 141, 134, 110, 102, 46, 23, 255, 0, 0, 128, 93, 220, 118, 35, 0, 252, 18, 9, 0, 0, 0, 0,
    86, 96, 141, 205, 112, 40, 142, 113, 32, 15, 33, 212, 23, 209, 174, 101, 225, 109, 225, 35, 23, 216, 153,
    246, 96, 159, 210, 165, 106, 174, 144, 199, 155, 233, 221, 82, 88, 249, 30, 98, 202, 228, 94, 132, 77, 53,
    188, 54, 228, 185, 6, 24, 9, 87, 107, 215, 149, 10, 199, 122, 88, 43, 18, 239, 41, 170, 143, 58, 161, 163,
    46, 23, 23, 44, 204, 67, 182, 85, 48, 168, 31, 32, 23, 243, 160, 27, 234, 243, 59, 138, 240, 88, 118, 10,
    134, 197, 7, 44, 205, 168, 110, 50, 186, 209, 65, 111, 84, 140, 90, 229, 85, 34, 228, 185, 219, 90, 224,
    55, 219, 82, 121, 57, 15, 145, 145, 1, 93, 9, 210, 215, 154, 206, 38, 72, 206, 165, 11, 246, 111, 141,
    129, 51, 31, 2, 222, 188, 224, 204, 56, 109, 216, 180, 27, 36, 219, 245, 208, 194, 26, 232, 248, 217, 155,
    96, 28, 220, 116, 26, 114, 227, 125, 221, 230, 48, 235, 248, 114, 33, 213, 158, 91, 103, 145, 36, 249,
    122, 232, 212, 126, 172, 200, 149, 172, 137, 154, 171, 187, 218, 93, 28, 74, 21, 12, 128, 91, 12, 105,
    134, 71, 154, 217, 49, 55, 96, 35, 23, 123, 77, 138, 170, 137, 77, 163, 165, 36, 38, 171, 210, 229, 136,
    170, 231, 10, 138, 101, 88, 190, 91, 120, 142, 133, 60, 141, 244, 67, 140, 150, 151, 132, 12, 55, 132,
    227, 184, 191, 113, 213, 126, 47, 67, 40, 218, 100, 146, 176, 234, 158, 60, 243, 81, 89, 181, 178, 99,
    153, 109, 39, 201, 44, 152, 37, 255, 211, 30, 160, 58, 75, 19, 112, 84, 202, 67, 181, 101, 57, 127, 123,
    228, 218, 177, 17, 215, 190, 26, 231, 255, 182, 92, 42, 45, 203, 175, 44, 90, 233, 199, 14, 128, 197, 57,
    168, 4, 177, 146, 118, 13, 146, 191, 142, 108, 109, 203, 17, 31, 85, 140, 82, 83, 51, 25, 249, 111, 200,
    65, 51, 160, 120, 206, 24, 214, 196, 45, 202, 53, 48, 195, 149, 83, 205, 160, 6, 60, 50, 120, 140, 22,
    161, 177, 97, 197, 241, 73, 101, 90, 19, 238, 217, 118, 88, 215, 150, 48, 235, 214, 235, 104, 212, 168,
    230, 125, 165, 84, 96, 68, 145, 155, 59, 207, 14, 210, 7, 6, 104, 9, 182, 41, 125, 126, 43, 249, 150, 221,
    114, 157, 106, 105, 186, 44, 74, 169, 69, 65, 111, 164, 202, 197, 14, 49, 146, 20, 39, 87, 7, 43, 38, 5,
    88, 47, 38, 90, 159, 222, 177, 25, 103, 65, 0, 69, 170, 109, 120, 109, 26, 48, 111, 23, 113, 215, 17, 181,
    230, 179, 137, 57, 182, 14, 235, 177, 235, 88, 147, 233, 178, 115, 91, 181, 206, 115, 236, 145, 36, 57,
    81, 84, 75, 108, 158, 86, 166, 24, 89, 109, 220, 21, 216, 21, 25, 129, 101, 175, 46, 174, 108, 121, 166,
    200, 70, 101, 217, 115, 194, 202, 197, 83, 163, 247, 0, 0, 192, 30, 121, 110, 21, 55, 246, 37, 215, 117,
    82, 75, 181, 43, 55, 147, 43, 165, 137, 35, 185, 217, 91, 184, 114, 218, 88, 215, 219, 88, 147, 43, 219,
    142, 30, 165, 189, 203, 86, 37, 227, 99, 241, 123, 199, 46, 53, 201, 251, 68, 165, 209, 151, 255, 63, 42,
    205, 158, 0, 0, 160, 203, 55, 46, 111, 77, 210, 116, 217, 77, 230, 61, 178, 172, 202, 233, 227, 70, 122,
    212, 196, 185, 56, 194, 109, 28, 159, 114, 182, 90, 178, 100, 199, 142, 30, 59, 146, 25, 237, 122, 203,
    229, 129, 121, 17, 28, 60, 205, 92, 22, 235, 243, 175, 183, 163, 217, 43, 117, 0, 0, 192, 197, 217, 110,
    230, 92, 178, 108, 197, 118, 38, 69, 178, 102, 74, 174, 45, 87, 154, 197, 196, 186, 115, 186, 145, 18,
    219, 118, 213, 88, 174, 33, 233, 139, 216, 187, 153, 57, 57, 186, 119, 5, 6, 187, 42, 152, 54, 65, 130,
    92, 75, 138, 29, 126, 236, 249, 210, 240, 0, 0, 192, 21, 59, 161, 133, 114, 226, 107, 55, 140, 171, 219,
    150, 231, 44, 176, 246, 83, 90, 203, 120, 122, 243, 165, 83, 36, 91, 98, 101, 86, 142, 148, 90, 147, 162,
    217, 153, 31, 71, 78, 12, 63, 217, 5, 184, 235, 37, 203, 219, 203, 90, 217, 148, 105, 150, 212, 170, 191,
    0, 0, 128, 93, 185, 114, 16, 243, 126, 36, 73, 178, 161, 202, 146, 59, 197, 51, 140, 41, 19, 213, 198,
    106, 45, 191, 187, 236, 122, 104, 43, 91, 175, 109, 75, 30, 109, 187, 150, 171, 229, 138, 173, 245, 82,
    188, 54, 79, 237, 88, 138, 166, 57, 238, 38, 27, 141, 108, 109, 177, 0, 0, 96, 36, 42, 237, 16, 107, 221,
    44, 201, 242, 124, 213, 110, 5, 170, 13, 14, 58, 160, 230, 102, 81, 188, 235, 182, 227, 230, 15, 224, 74,
    207, 76, 60, 83, 92, 233, 29, 52, 183, 7, 109, 89, 155, 19, 149, 254, 101, 219, 85, 221, 218, 144, 106,
    127, 111, 204, 40, 206, 0, 0, 0, 226, 232, 77, 38, 91, 114, 36, 73, 145, 52, 201, 81, 30, 55, 149, 239,
    72, 109, 30, 245, 145, 214, 178, 145, 109, 40, 178, 34, 199, 113, 27, 89, 177, 39, 213, 173, 159, 89, 78,
    168, 202, 220, 3, 235, 227, 235, 172, 242, 169, 91, 189, 127, 55, 253, 124, 207, 191, 0, 0, 224, 99, 245,
    203, 13, 179, 206, 174, 94, 217, 160, 68, 54, 110, 40, 207, 172, 104, 102, 37, 183, 94, 170, 216, 142, 26,
    199, 130, 166, 212, 46, 227, 117, 109, 92, 107, 114, 41, 207, 210, 137, 71, 129, 188, 3, 158, 233, 37,
    245, 236, 34, 111, 36, 93, 222, 100, 200, 175, 0, 0, 224, 234, 2, 51, 255, 11, 28, 70, 65, 234, 246, 2,
    70, 24, 179, 238, 12, 64, 201, 76, 185, 254, 35, 78, 150, 35, 73, 215, 228, 218, 210, 221, 203, 142, 109,
    217, 182, 230, 215, 82, 93, 85, 109, 164, 233, 186, 228, 200, 173, 44, 73, 146, 109, 75, 253, 237, 236,
    141, 0, 0, 128, 44, 106, 175, 91, 199, 253, 228, 216, 178, 227, 90, 146, 92, 189, 78, 12, 73, 178, 238,
    184, 141, 42, 216, 29, 165, 75, 146, 47, 87, 142, 111, 221, 122, 229, 248, 66, 26, 53, 75, 241, 32, 39,
    129, 201, 92, 59, 207, 156, 227, 70, 122, 250, 225, 131, 65, 3, 99, 0, 0, 96, 34, 110, 126, 252, 171, 10,
    99, 135, 11, 255, 105, 170, 157, 186, 212, 119, 69, 250, 95, 181, 141, 103, 126, 150, 107, 88, 248, 21,
    63, 206, 211, 50, 118, 27, 39, 178, 21, 202, 117, 52, 121, 146, 98, 150, 207, 164, 58, 211, 237, 54, 114,
    14, 85, 142, 91, 199, 146, 0, 0, 96, 110, 169, 205, 196, 104, 64, 229, 54, 181, 75, 175, 132, 13, 57, 170,
    225, 39, 146, 211, 232, 124, 164, 89, 179, 19, 235, 41, 101, 221, 169, 41, 187, 130, 125, 61, 113, 118,
    75, 112, 100, 42, 150, 205, 23, 238, 228, 102, 142, 219, 67, 250, 35, 91, 242, 189, 184, 155, 0, 0, 128,
    120, 82, 147, 152, 135, 44, 87, 238, 145, 114, 24, 114, 155, 69, 142, 77, 231, 146, 179, 103, 111, 4, 78,
    85, 36, 69, 170, 64, 141, 18, 237, 184, 116, 108, 169, 176, 92, 217, 145, 93, 58, 209, 17, 67, 15, 3, 165,
    217, 171, 42, 165, 234, 136, 54, 38, 235, 85, 0, 0, 160, 236, 106, 190, 255, 200, 82, 100, 201, 111, 223,
    72, 238, 226, 215, 172, 210, 104, 53, 222, 184, 202, 106, 207, 114, 234, 120, 158, 228, 202, 182, 101, 26,
    178, 171, 218, 46, 43, 139, 154, 54, 25, 70, 174, 191, 217, 85, 21, 47, 227, 216, 50, 244, 176, 129, 69,
    87, 72, 0, 0, 224, 228, 201, 150, 174, 189, 170, 36, 199, 146, 174, 213, 146, 92, 201, 236, 44, 57, 113,
    123, 201, 181, 69, 193, 112, 133, 9, 178, 181, 89, 142, 203, 36, 138, 235, 24, 206, 15, 43, 178, 27, 10,
    122, 197, 78, 104, 37, 81, 194, 94, 217, 139, 38, 185, 0, 15, 205, 116, 0, 0, 192, 214, 133, 149, 211,
    228, 89, 108, 162, 202, 91, 173, 237, 158, 88, 92, 255, 88, 121, 97, 59, 114, 36, 191, 242, 101, 229, 138,
    45, 201, 109, 27, 57, 137, 101, 183, 210, 230, 76, 122, 173, 71, 150, 61, 92, 210, 173, 200, 142, 19, 219,
    178, 109, 203, 229, 108, 185, 182, 0, 0, 160, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73,
    146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73,
    146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 36, 73, 146, 0, 0, 128, 123, 160,
    117, 103, 11, 22, 135, 80, 115, 43, 213, 162, 24, 77, 245, 39, 84, 240, 27, 219, 81, 213, 22, 113, 108, 9,
    126, 91, 187, 181, 100, 58, 178, 226, 86, 142, 43, 203, 115, 168, 200, 206, 5, 79, 143, 29, 201, 154, 234,
    168, 113, 100, 199, 47, 101, 199, 178, 0, 0, 96, 52, 55, 210, 148, 74, 66, 102, 58, 123, 33, 229, 141, 13,
    253, 105, 38, 111, 119, 43, 201, 14, 229, 192, 150, 26, 13, 150, 85, 202, 110, 19, 71, 182, 98, 88, 98,
    93, 203, 181, 152, 186, 145, 199, 147, 118, 28, 179, 165, 162, 78, 15, 171, 82, 100, 79, 110, 104, 0, 0,
    0, 99, 247, 236, 0, 72, 231, 57, 43, 150, 226, 210, 114, 87, 86, 22, 37, 236, 22, 55, 57, 39, 203, 195,
    146, 26, 93, 242, 220, 216, 205, 35, 202, 174, 52, 249, 70, 36, 41, 121, 155, 87, 171, 51, 253, 110, 178,
    188, 217, 108, 211, 83, 43, 229, 215, 59, 181, 75, 0, 0, 96, 234, 226, 122, 91, 73, 91, 172, 74, 98, 171,
    220, 46, 87, 78, 196, 222, 202, 166, 60, 59, 109, 100, 169, 174, 102, 71, 110, 188, 82, 182, 55, 200, 150,
    100, 89, 102, 86, 214, 83, 95, 58, 221, 83, 59, 226, 107, 167, 201, 110, 201, 188, 237, 132, 206, 204, 60,
    68, 0, 0, 96, 21, 73, 147, 181, 203, 117, 139, 75, 199, 37, 175, 177, 235, 97, 208, 185, 163, 86, 29, 221,
    252, 254, 200, 174, 45, 203, 113, 172, 201, 141, 91, 155, 113, 118, 9, 245, 45, 177, 46, 164, 203, 78,
    108, 203, 182, 108, 59, 200, 44, 119, 147, 236, 133, 78, 4, 175, 91, 0, 0, 128, 170, 86, 183, 90, 165,
    222, 94, 73, 246, 45, 89, 55, 124, 205, 82, 93, 187, 211, 108, 203, 129, 219, 76, 144, 37, 171, 182, 172,
    164, 145, 140, 200, 178, 146, 187, 246, 229, 58, 114, 47, 55, 86, 45, 207, 177, 92, 55, 101, 236, 89, 174,
    53, 39, 228, 28, 107, 204, 0, 0, 160, 48, 232, 114, 219, 1, 105, 29, 201, 18, 54, 179, 108, 161, 83, 102,
    163, 89, 118, 205, 44, 142, 89, 168, 16, 108, 199, 216, 221, 216, 214, 21, 2, 183, 238, 54, 150, 162, 153,
    113, 223, 199, 107, 59, 69, 93, 45, 187, 50, 22, 103, 118, 115, 67, 195, 38, 167, 112, 0, 0, 192, 34, 247,
    80, 183, 88, 69, 44, 57, 54, 12, 71, 84, 173, 245, 171, 93, 111, 155, 28, 139, 242, 155, 102, 116, 156,
    25, 151, 49, 201, 178, 187, 201, 150, 119, 221, 146, 212, 210, 214, 53, 136, 142, 210, 106, 40, 213, 212,
    173, 68, 191, 106, 38, 71, 112, 109, 255, 168, 0, 0, 64, 100, 186, 50, 190, 179, 92, 164, 86, 106, 244,
    72, 142, 116, 203, 52, 101, 66, 214, 85, 213, 241, 103, 225, 234, 36, 201, 177, 99, 73, 146, 236, 134,
    213, 46, 185, 222, 246, 198, 50, 152, 190, 83, 194, 172, 202, 84, 75, 158, 0, 215, 30, 41, 233, 151, 114,
    51, 211, 0, 0, 96, 54, 116, 207, 210, 55, 156, 78, 205, 181, 228, 76, 146, 155, 168, 179, 122, 53, 242,
    124, 75, 178, 21, 11, 114, 205, 72, 209, 162, 36, 142, 205, 200, 82, 192, 53, 173, 39, 86, 216, 38, 217,
    154, 228, 215, 238, 225, 56, 203, 171, 42, 181, 20, 119, 74, 213, 18, 150, 0, 0, 32, 229, 76, 145, 35,
    217, 181, 100, 183, 178, 108, 59, 183, 164, 199, 117, 171, 73, 87, 28, 91, 146, 45, 72, 183, 44, 77, 170,
    28, 234, 145, 30, 77, 137, 18, 75, 146, 89, 43, 208, 144, 127, 240, 4, 129, 7, 93, 207, 63, 26, 82, 1,
    105, 104, 0, 69, 88, 96, 0, 0, 32, 166, 93, 146, 111, 237, 186, 52, 83, 179, 101, 73, 178, 252, 216, 209,
    41, 49, 162, 220, 186, 244, 181, 205, 137, 99, 167, 150, 93, 136, 174, 83, 215, 122, 154, 65, 252, 91,
    118, 38, 24, 93, 149, 203, 185, 110, 21, 199, 123, 89, 41, 23, 24, 126, 192, 36, 65, 201, 0, 0, 96, 52,
    110, 202, 216, 182, 237, 3, 159, 112, 195, 204, 213, 232, 129, 145, 196, 145, 14, 245, 88, 110, 53, 73,
    122, 91, 55, 150, 172, 89, 180, 27, 237, 170, 182, 171, 148, 221, 167, 142, 149, 89, 86, 35, 75, 215, 227,
    58, 205, 236, 102, 253, 238, 129, 126, 198, 154, 59, 0, 0, 160, 157, 73, 150, 164, 75, 198, 112, 43, 106,
    173, 85, 182, 22, 87, 140, 63, 91, 25, 99, 73, 177, 165, 170, 150, 109, 89, 247, 159, 71, 146, 44, 118,
    154, 161, 212, 201, 244, 138, 142, 83, 189, 70, 117, 89, 83, 107, 41, 141, 106, 232, 170, 165, 65, 7, 5,
    63, 16, 0, 0, 0, 236, 149, 122, 37, 223, 127, 114, 224, 105, 170, 25, 39, 67, 148, 241, 4, 48, 132, 210,
    72, 122, 117, 197, 214, 188, 168, 143, 100, 183, 89, 147, 182, 153, 48, 49, 178, 92, 199, 110, 157, 79,
    142, 52, 233, 152, 236, 105, 114, 101, 203, 141, 172, 199, 43, 107, 27, 117, 0, 0, 128, 173, 244, 202, 77,
    62, 103, 163, 56, 29, 9, 219, 113, 228, 182, 211, 162, 91, 202, 53, 59, 154, 69, 178, 44, 156, 7, 123,
    220, 182, 141, 244, 118, 114, 162, 72, 185, 236, 106, 174, 116, 105, 147, 108, 110, 139, 117, 205, 153,
    221, 109, 70, 243, 76, 183, 243, 200, 193, 0, 0, 64, 76, 2, 204, 87, 159, 105, 140, 185, 114, 228, 200,
    45, 15, 167, 13, 146, 24, 114, 175, 75, 141, 89, 34, 28, 68, 186, 90, 3, 241, 8, 28, 245, 218, 218, 247,
    124, 128, 169, 13, 148, 103, 61, 20, 9, 12, 214, 113, 154, 155, 65, 9, 217, 160, 175, 196, 151, 146, 232,
    214, 179, 209, 90, 106, 137, 73, 202, 118, 54, 79, 198, 207, 26, 173, 23, 33, 103, 232, 75, 160, 138, 94,
    30, 215, 88, 102, 0, 137, 163, 170, 174, 179, 122, 121, 116, 225, 99, 8, 18, 184, 171, 52, 146, 166, 77,
    105, 36, 188, 225, 98, 217, 176, 62, 5, 206, 51, 135, 237, 101, 235, 214, 60, 199, 150, 21, 189, 23, 12,
    186, 83, 147, 222, 201, 29, 89, 242, 91, 185, 179, 56, 166, 26, 165, 155, 126, 108, 18, 19, 11, 5, 35, 21,
    112, 232, 160, 123, 51, 18, 18, 161, 178, 90, 209, 85, 135, 12, 106, 77, 101, 201, 96, 81, 44, 201, 115,
    25, 37, 228, 126, 155, 86, 130, 44, 180, 26, 31, 35, 200, 216, 110, 238, 228, 9, 212, 70, 231, 108, 108,
    108, 37, 205, 108, 235, 11, 118, 180, 160, 146, 92, 105, 94, 38, 5, 179, 152, 77, 174, 81, 182, 117, 163,
    93, 204, 19, 206, 81, 111, 13, 50, 34, 99, 2, 109, 153, 79, 52, 3, 166, 26, 25, 98, 203, 183, 242, 36, 12,
    106, 28, 21, 249, 233, 128, 226, 151, 240, 142, 91, 181, 214, 249, 66, 82, 44, 151, 81, 228, 70, 234, 221,
    232, 83, 95, 22, 112, 130, 64, 232, 98, 53, 215, 59, 57, 228, 69, 183, 117, 26, 29, 75, 196, 58, 114, 246,
    248, 10, 37, 201, 201, 20, 237, 68, 173, 75, 153, 156, 31, 113, 21, 172, 112, 38, 139, 156, 28, 179, 82,
    170, 80, 254, 41, 212, 150, 52, 112, 51, 130, 68, 240, 64, 240, 106, 68, 89, 196, 137, 215, 169, 44, 245,
    178, 154, 71, 108, 21, 183, 18, 204, 235, 54, 76, 169, 50, 95, 199, 81, 27, 63, 72, 113, 79, 146, 128,
    128, 182, 214, 216, 48, 166, 251, 69, 228, 101, 96, 96, 222, 162, 236, 64, 58, 166, 168, 57, 241, 49, 114,
    122, 140, 242, 13, 165, 140, 27, 64, 145, 15, 234, 245, 51, 184, 9, 148, 229, 242, 160, 210, 190, 26, 117,
    135, 44, 23, 82, 149, 114, 82, 107, 88, 146, 35, 37, 87, 29, 71, 25, 145, 21, 145, 234, 200, 85, 154, 75,
    217, 83, 191, 93, 206, 228, 137, 28, 119, 36, 255, 192, 170, 230, 54, 10, 204, 163, 110, 236, 39, 24, 5,
    47, 41, 164, 135, 188, 197, 176, 177, 58, 251, 2, 221, 204, 49, 164, 60, 217, 13, 25, 26, 216, 9, 78, 252,
    201, 177, 163, 184, 78, 234, 194, 187, 53, 51, 84, 34, 131, 38, 48, 173, 165, 224, 187, 241, 82, 82, 161,
    92, 38, 241, 42, 38, 207, 181, 73, 139,
};
/* What is added to sums, rounding included, in units of 2^bias_shift. */
static const FLASH int16_t biases[69] = {
    225, 18, -874, 541, 14, 33, 15, 1210, 11, 175, 25, 75, 133, -11, 66, 59, -38, 18, 127, -82, 125, 141, 152,
    -49, -9, 76, 1, -14, -9, -33, -5, -20, -42, 179, 15, 131, -42, 82, 306, -21, 66, -46, 1, 268, 201, -75,
    192, -95, -25, -71, -61, 64, 186, 189, 59, -16, -43, 265, 33, 1407, 1454, 1407, 1410, 1416, 1420, 1407,
    1426, 1467, 1433,
};

/*
 * exp(-d * 0.149772346) in Q0.31, for a logit that is d steps below the largest.
 * What is not in the table counts as 0.
 */
#define EXPONENTIALS 93
static const FLASH int32_t exponentials[EXPONENTIALS] = {
    2147483647, 1848777139, 1591619497, 1370231553, 1179637723, 1015555040, 874295102, 752684084, 647988721,
    557856034, 480260582, 413458123, 355947720, 306436807, 263812651, 227117407, 195526223, 168329292,
    144915357, 124758200, 107404852, 92465239, 79603686, 68531130, 58998719, 50792241, 43727231, 37644945,
    32408682, 27900762, 24019881, 20678806, 17802465, 15326213, 13194397, 11359111, 9779101, 8418867, 7247836,
    6239690, 5371775, 4624581, 3981320, 3427534, 2950778, 2540337, 2186986, 1882784, 1620897, 1395436,
    1201337, 1034235, 890377, 766529, 659909, 568118, 489095, 421064, 362495, 312074, 268666, 231295, 199123,
    171426, 147581, 127053, 109381, 94166, 81068, 69792, 60084, 51727, 44532, 38337, 33005, 28414, 24462,
    21059, 18130, 15608, 13437, 11568, 9959, 8574, 7381, 6354, 5471, 4710, 4055, 3491, 3005, 2587, 2227,
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
