// Body of the function that gr.HTML calls once with (element, trigger, props, server, upload, watch), in several files.
// ---- fields: Gradio's inputs of photos, filled in the way that a visitor fills them ------------------------------------

const find = (selector) => element.querySelector(selector);
const FIELDS = { one: "#photo", two: "#compare-photo", many: "#photos" };

const openTab = () => document.querySelector('#tabs [role="tab"][aria-selected="true"]')?.getAttribute("aria-controls");

// Once something on the page fits, the node; null where nothing does for some seconds.
function appears(selector) {
  return new Promise((resolve) => {
    const end = performance.now() + 5000;
    const look = () => {
      const node = document.querySelector(selector);
      if (node || performance.now() > end) resolve(node);
      else setTimeout(look, 30);
    };
    look();
  });
}

async function goTo(tab) {
  if (openTab() === tab) return;
  (await appears(`#tabs [role="tab"][aria-controls="${tab}"], #${tab}-button`))?.click();
}

// A list that holds photos takes no others.
async function empty(list) {
  list.querySelector('[aria-label="Clear"]')?.click();
  await appears(`${FIELDS.many}:not(:has([aria-label="Clear"]))`);
}

// Put files into the field of a tab; it may stand open at the camera or the clipboard.
async function give(tab, files) {
  const field = await appears(FIELDS[tab]);
  if (!field) return;
  if (tab === "many") await empty(field);
  else if (!field.querySelector("input[type=file]")) field.querySelector('[aria-label="Upload file"]')?.click();
  const input = await appears(`${FIELDS[tab]} input[type=file]`);
  if (!input) return say("The field takes no file at the moment; remove its photo first.");
  const held = new DataTransfer();
  for (const file of files) held.items.add(file);
  input.files = held.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

// What a field shows: the address of the photo as it was uploaded.
function addressIn(field) {
  const image = document.querySelector(`${field} img`);
  if (!image) return "";
  return image.src === image.dataset.copy ? image.dataset.uploaded : image.src;
}

async function fileAt(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the photo is gone: ${answer.status}`);
  const content = await answer.blob();
  return new File([content], decodeURIComponent(address.split("/").pop()), { type: content.type });
}

let silence = 0;
function say(text) {
  clearTimeout(silence);
  find(".note").textContent = text;
  silence = setTimeout(() => (find(".note").textContent = ""), 8000);
}

// A browser that cannot show a kind of file would show a broken picture: put the server's copy in its place, and take
// away what the server refused.
function mendPreview(caption) {
  const image = document.querySelector(`${FIELDS.one} img`);
  if (!image || !image.complete || image.naturalWidth) return;
  if (!caption) return document.querySelector(`${FIELDS.one} [aria-label="Remove Image"]`)?.click();
  image.dataset.uploaded = image.src;
  image.src = image.dataset.copy = caption.photo.url;
}
