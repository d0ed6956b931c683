// ---- along: the photo of one tab is there on the next ------------------------------------------------------------------

let newest = "";
const seen = {};

// Note which photo came last, whatever way it came; one that is removed from the open tab goes nowhere.
function noteNewest() {
  for (const field of [FIELDS.one, FIELDS.two]) {
    const address = addressIn(field);
    if (!address && seen[field] === newest && field === FIELDS[tabBefore]) newest = "";
    if (address && address !== seen[field]) newest = address;
    seen[field] = address;
  }
}

// The example that a visit starts with, which nobody chose.
function isOfArrival(address) {
  const { arrival } = document.body.dataset;
  return Boolean(arrival) && decodeURIComponent(address).endsWith(arrival);
}

async function takeAlong(tab) {
  const field = FIELDS[tab];
  if (!["one", "two"].includes(tab) || !newest || isOfArrival(newest) || addressIn(field) === newest) return;
  try {
    await give(tab, [await fileAt(newest)]);
  } catch {
    newest = ""; // it is no longer there
  }
}

let tabBefore = "";
function watchPage() {
  const tab = openTab();
  if (tab === tabBefore) return noteNewest();
  const known = newest;
  tabBefore = tab;
  if (known) takeAlong(tab);
}

// A row of a table asks to be seen in the viewer, captioned as it was there.
async function openPhoto({ address, model }) {
  const photo = await fileAt(address);
  choose(props.controls.map(({ name }) => (name === "model" ? model || standard.model : standard[name])));
  await goTo("one");
  await give("one", [photo]);
  document.querySelector("#viewer")?.scrollIntoView({ block: "nearest" });
}
