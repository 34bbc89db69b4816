/*
 * What runs before main() on a Cortex-M: the vector table, and memory as C expects it.
 *
 * Written for QEMU's mps2-an385 (Cortex-M3) and microbit (Cortex-M0); the addresses come from the linker script.
 */
#include <stdint.h>

#include "board.h"

/* Set by the linker script. */
extern uint32_t stack_top[];
extern uint32_t data_start[], data_end[];
extern const uint32_t data_in_flash[];
extern uint32_t bss_start[]; /* bss_end is in board.h */

int main(void);
void reset(void);

void reset(void)
{
    const uint32_t *source = data_in_flash;

    for (uint32_t *word = data_start; word < data_end; word++) {
        *word = *source++;
    }
    for (uint32_t *word = bss_start; word < bss_end; word++) {
        *word = 0;
    }
    board_exit(main() == 0);
}

/** Any fault ends the emulation with a failure. */
static void fault(void)
{
    board_exit(0);
}

typedef void (*handler)(void);

struct vector_table {
    uint32_t *initial_stack;
    handler reset;
    handler exceptions[14]; /* NMI, HardFault and all others that the architecture knows */
};

__attribute__((section(".vectors"), used)) static const struct vector_table vectors = {
    stack_top,
    reset,
    {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};
