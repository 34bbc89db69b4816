/*
 * An Arduino that reads handwritten digits: 784 bytes come in by the serial port, a line goes out, "7 sure" for example.
 *
 * Put digits.c and digits.h beside this file, as `edgedigits export --format c` writes them, and open it in the Arduino
 * IDE. On an Uno (32 KB of flash, 2 KB of RAM) a network needs to take less than 29 KB of flash and 900 bytes of RAM.
 */
#include "digits.h"

static const char *const labels[EDGEDIGITS_CLASSES] = EDGEDIGITS_LABELS;
static uint8_t image[EDGEDIGITS_PIXELS]; // 28 rows of 28 pixels, top row first: 0 is background, 255 is ink

void setup()
{
    Serial.begin(115200);
}

void loop()
{
    uint8_t probabilities[EDGEDIGITS_CLASSES];
    int best;

    if (Serial.readBytes(image, sizeof image) < sizeof image) {
        return; // nothing came for a second; what came before it was no whole picture
    }
    best = edgedigits_predict(image, probabilities);
    Serial.print(labels[best]);
    Serial.println(edgedigits_is_sure(probabilities) ? " sure" : " not sure");
}
