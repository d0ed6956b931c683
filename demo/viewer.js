// Body of the function that gr.HTML calls once with (element, trigger, props, server, upload, watch).
// It owns everything inside the frame of viewer.html; Gradio leaves that alone because the template has no placeholders.

const CANVAS_SIDE = 320;
const FADE = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 160;
const STEP = 900;

const find = (selector) => element.querySelector(selector);
const root = find(".viewer");
const stage = find(".stage");
const photo = find(".photo");
const canvas = find(".mask");
const wordList = find(".words");
const playButton = find(".play");
const sharedScale = find(".shared input");

let caption = null;
let chosen = -1;
let shown = null; // what the canvas shows: {values, opacity}
let grid = null; // how pixels of the canvas fall between cells of the mask
let timer = 0;
let frame = 0;

function make(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

const percent = (share) => (share >= 0.01 ? `${Math.round(100 * share)} %` : "< 1 %");

// ---- masks -------------------------------------------------------------------------------------------------------

// For each pixel along one axis: the two cells it lies between and its way from the one to the other; -1 outside the
// box. The same interpolation as captioner.image.map_to_picture.
function between(pixels, start, end, cells) {
  const steps = [];
  for (let i = 0; i < pixels; i++) {
    const place = ((i + 0.5) / pixels - start) / (end - start);
    const cell = Math.min(Math.max(place * cells - 0.5, 0), cells - 1);
    const first = Math.min(Math.floor(cell), Math.max(cells - 2, 0));
    steps.push(place < 0 || place > 1 ? null : [first, Math.min(first + 1, cells - 1), cell - first]);
  }
  return steps;
}

function layGrid() {
  const [width, height] = caption.size;
  const [left, top, right, bottom] = caption.box;
  const mask = caption.words[0].mask;
  const scale = CANVAS_SIDE / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  grid = {
    columns: mask[0].length,
    x: between(canvas.width, left, right, mask[0].length),
    y: between(canvas.height, top, bottom, mask.length),
  };
}

// values: the mask row by row, already divided by its scale, so that 1 is the brightest colour.
function paint({ values, opacity }) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const colours = props.colours;
  let at = 0;
  for (const y of grid.y) {
    for (const x of grid.x) {
      let level = 0;
      if (x && y) {
        const upper = y[0] * grid.columns;
        const lower = y[1] * grid.columns;
        const above = values[upper + x[0]] + (values[upper + x[1]] - values[upper + x[0]]) * x[2];
        const below = values[lower + x[0]] + (values[lower + x[1]] - values[lower + x[0]]) * x[2];
        level = above + (below - above) * y[2];
      }
      const colour = colours[Math.max(0, Math.min(255, Math.round(255 * level)))];
      image.data[at++] = colour[0];
      image.data[at++] = colour[1];
      image.data[at++] = colour[2];
      image.data[at++] = colour[3] * opacity;
    }
  }
  context.putImageData(image, 0, 0);
}

function target() {
  if (chosen < 0) return { values: shown ? shown.values : caption.words[0].mask.flat().fill(0), opacity: 0 };
  const values = caption.words[chosen].mask.flat();
  const scale = sharedScale.checked ? caption.peak : Math.max(...values);
  return { values: values.map((value) => value / scale), opacity: 1 };
}

function fade() {
  cancelAnimationFrame(frame);
  const to = target();
  const from = shown && shown.opacity > 0 ? shown : { values: to.values, opacity: 0 };
  const start = performance.now();
  stage.dataset.settled = "";
  const step = (now) => {
    const way = FADE ? Math.min(1, Math.max(0, (now - start) / FADE)) : 1;
    const mix = (a, b) => a + (b - a) * way;
    shown = {
      values: to.values.map((value, i) => mix(from.values[i], value)),
      opacity: mix(from.opacity, to.opacity),
    };
    paint(shown);
    if (way < 1) frame = requestAnimationFrame(step);
    else stage.dataset.settled = String(chosen);
  };
  frame = requestAnimationFrame(step);
}

function paintScale() {
  const ramp = find(".ramp");
  const context = ramp.getContext("2d");
  const image = context.createImageData(ramp.width, 1);
  for (let i = 0; i < ramp.width; i++) {
    image.data.set(props.colours[Math.round((255 * i) / (ramp.width - 1))], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

// ---- words -------------------------------------------------------------------------------------------------------

function showDetail() {
  const box = find(".chosen");
  const list = find(".alternatives");
  box.replaceChildren();
  list.replaceChildren();
  root.dataset.chosen = chosen >= 0 ? "yes" : caption && caption.words.length ? "no" : "never";
  if (chosen < 0) return;
  const word = caption.words[chosen];
  box.append(make("span", "text", word.text), make("span", "share", `${percent(word.probability)} sure`));
  for (const [text, probability] of word.alternatives) {
    const item = make("li", text === word.text ? "alternative same" : "alternative");
    item.style.setProperty("--share", probability);
    const name = text === "<end>" ? make("em", "text", "end here") : make("span", "text", text);
    item.append(name, make("span", "track"), make("span", "share", percent(probability)));
    list.append(item);
  }
}

function showScale() {
  if (!caption || !caption.words.length) return find(".peak").replaceChildren();
  const own = chosen < 0 ? caption.peak : Math.max(...caption.words[chosen].mask.flat());
  find(".peak").textContent = percent(sharedScale.checked ? caption.peak : own);
}

function choose(index) {
  if (!caption || !caption.words.length) return;
  if (index !== chosen) {
    chosen = index;
    wordList.querySelectorAll("button").forEach((button, i) => {
      button.setAttribute("aria-pressed", String(i === chosen));
      button.tabIndex = i === Math.max(chosen, 0) ? 0 : -1;
    });
    showDetail();
  }
  showScale();
  fade();
}

function wordButton(word, index) {
  const button = make("button", "word");
  button.type = "button";
  button.tabIndex = index === 0 ? 0 : -1;
  button.setAttribute("aria-pressed", "false");
  button.style.setProperty("--share", word.probability);
  button.append(make("span", "text", word.text), make("span", "share", percent(word.probability)));
  button.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "mouse" || timer) return;
    choose(index);
  });
  button.addEventListener("focus", () => index !== chosen && !timer && choose(index));
  button.addEventListener("click", () => {
    stop();
    choose(index);
  });
  return button;
}

function move(to) {
  stop();
  const last = caption.words.length - 1;
  const index = Math.min(last, Math.max(0, to));
  choose(index);
  wordList.children[index].focus({ preventScroll: true });
}

// ---- play --------------------------------------------------------------------------------------------------------

function stop() {
  clearInterval(timer);
  timer = 0;
  playButton.setAttribute("aria-pressed", "false");
  playButton.querySelector(".label").textContent = "Play";
}

function play() {
  const advance = () => (chosen + 1 < caption.words.length ? choose(chosen + 1) : stop());
  if (chosen + 1 >= caption.words.length) choose(0);
  else advance();
  timer = setInterval(advance, STEP);
  playButton.setAttribute("aria-pressed", "true");
  playButton.querySelector(".label").textContent = "Pause";
}

// ---- a new caption -----------------------------------------------------------------------------------------------

function receive() {
  stop();
  cancelAnimationFrame(frame);
  caption = props.value || null;
  chosen = -1;
  shown = null;
  root.dataset.state = caption ? "filled" : "empty";
  wordList.replaceChildren();
  if (!caption) return photo.removeAttribute("src");
  photo.src = caption.photo.url;
  photo.alt = caption.sentence;
  stage.style.setProperty("--ratio", caption.size[0] / caption.size[1]);
  if (caption.words.length) {
    wordList.append(...caption.words.map(wordButton));
    layGrid();
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  } else {
    canvas.width = canvas.height = 1;
    wordList.append(make("span", "none", "The model wrote no words."));
  }
  playButton.disabled = !caption.words.length;
  showDetail();
  showScale();
  // On a phone the viewer lies below the fold; a caption nobody sees looks like nothing happened.
  if (root.getBoundingClientRect().top > 0.6 * innerHeight) root.scrollIntoView({ behavior: "smooth" });
}

playButton.addEventListener("click", () => (timer ? stop() : play()));
sharedScale.addEventListener("change", () => choose(chosen));
stage.addEventListener("click", () => {
  stop();
  choose(-1);
});
root.addEventListener("keydown", (event) => {
  if (!caption || !caption.words.length || event.target === sharedScale) return;
  const moves = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: caption.words.length - 1 };
  if (event.key in moves) {
    event.preventDefault();
    move(moves[event.key]);
  } else if (event.key === "Escape") {
    stop();
    choose(-1);
  }
});

paintScale();
watch("value", receive);
receive();
