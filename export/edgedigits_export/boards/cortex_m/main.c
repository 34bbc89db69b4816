/*
 * Answer every picture of pictures.bin (784 bytes each) in answers.bin.
 *
 * answers.bin begins with two words: ticks of a loop of COUNTED_INSTRUCTIONS instructions, to translate ticks into
 * instructions, and the bytes of stack that a prediction took. Then for each picture one struct answer.
 * All words are little-endian.
 */
#include <stdint.h>

#include NETWORK_HEADER
#include "semihosting.h"

#define COUNTED_ROUNDS 100000U /* of two instructions each */

/* SysTick, the timer that every Cortex-M has: it counts down from 2^24 - 1 at the processor's clock. */
#define SYSTICK_CONTROL (*(volatile uint32_t *)0xe000e010U)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xe000e014U)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xe000e018U)
#define SYSTICK_ENABLED_AT_PROCESSOR_CLOCK 5U
#define SYSTICK_MASK 0x00ffffffU

#define PAINT 0xa5a5a5a5U

struct answer {
    uint32_t ticks;
    uint8_t probabilities[EDGEDIGITS_CLASSES];
    uint8_t best;
    uint8_t filler;
};

extern uint32_t bss_end[]; /* set by the linker script: the lowest address that the stack may grow to */

static uint8_t image[EDGEDIGITS_PIXELS];

static uint32_t counted_loop(void)
{
    uint32_t rounds = COUNTED_ROUNDS;
    const uint32_t before = SYSTICK_VALUE;

    __asm__ volatile(".syntax unified\n"
                     "1: subs %0, %0, #1\n"
                     "   bne 1b"
                     : "+l"(rounds)
                     :
                     : "cc");
    return (before - SYSTICK_VALUE) & SYSTICK_MASK;
}

/** Bytes of stack that one prediction takes below this function's own. */
static uint32_t stack_of_a_prediction(uint8_t probabilities[EDGEDIGITS_CLASSES])
{
    uint32_t *top;
    uint32_t *lowest = bss_end;

    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (volatile uint32_t *word = bss_end; word < top; word++) {
        *word = PAINT;
    }
    edgedigits_predict(image, probabilities);
    while (lowest < top && *(volatile uint32_t *)lowest == PAINT) {
        lowest++;
    }
    return (uint32_t)(top - lowest) * (uint32_t)sizeof *lowest;
}

int main(void)
{
    const int32_t pictures = semihosting_open("pictures.bin", SEMIHOSTING_READ);
    const int32_t answers = semihosting_open("answers.bin", SEMIHOSTING_WRITE);
    struct answer answer = {0};
    uint32_t words[2];

    if (pictures < 0 || answers < 0) {
        return 1;
    }
    SYSTICK_RELOAD = SYSTICK_MASK;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_ENABLED_AT_PROCESSOR_CLOCK;
    words[0] = counted_loop();
    words[1] = stack_of_a_prediction(answer.probabilities);
    if (semihosting_write(answers, words, sizeof words) != 0) {
        return 1;
    }
    while (semihosting_read(pictures, image, sizeof image) == 0) {
        const uint32_t before = SYSTICK_VALUE;

        answer.best = (uint8_t)edgedigits_predict(image, answer.probabilities);
        answer.ticks = (before - SYSTICK_VALUE) & SYSTICK_MASK;
        if (semihosting_write(answers, &answer, sizeof answer) != 0) {
            return 1;
        }
    }
    semihosting_close(answers);
    return 0;
}
