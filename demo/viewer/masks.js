// ---- masks: values of the attention grid as colours over the photo ------------------------------------------------

let shown = null; // what the canvas shows: {values, opacity}
let frame = 0;

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
      const colour = props.colours[clamp(Math.round(255 * level), 0, 255)];
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
    if (way < 1) frame = requestAnimationFrame(step);
    else stage.dataset.settled = String(chosen);
  };
  frame = requestAnimationFrame(step);
}

// A strip of one pixel a level, over the grey that captioner.drawing puts under its scale.
function paintStrip(target, strip) {
  target.width = strip.length;
  target.height = 1;
  const image = target.getContext("2d").createImageData(strip.length, 1);
  strip.forEach((level, i) => image.data.set(props.colours[clamp(Math.round(255 * level), 0, 255)], 4 * i));
  target.getContext("2d").putImageData(image, 0, 0);
}

function showScale() {
  if (hasWords()) find(".peak").textContent = percent(chosen < 0 ? caption.peak : scaleOf(chosen));
}

function showStrength() {
  root.style.setProperty("--strength", strength.value / 100);
}
