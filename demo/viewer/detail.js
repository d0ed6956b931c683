// ---- detail: the chosen word, what might have stood there, and whether it needed the place of its mask -----------------------------

let checks = new Map(); // answers of the server, by caption and word
let pending = ""; // what the server was asked and has not answered

const keyOf = (index) => `${caption.text} ${index}`;

function showPanel() {
  root.dataset.panel = !hasWords() ? "none" : region ? "region" : chosen >= 0 ? "word" : "hint";
  if (region && hasWords()) showRanking();
  else if (chosen >= 0 && hasWords()) showDetail();
}

function showDetail() {
  const word = caption.words[chosen];
  const facts = [`${percent(word.probability)} probable`, leaningText(chosen)].filter(Boolean);
  const chosenBox = find(".chosen");
  chosenBox.replaceChildren(make("span", "text", word.text), ...facts.map((fact) => make("span", "share", fact)));
  if (word.confidence !== null && word.confidence !== undefined) chosenBox.append(term("right", `people would use it: ${percent(word.confidence)}`));
  if (emptyMask(chosen)) chosenBox.append(make("span", "share small says-nothing", emptyMask(chosen)));
  find(".alternatives").replaceChildren(...word.alternatives.map(alternative));
  showEvidence();
}

// What the network says of itself comes last: it tells least about why the word stands there.
function signalOf(word) {
  const signal = word.sentinel ?? word.gate;
  const name = word.sentinel === null ? "gate" : "sentinel";
  return signal === null ? [] : [term(name, `${name} ${signal.toFixed(2)}`)];
}

function alternative([text, probability]) {
  const same = text === caption.words[chosen].text;
  const ends = text === "<end>";
  const node = button(same ? "alternative same" : "alternative");
  node.style.setProperty("--share", probability);
  const name = ends ? make("em", "text", "end here") : make("span", "text", text);
  node.append(name, make("span", "track"), make("span", "share", percent(probability)));
  node.disabled = same || picture.writing;
  node.title = same ? "" : ends ? "End the caption before this word" : `Go on with “${text}” and write the rest anew`;
  const index = chosen;
  node.addEventListener("click", () => {
    node.classList.add("busy");
    root.dataset.busy = "rewrite";
    ask("rewrite", { index, word: text });
  });
  const item = make("li");
  item.append(node);
  return item;
}

function showEvidence() {
  const box = find(".evidence");
  const key = keyOf(chosen);
  const check = checks.get(key);
  const signal = signalOf(caption.words[chosen]);
  if (check) return box.replaceChildren(...evidenceOf(check), ...signal);
  const node = button("check", pending === key ? "Asking again …" : "Did it need this place?");
  node.disabled = Boolean(pending) || picture.writing;
  const index = chosen;
  node.addEventListener("click", () => {
    pending = key;
    ask("check", { index });
    showEvidence();
  });
  box.replaceChildren(node, make("p", "note", "Blurs out where this word looked, and as large a place elsewhere, and asks the network again."), ...signal);
}

// What the two falls of the probability say together.
function verdict(check) {
  const fall = (blurred) => Math.max(0, 1 - blurred.probability / check.probability);
  const [attended, elsewhere] = [fall(check.attended), fall(check.elsewhere)];
  if (attended < 0.15 && elsewhere < 0.15) return "No: neither place matters much to this word.";
  if (Math.abs(attended - elsewhere) < 0.15) return "No: both places matter alike to this word.";
  if (elsewhere > attended) return "No: the other place matters more. Here the light misleads.";
  return attended >= 0.5 ? "Yes: the word depends on the place that lights up." : "In part: the word leans on the place that lights up.";
}

function evidenceOf(check) {
  const word = caption.words[chosen].text;
  const rows = [
    ["the photo as it is", null, check.probability, null],
    ["that place blurred", check.attended.photo.url, check.attended.probability, check.attended.attention],
    ["another place blurred", check.elsewhere.photo.url, check.elsewhere.probability, check.elsewhere.attention],
  ].map(([what, url, probability, attention]) => {
    const row = make("li", "tried");
    row.style.setProperty("--share", probability);
    const image = make("img");
    image.src = url || photo.src;
    image.alt = "";
    const label = make("span", "text", what);
    if (attention !== null) label.append(make("span", "share small", `${percent(attention)} of its attention`));
    row.append(image, label, make("span", "track"), make("span", "share", percent(probability)));
    return row;
  });
  const list = make("ol", "tries");
  list.append(...rows);
  return [make("p", "verdict", verdict(check)), make("h2", "", `Probability of “${word}” with`), list];
}

function receiveCheck(message) {
  checks.set(`${message.text} ${message.index}`, message);
  pending = "";
  if (chosen >= 0) showEvidence();
}
