// ---- messages and keys -----------------------------------------------------------------------------------------------

// Put a caption on view; while it is being written its newest word is chosen.
function show(one) {
  cancelAnimationFrame(frame);
  gesture = null;
  stage.dataset.settled = "-1";
  caption = one;
  chosen = held = -1;
  shown = null;
  wordList.replaceChildren();
  find(".confidence").textContent = picture.reading ? "Reading the model …" : picture.writing ? "Writing …" : "";
  if (hasWords()) {
    wordList.append(...one.words.map(wordButton));
    shape(canvas, CANVAS_SIDE);
    shape(outline, OUTLINE_SIDE);
  } else {
    canvas.width = canvas.height = outline.width = outline.height = 1;
    if (!picture.writing) wordList.append(make("span", "none", "The model wrote no words."));
  }
  for (const one of [canvas, outline]) one.getContext("2d").clearRect(0, 0, one.width, one.height);
  playButton.disabled = lookBack.disabled = !hasWords() || picture.writing;
  regionBox.hidden = true;
  region = null;
  lookBack.setAttribute("aria-pressed", "false");
  markWords();
  showTrust();
  showSentence();
  fillView();
  showOthers();
  showScale();
  showPanel();
  markFiles();
}

let arrived = false;

// The first caption of a visit lets its masks pass by once, unless somebody does something or asks for no motion.
function greet() {
  arrived = true;
  if (FADE && document.body.dataset.arriving !== undefined && hasWords() && document.visibilityState === "visible") {
    play();
    for (const name of ["pointerdown", "pointermove"]) root.addEventListener(name, stop, { once: true });
  }
}

function receiveCaption(message) {
  if (message.rewritten === undefined) earlier = [];
  else if (!message.writing && picture && picture !== message) earlier.push({ picture, caption, chosen });
  const samePhoto = picture && picture.photo.url === message.photo.url;
  picture = message;
  stop();
  pending = "";
  saving = "";
  root.dataset.busy = message.writing ? "writing" : "";
  root.dataset.state = "filled";
  if (!samePhoto) {
    checks = new Map();
    photo.src = message.photo.url;
    stage.style.setProperty("--ratio", message.size[0] / message.size[1]);
    root.dataset.shape = message.size[0] / message.size[1] < 0.9 ? "tall" : "wide";
  }
  showAbout();
  const before = shown;
  show(message.captions[0]);
  if (message.writing) {
    shown = before; // the mask glides on from word to word
    if (hasWords()) choose(caption.words.length - 1);
    return;
  }
  photo.alt = caption.sentence;
  find(".announcement").textContent = caption.sentence;
  document.title = `${caption.sentence} – Captioner`;
  if (!arrived) greet();
  if (message.rewritten !== undefined && hasWords()) hold(Math.min(message.rewritten, caption.words.length - 1));
  // On a phone the viewer lies below the fold; a caption nobody sees looks like nothing happened.
  const asked = document.body.dataset.arriving === undefined;
  if (!asked) document.body.dataset.arrival = message.question.photo.path;
  delete document.body.dataset.arriving;
  if (asked && root.getBoundingClientRect().top > 0.1 * innerHeight && innerWidth < 900) root.scrollIntoView({ behavior: "smooth" });
}

function clear() {
  stop();
  cancelAnimationFrame(frame); // a mask still gliding would paint over a photo that is gone
  gesture = null;
  picture = caption = region = shown = null;
  earlier = [];
  document.title = "Captioner";
  chosen = -1;
  pending = saving = "";
  root.dataset.state = "empty";
  root.dataset.busy = "";
  find(".announcement").textContent = "";
  photo.removeAttribute("src");
  wordList.replaceChildren();
}

function receive() {
  const message = props.value;
  if (!message) return clear();
  if (message.kind === "caption") return receiveCaption(message);
  if (!picture) return;
  if (message.kind === "leaning") receiveLeaning(message);
  if (message.kind === "check") receiveCheck(message);
  if (message.kind === "file") receiveFile(message);
  if (message.kind === "failed") {
    pending = saving = "";
    root.dataset.busy = "";
    markFiles();
    showPanel();
  }
}

playButton.addEventListener("click", () => (timer ? stop() : play()));
for (const control of [ownContrast, cellStyle]) {
  control.addEventListener("change", () => {
    repaintView();
    choose(chosen);
  });
}
styleChoice.addEventListener("change", () => {
  showStyle();
  repaintView();
  glide();
});
speed.addEventListener("change", () => timer && (stop(), play()));
strength.addEventListener("input", showStrength);

root.addEventListener("keydown", (event) => {
  if (!hasWords() || ["INPUT", "SELECT"].includes(event.target.tagName) || event.altKey || event.ctrlKey || event.metaKey) return;
  const moves = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: caption.words.length - 1 };
  if (region && event.target === stage && event.key.startsWith("Arrow")) {
    event.preventDefault();
    moveRegion(event.key, event.shiftKey);
  } else if (event.key in moves) {
    event.preventDefault();
    move(moves[event.key]);
  } else if (event.key === "Escape") {
    stop();
    if (region) selectRegion(null);
    else hold(-1);
  } else if (event.key === " " && event.target === stage) {
    event.preventDefault();
    playButton.click();
  }
});

paintStrip(find(".ramp"), Array.from({ length: 128 }, (_, i) => i / 127));
showStrength();
showStyle();
watch("value", receive);
receive();
