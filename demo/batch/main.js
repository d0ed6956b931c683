// Body of the function that gr.HTML calls once with (element, trigger, props, server, upload, watch).

const find = (selector) => element.querySelector(selector);
const root = find(".batch");

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function rowOf(row) {
  const line = make("tr", row.error ? "error" : "");
  const thumb = make("td", "thumb");
  if (row.photo) {
    const image = make("img");
    image.src = row.photo.url;
    image.alt = "";
    thumb.append(image);
  } else {
    thumb.append(make("span", "missing", "–"));
  }
  const text = make("td");
  text.append(make("span", "text", row.error ?? row.caption), make("span", "file", row.file));
  const number = make("td", "number");
  if (row.confidence !== null) {
    const bar = make("div", "bar");
    bar.style.setProperty("--share", row.confidence);
    bar.append(make("span", "track"), make("span", "share", `${Math.round(100 * row.confidence)} %`));
    number.append(bar);
  }
  line.append(thumb, text, number);
  return line;
}

function receive() {
  const { rows, total } = props.value || { rows: [], total: 0 };
  root.dataset.state = total === 0 ? "empty" : rows.length < total ? "running" : "done";
  const body = find("tbody");
  while (body.children.length > rows.length || total === 0) {
    if (!body.lastChild) break;
    body.lastChild.remove();
  }
  body.append(...rows.slice(body.children.length).map(rowOf));
  const failed = rows.filter((row) => row.error).length;
  const done = rows.length < total ? `${rows.length} of ${total} photos` : `${total} ${total === 1 ? "photo" : "photos"}`;
  find(".count").textContent = failed ? `${done}, ${failed} could not be read` : done;
  find("progress").value = total ? rows.length / total : 0;
}

watch("value", receive);
receive();
