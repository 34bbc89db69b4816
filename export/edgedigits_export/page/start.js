// Unpacks the page and puts in its style, its body and its script. The policy above knows the hashes of style and script,
// and of this file with all that is packed in it. What stands outside of the braces, the page's script uses too.
const PACKED = "@PACKED@";
const SIZES = "@SIZES@";
/** What a page says: facts of its network and its sentences. */
let said;
let packed;

/** Return the WebAssembly, the tables of the network, and images with the answers to them. */
function binaries() {
  return packed;
}

function refuse() {
  const needs = document.getElementById("needs");
  needs.textContent = document.querySelector("noscript").textContent;
  needs.hidden = false;
}

{
  const decoder = new TextDecoder();

  /** Return the bytes of all parts behind each other; see c/unpack.c. */
  const unpacked = (length) => {
    const page = 65536;
    // Not packed itself: a browser takes 15 ms to set up what unpacks. So small a module is compiled at once, without
    // a turn of the event loop.
    const code = Uint8Array.from(atob("@UNPACK@"), (character) => character.charCodeAt(0));
    const { memory, unpack } = new WebAssembly.Instance(new WebAssembly.Module(code)).exports;
    const text = memory.buffer.byteLength;
    const place = text + PACKED.length;
    memory.grow(Math.ceil((PACKED.length + length) / page));
    new TextEncoder().encodeInto(PACKED, new Uint8Array(memory.buffer, text));
    unpack(text, place, place + length);
    return new Uint8Array(memory.buffer, place, length);
  };

  const put = (name, content) => {
    const element = document.createElement(name);
    element.textContent = content;
    document.head.append(element);
  };

  const start = async () => {
    const bytes = unpacked(SIZES.reduce((sum, size) => sum + size));
    let end = 0;
    const [proof, tables, ...parts] = SIZES.map((size) => bytes.subarray(end, (end += size)));
    const [style, body, words, script] = parts.slice(0, 4).map((part) => decoder.decode(part));
    packed = { proof, tables, wasm: parts[4] };
    said = JSON.parse(words);
    put("style", style);
    document.body.append(...new DOMParser().parseFromString(body, "text/html").body.children);
    put("script", script);
  };

  start().catch(refuse);
}
