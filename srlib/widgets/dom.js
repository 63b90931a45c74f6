// What the scripts of the wizard's parts begin with.

/** A node with properties and attributes; children are nodes or strings. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name === "className" ? "class" : name, value);
  }
  // JupyterLab takes "d d", arrows and the like for itself unless the very element that has the focus carries this attribute.
  if (["button", "input", "select"].includes(tag)) node.setAttribute("data-lm-suppress-shortcuts", "true");
  node.append(...children);
  return node;
}

/** Calls `show` now and whenever one of the traits changes. */
function follow(model, names, show) {
  for (const name of names) model.on(`change:${name}`, show);
  show();
}

const PATIENCE = 15_000; // milliseconds until a silent kernel is mentioned

/**
 * A function that sends messages to the kernel, and a paragraph, hidden by the style sheet, that is seen where it does not
 * answer or where Jupyter knows that it is gone.
 */
function talk(model, el) {
  const gone = make("p", { class: "srlib-gone", role: "status" },
    "The kernel does not answer: it is busy, or it was restarted. If this stays, run the cell again or load the page again.");
  let timer;
  model.on("msg:custom", ({ heard }) => {
    if (!heard) return;
    clearTimeout(timer);
    el.classList.remove("srlib-silent");
  });
  function send(message, buffers = []) {
    model.send(message, undefined, buffers);
    clearTimeout(timer);
    timer = setTimeout(() => el.classList.add("srlib-silent"), PATIENCE);
  }
  return { send, gone };
}
