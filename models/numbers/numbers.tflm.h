/*
 * numbers.tflm.h - an int8 TFLite model as a C array
 *
 * Made by edgedigits 0.1.0 for TensorFlow Lite Micro: the bytes of the int8 .tflite file, at an address that
 * its buffers need, and the operators that it is made of.
 *
 *   network           conv16-conv48-conv64-conv96-conv96-dense10 (784 pixels, hidden layers, 10 classes)
 *   trained weights   sha256 4c8e03893dec71fdac92b8782ac074f3a5f1fd218137f3ace14ce710abf3149a
 *   int8 TFLite file  sha256 c9184fc1fa12ae229e718af79abe43cdda2a6c7956eda655796c74ad1967c922
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
#ifndef EDGEDIGITS_NUMBERS_TFLM_H
#define EDGEDIGITS_NUMBERS_TFLM_H

#ifdef __cplusplus
extern "C" {
#endif

/** Where the model has to begin: at a multiple of so many bytes. */
#define EDGEDIGITS_MODEL_ALIGNMENT 16
/** Bytes of the model. */
#define EDGEDIGITS_MODEL_LENGTH 187840

/**
 * Least lead of the largest output over the second of an answer that is sure; 256: none is. Yours comes first.
 * Outputs are in steps of 1/256, and so are their differences.
 */
#ifndef EDGEDIGITS_MIN_MARGIN
#define EDGEDIGITS_MIN_MARGIN 245
#endif

/** The model: input int8 [1, 28, 28] = pixel - 128, output int8 [1, 10] = probability * 256 - 128. */
extern const unsigned char edgedigits_model[EDGEDIGITS_MODEL_LENGTH];

/** Different operators that the model is made of. */
#define EDGEDIGITS_MODEL_OPERATORS 4

/**
 * Register them with TensorFlow Lite Micro, and nothing else:
 *
 *     #include "numbers.tflm.h"
 *
 *     tflite::MicroMutableOpResolver<EDGEDIGITS_MODEL_OPERATORS> resolver;
 *     EDGEDIGITS_REGISTER_OPERATORS(resolver);
 *     tflite::MicroInterpreter interpreter(tflite::GetModel(edgedigits_model), resolver, arena, sizeof arena);
 */
#define EDGEDIGITS_REGISTER_OPERATORS(resolver) \
    do { \
        (resolver).AddConv2D(); \
        (resolver).AddFullyConnected(); \
        (resolver).AddReshape(); \
        (resolver).AddSoftmax(); \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif /* EDGEDIGITS_NUMBERS_TFLM_H */
