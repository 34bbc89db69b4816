/*
 * Answer every picture (784 bytes each).
 *
 * The answers begin with two words: steps of the counter in a loop of 200,000 instructions or cycles, to translate
 * steps into these, and the bytes of stack that a prediction took. Then for each picture one struct answer.
 * All words are little-endian.
 */
#include NETWORK_HEADER
#include "board.h"

#define PAINT 0xa5U

struct answer {
    uint32_t steps;
    uint8_t probabilities[EDGEDIGITS_CLASSES];
    uint8_t best;
    uint8_t filler;
};

static uint8_t image[EDGEDIGITS_PIXELS];

static uint32_t steps_of_the_counted_loop(void)
{
    const uint32_t before = board_count();

    board_counted_loop();
    return board_steps_since(before);
}

/** Bytes of stack that one prediction takes below this function's own. */
static uint32_t stack_of_a_prediction(uint8_t probabilities[EDGEDIGITS_CLASSES])
{
    uint8_t *const top = board_stack_pointer();
    uint8_t *lowest = (uint8_t *)bss_end;

    for (volatile uint8_t *byte = lowest; byte < top; byte++) {
        *byte = PAINT;
    }
    edgedigits_predict(image, probabilities);
    while (lowest < top && *(volatile uint8_t *)lowest == PAINT) {
        lowest++;
    }
    return (uint32_t)(top - lowest);
}

int main(void)
{
    struct answer answer = {0};
    uint32_t words[2];

    if (!board_open()) {
        return 1;
    }
    words[1] = stack_of_a_prediction(answer.probabilities);
    board_start_counter();
    words[0] = steps_of_the_counted_loop();
    if (!board_write(words, sizeof words)) {
        return 1;
    }
    while (board_read(image, sizeof image)) {
        const uint32_t before = board_count();

        answer.best = (uint8_t)edgedigits_predict(image, answer.probabilities);
        answer.steps = board_steps_since(before);
        if (!board_write(&answer, sizeof answer)) {
            return 1;
        }
    }
    return 0;
}
