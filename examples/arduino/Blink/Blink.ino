/*
 * Reads a handwritten digit and blinks it on the board's own light: seven flashes are a 7, a single long one is a 0.
 * Where the answer is not sure, a flicker comes first.
 *
 * It begins with the picture in picture.h. Others, 784 bytes each, come in by the serial port at any time (send.py); for each
 * a line goes out, "7 sure" or "7 not sure", and its digit blinks from then on.
 */
#include <edgedigits.h>

#include "picture.h"

/* Milliseconds. */
#define FLASH 250u
#define LONG_FLASH 1000u
#define PAUSE 1500u
#define FLICKER 50u
#define FLICKERS 4u

#ifdef RAMEND /* an AVR: nothing stops its stack where the variables begin */
static_assert(EDGEDIGITS_PIXELS + EDGEDIGITS_SCRATCH_BYTES + 450 <= RAMEND - RAMSTART + 1,
              "the network takes more memory than this board has: make the library with tiny-fast");
#endif

static uint8_t image[EDGEDIGITS_PIXELS]; // 28 rows of 28 pixels, top row first: 0 is background, 255 is ink
static unsigned int digit;
static bool is_sure;
static unsigned long answered;

static void answer()
{
    uint8_t probabilities[EDGEDIGITS_CLASSES];

    digit = (unsigned int)edgedigits_predict(image, probabilities);
    is_sure = edgedigits_is_sure(probabilities);
    answered = millis();
    Serial.print(digit);
    Serial.println(is_sure ? " sure" : " not sure");
}

/** Tell whether the light is on, so many milliseconds after an answer. */
static bool is_lit(unsigned long elapsed)
{
    const unsigned int flicker = is_sure ? 0 : 2 * FLICKERS * FLICKER;
    const unsigned int gap = is_sure ? 0 : 2 * FLASH;
    const unsigned int flashes = digit == 0 ? LONG_FLASH : 2 * FLASH * digit;
    unsigned int place = (unsigned int)(elapsed % (flicker + gap + flashes + PAUSE));

    if (place < flicker) {
        return place / FLICKER % 2 == 0;
    }
    if (place < flicker + gap) {
        return false;
    }
    place -= flicker + gap;
    return place < flashes && (digit == 0 || place / FLASH % 2 == 0);
}

void setup()
{
    pinMode(LED_BUILTIN, OUTPUT);
    Serial.begin(115200);
    memcpy_P(image, picture, sizeof image);
    answer();
}

void loop()
{
    // Nothing waits here while the light blinks, so that no byte of a picture is lost.
    digitalWrite(LED_BUILTIN, is_lit(millis() - answered) ? HIGH : LOW);
    if (Serial.available() > 0 && Serial.readBytes(image, sizeof image) == sizeof image) {
        answer();
    }
}
