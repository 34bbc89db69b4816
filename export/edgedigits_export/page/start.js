// Unpacks style and script of the page and puts them in: the policy above knows the hashes of both.
const PACKED = "@PACKED@";
const BYTES = "@BYTES@";

/** Return the bytes of text with 13 bits in two characters, the lowest first; see base91.py. */
function unpacked(text) {
  const bytes = new Uint8Array(BYTES);
  const digit = (at, code = text.charCodeAt(at)) => code - 33 - (code > 34) - (code > 60) - (code > 92);
  let bits = 0;
  let count = 0;
  let place = 0;
  for (let at = 0; at < text.length; at += 2) {
    bits |= (91 * digit(at) + digit(at + 1)) << count;
    for (count += 13; count > 7; count -= 8) {
      bytes[place++] = bits;
      bits >>= 8;
    }
  }
  return bytes;
}

function put(name, content, type) {
  const element = document.createElement(name);
  if (type) element.type = type;
  element.textContent = content;
  document.head.append(element);
}

async function start() {
  const stream = new Blob([unpacked(PACKED)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const { style, script } = JSON.parse(await new Response(stream).text());
  put("style", style);
  put("script", script, "module");
}

function refuse() {
  document.getElementById("needs").hidden = false;
}

start().catch(refuse);
