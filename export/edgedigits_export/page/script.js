// The page's own part: it stands behind digits.mjs in one script, whose `load`, `prepare`, `probabilities`, `answer` and
// `facts` it calls; `said`, `binaries` and `refuse` are in start.js. Whatever comes from a file or a network is text here,
// never markup.

const TEXTS = said.texts;

const SIDE = 28;
const IMAGE = SIDE * SIDE;
const CLASSES = 10;
const STEPS = 256;
// A pixel of a canvas as one number.
const OPAQUE = 0xff000000;
const GRAY = 0x010101;
// Codes of prepare.h, and the places of their sentences in the table.
const NO_ROOM = 1;
const TOO_NARROW = 4;
const NEVER = 256;
const PAD = 280;
const MOST_PIXELS = 12_000_000;
const LARGEST_FILE = 256 * 2 ** 20;
// What a network of digits is shown of a drawing: a canvas of half the pad's size, for the preparation brings it down to 20
// pixels anyway; the longer side of its strokes there, and their width in the mean. One whose strokes are shorter than the
// least is a dot or a dash, and is shown as it is.
const SHOWN = 140;
const SHOWN_SIDE = 80;
const SHOWN_PEN = 10;
const LEAST_SIDE = 40;
const STEP = 8;
const FINE_STEP = 2;
const VIEW = 280;
// Of the camera's shorter side, as `.frame` in style.css shows it.
const FRAME = 0.6;
const MOST_HISTORY = 200;
const RUNS = 2000;
const DRAWINGS = 200;
const FIRST_DRAWINGS = 20;
const FIRST_PAUSES = [100, 200, 300];

const $ = (id) => document.getElementById(id);
const pad = $("pad");
const ink = pad.getContext("2d", { willReadFrequently: true });
const shown = new OffscreenCanvas(SHOWN, SHOWN).getContext("2d", { willReadFrequently: true });
const video = $("video");

/** Return a text of the table, with what stands in braces filled in. */
function text(key, words = {}) {
  return filled(TEXTS[key], words);
}

function filled(sentence, words) {
  return sentence.replace(/\{(\w+)\}/g, (_, word) => words[word]);
}

function percent(share) {
  return text("percent", { value: (100 * share).toFixed(1) });
}

/** Make an element with a text. */
function element(name, content = "") {
  const made = document.createElement(name);
  made.textContent = content;
  return made;
}

/** Have a screen reader say something. */
function speak(words) {
  $("live").textContent = words;
}

/** Say what is to be done, where everybody sees it; nothing clears it. */
function tell(words = "") {
  $("message").textContent = words;
}

// Answers.

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

/** What is read until something else is: a drawing, a picture, a photograph. Its last answer stands in the history. */
let subject = drawn();
const history = [];

function drawn() {
  return { source: text("drawn"), isDrawing: true };
}

/** Read pixels as a canvas gives them and show the answer; what is wrong with them is told. */
function read(pixels, isFinal) {
  const { image, problem } = isDigits ? prepared(pixels) : asItIs(pixels);
  if (problem) {
    show(null);
    if (isFinal) tell(problem);
    return;
  }
  const shares = probabilities(image);
  const found = answer(shares);
  show(found, shares, image);
  tell(subject.note);
  if (isFinal) keep(found);
}

/** Bring a picture of a digit into MNIST's form; or say why it cannot be. */
function prepared({ data, width, height }) {
  let code;
  let image;
  try {
    ({ code, image } = prepare(data, width, height));
  } catch (error) {
    if (error instanceof TypeError) throw error;
    code = error instanceof RangeError ? TOO_NARROW : NO_ROOM;
  }
  return code === 0 ? { image } : { problem: filled(TEXTS.unread[code], { size: `${width} x ${height}` }) };
}

/** Take a picture of a network's own size as it is: what prepares digits is right for nothing else. */
function asItIs({ data, width, height }) {
  if (width === PAD && height === PAD && subject.isDrawing) return { image: inkOf(data) };
  if (width !== SIDE || height !== SIDE) return { problem: text("otherSize", { size: `${width} x ${height}` }) };
  return { image: Uint8Array.from({ length: IMAGE }, (_, pixel) => luminance(data, 4 * pixel)) };
}

/** Return the levels of a pixel as Pillow makes gray of colours. */
function luminance(data, at) {
  return (19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) >> 16;
}

/** Bring the pad down to the network's size: of each square, how much of it is ink. */
function inkOf(data) {
  const step = PAD / SIDE;
  const sums = new Float64Array(IMAGE);
  for (let row = 0; row < PAD; row++) {
    for (let column = 0; column < PAD; column++) {
      sums[SIDE * Math.floor(row / step) + Math.floor(column / step)] += 255 - data[4 * (PAD * row + column)];
    }
  }
  return Uint8Array.from(sums, (sum) => Math.round(sum / step ** 2));
}

/** Put the subject's answer into the history, or in the place of the one that it had. */
function keep(found) {
  if (!subject.line) {
    subject.line = element("li");
    $("history").prepend(subject.line);
    history.unshift(subject);
    if (history.length > MOST_HISTORY) history.pop().line.remove();
  }
  const words = { label: found.label, percent: percent(found.confidence), verdict: verdict(found) };
  subject.found = found;
  subject.line.textContent = `${text("spoken", words)} (${subject.source})`;
  $("copy").disabled = false;
  speak(text("spoken", words));
}

/** Copy the history, the oldest first: source, label, confidence, lead, and whether the answer is sure. */
async function copy() {
  const lines = history.map(({ source, found }) =>
    [source, found.label, found.confidence, found.lead, found.sure].map(cell).join("\t"),
  );
  try {
    await navigator.clipboard.writeText(lines.reverse().join("\n"));
    speak(text("copied"));
  } catch {
    getSelection().selectAllChildren($("history"));
    tell(text("notCopied"));
  }
}

/** Make a cell of a table of text: nothing in it begins another, nor a formula of a spreadsheet. */
function cell(value) {
  return String(value).replace(/[\t\r\n]/g, " ").replace(/^[=+@-]/, "'$&");
}

// The pad.

let strokes = [];
let cleared = [];
const drawing = new Map();
let keyStroke = null;
const pen = { x: PAD / 2, y: PAD / 2 };
let isWaiting = false;

function wipe(canvas) {
  canvas.fillStyle = "#fff";
  canvas.fillRect(0, 0, PAD, PAD);
}

/** Draw the last piece of a stroke; of one point, the point. */
function drawEnd(stroke) {
  const to = stroke[stroke.length - 1];
  const from = stroke[stroke.length - 2] ?? to;
  ink.lineWidth = (from.width + to.width) / 2;
  ink.lineCap = ink.lineJoin = "round";
  ink.strokeStyle = "#000";
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
}

function redraw() {
  wipe(ink);
  for (const stroke of strokes) stroke.forEach((_, last) => drawEnd(stroke.slice(0, last + 1)));
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
  return ink.getImageData(0, 0, PAD, PAD);
}

function extend(stroke, point) {
  stroke.push(point);
  drawEnd(stroke);
}

/** Return where a pointer is on the pad, and how thick it draws: a pen or a finger that presses harder draws thicker. */
function pointOf(event) {
  const box = pad.getBoundingClientRect();
  const scale = PAD / pad.clientWidth;
  const pressure = event.pointerType === "mouse" || !event.pressure ? 0.5 : event.pressure;
  return {
    x: (event.clientX - box.left - pad.clientLeft) * scale,
    y: (event.clientY - box.top - pad.clientTop) * scale,
    width: $("pen").valueAsNumber * (0.5 + pressure),
  };
}

/** Begin a stroke; after a picture was read, what is drawn is another subject. */
function begin(point) {
  if (!subject.isDrawing) subject = drawn();
  const stroke = [];
  strokes.push(stroke);
  extend(stroke, point);
  readSoon();
  return stroke;
}

/** Read the pad once before the next frame, however many events there are. */
function readSoon() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    if (isWaiting) readPad(false);
  });
}

function readPad(isFinal) {
  isWaiting = false;
  if (strokes.length === 0) {
    show(null);
    tell();
  } else {
    read(isDigits ? asUsual() : asDrawn(), isFinal);
  }
}

function undo() {
  if (strokes.length === 0) [strokes, cleared] = [cleared, []];
  else strokes.pop();
  keyStroke = null;
  showPen();
  redraw();
  readPad(true);
}

function clear() {
  if (strokes.length > 0) [strokes, cleared] = [[], strokes];
  drawing.clear();
  keyStroke = null;
  subject = drawn();
  showPen();
  redraw();
  readPad(true);
  speak(text("cleared"));
}

pad.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  event.preventDefault();
  pad.focus({ preventScroll: true });
  pad.setPointerCapture(event.pointerId);
  drawing.set(event.pointerId, begin(pointOf(event)));
});
pad.addEventListener("pointermove", (event) => {
  const stroke = drawing.get(event.pointerId);
  if (!stroke) return;
  const events = event.getCoalescedEvents?.() ?? [];
  for (const each of events.length ? events : [event]) extend(stroke, pointOf(each));
  readSoon();
});
for (const kind of ["pointerup", "pointercancel"]) {
  pad.addEventListener(kind, (event) => {
    if (drawing.delete(event.pointerId)) readPad(true);
  });
}

function showPen() {
  const mark = $("cursor");
  // In parts of the pad: asking how large that is would lay the page out, which takes 40 ms the first time.
  mark.style.setProperty("--x", pen.x / PAD);
  mark.style.setProperty("--y", pen.y / PAD);
  mark.classList.toggle("down", keyStroke !== null);
}

function penPoint() {
  return { ...pen, width: $("pen").valueAsNumber };
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function movePen([right, down], step) {
  const within = (place) => Math.min(PAD, Math.max(0, place));
  pen.x = within(pen.x + right * step);
  pen.y = within(pen.y + down * step);
  if (keyStroke) {
    extend(keyStroke, penPoint());
    readSoon();
  }
}

function turnPen() {
  if (keyStroke) {
    keyStroke = null;
    readPad(true);
    return;
  }
  keyStroke = begin(penPoint());
  speak(text("penDown"));
}

pad.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in WAYS) movePen(WAYS[event.key], event.shiftKey ? FINE_STEP : STEP);
  else if (event.key === " " && !event.repeat) turnPen();
  else if (event.key === "Delete") clear();
  else if (event.key !== " ") return;
  event.preventDefault();
  $("cursor").hidden = false;
  showPen();
});
pad.addEventListener("blur", () => {
  $("cursor").hidden = true;
  if (keyStroke) turnPen();
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
  event.preventDefault();
  undo();
});
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);

// Pictures.

const sheet = new OffscreenCanvas(1, 1);
const surface = sheet.getContext("2d", { willReadFrequently: true });

/** Return the pixels of a bitmap or of a part of a video. */
function pixelsOf(source, width, height, part = [0, 0, width, height]) {
  sheet.width = width;
  sheet.height = height;
  surface.drawImage(source, ...part, 0, 0, width, height);
  const pixels = surface.getImageData(0, 0, width, height);
  sheet.width = sheet.height = 1;
  return pixels;
}

/** Decode a picture, turned as it says; one of more than 12 megapixels is reduced to that. */
async function decode(file) {
  const options = { colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(file, options);
  const pixels = bitmap.width * bitmap.height;
  if (pixels <= MOST_PIXELS) return { bitmap };
  const factor = Math.sqrt(MOST_PIXELS / pixels);
  const reduced = await createImageBitmap(bitmap, {
    ...options,
    resizeWidth: Math.max(1, Math.floor(bitmap.width * factor)),
    resizeHeight: Math.max(1, Math.floor(bitmap.height * factor)),
    resizeQuality: "high",
  });
  bitmap.close();
  return { bitmap: reduced, megapixels: (pixels / 1e6).toFixed(1) };
}

async function readFile(file, source) {
  subject = { source };
  show(null);
  tell();
  if (file.size > LARGEST_FILE) return tell(text("tooLarge", { name: source }));
  let decoded;
  try {
    decoded = await decode(file);
  } catch {
    return tell(text(file.type.startsWith("image/") ? "broken" : "noPicture", { name: source }));
  }
  const { bitmap, megapixels } = decoded;
  subject.note = megapixels && text("reduced", { name: source, megapixels });
  const { width, height } = bitmap;
  read(pixelsOf(bitmap, width, height), true);
  bitmap.close();
}

async function readFiles(files, source) {
  for (const file of files) await readFile(file, source ?? file.name);
}

$("file").addEventListener("change", async (event) => {
  await readFiles([...event.target.files]);
  event.target.value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  const files = [...event.dataTransfer.files];
  if (files.length > 0) readFiles(files);
  else tell(text("nothingDropped"));
});
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length > 0) readFiles(files, text("pasted"));
  else tell(text("nothingPasted"));
});

// The camera.

/** Read what is within the frame, as often as the camera has a new picture. */
function readCamera() {
  if (!video.srcObject) return;
  if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) readFrame(false);
  requestAnimationFrame(readCamera);
}

function readFrame(isFinal) {
  const { videoWidth, videoHeight } = video;
  const side = FRAME * Math.min(videoWidth, videoHeight);
  const part = [(videoWidth - side) / 2, (videoHeight - side) / 2, side, side];
  read(pixelsOf(video, VIEW, VIEW, part), isFinal);
}

async function startCamera() {
  tell();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    return tell(text(error.name === "NotAllowedError" ? "refused" : "noCamera"));
  }
  subject = { source: text("photographed") };
  showCamera(true);
  await video.play();
  readCamera();
}

function stopCamera() {
  for (const track of video.srcObject.getTracks()) track.stop();
  video.srcObject = null;
  showCamera(false);
}

function showCamera(isOn) {
  $("viewfinder").hidden = !isOn;
  $("sheet").hidden = isOn;
  $("camera").disabled = isOn;
  (isOn ? $("snap") : $("camera")).focus();
}

$("camera").addEventListener("click", startCamera);
$("stop").addEventListener("click", stopCamera);
$("snap").addEventListener("click", () => {
  subject = { source: text("photographed") };
  readFrame(true);
});

// The proof.

/** Run the images that came with the page, compare every probability, and measure. */
function prove() {
  const { proof } = binaries();
  const count = proof.length / (IMAGE + CLASSES);
  const images = proof.subarray(0, count * IMAGE);
  const expected = proof.subarray(count * IMAGE);
  const found = probabilities(images);
  let equal = 0;
  for (let image = 0; image < count; image++) {
    const first = CLASSES * image;
    equal += found.subarray(first, first + CLASSES).every((share, digit) => share === expected[first + digit]);
  }
  const verdict = text(equal === count ? "proved" : "disproved", { equal, count, probabilities: found.length });
  $("proof").textContent = `${verdict} ${measure(images.subarray(0, IMAGE))}`;
}

/** Measure the network alone by many runs, and a drawing with its preparation one by one. */
function measure(image) {
  const start = performance.now();
  for (let run = 0; run < RUNS; run++) probabilities(image);
  const network = ((performance.now() - start) / RUNS) * 1000;
  const times = drawingTimes(image, DRAWINGS).sort((one, other) => one - other);
  const [drawing, slowest] = [0.5, 0.99].map((part) => times[Math.floor(part * DRAWINGS)].toFixed(2));
  return text("speed", { network: network.toFixed(1), drawing, slowest });
}

/** Return the milliseconds that each of so many readings of an image takes, as a drawing is shown. */
function drawingTimes(image, runs) {
  const pixels = enlarged(image);
  return Array.from({ length: runs }, () => {
    const before = performance.now();
    probabilities(prepare(pixels.data, SHOWN, SHOWN).image);
    return performance.now() - before;
  });
}

/** Have the browser compile what reads a drawing before somebody draws: it does so when that runs, the better the oftener. */
function warm() {
  drawingTimes(binaries().proof.subarray(0, IMAGE), FIRST_DRAWINGS);
}

/** Return an image as a drawing is shown, dark on light. */
function enlarged(image) {
  const small = new OffscreenCanvas(SIDE, SIDE);
  const context = small.getContext("2d");
  const pixels = context.createImageData(SIDE, SIDE);
  image.forEach((level, pixel) => pixels.data.set([255 - level, 255 - level, 255 - level, 255], 4 * pixel));
  context.putImageData(pixels, 0, 0);
  return pixelsOf(small, SHOWN, SHOWN, [0, 0, SIDE, SIDE]);
}

$("prove").addEventListener("click", prove);
$("copy").addEventListener("click", copy);

// The network.

function factsOf({ arch, accuracy, weights_sha256: weights, tools }) {
  const { correct, images, dataset } = accuracy;
  const share = ((100 * correct) / images).toFixed(2);
  return {
    reads: facts.labels.join(", "),
    layers: arch,
    accuracy: text("accuracyOf", { percent: share, images, dataset }),
    sureFrom: facts.min_margin === NEVER ? text("never") : text("lead", { steps: facts.min_margin }),
    weights,
    tools: Object.entries(tools).map((pair) => pair.join(" ")).join(", "),
  };
}

for (const [key, value] of Object.entries(factsOf(facts.metadata))) {
  $("facts").append(element("dt", text(key)), element("dd", value));
}
$("heading").textContent = isDigits ? text("draw") : text("drawOther", { labels: facts.labels.join(", ") });

$("camera").hidden = !isDigits;
$("bars").classList.toggle("named", !isDigits);

wipe(ink);
show(null);
load().then(() => {
  $("main").hidden = false;
  for (const milliseconds of FIRST_PAUSES) setTimeout(warm, milliseconds);
}, refuse);
