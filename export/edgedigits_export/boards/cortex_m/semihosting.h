/* Files and the console of the computer that runs the emulator (or the debugger), by Arm's semihosting. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

enum semihosting_mode { SEMIHOSTING_READ = 1, SEMIHOSTING_WRITE = 5 }; /* fopen()'s "rb" and "wb" */

/** Open a file of the computer's working directory; a handle, or -1. */
int32_t semihosting_open(const char *name, enum semihosting_mode mode);
/** Read into a buffer; how many of its bytes were not filled. */
uint32_t semihosting_read(int32_t file, void *buffer, uint32_t count);
/** Write a buffer; how many of its bytes were not written. */
uint32_t semihosting_write(int32_t file, const void *buffer, uint32_t count);
void semihosting_close(int32_t file);
/** Print a character on the console. */
void semihosting_put(char character);
/** End the emulation. */
void semihosting_exit(int success);

#endif
