// ---- welcome: a first visit starts with a result, the caption of an example --------------------------------------------

const OWN = ["pointerdown", "keydown", "paste", "drop", "change"]; // what only a visitor does
let isOwn = false;

function leaveToVisitor() {
  isOwn = true;
  delete document.body.dataset.arriving;
  OWN.forEach((event) => removeEventListener(event, leaveToVisitor, true));
}

function isKept() {
  try {
    return Boolean(localStorage.getItem(MARK));
  } catch {
    return false; // storage is switched off
  }
}

// The example is in the field at once, without a question to the server: it cannot replace a photo that comes meanwhile.
function welcome() {
  if (isOwn || isKept() || addressIn(FIELDS.one)) return;
  document.body.dataset.arriving = "";
  const { path, orig_name } = props.example;
  const url = new URL(`gradio_api/file=${path}`, location.href).href;
  act("arrive", [{ path, url, orig_name, meta: { _type: "gradio.FileData" } }]);
}

OWN.forEach((event) => addEventListener(event, leaveToVisitor, true));
