
// What is known of a number before it is read, or wanted of it: edgedigits/numbers/pattern.py in JavaScript.

/** Read what a caller asks for. */
function formOf({ digits = null, pattern = null, separators = true }) {
    if (digits !== null && pattern !== null) {
        throw new TypeError("digits, pattern: expected one of them, got both; a pattern says how many digits there are");
    }
    if (pattern !== null && !isPattern(pattern)) {
        throw new TypeError(`pattern: expected ${DIGIT} for each digit, 1 to ${MOST_DIGITS}, and the separators ${SEPARATORS} or space, got ${pattern}`);
    }
    if (digits !== null && !(Number.isInteger(digits) && 1 <= digits && digits <= MOST_DIGITS)) {
        throw new RangeError(`digits: expected a whole number from 1 to ${MOST_DIGITS}, got ${digits}`);
    }
    const count = pattern === null ? digits : digitsIn(pattern);
    return { digits: count, pattern, separators };
}

function isPattern(pattern) {
    if (typeof pattern !== "string" || pattern.length > 2 * MOST_DIGITS) return false;
    const count = digitsIn(pattern);
    return 1 <= count && count <= MOST_DIGITS && [...pattern].every((sign) => (DIGIT + SEPARATORS + SPACE).includes(sign));
}

function digitsIn(pattern) {
    return pattern.split(DIGIT).length - 1;
}

function hasDigits(signs, digits) {
    return digits === null || signs.filter(isDigit).length === digits;
}

/** Return a line in its form. */
function inForm(signs, { pattern, separators }) {
    if (!separators) return signs.filter(isDigit);
    return pattern === null ? signs : inPattern(signs, pattern);
}

/** Return a line with the pattern's separators in place of those that were read. */
function inPattern(signs, pattern) {
    const digits = signs.filter(isDigit);
    const seen = [[]];
    for (const sign of signs) {
        if (isDigit(sign)) seen.push([]);
        else seen[seen.length - 1].push(sign);
    }
    return pattern.split(DIGIT).flatMap((wanted, gap) => [
        ...Array.from(wanted, (text, nth) => ({ ...signOf(text, seen[gap][nth]?.box ?? gapBox(digits, gap), 1, LARGEST_STEP), sure: true })),
        ...digits.slice(gap, gap + 1),
    ]);
}

/** Return the room before the digit with an index; of no width before the first and behind the last. */
function gapBox(digits, gap) {
    const left = digits[Math.max(gap - 1, 0)].box;
    const right = digits[Math.min(gap, digits.length - 1)].box;
    if (gap === 0) return [left[0], left[1], left[0], left[3]];
    if (gap === digits.length) return [right[2], right[1], right[2], right[3]];
    const [start, stop] = [left[2], right[0]].sort((one, other) => one - other);
    return [start, Math.min(left[1], right[1]), stop, Math.max(left[3], right[3])];
}
