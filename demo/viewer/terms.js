// ---- terms: words of the page that need a line to explain them, on hover, on focus and on a tap ---------------------

const TERMS = {
  sure: "Mean chance, learned from pictures whose captions people wrote, that the words which say what is to be seen are ones that people would use. “Sure” means that nine of ten captions like this have most of them right.",
  chance: "Geometric mean of the probabilities of the words and of the end. It tells how usual the sentence is to the network, not how true it is.",
  leaning: "How much likelier the photo made the word: its probability is compared with the one that it has after the same words in front of a blank grey picture. Full tint: a hundred times.",
  looked: "Share of the word's attention that fell inside the box on the photo.",
  unseen: "The words before were reason enough: in front of a blank grey picture this word would have been about as likely.",
  probability: "The probability that the network gave this word after the words before it. A fluent word can be probable and wrong.",
  right: "Calibrated chance that people would use this word for the photo, whatever its ending. Small words such as “the” have none.",
  gate: "How far the network opened to what it looked at. Its scale differs from network to network, and it tells next to nothing about whether a word needed the photo.",
  sentinel: "Share of its attention that went to no place at all.",
  others: "Captions that say something else, from beams that are kept apart from each other. The number is the geometric mean of the probabilities of the words and of the end. The search also weighs how long a caption is, so that the one above need not have the largest.",
};
const explanation = find(".explanation");
explanation.id = `explanation-${Math.random().toString(36).slice(2)}`;

function term(key, text) {
  const node = button("term share small", text);
  node.dataset.term = key;
  return node;
}

let explained = null; // the term whose explanation is open

function hideTerm() {
  explained?.removeAttribute("aria-describedby");
  explained = null;
  if (explanation.matches(":popover-open")) explanation.hidePopover();
}

// In the top layer, so that no frame around the viewer cuts it off.
function showTerm(node) {
  if (node !== explained) hideTerm();
  explained = node;
  explanation.textContent = TERMS[node.dataset.term];
  node.setAttribute("aria-describedby", explanation.id);
  if (!explanation.matches(":popover-open")) explanation.showPopover();
  placeTerm();
}

function placeTerm() {
  const place = explained.getBoundingClientRect();
  const own = explanation.getBoundingClientRect();
  const below = place.bottom + 6 + own.height < innerHeight;
  explanation.style.left = `${clamp(place.left, 12, Math.max(12, innerWidth - own.width - 12))}px`;
  explanation.style.top = `${below ? place.bottom + 6 : place.top - own.height - 6}px`;
}

for (const [name, act] of [["pointerover", showTerm], ["focusin", showTerm], ["click", showTerm], ["pointerout", hideTerm], ["focusout", hideTerm]]) {
  root.addEventListener(name, (event) => {
    const node = event.target.closest(".term");
    if (node && !(name.startsWith("pointer") && event.pointerType !== "mouse")) act(node);
  });
}
root.addEventListener("keydown", (event) => event.key === "Escape" && hideTerm());
addEventListener("scroll", () => explained && (explained.isConnected ? placeTerm() : hideTerm()), { passive: true, capture: true });
