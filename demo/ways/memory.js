// ---- memory: the last photo and its caption, kept by this browser until they are forgotten -----------------------------

const forgetButton = find(".forget");
const MARK = "captioner.kept"; // readable at once, where a database takes a moment
const LARGEST = 20_000_000;

function database() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("captioner", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("last");
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

// Do one thing with what is kept; browsers that keep nothing, as in private windows, are no fault.
async function kept(mode, act) {
  try {
    const base = await database();
    return await new Promise((resolve, reject) => {
      const asked = act(base.transaction("last", mode).objectStore("last"));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    }).finally(() => base.close());
  } catch {
    return undefined;
  }
}

function mark(on) {
  forgetButton.hidden = !on;
  try {
    if (on) localStorage.setItem(MARK, props.version);
    else localStorage.removeItem(MARK);
  } catch {} // storage is switched off
}

// The caption on view as the server sent it, with what it learned since, and the photo: {caption, photo, copy}.
let shown = null;

function lookAt(caption) {
  const address = addressIn(FIELDS.one);
  const { path } = caption.question.photo;
  if (!decodeURI(address).endsWith(path)) return null; // another photo has come meanwhile
  if (path === document.body.dataset.arrival && caption.rewritten === undefined) return null; // nobody chose this one
  const files = [address, caption.photo.url].map((one) => fileAt(one).catch(() => null));
  return { caption: structuredClone(caption), photo: files[0], copy: files[1] };
}

async function remember(one) {
  const [photo, copy] = await Promise.all([one.photo, one.copy]);
  if (!photo || !copy || photo.size > LARGEST || shown !== one) return;
  const last = { version: props.version, photo, copy, caption: one.caption };
  // It may have been forgotten while the database was opened.
  const saved = await kept("readwrite", (store) => (shown === one ? store.put(last, "last") : store.get("last")));
  if (shown === one) mark(Boolean(saved));
}

async function forget() {
  shown = null;
  mark(false);
  await kept("readwrite", (store) => store.delete("last"));
}

function receiveMessage(message) {
  if (!message) {
    mendPreview(null);
    shown = null;
  } else if (message.kind === "caption") {
    if (!message.writing) mendPreview(message);
    shown = message.writing ? null : lookAt(message);
    if (shown) remember(shown);
  } else if (message.kind === "leaning" && shown) {
    for (const one of shown.caption.captions) if (one.text === message.text) one.leaning = message.leaning;
    remember(shown);
  }
}

// After a reload: the caption as it was, and the photo once more on the server, where its old copy may be gone.
async function recall() {
  const last = await kept("readonly", (store) => store.get("last"));
  if (!last || last.version !== props.version) return forget();
  if (addressIn(FIELDS.one)) return; // its visitor was faster
  try {
    const [photo, copy] = await Promise.all([last.photo, last.copy].map((file) => upload(file)));
    const file = ({ path, url }, { name }) => ({ path, url, orig_name: name, meta: { _type: "gradio.FileData" } });
    const caption = { ...last.caption, id: Date.now(), photo: file(copy, last.copy) };
    caption.question = { ...caption.question, photo: { path: photo.path, orig_name: last.photo.name } };
    if (addressIn(FIELDS.one)) return;
    act("show", [file(photo, last.photo), caption]);
    mark(true);
  } catch {
    say("The photo of last time could not be shown again.");
  }
}

forgetButton.addEventListener("click", async () => {
  await forget();
  act("show", [null, null]);
  newest = "";
  say("Forgotten: this browser keeps no photo and no caption.");
});
