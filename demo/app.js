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

  // "Use via API" asks for what this server has not; answered here, it puts no 404 into the console.
  const ABSENT = /\/(gradio_api\/mcp\/schema|monitoring\/summary)$/;
  const fetched = window.fetch;
  window.fetch = (what, how) => {
    const isAbsent = ABSENT.test(String(what?.url ?? what));
    return isAbsent ? Promise.resolve(new Response("{}", { status: 404 })) : fetched(what, how);
  };
};
