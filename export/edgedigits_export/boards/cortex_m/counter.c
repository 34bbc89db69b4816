/* SysTick, the timer that every Cortex-M has: it counts down from 2^24 - 1 at the processor's clock. */
#include "board.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xe000e010U)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xe000e014U)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xe000e018U)
#define SYSTICK_ENABLED_AT_PROCESSOR_CLOCK 5U
#define SYSTICK_MASK 0x00ffffffU

void board_start_counter(void)
{
    SYSTICK_RELOAD = SYSTICK_MASK;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = SYSTICK_ENABLED_AT_PROCESSOR_CLOCK;
}

uint32_t board_count(void)
{
    return SYSTICK_VALUE;
}

uint32_t board_steps_since(uint32_t count)
{
    return (count - SYSTICK_VALUE) & SYSTICK_MASK;
}

void board_counted_loop(void)
{
    uint32_t rounds = 100000; /* of two instructions each */

    __asm__ volatile(".syntax unified\n"
                     "1: subs %0, %0, #1\n"
                     "   bne 1b"
                     : "+l"(rounds)
                     :
                     : "cc");
}
