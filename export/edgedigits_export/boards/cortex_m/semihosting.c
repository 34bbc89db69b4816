#include "semihosting.h"

/* Operations, from Arm's "Semihosting for AArch32 and AArch64". */
enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITEC = 3, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x18 };
enum { STOPPED_BY_EXIT = 0x20026, STOPPED_BY_ERROR = 0x20023 };

static uint32_t call(uint32_t operation, uintptr_t parameter)
{
    register uint32_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = parameter;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

int32_t semihosting_open(const char *name, enum semihosting_mode mode)
{
    uintptr_t length = 0;

    while (name[length] != '\0') {
        length++;
    }
    const uintptr_t block[] = {(uintptr_t)name, (uintptr_t)mode, length};
    return (int32_t)call(SYS_OPEN, (uintptr_t)block);
}

uint32_t semihosting_read(int32_t file, void *buffer, uint32_t count)
{
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)buffer, count};

    return call(SYS_READ, (uintptr_t)block);
}

uint32_t semihosting_write(int32_t file, const void *buffer, uint32_t count)
{
    const uintptr_t block[] = {(uintptr_t)file, (uintptr_t)buffer, count};

    return call(SYS_WRITE, (uintptr_t)block);
}

void semihosting_close(int32_t file)
{
    const uintptr_t block[] = {(uintptr_t)file};

    call(SYS_CLOSE, (uintptr_t)block);
}

void semihosting_put(char character)
{
    call(SYS_WRITEC, (uintptr_t)&character);
}

void semihosting_exit(int success)
{
    call(SYS_EXIT, success ? STOPPED_BY_EXIT : STOPPED_BY_ERROR);
    for (;;) {
    }
}
