/**
 * A neural network for images of 28x28 pixels, run from the tables that page/tables.py writes. Integers only: every one
 * that is computed is that which TFLite's reference kernels compute. Nothing is allocated, no function of a library is
 * called, and no variable outlives a call.
 */
#ifndef EDGEDIGITS_NETWORK_H
#define EDGEDIGITS_NETWORK_H

#include <stdint.h>

#define NETWORK_PIXELS 784
#define NETWORK_CLASSES 10

/**
 * Check tables once and for all: with tables that pass, network_run reads and writes nothing but what it is given.
 *
 * @param tables  begins at a multiple of 4
 * @param bytes   how many there are
 * @return bytes of memory that network_run takes; 0 if the tables are not whole, or not of this version
 */
uint32_t network_scratch_bytes(const uint8_t *tables, uint32_t bytes);

/**
 * Read images.
 *
 * @param tables         which network_scratch_bytes has checked
 * @param images         [count][28][28], 0 where nothing is drawn, 255 where the ink is fullest
 * @param probabilities  [count][10], in steps of 1/256, 255 at most
 * @param scratch        begins at a multiple of 16; anything may be in it
 */
void network_run(const uint8_t *tables, const uint8_t *images, uint32_t count, uint8_t *probabilities, uint8_t *scratch);

#endif
