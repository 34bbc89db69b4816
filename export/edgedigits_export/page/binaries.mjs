
const WASM = "@WASM@";
const TABLES = "@TABLES@";

/** Return the WebAssembly and the tables of the network. */
async function binaries() {
    if (typeof WebAssembly !== "object" || typeof DecompressionStream !== "function") {
        throw new Error("expected WebAssembly and DecompressionStream, found none; use a browser of 2023 or newer, or Node 18");
    }
    const [wasm, tables] = await Promise.all([WASM, TABLES].map(inflated));
    return { wasm, tables };
}

/** Return the bytes of a text: base64 of raw deflate. */
async function inflated(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}
