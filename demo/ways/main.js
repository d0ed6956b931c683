// ---- who listens to what -------------------------------------------------------------------------------------------------

// Have Gradio put values into other components.
function act(name, values) {
  (find(".ways").given ??= {})[name] = values;
  if (name === "show") trigger("show");
  else if (name === "arrive") trigger("arrive");
  else trigger("choose");
}

const told = {
  caption: ([message]) => receiveMessage(message),
  begin: () => trigger("begin"),
  cleared: () => {
    newest = "";
    forget();
  },
  written: ([photo]) => photo || act("show", [null, null]), // it was removed before the page knew what to cancel
  settings: (values) => {
    props.controls.forEach(({ name }, i) => (currentSettings[name] = values[i]));
    showAddress();
  },
};
for (const [name, receive] of Object.entries(told)) document.addEventListener(`ways:${name}`, (event) => receive(event.detail));
document.addEventListener("ways:open", (event) => openPhoto(event.detail).catch(() => say("That photo is no longer here; upload it again.")));

// Before Gradio's own fields see them.
for (const name of ["dragenter", "dragover"]) document.addEventListener(name, onDrag, true);
document.addEventListener("drop", onDrop, true);
document.addEventListener("paste", onPaste, true);
new MutationObserver(watchPage).observe(document.body, { childList: true, subtree: true, attributeFilter: ["src", "aria-selected"] });

readAddress();
recall();
welcome();
