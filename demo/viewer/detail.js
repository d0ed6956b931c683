// ---- detail: the chosen word, what might have stood there, and whether its mask is true -----------------------------

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
  const facts = [`${percent(word.probability)} sure`, leaningText(chosen)].filter(Boolean);
  const chosenBox = find(".chosen");
  chosenBox.replaceChildren(make("span", "text", word.text), ...facts.map((fact) => make("span", "share", fact)));
  const signal = word.sentinel ?? word.gate;
  if (signal !== null) {
    const name = word.sentinel === null ? "gate" : "sentinel";
    const note = make("span", "share small", `${name} ${signal.toFixed(2)}`);
    note.title =
      name === "gate"
        ? "How far the network opened to what it looked at; its scale differs from network to network"
        : "Share of its attention that went to no place at all";
    chosenBox.append(note);
  }
  find(".alternatives").replaceChildren(...word.alternatives.map(alternative));
  showEvidence();
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
  if (check) return box.replaceChildren(...evidenceOf(check));
  const node = button("check", pending === key ? "Asking again …" : "Is the mask true?");
  node.disabled = Boolean(pending) || picture.writing;
  const index = chosen;
  node.addEventListener("click", () => {
    pending = key;
    ask("check", { index });
    showEvidence();
  });
  box.replaceChildren(node, make("p", "note", "Blurs out where this word looked, and as large a place elsewhere, and asks the network again."));
}

function evidenceOf(check) {
  const word = caption.words[chosen].text;
  const falls = [check.attended, check.elsewhere].map((blurred) => blurred.probability / check.probability);
  const [attended, elsewhere] = falls;
  let verdict = "The word does not hang on either place.";
  if (attended < 0.67 && attended < 0.8 * elsewhere) verdict = "The word hangs on the place its mask shows.";
  else if (elsewhere < 0.67 && elsewhere < 0.8 * attended) verdict = "The word hangs on another place than its mask shows.";
  else if (attended < 0.67) verdict = "The word hangs on both places.";
  const rows = [
    ["the photo as it is", null, check.probability, null],
    ["without the place it looked at", check.attended.photo.url, check.attended.probability, check.attended.attention],
    ["without as large a place elsewhere", check.elsewhere.photo.url, check.elsewhere.probability, check.elsewhere.attention],
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
  return [make("h2", "", `P(“${word}”) when the network is shown`), list, make("p", "verdict", verdict)];
}

function receiveCheck(message) {
  checks.set(`${message.text} ${message.index}`, message);
  pending = "";
  if (chosen >= 0) showEvidence();
}
