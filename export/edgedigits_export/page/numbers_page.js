// A page of numbers: the part that goes behind script.js, and shows what was read of a picture, each sign in its box.

// Width and height of what the camera reads, in its shorter side, as `.frame` in numbers.css shows it, and in pixels.
const FRAME = [0.9, 0.4];
const VIEW = [675, 300];
// How thick a drawing is read, at most: in the longer side of most of its strokes, the shortest quarter of which are dots, dashes
// and strokes of a 5. One whose strokes are all shorter than the least is read as it was drawn.
const STROKE_SHARE = 0.12;
const LONG_ONES = 0.75;
const LEAST_SIDE = 40;
// A longer label, and one of several lines, is written smaller.
const LONGEST_LABEL = 8;
// Milliseconds that the last picture took to be read, at most, so that drawings are read while they are drawn, too.
const QUICK = 16;
// Of the picture with boxes, in pixels of the screen: its height at most, width of the boxes' lines, and height of the signs.
const MOST_HEIGHT = 420;
const LINE_WIDTH = 2;
const SMALLEST_TEXT = 14;
const LARGEST_TEXT = 40;
const { NOT_SURE, SEPARATOR, SURE, TEXT_HEIGHT } = said.drawing;

const view = $("seen").getContext("2d");
const thin = new OffscreenCanvas(pad.width, pad.height).getContext("2d", { willReadFrequently: true });
const form = $("form");
let isQuick = true;
// The picture that was read last.
let last = null;

function colourOf(sign) {
  const [red, green, blue] = isDigit(sign) ? (sign.sure ? SURE : NOT_SURE) : SEPARATOR;
  return `rgb(${red} ${green} ${blue})`;
}

/** Show what was read in a picture; without it, that nothing is read. */
function show(found, pixels) {
  $("label").textContent = found?.label || "?";
  $("label").classList.toggle("long", Boolean(found && (found.lines.length > 1 || found.label.length > LONGEST_LABEL)));
  $("confidence").textContent = found?.label ? percent(found.confidence) : "";
  $("verdict").textContent = found ? verdict(found) : text("nothing");
  for (const body of [...$("signs").tBodies]) body.remove();
  $("signs").append(...(found?.lines ?? []).map(bodyOf));
  $("table").hidden = !found?.label;
  $("seen").hidden = !found;
  if (found) showPicture(found, pixels);
}

/** Make the rows of a line: itself, and each of its signs. */
function bodyOf(line) {
  const body = element("tbody");
  const head = element("th", line.text);
  head.colSpan = 2;
  head.scope = "rowgroup";
  const row = element("tr");
  row.append(head, element("td", text(line.sure ? "sure" : "unsure")));
  body.append(row, ...line.signs.map(rowOf));
  return body;
}

function rowOf(sign) {
  const row = element("tr");
  const head = element("th", sign.text);
  head.scope = "row";
  const bar = element("div");
  bar.className = "bar";
  bar.style.width = `${100 * sign.confidence}%`;
  bar.style.background = colourOf(sign);
  const cell = element("td");
  cell.append(bar);
  row.append(head, cell, element("td", isDigit(sign) ? percent(sign.confidence) : ""));
  return row;
}

/** Draw a picture, as large as there is room, with a box around each sign, and the sign above or below its line. */
function showPicture({ lines }, pixels) {
  const { canvas } = view;
  const fine = devicePixelRatio;
  const factor = fine * Math.min(canvas.parentElement.clientWidth / pixels.width, MOST_HEIGHT / pixels.height);
  canvas.width = Math.max(1, Math.round(pixels.width * factor));
  canvas.height = Math.max(1, Math.round(pixels.height * factor));
  canvas.style.width = `${canvas.width / fine}px`;
  const whole = new OffscreenCanvas(pixels.width, pixels.height);
  whole.getContext("2d").putImageData(pixels, 0, 0);
  view.imageSmoothingEnabled = factor < 1;
  view.drawImage(whole, 0, 0, canvas.width, canvas.height);
  view.lineWidth = LINE_WIDTH * fine;
  view.textAlign = "center";
  for (const line of lines) {
    const [, top, , bottom] = line.box.map((side) => side * factor);
    const size = Math.min(Math.max(TEXT_HEIGHT * (bottom - top), SMALLEST_TEXT * fine), LARGEST_TEXT * fine);
    const isAbove = top - size - view.lineWidth >= 0;
    const below = Math.min(bottom + view.lineWidth, canvas.height - size);
    view.font = `bold ${size}px system-ui, sans-serif`;
    view.textBaseline = isAbove ? "bottom" : "top";
    for (const sign of line.signs) mark(sign, factor, isAbove ? top - view.lineWidth : below);
  }
}

function mark(sign, factor, place) {
  const [left, top, right, bottom] = sign.box.map((side) => side * factor);
  view.strokeStyle = view.fillStyle = colourOf(sign);
  view.strokeRect(left, top, right - left, bottom - top);
  view.fillText(sign.text, (left + right) / 2, place);
}

/** Read a picture and show what stands in it; or say why it cannot be read. */
function answered(pixels) {
  const before = performance.now();
  const pattern = (form.validity.valid && form.value) || null;
  const { problem, ...reading } = tried(pixels, (...picture) => readNumbers(...picture, { pattern }));
  last = pixels;
  isQuick = performance.now() - before < QUICK;
  if (problem) return { problem };
  const digits = reading.lines.flatMap((line) => line.signs.filter(isDigit));
  const found = {
    ...reading,
    label: reading.text,
    confidence: Math.min(1, ...digits.map((sign) => sign.confidence)),
    lead: Math.min(LARGEST_STEP, ...digits.map((sign) => sign.margin_steps)),
  };
  show(found, pixels);
  return { found };
}

function verdict(found) {
  if (!found.label) return text(form.value ? "otherForm" : "noDigit");
  return text(found.sure ? "sure" : "notSure");
}

function spoken(found) {
  const words = { label: found.label.replaceAll("\n", " | "), percent: percent(found.confidence), verdict: verdict(found) };
  return found.label ? text("spoken", words) : verdict(found);
}

/** Return the pixels of the strokes, no thicker than those of usual digits: what a thick pen fills on the pad stays open. */
function pixelsOfDrawing() {
  const sides = strokes.map(longerSide).sort((one, other) => one - other);
  const side = sides[Math.floor(LONG_ONES * (sides.length - 1))];
  const points = strokes.flat();
  const pen = points.reduce((sum, { width }) => sum + width, 0) / points.length;
  const context = side < LEAST_SIDE ? ink : thinned(Math.min(pen, STROKE_SHARE * side));
  return context.getImageData(0, 0, pad.width, pad.height);
}

function longerSide(stroke) {
  const length = (axis) => Math.max(...stroke.map((point) => point[axis])) - Math.min(...stroke.map((point) => point[axis]));
  return Math.max(length("x"), length("y"));
}

/** Draw the strokes on a canvas of their own, all of one width. */
function thinned(width) {
  wipe(thin);
  thin.lineWidth = width;
  thin.lineCap = thin.lineJoin = "round";
  thin.beginPath();
  for (const [first, ...others] of strokes) {
    thin.moveTo(first.x, first.y);
    for (const { x, y } of others.length ? others : [first]) thin.lineTo(x, y);
  }
  thin.stroke();
  return thin;
}

/** Read what was read last in the form that is written now, or say what a form is. */
function readInForm() {
  if (!form.validity.valid) return tell(text("noForm"));
  tell();
  if (subject.isDrawing) readPad(true);
  else if (last && subject.line) read(last, true);
}

form.addEventListener("input", readInForm);
// What is typed and pasted here is no drawing and no picture.
for (const kind of ["keydown", "paste"]) form.addEventListener(kind, (event) => event.stopPropagation());

/** Read a drawing, to measure how long it takes. */
function readDrawing({ data, width, height }) {
  readNumbers(data, width, height);
}

$("heading").textContent = text("draw");
start();
