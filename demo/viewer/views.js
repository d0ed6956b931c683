// ---- views: all words at a glance, as a contact sheet or as a matrix of words against cells -------------------------

const THUMBNAIL = 128;
const sheet = find(".sheet");
const matrix = find(".matrix");
const cursor = find(".cursor");

function setView(view) {
  root.dataset.view = view;
  press(findAll(".views button"), (node) => node.dataset.view === view);
  sheet.hidden = view !== "sheet";
  matrix.hidden = view !== "matrix";
  find(".display").hidden = view === "sheet";
  wordList.hidden = view === "matrix" || view === "sheet";
  cursor.hidden = true;
  fillView();
}

// Views are filled when they are looked at: they cost as much as all words together.
function fillView() {
  sheet.replaceChildren();
  matrix.replaceChildren();
  if (!hasWords()) return;
  if (root.dataset.view === "sheet") sheet.append(...caption.words.map(thumbnail));
  if (root.dataset.view === "matrix") matrix.append(...caption.words.map(matrixRow), matrixFoot());
  repaintView();
  markViews();
}

function thumbnail(word, index) {
  const node = button("thumbnail");
  const frame = make("span", "frame");
  frame.style.setProperty("--ratio", picture.size[0] / picture.size[1]);
  const image = make("img");
  image.src = photo.src;
  image.alt = "";
  frame.append(image, make("canvas"));
  node.append(frame, make("span", "text", word.text), make("span", "share", percent(word.probability)));
  node.addEventListener("focus", () => choose(index));
  node.addEventListener("click", () => {
    stop();
    choose(index);
    setView("words");
    wordList.children[index].focus({ preventScroll: true });
  });
  return node;
}

function matrixRow(word, index) {
  const row = make("div", "row");
  const name = button("name", word.text);
  name.addEventListener("focus", () => choose(index));
  name.addEventListener("click", () => choose(index));
  const strip = make("div", "strip");
  strip.style.setProperty("--groups", gridRows());
  strip.append(make("canvas"));
  const point = (event) => {
    const frame = strip.getBoundingClientRect();
    const cell = clamp(Math.floor(((event.clientX - frame.left) / frame.width) * gridRows() * gridColumns()), 0, gridRows() * gridColumns() - 1);
    if (index !== chosen && !timer) choose(index);
    showCell(index, Math.floor(cell / gridColumns()), cell % gridColumns());
  };
  // A finger points by a tap; while it moves it may be on its way to scroll.
  strip.addEventListener("pointermove", (event) => event.pointerType === "touch" || point(event));
  strip.addEventListener("click", point);
  strip.addEventListener("pointerleave", hideCell);
  row.append(name, strip);
  return row;
}

function matrixFoot() {
  const foot = make("div", "row foot");
  const axis = make("span", "axis");
  axis.append(make("span", "", "top row of the photo"), make("span", "", "bottom row"));
  foot.append(make("span", "name"), axis);
  return foot;
}

function showCell(index, row, column) {
  const box = cellsBetween({ row, column }, { row, column });
  cursor.hidden = false;
  cursor.style.left = `${100 * box.left}%`;
  cursor.style.top = `${100 * box.top}%`;
  cursor.style.width = `${100 * (box.right - box.left)}%`;
  cursor.style.height = `${100 * (box.bottom - box.top)}%`;
  find(".matrix .foot .name").textContent = percent(caption.words[index].mask[row][column]);
}

function hideCell() {
  cursor.hidden = true;
  find(".matrix .foot .name").textContent = "";
}

function repaintView() {
  findAll(".sheet canvas").forEach((target, index) => {
    shape(target, THUMBNAIL);
    paint(target, levels(index), 1);
  });
  findAll(".matrix canvas").forEach((target, index) => paintStrip(target, levels(index)));
}

function markViews() {
  for (const list of [findAll(".sheet .thumbnail"), findAll(".matrix .name:is(button)")]) {
    list.forEach((node, index) => {
      node.setAttribute("aria-pressed", String(index === chosen));
      node.tabIndex = index === Math.max(chosen, 0) ? 0 : -1;
      node.style.setProperty("--tint", tint(index).toFixed(3));
      node.classList.toggle("unseen", !region && isUnseen(index));
    });
  }
}

for (const node of findAll(".views button")) node.addEventListener("click", () => setView(node.dataset.view));
