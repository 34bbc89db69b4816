
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
