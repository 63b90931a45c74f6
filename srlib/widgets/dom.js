// The first part of every widget's script: the few helpers that all of them share.

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** An id that no other element has. crypto.randomUUID does not exist on plain http, except on localhost. */
let made = 0;
const uniqueId = () => `srlib-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}-${++made}`;

/**
 * A node with attributes and children (nodes or strings); "svg:" before the tag makes an SVG node.
 *
 * A value that is not a string sets the property of that name where there is one.
 */
function make(tag, attributes = {}, ...children) {
  const svg = tag.startsWith("svg:");
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!svg && typeof value !== "string" && name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  // JupyterLab deletes the cell on "d d" unless the very element that has the focus carries this attribute.
  if (["button", "input", "select"].includes(tag) || "tabindex" in attributes) {
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  }
  node.append(...children);
  return node;
}

/** Listen to an event of the model until the view is removed. */
function listen(model, signal, event, handler) {
  model.on(event, handler);
  signal.addEventListener("abort", () => model.off(event, handler));
}

/** Call `show` now, and whenever one of the traits changes. */
function follow(model, signal, names, show) {
  for (const name of names) listen(model, signal, `change:${name}`, show);
  show();
}

/** A function that sets traits, and tells the kernel of them once per frame. */
function setter(model, signal) {
  let saving = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(saving));
  return (state) => {
    for (const [name, value] of Object.entries(state)) model.set(name, value);
    saving ||= requestAnimationFrame(() => {
      saving = 0;
      model.save_changes();
    });
  };
}
