// What every page does once it is there: its comparisons are the widget's own script over stored pictures, with a model
// that no kernel listens to; and readers who use the keyboard or a screen reader reach all of it.

const comparisons = [];

/** What the page of one comparison calls, with the state of the widget; binary values are base64. */
window.compareStored = (id, state) => comparisons.push([id, state]);

const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

function storedModel(state) {
  const values = { ...state, pictures: state.pictures.map(bytes) };
  const listeners = new Map();
  return {
    get: (name) => values[name],
    set(name, value) {
      values[name] = value;
      (listeners.get(`change:${name}`) ?? []).forEach((handler) => handler());
    },
    save_changes: async () => {},
    send: async () => {},
    on: (event, handler) => listeners.set(event, [...(listeners.get(event) ?? []), handler]),
    off: (event, handler) => listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== handler)),
  };
}

document.addEventListener("DOMContentLoaded", () => {
  for (const [id, state] of comparisons) {
    const el = document.getElementById(id);
    el.replaceChildren(); // the still picture, for pages without scripts
    render({ model: storedModel(state), el, signal: new AbortController().signal });
  }
  for (const corner of document.querySelectorAll("th")) {
    if (!corner.textContent.trim()) corner.replaceWith(document.createElement("td")); // it heads nothing
  }
  for (const box of document.querySelectorAll("pre, .output.text_html, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // so that the arrow keys scroll it
  }
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.ariaLevel = "2";
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Pages");
});
