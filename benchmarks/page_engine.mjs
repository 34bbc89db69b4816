// In the browser: one image through our WebAssembly and through onnxruntime-web, in turns. Posts what it found to /found.
import * as ort from "/rival/ort.wasm.min.mjs";

const PIXELS = 784;
const CLASSES = 10;
const ROUNDS = 40;
const IMAGES = 500; // of a round
const MODELS = ["digits.int8.onnx", "digits.onnx"];

const fetched = async (name) => new Uint8Array(await (await fetch(`/${name}`)).arrayBuffer());

async function opened(images) {
    const { instance } = await WebAssembly.instantiate(await fetched("digits.wasm"));
    const wasm = instance.exports;
    const put = (content) => {
        const place = wasm.allocate(content.length);
        new Uint8Array(wasm.memory.buffer).set(content, place);
        return place;
    };
    const content = await fetched("digits.tables");
    const tables = put(content);
    const scratch = wasm.allocate(wasm.network_scratch_bytes(tables, content.length));
    const taken = put(images);
    const given = wasm.allocate((images.length / PIXELS) * CLASSES);
    return { wasm, tables, scratch, taken, given };
}

// How many of all images have another probability than they should.
function different({ wasm, tables, scratch, taken, given }, count, expected) {
    wasm.network_run(tables, taken, count, given, scratch);
    const found = new Uint8Array(wasm.memory.buffer, given, count * CLASSES);
    let others = 0;
    for (let image = 0; image < count; image++) {
        const first = image * CLASSES;
        others += found.subarray(first, first + CLASSES).some((value, index) => value !== expected[first + index]);
    }
    return others;
}

// Microseconds of one image, which is put into the memory and whose answer is taken out of it.
function ours({ wasm, tables, scratch, taken, given }, images) {
    const begin = performance.now();
    for (let image = 0; image < IMAGES; image++) {
        new Uint8Array(wasm.memory.buffer, taken, PIXELS).set(images.subarray(image * PIXELS, (image + 1) * PIXELS));
        wasm.network_run(tables, taken, 1, given, scratch);
        new Uint8Array(wasm.memory.buffer, given, CLASSES).slice();
    }
    return ((performance.now() - begin) * 1000) / IMAGES;
}

async function theirs(session, images) {
    const begin = performance.now();
    for (let image = 0; image < IMAGES; image++) {
        const pixels = images.subarray(image * PIXELS, (image + 1) * PIXELS);
        await session.run({ image: new ort.Tensor("uint8", pixels, [1, 28, 28]) });
    }
    return ((performance.now() - begin) * 1000) / IMAGES;
}

// The same of all images of a round in one call.
function oursAtOnce({ wasm, tables, scratch, taken, given }, images) {
    const begin = performance.now();
    new Uint8Array(wasm.memory.buffer, taken, IMAGES * PIXELS).set(images.subarray(0, IMAGES * PIXELS));
    wasm.network_run(tables, taken, IMAGES, given, scratch);
    new Uint8Array(wasm.memory.buffer, given, IMAGES * CLASSES).slice();
    return ((performance.now() - begin) * 1000) / IMAGES;
}

async function theirsAtOnce(session, images) {
    const begin = performance.now();
    await session.run({ image: new ort.Tensor("uint8", images.subarray(0, IMAGES * PIXELS), [IMAGES, 28, 28]) });
    return ((performance.now() - begin) * 1000) / IMAGES;
}

async function measured() {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = "/rival/";
    const images = await fetched("images");
    const count = images.length / PIXELS;
    const engine = await opened(images);
    const others = different(engine, count, await fetched("expected"));
    const ways = { ours: [() => ours(engine, images), () => oursAtOnce(engine, images)] };
    for (const name of MODELS) {
        const session = await ort.InferenceSession.create(await fetched(name), { executionProviders: ["wasm"] });
        ways[name] = [() => theirs(session, images), () => theirsAtOnce(session, images)];
    }
    const microseconds = Object.fromEntries(Object.keys(ways).map((name) => [name, { one: [], together: [] }]));
    for (let round = 0; round < ROUNDS; round++) {
        for (const [name, [one, together]] of Object.entries(ways)) {
            microseconds[name].one.push(await one());
            microseconds[name].together.push(await together());
        }
    }
    return { browser: navigator.userAgent, rival: ort.env.versions.web, images: count, different: others, microseconds };
}

const found = await measured().catch((error) => ({ error: String(error?.stack ?? error) }));
await fetch("/found", { method: "POST", body: JSON.stringify(found) });
