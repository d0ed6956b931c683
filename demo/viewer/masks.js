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

const lightOf = (level) => [...props.lights[clamp(Math.round(255 * level), 0, 255)], 255];

// Light is Inferno added to the photo, so that black adds nothing; in the style of colours what was not looked at turns grey.
function colourOf(level) {
  if (styleChoice.value === "colour") return [128, 128, 128, 255 * (1 - Math.sqrt(clamp(level, 0, 1)))];
  return lightOf(level);
}

// A double line where the mask falls below half of its own maximum: seen on bright, dark and busy photos alike.
function drawOutline(values, opacity) {
  const context = outline.getContext("2d");
  context.clearRect(0, 0, outline.width, outline.height);
  const half = Math.max(...values) / 2;
  if (!opacity || !(half > 0)) return;
  const [left, top, right, bottom] = picture.box;
  const columns = gridColumns();
  const smooth = !cellStyle.checked;
  const across = between(outline.width, left, right, columns, smooth);
  const down = between(outline.height, top, bottom, gridRows(), smooth);
  const inside = new Uint8Array(outline.width * outline.height);
  down.forEach((y, r) => {
    across.forEach((x, c) => {
      if (!x || !y) return;
      const at = (row, column) => values[row * columns + column];
      const above = at(y[0], x[0]) + (at(y[0], x[1]) - at(y[0], x[0])) * x[2];
      const below = at(y[1], x[0]) + (at(y[1], x[1]) - at(y[1], x[0])) * x[2];
      inside[r * outline.width + c] = above + (below - above) * y[2] >= half ? 1 : 0;
    });
  });
  const image = context.createImageData(outline.width, outline.height);
  for (let r = 0; r < outline.height; r++) {
    for (let c = 0; c < outline.width; c++) {
      const here = r * outline.width + c;
      if (!inside[here]) continue;
      const edge = (reach) =>
        (c >= reach && !inside[here - reach]) || (c + reach < outline.width && !inside[here + reach]) ||
        (r >= reach && !inside[here - reach * outline.width]) || (r + reach < outline.height && !inside[here + reach * outline.width]);
      const white = edge(2);
      if (!white && !edge(4)) continue;
      image.data.set(white ? [255, 255, 255, 235 * opacity] : [0, 0, 0, 170 * opacity], 4 * here);
    }
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

// values: the mask row by row, already divided by its scale, so that 1 is the brightest colour.
function paint(target, values, opacity) {
  const [left, top, right, bottom] = picture.box;
  const columns = gridColumns();
  const smooth = !cellStyle.checked;
  const across = between(target.width, left, right, columns, smooth);
  const context = target.getContext("2d");
  const image = context.createImageData(target.width, target.height);
  let at = 0;
  for (const y of between(target.height, top, bottom, gridRows(), smooth)) {
    for (const x of across) {
      let level = 0;
      if (x && y) {
        const upper = y[0] * columns;
        const lower = y[1] * columns;
        const above = values[upper + x[0]] + (values[upper + x[1]] - values[upper + x[0]]) * x[2];
        const below = values[lower + x[0]] + (values[lower + x[1]] - values[lower + x[0]]) * x[2];
        level = above + (below - above) * y[2];
      }
      const colour = colourOf(level);
      image.data[at++] = colour[0];
      image.data[at++] = colour[1];
      image.data[at++] = colour[2];
      image.data[at++] = colour[3] * opacity;
    }
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
