/* Files and the console of the computer that runs the emulator (or the debugger), by semihosting. */
#include "board.h"

/* Operations, from Arm's "Semihosting for AArch32 and AArch64"; RISC-V has taken them over. */
enum { SYS_OPEN = 1, SYS_WRITEC = 3, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18 };
enum { MODE_READ = 1, MODE_WRITE = 5 }; /* fopen()'s "rb" and "wb" */
enum { STOPPED_BY_EXIT = 0x20026, STOPPED_BY_ERROR = 0x20023 };

static int32_t pictures;
static int32_t answers;

#if defined(__riscv)
/* A debugger knows the call by the two instructions that do nothing, which have to lie in one page with it. */
uint32_t semihosting_call(uint32_t operation, uintptr_t parameter);

__asm__(".pushsection .text.semihosting_call, \"ax\", @progbits\n"
        ".globl semihosting_call\n"
        ".option push\n"
        ".option norvc\n"
        ".balign 16\n"
        "semihosting_call:\n"
        "    slli zero, zero, 0x1f\n"
        "    ebreak\n"
        "    srai zero, zero, 7\n"
        "    ret\n"
        ".option pop\n"
        ".popsection");
#else
static uint32_t semihosting_call(uint32_t operation, uintptr_t parameter)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = parameter;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
#endif

static int32_t open_file(const char *name, uintptr_t length, uintptr_t mode)
{
    const uintptr_t block[] = {(uintptr_t)name, mode, length};

    return (int32_t)semihosting_call(SYS_OPEN, (uintptr_t)block);
}

int board_open(void)
{
    pictures = open_file("pictures.bin", 12, MODE_READ);
    answers = open_file("answers.bin", 11, MODE_WRITE);
    return pictures >= 0 && answers >= 0;
}

int board_read(void *buffer, uint16_t count)
{
    const uintptr_t block[] = {(uintptr_t)pictures, (uintptr_t)buffer, count};

    return semihosting_call(SYS_READ, (uintptr_t)block) == 0; /* bytes that were not filled */
}

int board_write(const void *buffer, uint16_t count)
{
    const uintptr_t block[] = {(uintptr_t)answers, (uintptr_t)buffer, count};

    return semihosting_call(SYS_WRITE, (uintptr_t)block) == 0;
}

void board_put(char character)
{
    semihosting_call(SYS_WRITEC, (uintptr_t)&character);
}

void board_exit(int success)
{
    semihosting_call(SYS_EXIT, success ? STOPPED_BY_EXIT : STOPPED_BY_ERROR);
    for (;;) {
    }
}
