// ---- masks: values of the attention grid as colours over the photo ------------------------------------------------

let shown = null; // what the canvas shows: {values, opacity}
let frame = 0;
const EVEN = 0.95; // entropy of a mask, of the largest possible
const ALIKE = 0.85; // share of a mask that lies on its neighbour's

// For each pixel along one axis: the two cells it lies between and its way from the one to the other; null outside the
// box. Smooth is the interpolation of captioner.pictures.geometry.map_to_picture.
function between(pixels, start, end, cells, smooth) {
  const steps = [];
  for (let i = 0; i < pixels; i++) {
    const place = ((i + 0.5) / pixels - start) / (end - start);
    if (place < 0 || place > 1) {
      steps.push(null);
    } else if (smooth) {
      const cell = clamp(place * cells - 0.5, 0, cells - 1);
      const first = Math.min(Math.floor(cell), Math.max(cells - 2, 0));
      steps.push([first, Math.min(first + 1, cells - 1), cell - first]);
    } else {
      const cell = Math.min(Math.floor(place * cells), cells - 1);
      steps.push([cell, cell, 0]);
    }
  }
  return steps;
}

// Give a canvas the shape of the photo, at most `side` pixels long.
function shape(target, side) {
  const [width, height] = picture.size;
  const scale = side / Math.max(width, height);
  target.width = Math.max(1, Math.round(width * scale));
  target.height = Math.max(1, Math.round(height * scale));
}

// Colours of Inferno, three bytes a level; read once, for what Gradio hands out is slow to read for every pixel.
const LIGHTS = Uint8Array.from(props.lights.match(/../g), (byte) => parseInt(byte, 16));
const placeOfLight = (level) => 3 * clamp(Math.round(255 * level), 0, 255);

function lightOf(level) {
  const at = placeOfLight(level);
  return [...LIGHTS.subarray(at, at + 3), 255];
}

// The level of the mask at every pixel of a canvas, row by row; below nothing outside the box.
function levelsOn(target, values) {
  const [left, top, right, bottom] = picture.box;
  const [columns, smooth] = [gridColumns(), !cellStyle.checked];
  const across = between(target.width, left, right, columns, smooth);
  const found = new Float32Array(target.width * target.height).fill(-1);
  let at = 0;
  for (const y of between(target.height, top, bottom, gridRows(), smooth)) {
    for (const x of across) {
      if (x && y) {
        const [upper, lower] = [y[0] * columns, y[1] * columns];
        const above = values[upper + x[0]] + (values[upper + x[1]] - values[upper + x[0]]) * x[2];
        const below = values[lower + x[0]] + (values[lower + x[1]] - values[lower + x[0]]) * x[2];
        found[at] = above + (below - above) * y[2];
      }
      at++;
    }
  }
  return found;
}

// Whether a pixel lies so near to one that is lower than `half`.
function isEdge(found, half, here, width, reach) {
  const column = here % width;
  const [above, below] = [here - reach * width, here + reach * width];
  return (column >= reach && found[here - reach] < half) || (column + reach < width && found[here + reach] < half) ||
    (above >= 0 && found[above] < half) || (below < found.length && found[below] < half);
}

// A double line where the mask falls below half of its own maximum: seen on bright, dark and busy photos alike.
function drawOutline(values, opacity) {
  const { width, height } = outline;
  const context = outline.getContext("2d");
  context.clearRect(0, 0, width, height);
  const half = Math.max(...values) / 2;
  if (!opacity || !(half > 0)) return;
  const found = levelsOn(outline, values);
  const image = context.createImageData(width, height);
  const { data } = image;
  for (let here = 0; here < found.length; here++) {
    if (found[here] < half) continue;
    const white = isEdge(found, half, here, width, 2);
    if (white) data[4 * here] = data[4 * here + 1] = data[4 * here + 2] = 255;
    if (white || isEdge(found, half, here, width, 4)) data[4 * here + 3] = (white ? 235 : 170) * opacity;
  }
  context.putImageData(image, 0, 0);
}

// What a mask cannot say: that it looked at nothing in particular, or at nothing else than the word beside it.
function emptyMask(index) {
  const mask = caption.words[index].mask.flat();
  const sum = mask.reduce((total, value) => total + value, 0) || 1;
  const shares = mask.map((value) => value / sum);
  const spread = -shares.reduce((total, share) => total + (share > 0 ? share * Math.log(share) : 0), 0) / Math.log(shares.length || 2);
  if (spread > EVEN) return "Its mask says little: it looked nearly everywhere alike.";
  const before = index > 0 ? caption.words[index - 1] : null;
  if (!before) return "";
  const shared = before.mask.flat().reduce((total, value, i) => total + Math.min(value, mask[i]), 0) / sum;
  return shared > ALIKE ? `Its mask says nothing of its own: ${percent(shared)} of it lies where “${before.text}” looked.` : "";
}

// values: the mask row by row, already divided by its scale, so that 1 is the brightest colour. Light is Inferno added to
// the photo, so that black adds nothing; in the style of colours what was not looked at turns grey.
function paint(target, values, opacity) {
  const context = target.getContext("2d");
  const image = context.createImageData(target.width, target.height);
  const { data } = image;
  const greys = styleChoice.value === "colour";
  let at = 0;
  for (const level of levelsOn(target, values)) {
    const light = placeOfLight(level);
    for (let part = 0; part < 3; part++) data[at++] = greys ? 128 : LIGHTS[light + part];
    data[at++] = 255 * opacity * (greys ? 1 - Math.sqrt(clamp(level, 0, 1)) : 1);
  }
  context.putImageData(image, 0, 0);
}

function scaleOf(index) {
  return ownContrast.checked ? Math.max(...caption.words[index].mask.flat()) : caption.peak;
}

function levels(index) {
  const scale = scaleOf(index);
  return caption.words[index].mask.flat().map((value) => value / scale);
}

// Let the mask on the photo glide to that of the chosen word.
function glide() {
  cancelAnimationFrame(frame);
  if (!hasWords()) return;
  const nothing = { values: shown ? shown.values : levels(0).fill(0), opacity: 0 };
  const to = chosen < 0 ? nothing : { values: levels(chosen), opacity: 1 };
  const from = shown && shown.opacity > 0 ? shown : { values: to.values, opacity: 0 };
  const start = performance.now();
  stage.dataset.settled = "";
  const step = (now) => {
    const way = FADE ? clamp((now - start) / FADE, 0, 1) : 1;
    const mix = (a, b) => a + (b - a) * way;
    shown = {
      values: to.values.map((value, i) => mix(from.values[i], value)),
      opacity: mix(from.opacity, to.opacity),
    };
    paint(canvas, shown.values, shown.opacity);
    drawOutline(shown.values, shown.opacity);
    if (way < 1) frame = requestAnimationFrame(step);
    else stage.dataset.settled = String(chosen);
  };
  frame = requestAnimationFrame(step);
}

// A strip of one pixel a level.
function paintStrip(target, strip) {
  target.width = strip.length;
  target.height = 1;
  const image = target.getContext("2d").createImageData(strip.length, 1);
  strip.forEach((level, i) => image.data.set(lightOf(level), 4 * i));
  target.getContext("2d").putImageData(image, 0, 0);
}

function showScale() {
  if (hasWords()) find(".peak").textContent = percent(chosen < 0 ? caption.peak : scaleOf(chosen));
}

function showStrength() {
  root.style.setProperty("--strength", strength.value / 100);
}

function showStyle() {
  root.dataset.style = styleChoice.value;
  find(".strength").hidden = styleChoice.value === "outline";
}
