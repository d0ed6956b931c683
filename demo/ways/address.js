// ---- address: settings stand in the address of the page, so that a link shows another what one sees --------------------

const link = find(".link");
const standard = Object.fromEntries(props.controls.map(({ name, value }) => [name, value]));
let currentSettings = { ...standard };

// A value that a control can take; undefined for any other.
function allowed(control, text) {
  if (control.switch) return { true: true, false: false }[text];
  if (control.letters) return text.length <= control.letters ? text : undefined;
  if (control.choices) return control.choices.includes(text) ? text : undefined;
  const value = Number(text);
  if (text.trim() === "" || !(value >= control.minimum && value <= control.maximum)) return undefined;
  const steps = Math.round((value - control.minimum) / control.step);
  return Number((control.minimum + steps * control.step).toFixed(6));
}

function showAddress() {
  const address = new URL(location.href);
  for (const { name } of props.controls) address.searchParams.delete(name);
  for (const { name } of props.controls) {
    if (currentSettings[name] !== standard[name] && currentSettings[name] != null) address.searchParams.set(name, currentSettings[name]);
  }
  if (address.href !== location.href) history.replaceState(history.state, "", address);
  link.href = address.href;
}

function choose(values) {
  act("choose", values);
}

function readAddress() {
  const asked = new URL(location.href).searchParams;
  const read = ({ name, ...control }) => (asked.has(name) ? allowed(control, asked.get(name)) : undefined);
  const values = props.controls.map(read);
  if (values.some((value) => value !== undefined)) {
    props.controls.forEach(({ name }, i) => (currentSettings[name] = values[i] ?? standard[name]));
    choose(props.controls.map(({ name }) => currentSettings[name]));
  }
  showAddress();
}

link.addEventListener("click", async (event) => {
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(link.href);
    say("Link copied. It holds the settings, not the photo.");
  } catch {
    say(`The link: ${link.href}`); // no clipboard without https
  }
});
