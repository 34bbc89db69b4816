/*
 * digits.tflm.h - an int8 TFLite model as a C array
 *
 * Made by edgedigits 0.1.0 for TensorFlow Lite Micro: the bytes of the int8 .tflite file, at an address that
 * its buffers need, and the operators that it is made of.
 *
 *   network           128-32 (784 pixels, hidden layers, 10 classes)
 *   trained weights   sha256 bc539bd652e03c776bd05f47e0653e4be1bc752202128ba0ce72b305d3f58372
 *   int8 TFLite file  sha256 733e8498332af65503851088fd4f78a9998141b4f1283b359269640fc9f570a2
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
#ifndef EDGEDIGITS_DIGITS_TFLM_H
#define EDGEDIGITS_DIGITS_TFLM_H

#ifdef __cplusplus
extern "C" {
#endif

/** Where the model has to begin: at a multiple of so many bytes. */
#define EDGEDIGITS_MODEL_ALIGNMENT 16
/** Bytes of the model. */
#define EDGEDIGITS_MODEL_LENGTH 112704

/** The model: input int8 [1, 28, 28] = pixel - 128, output int8 [1, 10] = probability * 256 - 128. */
extern const unsigned char edgedigits_model[EDGEDIGITS_MODEL_LENGTH];

/** Different operators that the model is made of. */
#define EDGEDIGITS_MODEL_OPERATORS 3

/**
 * Register them with TensorFlow Lite Micro, and nothing else:
 *
 *     #include "digits.tflm.h"
 *
 *     tflite::MicroMutableOpResolver<EDGEDIGITS_MODEL_OPERATORS> resolver;
 *     EDGEDIGITS_REGISTER_OPERATORS(resolver);
 *     tflite::MicroInterpreter interpreter(tflite::GetModel(edgedigits_model), resolver, arena, sizeof arena);
 */
#define EDGEDIGITS_REGISTER_OPERATORS(resolver) \
    do { \
        (resolver).AddFullyConnected(); \
        (resolver).AddReshape(); \
        (resolver).AddSoftmax(); \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif /* EDGEDIGITS_DIGITS_TFLM_H */
