/* The instructions that the processor has finished; 2^32 of them bring the counter back to where it was. */
#include "board.h"

void board_start_counter(void)
{
}

uint32_t board_count(void)
{
    uint32_t instructions;

    __asm__ volatile(".option push\n"
                     ".option arch, +zicsr\n"
                     "csrr %0, minstret\n"
                     ".option pop"
                     : "=r"(instructions));
    return instructions;
}

uint32_t board_steps_since(uint32_t count)
{
    return board_count() - count;
}

void board_counted_loop(void)
{
    uint32_t rounds = 100000; /* of two instructions each */

    __asm__ volatile("1: addi %0, %0, -1\n"
                     "   bnez %0, 1b"
                     : "+r"(rounds));
}
