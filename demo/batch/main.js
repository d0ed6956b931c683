// Body of the function that gr.HTML calls once with (element, trigger, props, server, upload, watch).

const find = (selector) => element.querySelector(selector);
const root = find(".batch");
const body = find("tbody");
const sheetsButton = find(".sheets");

let rows = [];
let model = "";
let first = null; // when the first rows came, and how many: {time, count}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function thumbnailOf(row) {
  if (!row.photo) return make("span", "missing", "–");
  const image = make("img");
  image.src = row.photo.url;
  image.alt = "";
  return image;
}

// The sentence is the way into the viewer; a click on any place of the row takes it too.
function sentenceOf(row) {
  if (row.error) return make("span", "text", row.error);
  const node = make("button", "text", row.sentence || "No words.");
  node.type = "button";
  node.title = "Show its masks in the viewer";
  return node;
}

function numberOf(row) {
  const bar = make("div", "bar");
  bar.style.setProperty("--share", row.confidence);
  bar.append(make("span", "track"), make("span", "share", `${Math.round(100 * row.confidence)} %`));
  if (row.sure === false) bar.append(make("span", "unsure", "not sure"));
  return bar;
}

function rowOf(row) {
  const line = make("tr", row.error ? "error" : "opens");
  const [thumb, text, number] = [make("td", "thumb"), make("td"), make("td", "number")];
  thumb.append(thumbnailOf(row));
  text.append(sentenceOf(row), make("span", "file", row.file));
  line.append(thumb, text);
  if (row.error) text.colSpan = 2;
  else line.append(number);
  if (row.confidence !== null) number.append(numberOf(row));
  if (row.original) {
    const detail = { address: row.original.url, model };
    line.addEventListener("click", () => document.dispatchEvent(new CustomEvent("ways:open", { detail })));
  }
  return line;
}

// ---- which rows are shown --------------------------------------------------------------------------------------------

const isLike = {
  all: () => true,
  sure: (row) => !row.error && row.sure !== false,
  unsure: (row) => row.sure === false,
  error: (row) => Boolean(row.error),
};

function applyFilter() {
  const wanted = find(".filter .words").value.trim().toLowerCase();
  const kind = isLike[find(".kind").value];
  let count = 0;
  rows.forEach((row, i) => {
    const fits = kind(row) && `${row.sentence ?? row.error} ${row.file}`.toLowerCase().includes(wanted);
    body.children[i].hidden = !fits;
    count += fits;
  });
  find(".none").hidden = count > 0 || rows.length === 0;
}

// ---- how far it is ---------------------------------------------------------------------------------------------------

// The first rows wait for the model to be read, so that time counts from them on.
function timeLeft(total) {
  if (!rows.length) return "";
  first ??= { time: performance.now(), count: rows.length };
  if (rows.length === first.count || rows.length === total) return "";
  const seconds = ((performance.now() - first.time) / 1000 / (rows.length - first.count)) * (total - rows.length);
  return seconds < 90 ? `, about ${Math.max(1, Math.ceil(seconds))} s left` : `, about ${Math.round(seconds / 60)} min left`;
}

// What another batch was searched for would hide rows of this one.
function beginAnew() {
  first = null;
  find(".filter .words").value = "";
  find(".kind").value = "all";
}

function receiveRows(message) {
  const { total, running } = message;
  if (!message.rows.length) beginAnew();
  if (model !== message.model || message.rows.length < rows.length) body.replaceChildren();
  ({ rows, model } = message);
  root.dataset.state = total === 0 ? "empty" : running ? "running" : "done";
  body.append(...rows.slice(body.children.length).map(rowOf));
  applyFilter();
  const failed = rows.filter((row) => row.error).length;
  const all = rows.length === total;
  const count = all ? `${total} ${total === 1 ? "photo" : "photos"}` : `${rows.length} of ${total} photos`;
  const said = `${count}${failed ? `, ${failed} could not be read` : ""}`;
  find(".count").textContent = running ? said + timeLeft(total) : all ? said : `Stopped: ${said}`;
  find(".announcement").textContent = running ? "" : find(".count").textContent;
  find(".stop").disabled = !running;
  find("progress").value = total ? rows.length / total : 0;
  showSheets();
}

// ---- contact sheets --------------------------------------------------------------------------------------------------

function showSheets(text = "") {
  sheetsButton.textContent = text || "Contact sheets (ZIP)";
  sheetsButton.disabled = Boolean(text) || !rows.some((row) => row.text);
}

sheetsButton.addEventListener("click", () => {
  const drawn = rows.filter((row, i) => row.text && !body.children[i].hidden);
  if (!drawn.length) return;
  const photoOf = ({ original }) => ({ path: original.path, orig_name: original.orig_name });
  showSheets("Drawing …");
  trigger("sheets", { model, rows: drawn.map((row) => ({ photo: photoOf(row), text: row.text })) });
});

function receiveFile({ file }) {
  showSheets();
  const link = make("a");
  link.href = file.url;
  link.download = file.orig_name;
  link.click();
}

function receive() {
  const message = props.value || { kind: "rows", rows: [], total: 0, model: "", running: false };
  if (message.kind === "rows") receiveRows(message);
  else if (message.kind === "making") showSheets(`Drawing ${message.done} of ${message.total} …`);
  else if (message.kind === "file") receiveFile(message);
  else showSheets();
}

find(".filter .words").addEventListener("input", applyFilter);
find(".kind").addEventListener("change", applyFilter);
find(".stop").addEventListener("click", () => {
  find(".stop").disabled = true;
  trigger("stop");
});
watch("value", receive);
receive();
