// ---- messages and keys -----------------------------------------------------------------------------------------------

// Put a caption on view; while it is being written its newest word is chosen.
function show(one) {
  cancelAnimationFrame(frame);
  dragFrom = null;
  stage.dataset.settled = "-1";
  caption = one;
  chosen = -1;
  shown = null;
  wordList.replaceChildren();
  find(".confidence").textContent = picture.reading ? "Reading the model …" : picture.writing ? "Writing …" : `Confidence ${percent(one.confidence)}`;
  if (hasWords()) {
    wordList.append(...one.words.map(wordButton));
    shape(canvas, CANVAS_SIDE);
  } else {
    canvas.width = canvas.height = 1;
    if (!picture.writing) wordList.append(make("span", "none", "The model wrote no words."));
  }
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  playButton.disabled = lookBack.disabled = !hasWords() || picture.writing;
  regionBox.hidden = true;
  region = null;
  lookBack.setAttribute("aria-pressed", "false");
  markWords();
  fillView();
  showOthers();
  showScale();
  showPanel();
  markFiles();
}

function receiveCaption(message) {
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
  }
  find(".written-by").textContent = message.question.model;
  const before = shown;
  show(message.captions[0]);
  if (message.writing) {
    shown = before; // the mask glides on from word to word
    if (hasWords()) choose(caption.words.length - 1);
    return;
  }
  photo.alt = caption.sentence;
  find(".announcement").textContent = caption.sentence;
  if (message.rewritten !== undefined && hasWords()) choose(Math.min(message.rewritten, caption.words.length - 1));
  // On a phone the viewer lies below the fold; a caption nobody sees looks like nothing happened.
  if (root.getBoundingClientRect().top > 0.6 * innerHeight) root.scrollIntoView({ behavior: "smooth" });
}

function clear() {
  stop();
  cancelAnimationFrame(frame); // a mask still gliding would paint over a photo that is gone
  dragFrom = null;
  picture = caption = region = shown = null;
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
strength.addEventListener("input", showStrength);

root.addEventListener("keydown", (event) => {
  if (!hasWords() || event.target.tagName === "INPUT" || event.altKey || event.ctrlKey || event.metaKey) return;
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
    else choose(-1);
  } else if (event.key === " " && event.target === stage) {
    event.preventDefault();
    playButton.click();
  }
});

paintStrip(find(".ramp"), Array.from({ length: 128 }, (_, i) => i / 127));
showStrength();
watch("value", receive);
receive();
