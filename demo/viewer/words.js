// ---- words: the caption below the photo ----------------------------------------------------------------------------

const AS_LIKELY = Math.log(1.5); // below this a word is as likely without the photo
const FULL_TINT = Math.log(100);
const REST = 100; // ms that a mouse rests on a word that it points at: on the way to the panel it crosses others
let resting = 0;
let held = -1; // the word that was clicked: others are shown only while the mouse points at them

const leaningOf = (index) => (caption.leaning ? caption.leaning[index] : null);
const isUnseen = (index) => leaningOf(index) !== null && leaningOf(index) < AS_LIKELY;

function tint(index) {
  if (region) return lookedAt(index) / Math.max(...caption.words.map((_, i) => lookedAt(i)), 1e-9);
  const leaning = leaningOf(index);
  return leaning === null ? 0 : clamp(leaning / FULL_TINT, 0, 1);
}

function leaningText(index) {
  const leaning = leaningOf(index);
  if (leaning === null) return "";
  const times = Math.exp(leaning);
  if (times < 1 / 1.5) return `${(1 / times).toFixed(1)} times likelier without the photo`;
  if (leaning < AS_LIKELY) return "as likely without the photo";
  return `${times < 10 ? times.toFixed(1) : times < 1000 ? Math.round(times) : "over 1000"} times likelier than without the photo`;
}

function wordButton(word, index) {
  const node = button("word");
  node.append(make("span", "text", word.text), make("span", "share", percent(word.probability)));
  node.style.setProperty("--share", word.probability);
  node.addEventListener("pointerenter", (event) => {
    clearTimeout(resting);
    if (event.pointerType === "mouse") resting = setTimeout(() => node.isConnected && !timer && choose(index), REST);
  });
  node.addEventListener("pointerleave", () => clearTimeout(resting));
  node.addEventListener("focus", () => index !== chosen && !timer && choose(index));
  node.addEventListener("click", () => {
    stop();
    hold(index);
  });
  return node;
}

function hold(index) {
  held = index;
  choose(index);
}

wordList.addEventListener("pointerleave", () => held >= 0 && hasWords() && !timer && choose(held));

// Bring every sign of the words up to date: which is chosen, how much each leaned on the photo or looked at the region.
function markWords() {
  [...wordList.children].forEach((node, index) => {
    if (!hasWords()) return;
    node.setAttribute("aria-pressed", String(index === chosen));
    node.tabIndex = index === Math.max(chosen, 0) ? 0 : -1;
    node.style.setProperty("--tint", tint(index).toFixed(3));
    node.classList.toggle("unseen", !region && isUnseen(index));
    const word = caption.words[index];
    const parts = [word.text, `${percent(word.probability)} probable`, leaningText(index)];
    node.setAttribute("aria-label", parts.filter(Boolean).join(", "));
  });
  find(".tinted-by").textContent = region ? "looked at the box" : "leaned on the photo";
  find(".tinted-by").dataset.term = region ? "looked" : "leaning";
  root.classList.toggle("looking-back", Boolean(region));
  root.classList.toggle("leaning-known", Boolean(caption && caption.leaning));
}

function choose(index) {
  if (!hasWords()) return;
  const changed = index !== chosen;
  chosen = index;
  if (changed) {
    markWords();
    markViews();
    markFiles();
    showPanel();
  }
  showScale();
  glide();
}

function move(to) {
  stop();
  hold(clamp(to, 0, caption.words.length - 1));
  const list = root.dataset.view === "words" ? [...wordList.children] : findAll(`.${root.dataset.view} button`);
  list[chosen].focus({ preventScroll: true });
}

// ---- play ------------------------------------------------------------------------------------------------------------

let timer = 0;

function showPlaying() {
  playButton.setAttribute("aria-pressed", String(Boolean(timer)));
  playButton.querySelector(".label").textContent = timer ? "Pause" : "Play";
}

function stop() {
  clearInterval(timer);
  timer = 0;
  showPlaying();
}

function play() {
  held = -1;
  const advance = () => (chosen + 1 < caption.words.length ? choose(chosen + 1) : stop());
  if (chosen + 1 >= caption.words.length) choose(0);
  else advance();
  clearInterval(timer);
  timer = setInterval(advance, Number(speed.value));
  showPlaying();
}
