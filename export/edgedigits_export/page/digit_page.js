// A page of single images: the part that goes behind script.js, and shows the answer of a network to one image, its ten shares
// and what it saw.

// A pixel of a canvas as one number.
const OPAQUE = 0xff000000;
const GRAY = 0x010101;
// What a network of digits is shown of a drawing: the longer side of its strokes on a canvas of its own, and their width in the
// mean. One whose strokes are shorter than the least is a dot or a dash, and is shown as it is.
const SHOWN_SIDE = 80;
const SHOWN_PEN = 10;
const LEAST_SIDE = 40;
// Width and height of what the camera reads, in its shorter side, as `.frame` in style.css shows it, and in pixels.
const FRAME = [0.6, 0.6];
const VIEW = [280, 280];
// Whether drawings are read while they are drawn, too: one image is always quick enough for that.
const isQuick = true;

const shown = new OffscreenCanvas(SHOWN, SHOWN).getContext("2d", { willReadFrequently: true });

const rows = facts.labels.map((label) => {
  const row = element("tr");
  const head = element("th", label);
  head.scope = "row";
  const bar = element("div");
  bar.className = "bar";
  const cell = element("td");
  cell.append(bar);
  row.append(head, cell, element("td"));
  $("bars").tBodies[0].append(row);
  return { row, bar, share: row.lastChild };
});

const isDigits = facts.labels.every((label, digit) => label === String(digit));
const seen = $("seen").getContext("2d");

/** Draw what the network saw; nothing where there is no image. */
function showSeen(image) {
  const pixels = seen.createImageData(SIDE, SIDE);
  const words = new Uint32Array(pixels.data.buffer);
  for (let pixel = 0; pixel < IMAGE; pixel++) words[pixel] = OPAQUE + GRAY * (image ? image[pixel] : 0);
  seen.putImageData(pixels, 0, 0);
}

/** Show an answer, its ten shares and the image that it is of; without one, that nothing is read. */
function show(found, shares, image) {
  $("label").textContent = found ? found.label : "?";
  $("label").classList.toggle("long", found !== null && found.label.length > 3);
  $("confidence").textContent = found ? percent(found.confidence) : "";
  $("verdict").textContent = found ? verdict(found) : text("nothing");
  rows.forEach(({ row, bar, share }, digit) => {
    row.classList.toggle("first", found !== null && digit === found.digit);
    bar.style.width = `${(100 * (found ? shares[digit] : 0)) / STEPS}%`;
    share.textContent = found ? percent(shares[digit] / STEPS) : "";
  });
  showSeen(image);
}

function verdict(found) {
  return text(found.sure ? "sure" : "notSure");
}

function spoken(found) {
  return text("spoken", { label: found.label, percent: percent(found.confidence), verdict: verdict(found) });
}

/** Read a picture and show the answer, its ten shares and the image that it is of; or say why it cannot be read. */
function answered(pixels) {
  const { image, problem } = isDigits ? tried(pixels, prepare) : asItIs(pixels);
  if (problem) return { problem };
  const shares = probabilities(image);
  const found = answer(shares);
  show(found, shares, image);
  return { found };
}

function pixelsOfDrawing() {
  return isDigits ? asUsual() : asDrawn();
}

/** Read a drawing, to measure how long it takes. */
function readDrawing({ data, width, height }) {
  probabilities(prepare(data, width, height).image);
}

/** Take a picture of a network's own size as it is: what prepares digits is right for nothing else. */
function asItIs({ data, width, height }) {
  if (width === pad.width && height === pad.height && subject.isDrawing) return { image: inkOf(data) };
  if (width !== SIDE || height !== SIDE) return { problem: text("otherSize", { size: `${width} x ${height}` }) };
  return { image: Uint8Array.from({ length: IMAGE }, (_, pixel) => luminance(data, 4 * pixel)) };
}

/** Return the levels of a pixel as Pillow makes gray of colours. */
function luminance(data, at) {
  return (19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) >> 16;
}

/** Bring the pad down to the network's size: of each square, how much of it is ink. */
function inkOf(data) {
  const step = pad.width / SIDE;
  const sums = new Float64Array(IMAGE);
  for (let row = 0; row < pad.height; row++) {
    for (let column = 0; column < pad.width; column++) {
      sums[SIDE * Math.floor(row / step) + Math.floor(column / step)] += 255 - data[4 * (pad.width * row + column)];
    }
  }
  return Uint8Array.from(sums, (sum) => Math.round(sum / step ** 2));
}

/** Return the pixels of the strokes in the middle, as large and as thick as usual, wherever and however they were drawn. */
function asUsual() {
  const points = strokes.flat();
  const most = (axis, sign) => points.reduce((found, point) => Math.max(found, sign * point[axis]), -Infinity);
  const [right, left, bottom, top] = [most("x", 1), -most("x", -1), most("y", 1), -most("y", -1)];
  const side = Math.max(right - left, bottom - top);
  if (side < LEAST_SIDE) return asDrawn();
  const size = SHOWN_SIDE / side;
  const across = SHOWN / 2 - (size * (left + right)) / 2;
  const down = SHOWN / 2 - (size * (top + bottom)) / 2;
  wipe(shown);
  shown.lineWidth = SHOWN_PEN;
  shown.lineCap = shown.lineJoin = "round";
  shown.beginPath();
  for (const [first, ...others] of strokes) {
    shown.moveTo(size * first.x + across, size * first.y + down);
    for (const { x, y } of others.length ? others : [first]) shown.lineTo(size * x + across, size * y + down);
  }
  shown.stroke();
  return shown.getImageData(0, 0, SHOWN, SHOWN);
}

function asDrawn() {
  return ink.getImageData(0, 0, pad.width, pad.height);
}

$("heading").textContent = isDigits ? text("draw") : text("drawOther", { labels: facts.labels.join(", ") });
$("camera").hidden = !isDigits;
$("bars").classList.toggle("named", !isDigits);
start();
