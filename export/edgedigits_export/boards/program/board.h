/*
 * What a program needs of a board: pictures in and answers out, a counter, and an end.
 *
 * semihosting.c has what goes in and out on processors that QEMU emulates; each architecture's folder has the rest.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/** Get hold of pictures and answers; 0 where they cannot be had. */
int board_open(void);
/** Read the next bytes of the pictures; 0 at their end. */
int board_read(void *buffer, uint16_t count);
/** Write the next bytes of the answers; 0 where that fails. */
int board_write(const void *buffer, uint16_t count);
/** Print a character on the console. */
void board_put(char character);
/** End the program, well or not. */
void board_exit(int success);

/** Let the counter run. It counts instructions or cycles, in steps that counted_loop() tells. */
void board_start_counter(void);
/** Where the counter is. */
uint32_t board_count(void);
/** Steps since it was somewhere. */
uint32_t board_steps_since(uint32_t count);
/** Run a loop of 200,000 instructions (or cycles, where the counter counts these). */
void board_counted_loop(void);

extern uint32_t bss_end[]; /* set by the linker: the lowest address that the stack may grow to */

/** The lowest byte in use of the stack. */
static inline uint8_t *board_stack_pointer(void)
{
    uint8_t *pointer;

#if defined(__AVR__)
    __asm__ volatile("in %A0, __SP_L__\n"
                     "in %B0, __SP_H__\n"
                     "adiw %0, 1"
                     : "=w"(pointer));
#elif defined(__riscv)
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
#else
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
#endif
    return pointer;
}

#endif
