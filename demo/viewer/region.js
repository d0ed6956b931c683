// ---- region: looking back from a place on the photo to the words that looked there ----------------------------------

const regionBox = find(".region");
const lookBack = find(".look-back");
const MIN_DRAG = 0.02;

// Share of a word's attention inside the region; a cell that is cut counts by the part inside.
function lookedAt(index) {
  const [left, top, right, bottom] = picture.box;
  const mask = caption.words[index].mask;
  const inside = (start, size, low, high) => Math.max(0, Math.min(start + size, high) - Math.max(start, low)) / size;
  const width = (right - left) / gridColumns();
  const height = (bottom - top) / gridRows();
  let sum = 0;
  mask.forEach((row, r) => {
    const tall = inside(top + r * height, height, region.top, region.bottom);
    if (tall) row.forEach((value, c) => (sum += value * tall * inside(left + c * width, width, region.left, region.right)));
  });
  return sum;
}

// The share of the grid that the region covers: what a word that looks nowhere in particular would spend on it.
function evenShare() {
  const [left, top, right, bottom] = picture.box;
  const across = Math.max(0, Math.min(region.right, right) - Math.max(region.left, left)) / (right - left);
  const down = Math.max(0, Math.min(region.bottom, bottom) - Math.max(region.top, top)) / (bottom - top);
  return across * down;
}

function showRanking() {
  const ranked = caption.words.map((word, index) => [lookedAt(index), index]).sort((a, b) => b[0] - a[0]);
  const rows = ranked.map(([share, index]) => {
    const node = button("looker");
    node.style.setProperty("--share", share);
    node.append(make("span", "text", caption.words[index].text), make("span", "track"), make("span", "share", percent(share)));
    node.setAttribute("aria-pressed", String(index === chosen));
    node.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && !timer && choose(index));
    node.addEventListener("click", () => choose(index));
    const item = make("li");
    item.append(node);
    return item;
  });
  const focused = document.activeElement?.classList.contains("looker") ? chosen : -1;
  find(".area").textContent = `Share of each word's attention inside the box; an even look would give ${percent(evenShare())}.`;
  find(".ranking").replaceChildren(...rows);
  if (focused >= 0) rows[ranked.findIndex(([, index]) => index === focused)].firstChild.focus({ preventScroll: true });
}

function selectRegion(box) {
  region = box;
  regionBox.hidden = !box;
  lookBack.setAttribute("aria-pressed", String(Boolean(box)));
  if (box) {
    for (const side of ["left", "top"]) regionBox.style[side] = `${100 * box[side]}%`;
    regionBox.style.width = `${100 * (box.right - box.left)}%`;
    regionBox.style.height = `${100 * (box.bottom - box.top)}%`;
  }
  markWords();
  markViews();
  showPanel();
}

function cellAt(x, y) {
  const [left, top, right, bottom] = picture.box;
  const column = clamp(Math.floor(((x - left) / (right - left)) * gridColumns()), 0, gridColumns() - 1);
  const row = clamp(Math.floor(((y - top) / (bottom - top)) * gridRows()), 0, gridRows() - 1);
  return { row, column };
}

// The cells from one to another, as a region.
function cellsBetween(first, last) {
  const [left, top, right, bottom] = picture.box;
  const x = (column) => left + ((right - left) * column) / gridColumns();
  const y = (row) => top + ((bottom - top) * row) / gridRows();
  return {
    left: Math.max(0, x(Math.min(first.column, last.column))),
    right: Math.min(1, x(Math.max(first.column, last.column) + 1)),
    top: Math.max(0, y(Math.min(first.row, last.row))),
    bottom: Math.min(1, y(Math.max(first.row, last.row) + 1)),
  };
}

function placeOf(event) {
  const frame = stage.getBoundingClientRect();
  return { x: clamp((event.clientX - frame.left) / frame.width, 0, 1), y: clamp((event.clientY - frame.top) / frame.height, 0, 1) };
}

// What a finger or the mouse is doing on the photo, until it is over: {id, from, before, touch, drawing}. A browser may
// take a touch for scrolling at any moment, and a gesture that is not finished must leave nothing behind.
let gesture = null;

const isFar = (to) => Math.abs(to.x - gesture.from.x) >= MIN_DRAG || Math.abs(to.y - gesture.from.y) >= MIN_DRAG;

// A finger that moves up or down scrolls; it draws once it has moved aside.
const isDrawing = (to, event) => isFar(to) && (!gesture.touch || Math.abs(event.clientX - gesture.x) > Math.abs(event.clientY - gesture.y));

function giveUpGesture() {
  if (!gesture) return;
  const { before, drawing } = gesture;
  gesture = null;
  if (drawing) selectRegion(before);
}

stage.addEventListener("pointerdown", (event) => {
  if (gesture) return giveUpGesture(); // a second finger: no box, but a pinch
  if (!hasWords() || event.button !== 0 || !event.isPrimary) return;
  const touch = event.pointerType === "touch";
  gesture = { id: event.pointerId, from: placeOf(event), x: event.clientX, y: event.clientY, before: region, touch, drawing: false };
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", (event) => {
  if (event.pointerId !== gesture?.id) return;
  const to = placeOf(event);
  if (!gesture.drawing && !isDrawing(to, event)) return;
  if (!gesture.drawing) stop();
  gesture.drawing = true;
  if (!isFar(to)) return;
  const { from } = gesture;
  selectRegion({
    left: Math.min(to.x, from.x),
    right: Math.max(to.x, from.x),
    top: Math.min(to.y, from.y),
    bottom: Math.max(to.y, from.y),
  });
});
stage.addEventListener("pointerup", (event) => {
  if (event.pointerId !== gesture?.id) return;
  const to = placeOf(event);
  const { drawing } = gesture;
  const tapped = !isFar(to);
  gesture = null;
  if (drawing || !tapped) return;
  stop();
  const within = region && to.x >= region.left && to.x <= region.right && to.y >= region.top && to.y <= region.bottom;
  const cell = cellAt(to.x, to.y);
  selectRegion(within ? null : cellsBetween(cell, cell));
});
for (const lost of ["pointercancel", "lostpointercapture"]) {
  stage.addEventListener(lost, (event) => event.pointerId === gesture?.id && giveUpGesture());
}

// By keyboard: the arrows move the box by a cell, with Shift they move its far corner.
let corners = null;

function startLookingBack() {
  const middle = { row: Math.floor(gridRows() / 2), column: Math.floor(gridColumns() / 2) };
  corners = [middle, { ...middle }];
  selectRegion(cellsBetween(...corners));
  stage.focus({ preventScroll: true });
}

function moveRegion(key, far) {
  if (!corners) {
    const inset = 1e-6;
    corners = [cellAt(region.left + inset, region.top + inset), cellAt(region.right - inset, region.bottom - inset)];
  }
  const [rows, columns] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  const moved = far ? [corners[1]] : corners;
  const fits = moved.every(
    (cell) => clamp(cell.row + rows, 0, gridRows() - 1) === cell.row + rows && clamp(cell.column + columns, 0, gridColumns() - 1) === cell.column + columns,
  );
  if (!fits) return;
  for (const cell of moved) {
    cell.row += rows;
    cell.column += columns;
  }
  selectRegion(cellsBetween(...corners));
}

lookBack.addEventListener("click", () => {
  stop();
  if (region) selectRegion(null);
  else startLookingBack();
});
