/** What a network says of itself. */
export interface Facts {
    /** Names of the ten classes. */
    readonly labels: readonly string[];
    /** The least lead over the second class from which on an answer is sure, in steps of 1/256; 256 where none is. */
    readonly min_margin: number;
    /** Metadata of the network: its widths, data set, accuracy and tools. */
    readonly metadata: Readonly<Record<string, unknown>>;
}

/** What the network reads in an image. */
export interface Answer {
    /** The most probable digit; in a network of another data set, the index of the class. */
    digit: number;
    /** Its name. */
    label: string;
    /** Its probability, 0 to 1, in steps of 1/256. */
    confidence: number;
    /** How far it is ahead of the second, in steps of 1/256. */
    lead: number;
    /** Whether that is enough; see `Facts.min_margin`. */
    sure: boolean;
}

/** An answer with all that it was chosen from. */
export interface Reading extends Answer {
    /** Of the ten classes, 0 to 1, in steps of 1/256. */
    probabilities: number[];
}

/** A picture as the network takes it. */
export interface Prepared {
    /** 0, or another number where no digit can be taken out of the picture. */
    code: number;
    /** 784 pixels, 0 where nothing is drawn, 255 where the ink is fullest. */
    image: Uint8Array;
}

export const facts: Facts;

/** Make ready; all but `read` asks for it. Throws where WebAssembly with SIMD or decompression is missing. */
export function load(): Promise<void>;

/** Read images of 784 pixels each, 0 where nothing is drawn. Loads the network if nobody has. */
export function read(images: Uint8Array | Uint8ClampedArray): Promise<Reading[]>;

/** Return the probabilities of images in steps of 1/256, ten bytes of each. */
export function probabilities(images: Uint8Array | Uint8ClampedArray): Uint8Array;

/** Say what ten bytes of probabilities mean. */
export function answer(ten: Uint8Array): Answer;

/** Make an image for the network of the pixels of a canvas: `getImageData(...).data`, its width and height. */
export function prepare(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): Prepared;

/** A place in a picture, in its pixels: left, top, right, bottom, the last two exclusive. */
export type Box = [left: number, top: number, right: number, bottom: number];

/** A digit or a separator. */
export interface Sign {
    /** One character: a digit, or one of `.,-/:`; a space where a pattern has one. */
    text: string;
    box: Box;
    /** Probability of the digit, 0 to 1; of a separator 1. */
    confidence: number;
    /** How far its line is ahead of the next way to read it, 0 to 1. */
    margin: number;
    /** The same in steps of 1/256. */
    margin_steps: number;
    /** Whether that is enough; see `Facts.min_margin`. */
    sure: boolean;
}

/** A number: digits from left to right, with what separates them. */
export interface Line {
    text: string;
    sure: boolean;
    /** Of the digit that is least certain. */
    confidence: number;
    box: Box;
    signs: Sign[];
}

/** The numbers of a picture, as `edgedigits read --json` prints them. */
export interface Numbers {
    /** The lines, parted by line breaks; empty where there is no digit. */
    text: string;
    /** Whether there is a line, and all are sure. */
    sure: boolean;
    /** Width and height of the picture. */
    size: [width: number, height: number];
    /** From top to bottom, those beside each other from left to right. */
    lines: Line[];
}

/** What is known of the numbers of a picture; `digits` or `pattern`, not both. */
export interface NumbersOptions {
    /** How many digits each line has, 1 to 64; by default any number. */
    digits?: number | null;
    /** The form of each line, `"dd.dd.dddd"`: `d` for a digit, and separators, which are put where they are in it. */
    pattern?: string | null;
    /** Whether separators are kept; by default they are. */
    separators?: boolean;
}

/**
 * Read the numbers in a picture: `getImageData(...).data`, its width and height. `await load()` first.
 * Throws an Error with a `code` where it cannot be read, or has too many marks.
 */
export function readNumbers(
    rgba: Uint8Array | Uint8ClampedArray,
    width: number,
    height: number,
    options?: NumbersOptions,
): Numbers;
