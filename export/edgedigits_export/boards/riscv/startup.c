/*
 * What runs before main() on a RISC-V processor: a stack, a place to go to when something fails, memory as C expects it.
 *
 * The addresses come from the linker script.
 */
#include "board.h"

/* Set by the linker script. */
extern uint32_t data_start[], data_end[];
extern const uint32_t data_in_flash[];
extern uint32_t bss_start[]; /* bss_end is in board.h */

int main(void);
void begin(void);
void fault(void);

__asm__(".pushsection .text.reset, \"ax\", @progbits\n"
        ".globl reset\n"
        "reset:\n"
        ".option push\n"
        ".option norelax\n"
        ".option arch, +zicsr\n"
        "    la gp, __global_pointer$\n"
        "    la sp, stack_top\n"
        "    la t0, fault\n"
        "    csrw mtvec, t0\n"
        "    j begin\n"
        ".option pop\n"
        ".popsection");

__attribute__((used)) void begin(void)
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

/** Any fault ends the emulation with a failure. The processor goes to multiples of four. */
__attribute__((used, aligned(4))) void fault(void)
{
    board_exit(0);
}
