// The page's own part: it stands behind digits.mjs in one script, whose `load`, `prepare`, `probabilities`, `answer` and
// `facts` it calls; `said`, `binaries` and `refuse` are in start.js. What is read and how it is shown says digit_page.js or
// numbers_page.js behind it. Whatever comes from a file or a network is text here, never markup.

const TEXTS = said.texts;

const SIDE = 28;
const IMAGE = SIDE * SIDE;
const CLASSES = 10;
const STEPS = 256;
// Codes of prepare.h, and the places of their sentences in the table.
const NO_ROOM = 1;
const TOO_NARROW = 4;
const NEVER = 256;
const MOST_PIXELS = 12_000_000;
const LARGEST_FILE = 256 * 2 ** 20;
// Side of a canvas with a drawing as a network of digits is shown it: half the pad's, for the preparation brings it down to 20
// pixels anyway.
const SHOWN = 140;
const STEP = 8;
const FINE_STEP = 2;
const MOST_HISTORY = 200;
const RUNS = 2000;
const DRAWINGS = 200;
const FIRST_DRAWINGS = 20;
const FIRST_PAUSES = [100, 200, 300];

const $ = (id) => document.getElementById(id);
const pad = $("pad");
const ink = pad.getContext("2d", { willReadFrequently: true });
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

/** What is read until something else is: a drawing, a picture, a photograph. Its last answer stands in the history. */
let subject = drawn();
const history = [];

function drawn() {
  return { source: text("drawn"), isDrawing: true };
}

/** Read pixels as a canvas gives them and show the answer; what is wrong with them is told. */
function read(pixels, isFinal) {
  const { found, problem } = answered(pixels);
  if (problem) {
    show(null);
    if (isFinal) tell(problem);
    return;
  }
  tell(subject.note);
  if (isFinal) keep(found);
}

/** Call what prepares or reads a picture; or return why it cannot be. */
function tried({ data, width, height }, call) {
  let code;
  try {
    const found = call(data, width, height);
    if (!found.code) return found;
    code = found.code;
  } catch (error) {
    if (error instanceof TypeError) throw error;
    code = error.code ?? (error instanceof RangeError ? TOO_NARROW : NO_ROOM);
  }
  return { problem: filled(TEXTS.unread[code], { size: `${width} x ${height}` }) };
}

/** Put the subject's answer into the history, or in the place of the one that it had. */
function keep(found) {
  if (!subject.line) {
    subject.line = element("li");
    $("history").prepend(subject.line);
    history.unshift(subject);
    if (history.length > MOST_HISTORY) history.pop().line.remove();
  }
  subject.found = found;
  subject.line.textContent = `${spoken(found)} (${subject.source})`;
  $("copy").disabled = false;
  speak(spoken(found));
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
const pen = { x: pad.width / 2, y: pad.height / 2 };
let isWaiting = false;

function wipe(context) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
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

function extend(stroke, point) {
  stroke.push(point);
  drawEnd(stroke);
}

/** Return where a pointer is on the pad, and how thick it draws: a pen or a finger that presses harder draws thicker. */
function pointOf(event) {
  const box = pad.getBoundingClientRect();
  const scale = pad.width / pad.clientWidth;
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
  } else if (isFinal || isQuick) {
    read(pixelsOfDrawing(), isFinal);
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
  mark.style.setProperty("--x", pen.x / pad.width);
  mark.style.setProperty("--y", pen.y / pad.height);
  mark.classList.toggle("down", keyStroke !== null);
}

function penPoint() {
  return { ...pen, width: $("pen").valueAsNumber };
}

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function movePen([right, down], step) {
  const within = (place, length) => Math.min(length, Math.max(0, place));
  pen.x = within(pen.x + right * step, pad.width);
  pen.y = within(pen.y + down * step, pad.height);
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
  const side = Math.min(videoWidth, videoHeight);
  const [width, height] = FRAME.map((share) => share * side);
  const part = [(videoWidth - width) / 2, (videoHeight - height) / 2, width, height];
  read(pixelsOf(video, ...VIEW, part), isFinal);
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
    readDrawing(pixels);
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

/** Begin: digit_page.js or numbers_page.js calls it when all is there. */
function start() {
  wipe(ink);
  show(null);
  load().then(() => {
    $("main").hidden = false;
    for (const milliseconds of FIRST_PAUSES) setTimeout(warm, milliseconds);
  }, refuse);
}
