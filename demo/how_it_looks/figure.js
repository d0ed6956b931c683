// Body of the function that gr.HTML calls once with (element, trigger, props, server, upload, watch), in several files.
// ---- figure: the photo with its grid, and weights as light in the cells ------------------------------------------------

const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const root = find(".how");
const stage = find(".stage");
const overlay = find(".overlay");
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

let told = null; // the message that is shown
let chosen = 0; // which word is explained
let cell = -1; // which cell is pointed at

const caption = () => told.captions[0];
const word = () => caption().words[chosen];
const weights = () => word().mask.flat();
const rows = () => word().mask.length;
const columns = () => word().mask[0].length;
const percent = (share) => (share >= 0.1 ? `${Math.round(100 * share)} %` : share >= 0.001 ? `${(100 * share).toFixed(1)} %` : "< 0.1 %");

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Left, top, width and height of a cell on the canvas.
function placeOf(index) {
  const [left, top, right, bottom] = told.box;
  const [width, height] = [((right - left) * overlay.width) / columns(), ((bottom - top) * overlay.height) / rows()];
  const [row, column] = [Math.floor(index / columns()), index % columns()];
  return [left * overlay.width + column * width, top * overlay.height + row * height, width, height];
}

function cellAt(event) {
  const frame = stage.getBoundingClientRect();
  const [left, top, right, bottom] = told.box;
  const x = Math.floor((((event.clientX - frame.left) / frame.width - left) / (right - left)) * columns());
  const y = Math.floor((((event.clientY - frame.top) / frame.height - top) / (bottom - top)) * rows());
  return x >= 0 && x < columns() && y >= 0 && y < rows() ? y * columns() + x : -1;
}

function drawGrid(context) {
  context.lineWidth = Math.max(1, overlay.width / 700);
  context.strokeStyle = "rgb(255 255 255 / 65%)";
  for (let index = 0; index < rows() * columns(); index++) context.strokeRect(...placeOf(index));
}

// The largest weights are also written into their cells.
function drawWeights(context) {
  const values = weights();
  const most = Math.max(...values);
  const written = [...values].sort((a, b) => b - a)[Math.min(5, values.length - 1)];
  const size = Math.max(9, placeOf(0)[2] * 0.3);
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  values.forEach((value, index) => {
    const [left, top, width, height] = placeOf(index);
    const [red, green, blue] = props.colours[Math.round((255 * value) / most)];
    context.fillStyle = `rgb(${red} ${green} ${blue} / 78%)`;
    context.fillRect(left, top, width, height);
    if (value < written || value < 0.005) return;
    context.fillStyle = value > 0.6 * most ? "#17171a" : "#fff";
    context.fillText(`${Math.round(100 * value)}`, left + width / 2, top + height / 2);
  });
}

function draw() {
  if (!told || !caption().words.length) return;
  const ratio = told.size[0] / told.size[1];
  overlay.width = Math.round(Math.max(stage.clientWidth, 1) * Math.min(devicePixelRatio, 2));
  overlay.height = Math.round(overlay.width / ratio);
  const context = overlay.getContext("2d");
  const step = root.dataset.step;
  if (step === "question") {
    context.fillStyle = "rgb(10 10 12 / 62%)";
    context.fillRect(0, 0, overlay.width, overlay.height);
  }
  if (step === "weights" || step === "word") drawWeights(context);
  drawGrid(context);
  if (cell >= 0) {
    context.lineWidth *= 3;
    context.strokeStyle = "#fff";
    context.strokeRect(...placeOf(cell));
  }
}

// What is said of the cell that is pointed at, or of the step.
function tell() {
  const values = weights();
  if (cell < 0) {
    const sum = { grid: `${rows()} × ${columns()} cells`, question: `“${before()} …?”`, weights: `weights in percent, for “${word().text}”`, word: `“${word().text}”: ${percent(word().probability)}` };
    find(".told").textContent = sum[root.dataset.step];
    return;
  }
  const place = `Row ${Math.floor(cell / columns()) + 1}, column ${(cell % columns()) + 1}`;
  const numbers = told.cells.first[cell];
  const described = numbers ? `${numbers.map((number) => number.toFixed(2).replace("-", "−")).join("  ")}  …` : "";
  find(".told").textContent = root.dataset.step === "grid" ? `${place}: ${described}` : `${place}: ${percent(values[cell])} of its attention`;
}

const before = () => caption().words.slice(0, chosen).map(({ text }) => text).join(" ");

function point(index) {
  if (index === cell) return;
  cell = index;
  draw();
  tell();
}

stage.addEventListener("pointermove", (event) => event.pointerType !== "touch" && told && point(cellAt(event)));
stage.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && told && point(-1));
stage.addEventListener("click", (event) => told && point(cellAt(event)));
stage.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (event.key === "Escape") point(-1);
  if (!way || !told) return;
  event.preventDefault();
  const row = Math.min(rows() - 1, Math.max(0, Math.floor(Math.max(cell, 0) / columns()) + way[0]));
  const column = Math.min(columns() - 1, Math.max(0, (Math.max(cell, 0) % columns()) + way[1]));
  point(cell < 0 ? 0 : row * columns() + column);
});
