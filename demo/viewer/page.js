// Body of the function that gr.HTML calls once with (element, trigger, props, server, upload, watch), in several files.
// It owns everything inside the frame of frame.html; Gradio leaves that alone because the template has no placeholders.

const CANVAS_SIDE = 320;
const OUTLINE_SIDE = 640;
const FADE = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 160;

const find = (selector) => element.querySelector(selector);
const findAll = (selector) => [...element.querySelectorAll(selector)];
const root = find(".viewer");
const stage = find(".stage");
const photo = find(".photo");
const canvas = find(".mask");
const wordList = find(".words");
const playButton = find(".play");
const ownContrast = find(".contrast input");
const cellStyle = find(".cells input");
const strength = find(".strength input");
const outline = find(".outline");
const styleChoice = find(".style");
const speed = find(".speed");

// What is shown: the picture with all its captions, the one of them on view, its chosen word, the region looked back from.
let picture = null;
let caption = null;
let chosen = -1;
let region = null;

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function button(className, text) {
  const node = make("button", className, text);
  node.type = "button";
  return node;
}

const percent = (share) => (share >= 0.01 ? `${Math.round(100 * share)} %` : "< 1 %");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const hasWords = () => Boolean(caption && caption.words.length);
const gridRows = () => caption.words[0].mask.length;
const gridColumns = () => caption.words[0].mask[0].length;

function press(buttons, isPressed) {
  for (const node of buttons) node.setAttribute("aria-pressed", String(isPressed(node)));
}

// A question to the server about the caption on view; the answer comes as a message.
function ask(kind, details) {
  const question = { ...picture.question, text: caption.text, ...details };
  if (kind === "rewrite") trigger("rewrite", question);
  else if (kind === "lean") trigger("lean", question);
  else if (kind === "check") trigger("check", question);
  else trigger("keep", question);
}
