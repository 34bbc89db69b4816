// In the browser: all test images and drawn pads through the module of a page. What it found stands in `window.found`.
import { answer, load, prepare, probabilities } from "/digits.mjs";

const PAD = 280;

const fetched = async (name) => new Uint8Array(await (await fetch(`/${name}`)).arrayBuffer());

function text(bytes) {
    let found = "";
    for (const byte of bytes) found += String.fromCharCode(byte);
    return btoa(found);
}

// Milliseconds of each pad, from its canvas to the answer.
function timesOf(pads) {
    const ink = new OffscreenCanvas(PAD, PAD).getContext("2d", { willReadFrequently: true });
    const pixels = ink.createImageData(PAD, PAD);
    const words = new Uint32Array(pixels.data.buffer);
    const times = [];
    for (let first = 0; first < pads.length; first += PAD * PAD) {
        for (let pixel = 0; pixel < PAD * PAD; pixel++) words[pixel] = 0xff000000 | (pads[first + pixel] * 0x010101);
        ink.putImageData(pixels, 0, 0);
        const begin = performance.now();
        const { code, image } = prepare(ink.getImageData(0, 0, PAD, PAD).data, PAD, PAD);
        if (code === 0) answer(probabilities(image));
        times.push(performance.now() - begin);
    }
    return times;
}

async function measured() {
    await load();
    const milliseconds = timesOf(await fetched("pads"));
    return { browser: navigator.userAgent, milliseconds, answers: text(probabilities(await fetched("images"))) };
}

window.found = await measured().catch((error) => ({ error: String(error?.stack ?? error) }));
