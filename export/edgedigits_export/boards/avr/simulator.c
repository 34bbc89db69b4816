/*
 * Run a program on a simulated ATmega328P at 16 MHz, with simavr's library, in the working directory.
 *
 * Where there is a file pictures.bin, its pictures go into the serial port, each when the one before has been answered,
 * and what the port sends goes to answers.bin; the end is when all are answered and nothing more comes. Without that
 * file, what the port sends is printed, until the processor sleeps for good; GPIOR0 then tells whether all is well.
 *
 * cc -O2 simulator.c -lsimavr -o simulator; ./simulator digits.elf
 */
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/sim_io.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define CHIP "atmega328p"
#define CLOCK 16000000
#define PICTURE_BYTES 784
#define GPIOR0_ADDRESS 0x3e
#define SILENCE 50000 /* cycles after the last byte: dozens of bytes at 115,200 baud */

struct port {
    avr_irq_t *input;
    FILE *pictures;
    FILE *answers;
    uint8_t picture[PICTURE_BYTES];
    int left; /* bytes of the picture that have not gone in yet */
    int takes_bytes;
    int is_answered;
    int is_at_the_end;
    avr_cycle_count_t last_byte;
    const avr_t *avr;
};

static void receive(struct avr_irq_t *irq, uint32_t value, void *given)
{
    struct port *port = given;

    (void)irq;
    port->is_answered = port->left == 0;
    port->last_byte = port->avr->cycle;
    fputc((int)value, port->answers);
}

static void stop(struct avr_irq_t *irq, uint32_t value, void *given)
{
    (void)irq;
    (void)value;
    ((struct port *)given)->takes_bytes = 0;
}

static void feed(struct avr_irq_t *irq, uint32_t value, void *given)
{
    struct port *port = given;

    (void)irq;
    (void)value;
    if (port->pictures == NULL) {
        return;
    }
    port->takes_bytes = 1;
    while (port->takes_bytes && !port->is_at_the_end) {
        if (port->left == 0) {
            if (!port->is_answered) {
                return;
            }
            port->is_answered = 0;
            port->left = (int)fread(port->picture, 1, PICTURE_BYTES, port->pictures);
            if (port->left < PICTURE_BYTES) {
                port->is_at_the_end = 1;
                return;
            }
        }
        avr_raise_irq(port->input, port->picture[PICTURE_BYTES - port->left--]);
    }
}

/** simavr reports on a console of its own; errors are told by what elf_read_firmware() and avr_run() return. */
static void say_nothing(avr_t *avr, const int level, const char *format, va_list values)
{
    (void)avr;
    (void)level;
    (void)format;
    (void)values;
}

static void connect(avr_t *avr, struct port *port)
{
    uint32_t flags = 0; /* nothing is printed, and nobody sleeps where a program waits for a byte */

    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    port->input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), receive, port);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), feed, port);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), stop, port);
}

int main(int count, char **arguments)
{
    elf_firmware_t firmware = {0};
    struct port port = {.is_answered = 1};
    avr_t *avr = avr_make_mcu_by_name(CHIP);
    int state = cpu_Running;

    avr_global_logger_set(say_nothing);
    if (count != 2 || avr == NULL || elf_read_firmware(arguments[1], &firmware) != 0) {
        fprintf(stderr, "error: expected the name of a program for an %s\n", CHIP);
        return 2;
    }
    firmware.frequency = CLOCK;
    avr_init(avr);
    avr_load_firmware(avr, &firmware);
    port.avr = avr;
    port.pictures = fopen("pictures.bin", "rb");
    port.answers = port.pictures == NULL ? stdout : fopen("answers.bin", "wb");
    if (port.answers == NULL) {
        fprintf(stderr, "error: answers.bin cannot be written\n");
        return 2;
    }
    connect(avr, &port);
    while (state != cpu_Done && state != cpu_Crashed) {
        if (port.is_at_the_end && avr->cycle - port.last_byte > SILENCE) {
            return fclose(port.answers) != 0;
        }
        state = avr_run(avr);
    }
    fclose(port.answers);
    return state == cpu_Crashed || avr->data[GPIOR0_ADDRESS] != 1;
}
