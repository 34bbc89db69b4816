/*
 * numbers.h - how to call the neural network of the C file beside it
 *
 * Made by edgedigits 0.1.0 from an int8 TFLite file. Every integer that is computed here is the one that
 * TFLite's reference kernels compute. Integers only; no memory is allocated, no library function is called, and
 * no variable outlives a call.
 *
 *   network           conv16-conv48-conv64-conv96-conv96-dense10 (784 pixels, hidden layers, 10 classes)
 *   trained weights   sha256 4c8e03893dec71fdac92b8782ac074f3a5f1fd218137f3ace14ce710abf3149a
 *   int8 TFLite file  sha256 86f5a790440b5c69f73c7f2ff21210d4dd0e821463eadc8da667dfb718478ff6
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
 */
#ifndef EDGEDIGITS_NUMBERS_H
#define EDGEDIGITS_NUMBERS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** First 32 bits of the sha256 of the int8 TFLite file: tells networks apart. */
#define EDGEDIGITS_NETWORK 0x86f5a790U

/** Rows and columns of an image. */
#define EDGEDIGITS_IMAGE_SIDE 28
/** Bytes of an image. */
#define EDGEDIGITS_PIXELS 784
/** Classes that are told apart, and bytes of an answer. */
#define EDGEDIGITS_CLASSES 10
/** A probability is a byte p that stands for p / 2^EDGEDIGITS_PROBABILITY_BITS. */
#define EDGEDIGITS_PROBABILITY_BITS 8
/** Least lead over the second class, in steps of 1/256, of an answer that is sure; 256: none is. Yours comes first. */
#ifndef EDGEDIGITS_MIN_MARGIN
#define EDGEDIGITS_MIN_MARGIN 245
#endif
/** Bytes that edgedigits_predict() takes from the stack for the outputs of hidden layers. */
#define EDGEDIGITS_SCRATCH_BYTES 5296
/** Names of the classes, to initialize an array of EDGEDIGITS_CLASSES strings. */
#define EDGEDIGITS_LABELS \
    {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

/**
 * Recognize a handwritten digit.
 *
 * No state is kept between calls: threads and interrupts may call it at the same time.
 *
 * @param image          28 rows of 28 pixels, top row first: 0 is background, 255 is ink (white on black)
 * @param probabilities  for each class its probability in steps of 1/256; 255 stands for 255/256 and all above
 * @return the most probable class, 0 to 9; the first of several that are equally probable
 *
 * An example:
 *
 *     #include <stdio.h>
 *     #include "numbers.h"
 *
 *     static const char *const labels[EDGEDIGITS_CLASSES] = EDGEDIGITS_LABELS;
 *     static uint8_t image[EDGEDIGITS_PIXELS]; // filled by a camera or a touch screen
 *
 *     int main(void)
 *     {
 *         uint8_t probabilities[EDGEDIGITS_CLASSES];
 *         int best;
 *
 *         capture(image);
 *         best = edgedigits_predict(image, probabilities);
 *         if (!edgedigits_is_sure(probabilities)) {
 *             puts("not sure");
 *         } else {
 *             printf("%s: %u/256\n", labels[best], (unsigned)probabilities[best]);
 *         }
 *         return 0;
 *     }
 */
int edgedigits_predict(const uint8_t image[EDGEDIGITS_PIXELS], uint8_t probabilities[EDGEDIGITS_CLASSES]);

/** Return by how many steps of 1/256 the most probable class is ahead of the second, 0 to 255. */
static inline int edgedigits_lead(const uint8_t probabilities[EDGEDIGITS_CLASSES])
{
    uint8_t first = 0;
    uint8_t second = 0;

    for (uint8_t index = 0; index < EDGEDIGITS_CLASSES; index++) {
        if (probabilities[index] > first) {
            second = first;
            first = probabilities[index];
        } else if (probabilities[index] > second) {
            second = probabilities[index];
        }
    }
    return first - second;
}

/**
 * Tell whether an answer of edgedigits_predict() is sure: 1, or 0 where the image is worth asking for again.
 *
 * The same integers decide in Python and in every other format of this network.
 */
static inline int edgedigits_is_sure(const uint8_t probabilities[EDGEDIGITS_CLASSES])
{
    return edgedigits_lead(probabilities) >= EDGEDIGITS_MIN_MARGIN;
}

#ifdef __cplusplus
}
#endif

#endif /* EDGEDIGITS_NUMBERS_H */
