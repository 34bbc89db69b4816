/*
 * Unpacks a page: text of base91.py, in it raw LZMA with lc=3, lp=0 and pb=0, as the LZMA specification of 7-Zip
 * (I. Pavlov, 2015) describes it. It is given the length of what comes out, and writes no further; whatever else packed
 * bytes ask for ends inside of the WebAssembly's own memory.
 */
#include <stdint.h>

#define EVEN 1024 /* of 2048: as likely as not */
#define STATES 12
#define AFTER_MATCH 7 /* the first of the states in which the last piece was no literal */
#define SHORTEST 2
#define DIGIT_BITS 13 /* of two characters */

/* All that learns, in one piece. */
static struct {
    uint16_t is_match[STATES], is_repeat[STATES], is_longer[STATES], is_not[3][STATES];
    struct lengths {
        uint16_t is_middle, is_long, low[8], middle[8], high[256];
    } lengths, lengths_again;
    uint16_t slots[4][64], middle[128], low[16];
    uint16_t literals[8][0x300]; /* by the three highest bits of the byte before */
} chances;

static const uint8_t *packed;
static uint32_t range, code;

static void refill(void)
{
    if (range < 1u << 24) {
        range <<= 8;
        code = code << 8 | *packed++;
    }
}

static uint32_t bit(uint16_t *chance)
{
    const uint32_t bound = (range >> 11) * *chance;
    const uint32_t is_set = code >= bound;
    if (is_set) {
        range -= bound;
        code -= bound;
        *chance = (uint16_t)(*chance - (*chance >> 5));
    } else {
        range = bound;
        *chance = (uint16_t)(*chance + ((2 * EVEN - *chance) >> 5));
    }
    refill();
    return is_set;
}

/* The highest bit first. */
static uint32_t bits(uint16_t *tree, uint32_t count)
{
    uint32_t node = 1;
    for (uint32_t left = count; left != 0; left--) {
        node = 2 * node + bit(tree + node);
    }
    return node - (1u << count);
}

/* The lowest bit first. */
static uint32_t bits_reversed(uint16_t *tree, uint32_t count)
{
    uint32_t node = 1, found = 0;
    for (uint32_t place = 0; place < count; place++) {
        const uint32_t is_set = bit(tree + node);
        node = 2 * node + is_set;
        found |= is_set << place;
    }
    return found;
}

static uint32_t even_bits(uint32_t count)
{
    uint32_t found = 0;
    while (count-- != 0) {
        range >>= 1;
        const uint32_t is_set = code >= range;
        code -= is_set * range;
        found = 2 * found + is_set;
        refill();
    }
    return found;
}

static uint32_t length_of(struct lengths *lengths)
{
    if (!bit(&lengths->is_middle)) {
        return bits(lengths->low, 3);
    }
    return bit(&lengths->is_long) ? 16 + bits(lengths->high, 8) : 8 + bits(lengths->middle, 3);
}

static uint32_t distance_of(uint32_t length)
{
    const uint32_t slot = bits(chances.slots[length < 3 ? length : 3], 6);
    if (slot < 4) {
        return slot;
    }
    const uint32_t count = slot / 2 - 1;
    const uint32_t first = (2 | (slot & 1)) << count;
    if (slot < 14) {
        return first + bits_reversed(chances.middle + first - slot, count);
    }
    const uint32_t high = even_bits(count - 4) << 4;
    return first + high + bits_reversed(chances.low, 4);
}

/* What follows a match is known to differ from what follows where it came from, in the first bit that may. */
static uint8_t literal(uint16_t *tree, uint32_t matched, uint32_t seen)
{
    uint32_t symbol = 1;
    while (symbol < 0x100) {
        matched <<= 1;
        const uint32_t wanted = matched & seen;
        const uint32_t is_set = bit(tree + seen + wanted + symbol);
        symbol = 2 * symbol + is_set;
        seen &= is_set ? wanted : ~wanted;
    }
    return (uint8_t)symbol;
}

/* Which of the last four distances it is; that one comes to the front. */
static uint32_t repeated(uint32_t *distances, uint32_t state)
{
    uint32_t which = 0;
    while (which < 3 && bit(&chances.is_not[which][state])) {
        which++;
    }
    const uint32_t distance = distances[which];
    for (uint32_t each = which; each != 0; each--) {
        distances[each] = distances[each - 1];
    }
    distances[0] = distance;
    return which;
}

/* Put bytes in the place of the characters that they are written with. */
static void decode(uint8_t *text, const uint8_t *end)
{
    uint8_t *to = text;
    uint32_t waiting = 0, count = 0;
    while (text < end) {
        uint32_t number = 0;
        for (uint32_t each = 0; each < 2; each++) {
            const uint32_t character = *text++;
            number = 91 * number + character - '!' - (character > '"') - (character > '<') - (character > '\\');
        }
        waiting |= number << count;
        for (count += DIGIT_BITS; count >= 8; count -= 8) {
            *to++ = (uint8_t)waiting;
            waiting >>= 8;
        }
    }
}

/* Unpack the text from `text` to `to`, which it destroys, to the bytes from `to` to `end`. */
__attribute__((visibility("default"))) void unpack(uint8_t *text, uint8_t *to, const uint8_t *end)
{
    decode(text, to);
    uint16_t *const all = (uint16_t *)&chances;
    for (uint32_t each = 0; each < sizeof chances / sizeof *all; each++) {
        all[each] = EVEN;
    }
    packed = text;
    range = UINT32_MAX;
    for (uint32_t each = 0; each < 5; each++) {
        code = code << 8 | *packed++;
    }
    uint32_t state = 0, before = 0, distances[4] = {0};
    while (to < end) {
        const uint32_t is_later = state >= AFTER_MATCH;
        if (!bit(&chances.is_match[state])) {
            const uint32_t matched = is_later ? to[-1 - (int32_t)distances[0]] : 0;
            before = literal(chances.literals[before >> 5], matched, is_later << 8);
            *to++ = (uint8_t)before;
            state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
            continue;
        }
        uint32_t length = 1;
        if (!bit(&chances.is_repeat[state])) {
            length = SHORTEST + length_of(&chances.lengths);
            distances[3] = distances[2];
            distances[2] = distances[1];
            distances[1] = distances[0];
            distances[0] = distance_of(length - SHORTEST);
            state = is_later ? 10 : 7;
        } else if (repeated(distances, state) == 0 && !bit(&chances.is_longer[state])) {
            state = is_later ? 11 : 9;
        } else {
            length = SHORTEST + length_of(&chances.lengths_again);
            state = is_later ? 11 : 8;
        }
        while (length-- != 0 && to < end) {
            before = to[-1 - (int32_t)distances[0]];
            *to++ = (uint8_t)before;
        }
    }
}
