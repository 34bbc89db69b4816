/*
 * An ATmega328P, as the Arduino Uno has one: pictures come in and answers go out by its serial port.
 *
 * At 16 MHz the port runs at 2 Mbaud, 8 bits, no parity. The simulator (simulator.c) ends when all pictures are
 * answered, or when the processor goes to sleep for good, and reads from GPIOR0 whether all is well.
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#include "board.h"

static volatile uint16_t overflows;

static void open_port(void)
{
    UBRR0 = 0;
    UCSR0A = 1 << U2X0;
    UCSR0B = (1 << RXEN0) | (1 << TXEN0);
}

int board_open(void)
{
    open_port();
    return 1;
}

int board_read(void *buffer, uint16_t count)
{
    uint8_t *byte = buffer;

    while (count-- > 0) {
        while ((UCSR0A & (1 << RXC0)) == 0) {
        }
        *byte++ = UDR0;
    }
    return 1;
}

static void send(uint8_t byte)
{
    while ((UCSR0A & (1 << UDRE0)) == 0) {
    }
    UDR0 = byte;
}

int board_write(const void *buffer, uint16_t count)
{
    const uint8_t *byte = buffer;

    while (count-- > 0) {
        send(*byte++);
    }
    return 1;
}

void board_put(char character)
{
    open_port();
    send((uint8_t)character);
}

void board_exit(int success)
{
    GPIOR0 = success != 0;
    cli();
    sleep_enable();
    for (;;) {
        sleep_cpu();
    }
}

/* Timer 1 counts every eighth cycle; its 16 bits are continued here. */

ISR(TIMER1_OVF_vect)
{
    overflows++;
}

void board_start_counter(void)
{
    TIMSK1 = 1 << TOIE1;
    TCCR1B = 1 << CS11;
    sei();
}

uint32_t board_count(void)
{
    uint16_t low;
    uint16_t high;

    cli();
    low = TCNT1;
    high = overflows;
    if ((TIFR1 & (1 << TOV1)) != 0) { /* one that nobody has seen yet: the count is from before or after it */
        low = TCNT1;
        high++;
    }
    sei();
    return (uint32_t)high << 16 | low;
}

uint32_t board_steps_since(uint32_t count)
{
    return board_count() - count;
}

void board_counted_loop(void)
{
    uint16_t rounds = 50000; /* of four cycles each */

    __asm__ volatile("1: sbiw %0, 1\n"
                     "   brne 1b"
                     : "+w"(rounds));
}

int main(void);

/** What avr-libc's start-up code calls after main() comes here. */
void exit(int status)
{
    board_exit(status == 0);
    for (;;) {
    }
}
