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

// Which of the new words belong to no longest run, gaps allowed, that both captions share: a word that only moved is not new.
function isNew(before, after) {
  const shared = before.map(() => after.map(() => 0));
  const at = (i, j) => shared[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      shared[i][j] = before[i] === after[j] ? 1 + at(i + 1, j + 1) : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const fresh = after.map(() => true);
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    if (before[i] === after[j]) (fresh[j] = false), i++, j++;
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return fresh;
}

function markChanged() {
  const texts = (one) => one.words.map((word) => word.text);
  const fresh = earlier.length ? isNew(texts(earlier.at(-1).caption), texts(caption)) : [];
  // The word that was asked for is marked in any case: it may have stood elsewhere.
  const asked = earlier.length ? picture.rewritten : -1;
  [...wordList.children].forEach((node, i) => node.classList.toggle("changed", Boolean(fresh[i]) || i === asked));
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
