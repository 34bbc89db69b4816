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
