// ---- arrivals: photos that are dropped or pasted, anywhere on the page -------------------------------------------------

const veil = find(".veil");
let unveil = 0;

const holdsFiles = (transfer) => Boolean(transfer) && [...transfer.types].includes("Files");
const takesText = (node) => node instanceof Element && node.closest("textarea, input:not([type=file], [type=range], [type=checkbox], [type=radio]), [contenteditable]");

// The files of a drop, with those in folders; entries must be asked for before the event is over.
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.());
  if (!entries.some((entry) => entry?.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.filter(Boolean).map(filesIn))).flat();
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...(await filesIn(one)));
  }
}

// Photos go to the tab that is open, or to the one for as many.
async function arrive(files) {
  if (!files.length) return;
  if (files.length > props.most) return say(`At most ${props.most} photos at once; these are ${files.length}.`);
  const open = openTab();
  const tab = files.length > 1 || open === "many" ? "many" : open === "two" ? "two" : "one";
  await goTo(tab);
  await give(tab, files);
}

function showVeil(on) {
  clearTimeout(unveil);
  veil.hidden = !on;
  if (on) unveil = setTimeout(() => (veil.hidden = true), 400); // dragging out of the window tells nobody
}

function onDrag(event) {
  const files = holdsFiles(event.dataTransfer);
  if (!files && takesText(event.target)) return;
  event.preventDefault();
  event.stopPropagation();
  if (event.dataTransfer) event.dataTransfer.dropEffect = files ? "copy" : "none";
  showVeil(files);
}

function onDrop(event) {
  if (!holdsFiles(event.dataTransfer) && takesText(event.target)) return;
  event.preventDefault(); // else the browser leaves the page for the photo
  event.stopPropagation();
  showVeil(false);
  if (holdsFiles(event.dataTransfer)) filesOf(event.dataTransfer).then(arrive, () => say("The files could not be read."));
}

function onPaste(event) {
  const files = [...(event.clipboardData?.files || [])];
  if (!files.length) return; // text goes where text goes
  event.preventDefault();
  event.stopPropagation();
  arrive(files);
}
