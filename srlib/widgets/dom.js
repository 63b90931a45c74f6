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

/** Said, by the style sheet, only once the kernel no longer listens. */
const gone = () => make("p", { class: "srlib-gone", role: "status" },
  "The kernel was restarted or has stopped. Run the cell again, or load the page again.");
