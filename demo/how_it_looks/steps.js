// ---- steps: which one is read, and its words with the numbers of the model -----------------------------------------------

const steps = findAll(".steps > li");

function fact(name, value) {
  for (const node of findAll(`[data-fact="${name}"]`)) node.textContent = value;
}

function showModel() {
  const { encoder, side, decoder, state, normaliser, vocabulary } = told.model;
  fact("encoder", encoder);
  fact("side", `${side} × ${side}`);
  fact("grid", `${rows()} × ${columns()}`);
  fact("size", told.cells.size);
  fact("decoder", decoder);
  fact("state", state);
  fact("normaliser", normaliser);
  fact("cells", rows() * columns());
  fact("even", percent(1 / (rows() * columns())));
  fact("vocabulary", vocabulary.toLocaleString("en"));
  for (const node of findAll(".only-cells")) node.hidden = !told.cells.size;
}

function showWord() {
  const sorted = weights().sort((a, b) => b - a);
  let [few, sum] = [0, 0];
  while (sum < 0.5 && few < sorted.length) sum += sorted[few++];
  fact("before", chosen ? before() : "nothing yet");
  fact("most", percent(sorted[0]));
  fact("few", few === 1 ? "it alone holds half of all" : `${few} cells hold half of all`);
  findAll(".words button").forEach((node, index) => {
    node.setAttribute("aria-pressed", String(index === chosen));
    node.tabIndex = index === chosen ? 0 : -1;
    node.classList.toggle("ahead", index > chosen);
  });
  const { alternatives, text } = word();
  find(".likeliest").replaceChildren(...alternatives.map(([other, probability]) => likely(other, probability, other === text)));
  const first = alternatives[0][0] === text;
  const why = first ? `It writes “${text}”, the likeliest.` : `It writes “${text}”: not the likeliest word here, but the search found that it leads to the likelier sentence.`;
  find(".choice").textContent = why;
  find(".next").textContent = chosen + 1 < caption().words.length ? "Ask for the next word" : "Start over at the first word";
}

function likely(text, probability, isWritten) {
  const item = make("li", isWritten ? "written" : "");
  item.style.setProperty("--share", probability);
  item.append(make("span", "text", text === "<end>" ? "(end)" : text), make("span", "track"), make("span", "share", percent(probability)));
  return item;
}

function choose(index) {
  chosen = index;
  showWord();
  draw();
  tell();
}

function readStep(name) {
  if (!told || root.dataset.step === name) return;
  root.dataset.step = name;
  for (const node of findAll(".places button")) node.setAttribute("aria-current", node.dataset.step === name ? "step" : "false");
  for (const node of steps) node.classList.toggle("read", node.dataset.step === name);
  draw();
  tell();
}

const isNarrow = () => find(".figure").offsetWidth > 0.8 * root.offsetWidth;

// The step that is read is the one at the reading line: the middle, or on a phone a little below the figure.
function followScroll() {
  if (!told || !root.offsetParent) return; // another tab
  const below = Math.max(find(".figure").getBoundingClientRect().bottom, 0);
  const line = isNarrow() ? below + 0.3 * (innerHeight - below) : innerHeight / 2;
  const above = steps.filter((node) => node.getBoundingClientRect().top <= line);
  readStep((above.at(-1) || steps[0]).dataset.step);
}

function goTo(name) {
  const node = steps.find((step) => step.dataset.step === name);
  const { top, height } = node.getBoundingClientRect();
  const wanted = isNarrow() ? find(".figure").offsetHeight + 4 : (innerHeight - height) / 2;
  scrollTo({ top: scrollY + top - wanted, behavior: still ? "auto" : "smooth" });
  node.focus({ preventScroll: true });
}

function receive() {
  const message = props.value;
  if (!message || message.id === told?.id) return;
  told = message;
  cell = -1;
  root.dataset.state = "filled";
  find(".photo").src = told.photo.url;
  stage.style.setProperty("--ratio", told.size[0] / told.size[1]);
  stage.setAttribute("aria-label", `Photo: ${caption().sentence} Arrow keys point at its cells.`);
  find(".words").replaceChildren(
    ...caption().words.map(({ text }, index) => {
      const node = make("button", "", text);
      node.type = "button";
      node.addEventListener("click", () => choose(index));
      return node;
    }),
  );
  if (!caption().words.length) return void (find(".told").textContent = "The model wrote no words about this photo.");
  // A word that says what is there teaches more than an article.
  const { words } = caption();
  const says = words.some(({ confidence }) => confidence !== null) ? ({ confidence }) => confidence !== null : () => true;
  const seen = words.map((one) => (says(one) ? Math.max(...one.mask.flat()) : 0));
  chosen = seen.indexOf(Math.max(...seen));
  showModel();
  showWord();
  const step = root.dataset.step;
  root.dataset.step = "";
  readStep(step);
  followScroll();
}

find(".words").addEventListener("keydown", (event) => {
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way || !told) return;
  event.preventDefault();
  choose(Math.min(caption().words.length - 1, Math.max(0, chosen + way)));
  find(".words").children[chosen].focus({ preventScroll: true });
});
find(".next").addEventListener("click", () => choose((chosen + 1) % caption().words.length));
for (const node of findAll(".places button")) node.addEventListener("click", () => goTo(node.dataset.step));
addEventListener("scroll", followScroll, { passive: true });
new ResizeObserver(() => told && draw()).observe(stage);
watch("value", receive);
receive();
