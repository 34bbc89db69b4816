// Unpacks the page and puts in its style, its body and its script. The policy above knows the hashes of style and script,
// and of this file with all that is packed in it.
const PACKED = "@PACKED@";
const SIZES = "@SIZES@";
const UNPACK = "@UNPACK@";
const WASM_PAGE = 65536;
const decoder = new TextDecoder();
/** What a page says: facts of its network and its sentences. */
let said;
let packed;

/** Return the bytes of all parts behind each other; see c/unpack.c. */
async function unpacked(length) {
  const deflated = new Blob([Uint8Array.from(atob(UNPACK), (character) => character.charCodeAt(0))]);
  const code = await new Response(deflated.stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
  const { memory, unpack } = (await WebAssembly.instantiate(code)).instance.exports;
  const text = memory.buffer.byteLength;
  const place = text + PACKED.length;
  memory.grow(Math.ceil((PACKED.length + length) / WASM_PAGE));
  new TextEncoder().encodeInto(PACKED, new Uint8Array(memory.buffer, text));
  unpack(text, place, place + length);
  return new Uint8Array(memory.buffer, place, length);
}

function put(name, content) {
  const element = document.createElement(name);
  element.textContent = content;
  document.head.append(element);
}

async function start() {
  const bytes = await unpacked(SIZES.reduce((sum, size) => sum + size));
  let end = 0;
  const [proof, tables, ...parts] = SIZES.map((size) => bytes.subarray(end, (end += size)));
  const [style, body, words, script] = parts.slice(0, 4).map((part) => decoder.decode(part));
  packed = { proof, tables, wasm: parts[4] };
  said = JSON.parse(words);
  put("style", style);
  document.body.append(...new DOMParser().parseFromString(body, "text/html").body.children);
  put("script", script);
}

/** Return the WebAssembly, the tables of the network, and images with the answers to them. */
function binaries() {
  return packed;
}

function refuse() {
  document.getElementById("needs").hidden = false;
}

start().catch(refuse);
