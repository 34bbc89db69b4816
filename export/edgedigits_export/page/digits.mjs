/**
 * Reads digits in images of 28x28 pixels, in browsers and in Node: a neural network in integers, run by WebAssembly that
 * is in this file. Nothing is loaded from elsewhere.
 *
 *     import { read } from './digits.mjs';
 *     const [{ digit, confidence, sure }] = await read(pixels);
 */

const PIXELS = 784;
const CLASSES = 10;
// Probabilities are in steps of 1/256: integers, the same on every device.
const STEPS = 256;
// Images that are read in one call of the WebAssembly.
const BATCH = 256;

/** What the file says of itself: labels of the ten classes, the least lead of a sure answer, metadata of the network. */
export const facts = "@FACTS@";

let loading = null;
let loaded = null;

/**
 * Make ready; all but `read` asks for it. Calling it again costs nothing.
 * Throws an Error where WebAssembly with SIMD or decompression is missing.
 */
export async function load() {
    loading ??= open();
    loaded = await loading;
}

async function open() {
    const { wasm: code, tables } = await binaries();
    const { instance } = await WebAssembly.instantiate(code).catch((error) => {
        throw new Error("expected WebAssembly with SIMD, found none; use a browser of 2023 or newer, or Node 18", { cause: error });
    });
    const wasm = instance.exports;
    const place = allocated(wasm, tables.length);
    bytesAt(wasm, place, tables.length).set(tables);
    const scratchBytes = wasm.network_scratch_bytes(place, tables.length);
    if (scratchBytes === 0) {
        throw new Error("expected the tables of a network, found damaged ones; take the file anew from where it came from");
    }
    return { wasm, tables: place, scratchBytes };
}

function ready() {
    if (loaded === null) {
        throw new Error("expected a network that is loaded; await load() first");
    }
    return loaded;
}

function allocated(wasm, bytes) {
    const place = wasm.allocate(bytes) >>> 0;
    if (place === 0) {
        throw new Error(`expected ${bytes} bytes of memory, found fewer; close other pages, or take a smaller picture`);
    }
    return place;
}

// Views are made anew each time: memory that grows leaves the old ones empty.
function bytesAt(wasm, place, count) {
    return new Uint8Array(wasm.memory.buffer, place, count);
}

/**
 * Return the probabilities of images in steps of 1/256, ten bytes of each, 255 at most: a Uint8Array.
 * Takes a Uint8Array of 784 pixels an image, row by row: 0 where nothing is drawn, 255 where the ink is fullest.
 */
export function probabilities(images) {
    const { wasm, tables, scratchBytes } = ready();
    const count = images.length / PIXELS;
    if (!(images instanceof Uint8Array || images instanceof Uint8ClampedArray) || !Number.isInteger(count)) {
        throw new TypeError(`expected a Uint8Array of ${PIXELS} pixels an image, found ${described(images)}`);
    }
    const found = new Uint8Array(count * CLASSES);
    const mark = wasm.mark();
    try {
        const scratch = allocated(wasm, scratchBytes);
        const taken = allocated(wasm, Math.min(count, BATCH) * PIXELS);
        const given = allocated(wasm, Math.min(count, BATCH) * CLASSES);
        for (let first = 0; first < count; first += BATCH) {
            const batch = Math.min(BATCH, count - first);
            bytesAt(wasm, taken, batch * PIXELS).set(images.subarray(first * PIXELS, (first + batch) * PIXELS));
            wasm.network_run(tables, taken, batch, given, scratch);
            found.set(bytesAt(wasm, given, batch * CLASSES), first * CLASSES);
        }
    } finally {
        wasm.release(mark);
    }
    return found;
}

function described(value) {
    return value?.length === undefined ? String(value) : `${value.constructor?.name} of ${value.length}`;
}

/**
 * Say what ten bytes of probabilities mean: `digit` (the index of the class), its `label` and `confidence` (0 to 1), the
 * `lead` over the second in steps of 1/256, and whether the answer is `sure`.
 */
export function answer(ten) {
    const [first, second] = [...ten].sort((one, other) => other - one);
    const digit = ten.indexOf(first);
    const lead = first - second;
    return { digit, label: facts.labels[digit], confidence: first / STEPS, lead, sure: lead >= facts.min_margin };
}

/**
 * Read images: a Promise of an answer for each, with its ten `probabilities`, 0 to 1.
 * Takes a Uint8Array of 784 pixels an image, as `probabilities` does; loads the network if nobody has.
 */
export async function read(images) {
    await load();
    const bytes = probabilities(images);
    return Array.from({ length: bytes.length / CLASSES }, (_, image) => {
        const ten = bytes.subarray(image * CLASSES, (image + 1) * CLASSES);
        return { ...answer(ten), probabilities: Array.from(ten, (step) => step / STEPS) };
    });
}

/**
 * Make 28x28 pixels of a picture, dark on light or light on dark, as the network takes them.
 * Takes the pixels of a canvas, four bytes each (`getImageData(...).data`), and their width and height; returns
 * `{ code, image }`: code 0 and a Uint8Array(784), or another code where no digit can be taken out of it.
 */
export function prepare(rgba, width, height) {
    const { wasm } = ready();
    if (rgba.length !== 4 * width * height) {
        throw new TypeError(`expected ${4 * width * height} bytes of pixels, found ${described(rgba)}`);
    }
    const mark = wasm.mark();
    try {
        const arenaBytes = wasm.prepare_arena_bytes(width, height) >>> 0;
        if (arenaBytes === 0) {
            throw new RangeError(`expected a picture that can be prepared, found ${width}x${height}; make it smaller first`);
        }
        const picture = allocated(wasm, rgba.length);
        const arena = allocated(wasm, arenaBytes);
        const given = allocated(wasm, PIXELS);
        bytesAt(wasm, picture, rgba.length).set(rgba);
        const code = wasm.prepare_rgba(picture, width, height, arena, given);
        return { code, image: bytesAt(wasm, given, PIXELS).slice() };
    } finally {
        wasm.release(mark);
    }
}
