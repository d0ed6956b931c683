// Names for what Gradio leaves nameless: its gallery of examples shows pictures without a word.
() => {
  const name = () => {
    for (const button of document.querySelectorAll(".gallery-item:not([aria-label])")) {
      const file = button.querySelector("img")?.src.split("/").pop();
      if (file) button.setAttribute("aria-label", `Example: ${decodeURIComponent(file).replace(/\.\w+$/, "")}`);
    }
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true, attributeFilter: ["src"] });
  name();
};
