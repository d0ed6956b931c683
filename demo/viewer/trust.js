// ---- trust: what wrote the caption, what that model knows, and how far to believe it ----------------------------------

const METHODS = { beam: "beam search", diverse: "diverse beams", greedy: "greedy", sample: "sampling" };
const HARDLY = 0.3; // confidence below which a model knows nothing of what it sees

function methodText({ options }) {
  const parts = [METHODS[options.strategy] || METHODS.beam];
  if (options.beam_width) parts.push(`${options.beam_width} wide`);
  if (options.temperature) parts.push(`temperature ${options.temperature}`);
  if (options.top_p) parts.push(`top-p ${options.top_p}`);
  if (options.max_words) parts.push(`up to ${options.max_words} words`);
  return parts.join(", ");
}

function showAbout() {
  find(".written-by").textContent = picture.question.model;
  find(".method").textContent = methodText(picture.question);
  const about = picture.about || {};
  find(".warning").textContent = about.warning || "";
  find(".warning").hidden = !about.warning;
  find(".knows").textContent = about.text || "";
  find(".card").hidden = !about.card;
  if (about.card) find(".card").href = about.card;
}

// The reason that stands beside "not sure".
function doubt() {
  const rated = caption.words.filter((word) => word.confidence !== null);
  if (!rated.length) return "it names nothing";
  const best = rated.reduce((a, b) => (b.confidence > a.confidence ? b : a));
  const worst = rated.reduce((a, b) => (b.confidence < a.confidence ? b : a));
  if (best.confidence < HARDLY) return "nothing it knows seems to be here";
  return `least of “${worst.text}”`;
}

function showTrust() {
  const box = find(".trust");
  const known = hasWords() && !picture.writing;
  box.hidden = !known;
  if (!known) return;
  const rated = caption.sure !== null && caption.sure !== undefined;
  box.dataset.term = rated ? "sure" : "chance";
  box.dataset.sure = String(rated ? caption.sure : "");
  if (!rated) box.textContent = `Probability ${percent(caption.confidence)}`;
  else box.textContent = caption.sure ? `Sure: ${percent(caption.trust)}` : `Not sure: ${percent(caption.trust)}, ${doubt()}`;
}
