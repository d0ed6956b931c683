// ---- captions: several of one photo side by side, and what can be taken away -----------------------------------------

let saving = "";

function showOthers() {
  const ordered = [...picture.captions].sort((a, b) => b.confidence - a.confidence);
  const rows = ordered.map((one) => {
    const node = button("one");
    node.setAttribute("aria-pressed", String(one === caption));
    node.style.setProperty("--share", one.confidence);
    const text = make("span", "text");
    one.words.forEach((word, i) => {
      const piece = make("span", "", word.text);
      piece.style.setProperty("--share", word.probability);
      text.append(i ? " " : "", piece);
    });
    node.append(text, make("span", "track"), make("span", "share", percent(one.confidence)));
    node.addEventListener("click", () => view(one));
    const item = make("li");
    item.append(node);
    return item;
  });
  find(".others").hidden = picture.captions.length < 2;
  find(".captions").replaceChildren(...rows);
}

// Put one of the captions on view.
function view(one) {
  if (one === caption) return;
  stop();
  show(one);
  if (!one.leaning) ask("lean", {});
}

function receiveLeaning(message) {
  for (const one of picture.captions) if (one.text === message.text) one.leaning = message.leaning;
  markWords();
  markViews();
  if (chosen >= 0) showPanel();
}

function markFiles() {
  for (const node of findAll(".files button")) {
    node.disabled = Boolean(saving) || !hasWords() || picture.writing || (node.dataset.kind === "word" && chosen < 0);
    node.classList.toggle("busy", node.dataset.kind === saving);
  }
}

const mostLeaning = () => caption.leaning.indexOf(Math.max(...caption.leaning));

for (const node of findAll(".files button")) {
  node.addEventListener("click", () => {
    saving = node.dataset.kind;
    markFiles();
    ask("keep", { kind: saving, index: chosen < 0 && caption.leaning ? mostLeaning() : chosen });
  });
}

function receiveFile(message) {
  saving = "";
  markFiles();
  const link = make("a");
  link.href = message.file.url;
  link.download = message.file.orig_name;
  link.click();
}
