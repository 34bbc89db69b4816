/*
 * Memory for whoever runs this code as WebAssembly: pieces one behind the other, given back from the last on. There is
 * no other allocation, and nothing is imported.
 */
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 65536U
#define ALIGNMENT 16U

/** The linker's: where the memory begins that nothing else lies in. */
extern unsigned char __heap_base;

static uint32_t next; /* the first byte that is free; 0 before the first piece */

uint32_t mark(void);
void release(uint32_t place);
uint8_t *allocate(uint32_t bytes);

static uint32_t first_free(void)
{
    const uint32_t base = (uint32_t)(uintptr_t)&__heap_base;

    return (base + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/** Return what release takes to give back all that is allocated from now on. */
uint32_t mark(void)
{
    next = next != 0 ? next : first_free();
    return next;
}

/** Give back all that was allocated since a mark. */
void release(uint32_t place)
{
    if (place >= first_free() && place <= mark()) {
        next = place;
    }
}

/** Return so many bytes at a multiple of 16, in which anything may be; 0 if there is no more memory. */
uint8_t *allocate(uint32_t bytes)
{
    const uint32_t begin = mark();
    const uint64_t end = ((uint64_t)begin + bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const uint64_t present = (uint64_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;

    if (end > UINT32_MAX) {
        return NULL;
    }
    if (end > present) {
        const uint64_t pages = (end - present + PAGE_BYTES - 1) / PAGE_BYTES;

        if (__builtin_wasm_memory_grow(0, (size_t)pages) == SIZE_MAX) {
            return NULL;
        }
    }
    next = (uint32_t)end;
    return (uint8_t *)(uintptr_t)begin;
}
