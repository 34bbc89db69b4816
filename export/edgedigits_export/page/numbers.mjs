
// Numbers in pictures: the WebAssembly finds their lines and what may be a digit, the network says what each is.

// Codes of numbers.h that have a sentence of their own, behind those of prepare.h.
const TOO_MANY = {
    32: `marks: at most ${MOST_PARTS} of a digit's size are read; cut out the numbers`,
    33: `lines: at most ${MOST_LINES} are read; cut out the numbers`,
    34: "marks beside each other for a number; cut out the numbers",
};

/** A picture that holds no numbers that could be looked for; its `code` stands in prepare.h or numbers.h. */
class PictureError extends Error {
    constructor(code) {
        super(code in TOO_MANY ? `expected a picture of numbers, found too many ${TOO_MANY[code]}` : `expected a picture that can be read, found none (${code})`);
        this.code = code;
    }
}

/**
 * Read the numbers in a picture: the object that `edgedigits read --json` prints of it, with boxes in its pixels.
 * Takes the pixels of a canvas, four bytes each, their width and height; and, as `edgedigits read` does, how many `digits`
 * each line has, or the `pattern` of each line ("dd.dd.dddd"), and whether `separators` are kept.
 * Throws an Error with a `code` where the picture cannot be read or has too many marks; await load() first.
 */
export function readNumbers(rgba, width, height, options = {}) {
    const form = formOf(options);
    const { lines, size } = foundLines(rgba, width, height, form.digits);
    const placed = lines.map((signs) => signs.map((sign) => ({ ...sign, box: boxAt(sign.box, size, [width, height]) })));
    const read = form.digits === null || form.digits === 1 ? orSingle(placed, rgba, width, height) : placed;
    return readingOf(read.filter((signs) => hasDigits(signs, form.digits)).map((signs) => inForm(signs, form)), width, height);
}

function readingOf(lines, width, height) {
    const found = lines.map((signs) => {
        const digits = signs.filter(isDigit);
        return {
            text: textOf(signs),
            sure: digits.every((sign) => sign.sure),
            confidence: Math.min(...digits.map((sign) => sign.confidence)),
            box: boxAround(signs.map((sign) => sign.box)),
            signs,
        };
    });
    return {
        text: found.map((line) => line.text).join("\n"),
        sure: found.length > 0 && found.every((line) => line.sure),
        size: [width, height],
        lines: found,
    };
}

/** Return the signs of each line, and the width and height of the picture that their boxes are in. */
function foundLines(rgba, width, height, digits) {
    const { wasm } = ready();
    if (rgba.length !== 4 * width * height) {
        throw new TypeError(`expected ${4 * width * height} bytes of pixels, found ${described(rgba)}`);
    }
    const mark = wasm.mark();
    try {
        const arenaBytes = wasm.numbers_arena_bytes(width, height) >>> 0;
        if (arenaBytes === 0) {
            throw new RangeError(`expected a picture that can be read, found ${width}x${height}; make it smaller first`);
        }
        const picture = allocated(wasm, rgba.length);
        const arena = allocated(wasm, arenaBytes);
        const found = allocated(wasm, FOUND_BYTES);
        bytesAt(wasm, picture, rgba.length).set(rgba);
        check(wasm.numbers_find(picture, width, height, arena, found));
        const [across, down, count] = wordsAt(wasm, found, 3);
        const lines = Array.from({ length: count }, (_, line) => lineAt(wasm, found, line, digits));
        return { lines: lines.filter((signs) => signs !== null), size: [across, down] };
    } finally {
        wasm.release(mark);
    }
}

/** Return the signs of a line; null where it is none of digits. */
function lineAt(wasm, found, line, digits) {
    const mark = wasm.mark();
    try {
        const arena = allocated(wasm, wasm.numbers_line_bytes(found, line) >>> 0);
        const parted = allocated(wasm, LINE_BYTES);
        check(wasm.numbers_line(found, line, arena, parted));
        const { images, ...strip } = stripAt(wasm, parted);
        return signsOf(strip, probabilities(images), digits);
    } finally {
        wasm.release(mark);
    }
}

function check(code) {
    if (code !== 0) throw new PictureError(code);
}

// Structures of numbers.h, in bytes, and what they have of each kind.
const FOUND_BYTES = 16;
const LINE_BYTES = 72;
const PIECE_BYTES = 48;
const CANDIDATE_BYTES = 24;

function wordsAt(wasm, place, count) {
    return new Uint32Array(wasm.memory.buffer, place, count);
}

/** Return a line as the WebAssembly parted it, out of its memory. */
function stripAt(wasm, place) {
    const [slant, ratio, originX, originY, stroke] = new Float64Array(wasm.memory.buffer, place, 5);
    const [width, height, pieces, candidates, ids, piece, candidate, images] = wordsAt(wasm, place + 40, 8);
    return {
        slant,
        ratio,
        origin: [originX, originY],
        stroke,
        width,
        height,
        ids: new Int16Array(wasm.memory.buffer, ids, width * height).slice(),
        pieces: Array.from({ length: pieces }, (_, index) => pieceAt(wasm, piece + PIECE_BYTES * index)),
        candidates: Array.from({ length: candidates }, (_, index) => candidateAt(wasm, candidate + CANDIDATE_BYTES * index)),
        images: bytesAt(wasm, images, PIXELS * candidates).slice(),
    };
}

function pieceAt(wasm, place) {
    const [elongation, tilt] = new Float64Array(wasm.memory.buffer, place, 2);
    const [left, top, right, bottom, area, , isSmall, isWhole] = new Int32Array(wasm.memory.buffer, place + 16, 8);
    return { elongation, tilt, box: [left, top, right, bottom], area, isSmall: isSmall !== 0, isWhole: isWhole !== 0 };
}

function candidateAt(wasm, place) {
    const [first, last, ...box] = new Int32Array(wasm.memory.buffer, place, 6);
    return { first, last, box };
}

/** Bring a box from a picture of one size, width and height, to one of another; it lies within it. */
function boxAt([left, top, right, bottom], from, to) {
    const [across, down] = to.map((side, axis) => side / from[axis]);
    const [begin, end] = stretchAt(left, right, across, to[0]);
    const [above, below] = stretchAt(top, bottom, down, to[1]);
    return [begin, above, end, below];
}

function stretchAt(begin, end, ratio, length) {
    const first = Math.min(Math.max(Math.trunc(begin * ratio), 0), length - 1);
    return [first, Math.max(Math.min(Math.ceil(end * ratio), length), first + 1)];
}

/** Return a picture that may be of one digit as the network reads it by itself, where it knows better. */
function orSingle(lines, rgba, width, height) {
    const digits = lines.flat().filter(isDigit);
    const isLone = lines.length <= 1 && lines.flat().length <= 1;
    if (!isLone && (digits.every((sign) => sign.sure) || digits.length > MOST_PARTS_OF_ONE)) return lines;
    const { code, image } = prepare(rgba, width, height);
    if (code !== 0) return lines;
    const { digit, confidence, lead, sure } = answer(probabilities(image));
    const isSure = digits.length > 0 && digits.every((sign) => sign.sure);
    const isLikelier = isLone && !isSure && digits.every((sign) => confidence > sign.confidence);
    if (!sure && !(digits.length > 0 && isLikelier)) return lines;
    const box = lines.length > 0 ? boxAround(lines.flat().map((sign) => sign.box)) : [0, 0, width, height];
    return [[signOf(String(digit), box, confidence, lead)]];
}
