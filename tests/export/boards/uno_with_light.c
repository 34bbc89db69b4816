/*
 * Run a program on a simulated Arduino Uno whose serial port is a terminal of this computer and whose light is watched.
 *
 * Its first line is the name of the terminal. Then each change of the light is a line: the millisecond of the board's own
 * time since the last answer, and 1 or 0. Whoever opens the terminal resets the board, as the USB chip of an Uno does it.
 * The end is when the board has answered so many lines, and so many of its seconds have gone by since the last. The last
 * line is the bytes of memory that lay between variables and stack when the stack was deepest.
 *
 * cc -O2 uno_with_light.c -lsimavr -o uno; ./uno sketch.elf ANSWERS SECONDS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_io.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define CLOCK 16000000
#define PICTURE_BYTES 784
#define RAM_START 0x100
#define STEP 20000 /* cycles between two looks at the terminal */

static avr_t *avr;
static int terminal;
static int answers;
static avr_cycle_count_t answered;
static uint8_t picture[PICTURE_BYTES];
static int held;   /* bytes of a picture that came in */
static int passed; /* bytes of it that the board has been given */
static int takes_bytes = 1;

static void light(struct avr_irq_t *irq, uint32_t value, void *given)
{
    (void)irq;
    (void)given;
    printf("%lu %u\n", (unsigned long)((avr->cycle - answered) / (CLOCK / 1000)), value & 1);
}

static void send(struct avr_irq_t *irq, uint32_t value, void *given)
{
    const uint8_t byte = (uint8_t)value;

    (void)irq;
    (void)given;
    if (write(terminal, &byte, 1) != 1) {
        exit(2);
    }
    if (byte == '\n') {
        answers++;
        answered = avr->cycle;
        printf("answer\n");
    }
}

static void start(struct avr_irq_t *irq, uint32_t value, void *given)
{
    (void)irq;
    (void)value;
    (void)given;
    takes_bytes = 1;
}

static void stop(struct avr_irq_t *irq, uint32_t value, void *given)
{
    (void)irq;
    (void)value;
    (void)given;
    takes_bytes = 0;
}

/** The board's time runs on its own: a picture is passed on once all of it is here, as its wire would bring it. */
static void pass_on(avr_irq_t *input)
{
    if (held < PICTURE_BYTES) {
        struct pollfd waiting = {.fd = terminal, .events = POLLIN};

        if (poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLIN) != 0) {
            const ssize_t count = read(terminal, picture + held, (size_t)(PICTURE_BYTES - held));

            held += count > 0 ? (int)count : 0;
        }
        return;
    }
    while (takes_bytes && passed < PICTURE_BYTES) {
        avr_raise_irq(input, picture[passed++]);
    }
    if (passed == PICTURE_BYTES) {
        held = passed = 0;
    }
}

static int is_open(void)
{
    struct pollfd state = {.fd = terminal, .events = 0};

    return poll(&state, 1, 0) == 0 || (state.revents & POLLHUP) == 0;
}

static void open_terminal(void)
{
    struct termios raw;

    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0 || tcgetattr(terminal, &raw) != 0) {
        exit(2);
    }
    cfmakeraw(&raw);
    tcsetattr(terminal, TCSANOW, &raw);
    /* Opened and closed once: only then does the system tell whether anybody has it open. */
    close(open(ptsname(terminal), O_RDWR | O_NOCTTY));
    printf("%s\n", ptsname(terminal));
}

static void say_nothing(avr_t *board, const int level, const char *format, va_list values)
{
    (void)board;
    (void)level;
    (void)format;
    (void)values;
}

int main(int count, char **arguments)
{
    elf_firmware_t firmware = {0};
    avr_irq_t *input;
    uint32_t flags = 0;
    int was_open = 0;
    uint16_t deepest = UINT16_MAX;
    int state = cpu_Running;
    avr_cycle_count_t looked = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    avr_global_logger_set(say_nothing);
    avr = avr_make_mcu_by_name("atmega328p");
    if (count != 4 || avr == NULL || elf_read_firmware(arguments[1], &firmware) != 0) {
        fprintf(stderr, "error: expected a program for an Uno, the number of its answers, and seconds\n");
        return 2;
    }
    firmware.frequency = CLOCK;
    avr_init(avr);
    avr_load_firmware(avr, &firmware);
    open_terminal();
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), send, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), start, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), stop, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('B'), 5), light, NULL);
    while (state != cpu_Done && state != cpu_Crashed) {
        const uint16_t stack = (uint16_t)(avr->data[R_SPL] | avr->data[R_SPH] << 8);

        if (stack > RAM_START && stack < deepest) { /* it is 0 until the program has set it */
            deepest = stack;
        }
        state = avr_run(avr);
        if (avr->cycle - looked < STEP) {
            continue;
        }
        looked = avr->cycle;
        if (is_open() && !was_open) {
            avr_reset(avr);
        }
        was_open = is_open();
        pass_on(input);
        if (answers >= atoi(arguments[2]) && avr->cycle - answered > (avr_cycle_count_t)atoi(arguments[3]) * CLOCK) {
            printf("room %d\n", deepest + 1 - (int)(RAM_START + firmware.datasize + firmware.bsssize));
            return 0;
        }
    }
    return 1;
}
