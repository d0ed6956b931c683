// ---- sentence: the caption as text to select and to copy; what another word changed, and the way back ----------------

const undoButton = find(".undo");
let earlier = []; // what was on view before words were replaced: {picture, caption, chosen}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

function showSentence() {
  const done = hasWords() && !picture.writing;
  find(".sentence").style.visibility = done ? "" : "hidden";
  find(".plain").textContent = hasWords() ? caption.sentence : "";
  find(".length").textContent = hasWords() ? `${caption.sentence.length} characters` : "";
  find(".copied").textContent = "";
  undoButton.hidden = !earlier.length;
  markChanged();
}

function markChanged() {
  const before = earlier.length ? earlier.at(-1).caption.words : null;
  [...wordList.children].forEach((node, i) => node.classList.toggle("changed", Boolean(before) && before[i]?.text !== caption.words[i]?.text));
}

for (const node of findAll(".copy")) {
  node.addEventListener("click", async () => {
    const text = node.dataset.copy === "alt" ? `alt="${escaped(caption.sentence)}"` : caption.sentence;
    try {
      await navigator.clipboard.writeText(text);
      find(".copied").textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(find(".plain"));
      find(".copied").textContent = "The browser keeps its clipboard shut; the text is selected.";
    }
  });
}

undoButton.addEventListener("click", () => {
  const before = earlier.pop();
  stop();
  picture = before.picture;
  root.dataset.busy = "";
  show(before.caption);
  photo.alt = caption.sentence;
  find(".announcement").textContent = caption.sentence;
  document.title = `${caption.sentence} – Captioner`;
  choose(Math.min(before.chosen, caption.words.length - 1));
});
